package job

import "github.com/tfrun/tfrun/internal/partfile"

// What writing files makes and callers look for.
type (
	// OutputFileError is an error of writing an output, such as a disk that is full. Path is the
	// output, Err the cause.
	OutputFileError = partfile.OutputFileError
	// ResumeError says why an interrupted run cannot be gone on with: its Output, and the reason,
	// Msg.
	ResumeError = partfile.ResumeError
)
