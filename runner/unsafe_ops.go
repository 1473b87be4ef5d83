package runner

import (
	"fmt"
	"slices"

	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/scan"
)

// UnsafeError says that a model does more than compute: loading the model or running the signature
// reads or writes files, starts processes, reaches the network or runs other code. It also stands
// for operations that tfrun does not know. [Options.AllowOps] lets named operations through.
type UnsafeError struct {
	Model     string
	Signature string // "" when loading the model does it
	Findings  []scan.Finding
}

// Error names the first operation and where it sits.
func (e *UnsafeError) Error() string {
	what := "loading it"
	if e.Signature != "" {
		what = fmt.Sprintf("signature %q", e.Signature)
	}
	f := e.Findings[0]
	more := ""
	if n := len(e.Findings) - 1; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	if f.Kind == scan.Ambiguous {
		return fmt.Sprintf("model %q: %s meets something ambiguous in %q: it %s%s", e.Model, what, f.Where(), f.Detail, more)
	}
	if f.Op == "" {
		return fmt.Sprintf("model %q: %s meets %s in %q: it %s%s", e.Model, what, f.Kind, f.Where(), f.Detail, more)
	}
	if f.Kind == scan.UnknownOp {
		return fmt.Sprintf("model %q: %s runs %s in %q%s: a %s", e.Model, what, f.Op, f.Where(), more, f.Detail)
	}
	return fmt.Sprintf("model %q: %s runs %s (%s) in %q%s", e.Model, what, f.Op, f.Kind, f.Where(), more)
}

// Hints says what to type next.
func (e *UnsafeError) Hints() []string {
	f := e.Findings[0]
	if f.Op == "" || !f.Kind.Allowable() {
		return []string{"see what it does: tfrun scan " + words.ShellFile(e.Model)}
	}
	if f.Kind == scan.UnknownOp {
		return []string{"load the library that has it: --op-library FILE.so", "or, if this TensorFlow has it: --allow-op " + words.Shell(f.Op)}
	}
	return []string{"see what it does: tfrun scan " + words.ShellFile(e.Model), "if you trust it: --allow-op " + words.Shell(f.Op)}
}

// allowed reports whether the options let an operation through that the scan found.
func (s *Session) allowed(f scan.Finding) bool {
	switch {
	case !f.Kind.Allowable():
		return false
	case slices.Contains(s.o.AllowOps, f.Op):
		return true
	case f.Kind != scan.UnknownOp || len(s.o.OpLibraries) == 0:
		return false
	}
	return s.o.custom == nil || slices.Contains(s.o.custom, f.Op) // a plan loads nothing
}

// loadOpLibraries loads the libraries of custom operations, and notes which operations they have.
func (o *Options) loadOpLibraries() error {
	if len(o.OpLibraries) == 0 {
		return nil
	}
	if _, err := tf.OpenLibrary(o.Library); err != nil {
		return err
	}
	o.custom = []string{}
	for _, path := range o.OpLibraries {
		names, err := tf.LoadOpLibrary(path)
		if err != nil {
			return err
		}
		o.custom = append(o.custom, names...)
	}
	return nil
}

// checkSignatures refuses a model of which none of the named signatures may run. Without names it
// looks at all signatures.
func (s *Session) checkSignatures(names []string) error {
	if names == nil {
		names = s.graph.SignatureNames()
	}
	var first error
	for _, name := range names {
		err := s.checkOps(name)
		if err == nil {
			return nil
		}
		if first == nil || name == savedmodel.DefaultSignature {
			first = err
		}
	}
	return first
}

// checkOps refuses a signature, or for "" the loading of the model, for which the scan found an
// operation that is not allowed.
func (s *Session) checkOps(signature string) error {
	e := &UnsafeError{Model: s.model.Dir, Signature: signature}
	for _, f := range s.found.Findings {
		if s.allowed(f) {
			continue
		}
		if signature == "" && f.Loading && f.RunsWith("") || signature != "" && f.RunsWith(signature) {
			e.Findings = append(e.Findings, f)
		}
	}
	if e.Findings == nil {
		return nil
	}
	return e
}
