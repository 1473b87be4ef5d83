//go:build tfrun_gcs

package stores

import (
	_ "gocloud.dev/blob/gcsblob" // which opens gs://

	"github.com/tfrun/tfrun/internal/store"
)

func init() { store.Register("gs", openURL("gs")) }
