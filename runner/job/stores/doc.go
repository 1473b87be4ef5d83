// Package stores lets jobs read and write objects in stores, by names such as "s3://bucket/key". A
// program only has to import it:
//
//	import _ "github.com/tfrun/tfrun/runner/job/stores"
//
// It speaks to Amazon S3, and to stores with its protocol, through gocloud.dev/blob. Credentials,
// region and endpoint are found as the AWS SDK finds them: AWS_PROFILE, AWS_ACCESS_KEY_ID,
// AWS_REGION, AWS_ENDPOINT_URL, a role of the machine. Built with -tags tfrun_gcs it reads
// gs://BUCKET/KEY too, with tfrun_azure az://CONTAINER/KEY; the first tag makes a program 22 MB
// larger, the second 4 MB.
package stores
