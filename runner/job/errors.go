package job

import "github.com/tfrun/tfrun/internal/partfile"

// Errors of writing files that callers look for.
type (
	// OutputFileError is an error of writing an output, such as a full disk. Path is the output,
	// Err the cause.
	OutputFileError = partfile.OutputFileError
	// ResumeError says why an interrupted run cannot go on: Output is the output, Msg the reason.
	ResumeError = partfile.ResumeError
)
