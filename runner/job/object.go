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

// stateFile is the file of a state folder that stands for an object until that is whole. The folder
// comes into being.
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

// localOutput is where results are written: under the name of the output, or, for an object, in the
// state folder.
func (j Job) localOutput() (string, error) {
	if !store.Is(j.Output) {
		return j.Output, nil
	}
	return stateFile(j.State, j.Output)
}

// ofObject makes an error of the state folder one of the object.
func (j Job) ofObject(err error) error {
	var other *ResumeError
	if store.Is(j.Output) && errors.As(err, &other) {
		other.Output = j.Output
	}
	return err
}

// publish makes an object of an output that is whole, and takes its state away. What could not be
// written stays: a run with Resume has nothing to do but to write it.
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
