// Package escape makes models that try to do more than compute, for tests.
//
// A case is an operation that touches a file (a payload), hidden in a place where a graph can hold
// one: behind an output, in a branch that is never taken, a gradient, the function of a dataset,
// the step that loads the model, a field that stands twice. What the operation is told, its path,
// hides too: as a constant with two values, behind an asset of another output, in a variable that
// has a second name. All of it happens around a canary: a folder with a secret in it and one that
// stays empty. A model escapes when the secret is among its answers or something was written.
package escape

import (
	"embed"
	"os"
	"path/filepath"
	"strings"
)

// Canary is the folder that models try to reach.
type Canary struct{ Dir string }

// Secret is what stands in the canary's files. No answer of a model holds it.
const Secret = "the-secret-of-the-canary"

// File is a path of the canary.
func (c Canary) File(name string) string { return filepath.Join(c.Dir, name) }

// Out is a path that models write to. Its folder is empty.
func (c Canary) Out(name string) string { return filepath.Join(c.Dir, "out", name) }

// checkpoints are made by testdata/make_checkpoints.py: "secret" holds the secret, "own" is what
// models have themselves.
//
//go:embed testdata/*.index testdata/*.data-*
var checkpoints embed.FS

// writeCheckpoint writes one of the checkpoints under the name that a model's own has.
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

// Make makes the folder.
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

// Escaped says how a model got at the canary, given everything that it answered: "" where it did
// not. What it has written is removed.
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
