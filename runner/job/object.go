package job

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/tfrun/tfrun/internal/cache"
	"github.com/tfrun/tfrun/internal/partfile"
	"github.com/tfrun/tfrun/internal/store"
)

// stateFile returns the file in a state folder that holds an object until it is whole. It makes the
// folder.
func stateFile(dir, object string) (string, error) {
	if dir == "" {
		all, err := cache.Dir()
		if err != nil {
			return "", fmt.Errorf("output %q: %w", object, err)
		}
		dir = filepath.Join(all, "state")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("state of the output %q: %w", object, err)
	}
	sum := sha256.Sum256([]byte(object))
	return filepath.Join(dir, fmt.Sprintf("%x-%s", sum[:8], path.Base(object))), nil
}

// localOutput returns the file that results are written to: the output itself, or, for an object, a
// file in the state folder.
func (j Job) localOutput() (string, error) {
	if !store.Is(j.Output) {
		return j.Output, nil
	}
	return stateFile(j.State, j.Output)
}

// ofObject turns an error about the state folder's file into one about the object.
func (j Job) ofObject(err error) error {
	var other *ResumeError
	if store.Is(j.Output) && errors.As(err, &other) {
		other.Output = j.Output
	}
	return err
}

// publish writes a whole output to its object, and removes its state. If that fails the state
// stays, and a run with Resume only has to write the object.
func (w *writing) publish(ctx context.Context, out *partfile.File) error {
	body, err := out.Section()
	if err == nil {
		err = store.Put(ctx, w.Output, body)
	}
	if err != nil {
		w.sum.Kept = out.Leave() == nil
		return err
	}
	return out.Remove()
}
