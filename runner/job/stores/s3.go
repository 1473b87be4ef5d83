package stores

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/logging"
	gcaws "gocloud.dev/aws"
	"gocloud.dev/blob/s3blob"

	"github.com/tfrun/tfrun/internal/store"
)

func init() { store.Register("s3", openS3) }

// mostAttempts is how often a request is sent at most.
const mostAttempts = 6

// answerWithin is how long a store may take to begin its answer.
const answerWithin = time.Minute

// openS3 opens a bucket of S3, or of a store with its protocol. Options are those of
// gocloud.dev/blob/s3blob: region, endpoint, profile, anonymous, use_path_style, …
func openS3(ctx context.Context, name, options string) (store.Bucket, error) {
	q, err := url.ParseQuery(options)
	if err != nil {
		return nil, &store.Error{Kind: store.Usage, Msg: "the options behind the ? are damaged: " + err.Error()}
	}
	own := s3blob.Options{EncryptionType: types.ServerSideEncryption(takeOption(q, "ssetype")), KMSEncryptionID: takeOption(q, "kmskeyid")}
	endpoint, path := takeOption(q, "endpoint"), takeOption(q, "use_path_style")
	checksums := q.Has("request_checksum_calculation") || os.Getenv("AWS_REQUEST_CHECKSUM_CALCULATION") != ""
	cfg, err := gcaws.V2ConfigFromURLParams(ctx, q)
	if err != nil {
		return nil, &store.Error{Kind: store.Usage, Msg: strings.TrimPrefix(err.Error(), "open bucket "), Err: err}
	}
	cfg.Logger = logging.Nop{}
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.MaxBackoff, o.RateLimiter = mostAttempts, store.Times.Backoff, ratelimit.None
		})
	}
	cfg.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.ResponseHeaderTimeout = answerWithin })
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		if endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
		// Stores other than Amazon's have no host for each bucket, and few of them know Amazon's
		// checksums.
		if o.UsePathStyle = o.BaseEndpoint != nil; o.UsePathStyle && !checksums {
			o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		}
		if given, err := strconv.ParseBool(path); err == nil {
			o.UsePathStyle = given
		}
	})
	own.RequestChecksumCalculation = client.Options().RequestChecksumCalculation
	b, err := s3blob.OpenBucket(ctx, client, name, &own)
	if err != nil {
		return nil, err
	}
	return &bucket{Bucket: b, etag: etagS3, pin: pinS3, explain: explainS3, endUploads: func(ctx context.Context, key string) error {
		return endUploadsS3(ctx, client, name, key)
	}}, nil
}

// takeOption returns an option and removes it from q.
func takeOption(q url.Values, name string) string {
	defer q.Del(name)
	return q.Get(name)
}

func etagS3(as func(any) bool) string {
	var listed types.Object
	var looked s3.HeadObjectOutput
	var read s3.GetObjectOutput
	switch {
	case as(&listed):
		return aws.ToString(listed.ETag)
	case as(&looked):
		return aws.ToString(looked.ETag)
	case as(&read):
		return aws.ToString(read.ETag)
	}
	return ""
}

func pinS3(as func(any) bool, etag string) {
	var in *s3.GetObjectInput
	if as(&in) {
		in.IfMatch = &etag
	}
}

// endUploadsS3 removes the unfinished uploads of a key.
func endUploadsS3(ctx context.Context, client *s3.Client, name, key string) error {
	pages := s3.NewListMultipartUploadsPaginator(client, &s3.ListMultipartUploadsInput{Bucket: &name, Prefix: &key})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, u := range page.Uploads {
			if aws.ToString(u.Key) != key {
				continue
			}
			if _, err := client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &name, Key: u.Key, UploadId: u.UploadId}); err != nil {
				return err
			}
		}
	}
	return nil
}
