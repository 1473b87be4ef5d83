package tf

import (
	"fmt"
	"strings"
)

// OpLibraryError says that a library of custom operations could not be loaded.
type OpLibraryError struct {
	Path   string // as the user named it
	Reason string // from the dynamic linker or TensorFlow
}

// Error names the file and the reason.
func (e *OpLibraryError) Error() string {
	return fmt.Sprintf("op library %q: %s", e.Path, e.Reason)
}

// Hints returns the most common reason why a library does not fit.
func (e *OpLibraryError) Hints() []string {
	if !strings.Contains(e.Reason, "undefined symbol") && !strings.Contains(e.Reason, "version") {
		return nil
	}
	return []string{"an op library serves the TensorFlow that it was built for, often no other: tfrun doctor says which one this is"}
}

// opLibraryReason returns the dynamic linker's reason about a file on one line, without the file's
// path.
func opLibraryReason(path, reason string) string {
	reason = strings.TrimPrefix(reason, path+": ")
	if reason == "" {
		reason = "cannot be loaded"
	}
	return cleanMessage(whyNot(path, reason))
}
