// Package escape makes models that try to do more than compute, for tests.
//
// A case is an operation that touches a file (a payload) in a place where it may be overlooked:
// behind an output, in a branch that is never taken, in a gradient, in the function of a dataset,
// in the step that loads the model, in a field that occurs twice. The operation's path is hidden
// too: as a constant with two values, behind an asset of another output, in a variable with a
// second name. All cases use one canary: a folder with a secret in it and one that is empty. A
// model has escaped if the secret is among its answers, or if something was written.
package escape

import (
	"embed"
	"os"
	"path/filepath"
	"strings"
)

// Canary is the folder that the models try to reach.
type Canary struct{ Dir string }

// Secret is the contents of the canary's files. No honest answer of a model contains it.
const Secret = "the-secret-of-the-canary"

// File returns the path of a file in the canary.
func (c Canary) File(name string) string { return filepath.Join(c.Dir, name) }

// Out returns a path that models try to write to. Its folder is empty.
func (c Canary) Out(name string) string { return filepath.Join(c.Dir, "out", name) }

// checkpoints are made by testdata/make_checkpoints.py: "secret" holds the secret, "own" is what
// models have themselves.
//
//go:embed testdata/*.index testdata/*.data-*
var checkpoints embed.FS

// writeCheckpoint writes one of the checkpoints under the name of a model's own checkpoint.
func writeCheckpoint(dir, name string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, part := range []string{".index", ".data-00000-of-00001"} {
		data, err := checkpoints.ReadFile("testdata/" + name + part)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "variables"+part), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Make makes the canary's folder.
func (c Canary) Make() error {
	if err := os.MkdirAll(filepath.Join(c.Dir, "out"), 0o700); err != nil {
		return err
	}
	if err := writeCheckpoint(c.File("checkpoint"), "secret"); err != nil {
		return err
	}
	for name, data := range map[string][]byte{
		Secret + ".name": nil,
		"secret.txt":     []byte(Secret + "\n"),
		"desc.pb":        descriptors(),
	} {
		if err := os.WriteFile(c.File(name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Escaped says how a model reached the canary, or returns "". answers is all that the model
// answered. Files that the model wrote are removed.
func (c Canary) Escaped(answers string) string {
	if strings.Contains(answers, Secret) {
		return "the secret is among the answers"
	}
	out := filepath.Join(c.Dir, "out")
	entries, err := os.ReadDir(out)
	if err != nil {
		return err.Error()
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		if err := os.RemoveAll(filepath.Join(out, e.Name())); err != nil {
			return err.Error()
		}
	}
	if names == nil {
		return ""
	}
	return "it has written " + strings.Join(names, ", ")
}
