package main

import (
	"os"

	"github.com/spf13/cobra"
)

// quietTensorFlow silences TensorFlow's own log lines unless -v was given or the user has set the
// level. It counts only before libtensorflow is opened.
func quietTensorFlow(cmd *cobra.Command) error {
	const level = "TF_CPP_MIN_LOG_LEVEL"
	verbose, err := cmd.Flags().GetBool("verbose")
	if err != nil || verbose {
		return err
	}
	if _, set := os.LookupEnv(level); set {
		return nil
	}
	return os.Setenv(level, "3") // 3: fatal errors alone
}
