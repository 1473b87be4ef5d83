package tf

import (
	"fmt"
	"strings"
)

// OpLibraryError says that a library of custom operations could not be loaded.
type OpLibraryError struct {
	Path   string // as it was named
	Reason string // the dynamic linker's or TensorFlow's
}

// Error names the file and the reason.
func (e *OpLibraryError) Error() string {
	return fmt.Sprintf("op library %q: %s", e.Path, e.Reason)
}

// Hints says what most often is the matter with libraries that do not fit.
func (e *OpLibraryError) Hints() []string {
	if !strings.Contains(e.Reason, "undefined symbol") && !strings.Contains(e.Reason, "version") {
		return nil
	}
	return []string{"an op library serves the TensorFlow that it was built for, often no other: tfrun doctor says which one this is"}
}

// opLibraryReason is what the dynamic linker says of a file, without its path, on one line.
func opLibraryReason(path, reason string) string {
	reason = strings.TrimPrefix(reason, path+": ")
	if reason == "" {
		reason = "cannot be loaded"
	}
	return cleanMessage(whyNot(path, reason))
}
