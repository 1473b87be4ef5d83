//go:build tfrun_gcs || tfrun_azure

package stores

import (
	"context"

	"gocloud.dev/blob"

	"github.com/tfrun/tfrun/internal/store"
)

// openURL returns an opener of the buckets that gocloud.dev opens under a scheme.
func openURL(scheme string) store.Opener {
	return func(ctx context.Context, name, options string) (store.Bucket, error) {
		url := scheme + "://" + name
		if options != "" {
			url += "?" + options
		}
		b, err := blob.OpenBucket(ctx, url)
		if err != nil {
			return nil, &store.Error{Kind: store.Usage, Msg: innermost(err), Err: err}
		}
		return &bucket{Bucket: b, explain: func(err error) (store.Kind, string) { return 0, innermost(err) }}, nil
	}
}
