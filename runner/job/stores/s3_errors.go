package stores

import (
	"cmp"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/tfrun/tfrun/internal/store"
)

// kindsS3 maps the error codes of S3 to kinds of errors.
var kindsS3 = map[string]store.Kind{
	"NoSuchKey": store.NotFound, "NotFound": store.NotFound,
	"NoSuchBucket": store.NoBucket, "InvalidBucketName": store.NoBucket,
	"AccessDenied": store.Denied, "Forbidden": store.Denied, "AllAccessDisabled": store.Denied, "AccountProblem": store.Denied,
	"InvalidAccessKeyId": store.Denied, "SignatureDoesNotMatch": store.Denied, "ExpiredToken": store.Denied, "InvalidToken": store.Denied,
	"PermanentRedirect": store.Region, "AuthorizationHeaderMalformed": store.Region, "IllegalLocationConstraintException": store.Region,
	"PreconditionFailed": store.Changed,
}

// explainS3 says what an error of the AWS SDK means, without the SDK's wrapping and request ids.
func explainS3(err error) (store.Kind, string) {
	var api smithy.APIError
	var answer *awshttp.ResponseError
	status := 0
	if errors.As(err, &answer) {
		status = answer.HTTPStatusCode()
	}
	if errors.As(err, &api) {
		code, msg := api.ErrorCode(), strings.TrimSuffix(api.ErrorMessage(), ".")
		kind := kindsS3[code]
		if kind == 0 && status == http.StatusMovedPermanently {
			kind = store.Region
		}
		switch {
		case kind == store.Region:
			return kind, "the bucket is in another region"
		case kind == store.Denied && (code == "AccessDenied" || code == "Forbidden"):
			return kind, "access denied"
		case kind == store.Denied:
			return kind, "access denied: " + cmp.Or(msg, code)
		case code == "UnknownError" || code == "":
			return kind, "the store answered " + cmp.Or(http.StatusText(status), "nothing")
		case msg == "" || msg == code:
			return kind, "the store answered " + code
		}
		return kind, "the store answered " + code + ": " + msg
	}
	if text := err.Error(); strings.Contains(text, "get identity: get credentials") || strings.Contains(text, "refresh cached credentials") {
		return store.NoCredentials, "there are no credentials for it"
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return 0, "no connection to the store: " + dialed(op)
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return 0, "no connection to the store: there is no host " + dns.Name
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) {
		return 0, "the connection to the store broke again and again"
	}
	return 0, innermost(err)
}

// innermost returns the text of the last cause of an error.
func innermost(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		err = next
	}
}

// dialed returns the cause of a failed connection, with the host's name.
func dialed(err *net.OpError) string {
	if err.Addr == nil {
		return err.Err.Error()
	}
	return err.Addr.String() + ": " + err.Err.Error()
}
