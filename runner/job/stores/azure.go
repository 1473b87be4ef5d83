//go:build tfrun_azure

package stores

import (
	_ "gocloud.dev/blob/azureblob" // which opens azblob://

	"github.com/tfrun/tfrun/internal/store"
)

func init() { store.Register("az", openURL("azblob")) }
