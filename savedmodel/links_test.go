package savedmodel_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/scan"
)

// Whatever file of a model, or folder of it, is a link that leaves the model: nobody reads it
// unless links are allowed, and scan names it. A link within the model is a file like others.
func TestLinksThatLeaveAreNotRead(t *testing.T) {
	readers := map[string]func(*savedmodel.Model) error{
		"fingerprint.pb":                          func(m *savedmodel.Model) error { _, err := m.Fingerprint(); return err },
		"keras_metadata.pb":                       func(m *savedmodel.Model) error { _, err := m.MetaGraphs[0].KerasMetadata(); return err },
		"variables":                               readVariables,
		"variables/variables.index":               readVariables,
		"variables/variables.data-00000-of-00001": readVariables,
	}
	for name, read := range readers {
		for _, leaves := range []bool{true, false} {
			dir := filepath.Join(t.TempDir(), "model")
			if err := os.CopyFS(dir, os.DirFS(modeltest.Dir("k2_autoencoder"))); err != nil {
				t.Fatal(err)
			}
			path, target := filepath.Join(dir, name), filepath.Join(dir, "moved")
			if leaves {
				target = filepath.Join(t.TempDir(), "elsewhere")
			}
			if err := errors.Join(os.Rename(path, target), os.Symlink(target, path)); err != nil {
				t.Fatal(err)
			}
			m, err := savedmodel.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			var link *savedmodel.LinkError
			if err := read(m); errors.As(err, &link) != leaves || !leaves && err != nil {
				t.Errorf("%s, leaves %v: %v", name, leaves, err)
			}
			found, err := scan.Scan(m.MetaGraphs[0])
			if err != nil {
				t.Fatal(err)
			}
			named := false
			for _, f := range found.Findings {
				named = named || f.Kind == scan.AssetPath && strings.Contains(f.Detail, "is a link that leaves the model")
			}
			if want := leaves && name != "fingerprint.pb"; named != want {
				t.Errorf("%s, leaves %v: named by scan: %v", name, leaves, named)
			}
			if m, err = savedmodel.Open(dir); err != nil {
				t.Fatal(err)
			}
			m.AllowLinks = true
			if err := read(m); err != nil {
				t.Errorf("%s, links allowed: %v", name, err)
			}
		}
	}
}

// readVariables reads the checkpoint's index and a value.
func readVariables(m *savedmodel.Model) error {
	c, err := m.Checkpoint()
	if err == nil {
		_, err = c.Read(c.Tensors[0])
	}
	return err
}

// TensorFlow takes the path of a checkpoint for a pattern: in a folder of such a name it finds no
// variables, or those of another model.
func TestFoldersThatArePatterns(t *testing.T) {
	for name, fits := range map[string]bool{"m 1": true, "m{a,b}": true, "m*": true, "m?": true, "m]": true, "m[1]": false, `m\1`: false} {
		dir := filepath.Join(t.TempDir(), name)
		if err := os.CopyFS(dir, os.DirFS(modeltest.Dir("k3_autoencoder"))); err != nil {
			t.Fatal(err)
		}
		m, err := savedmodel.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.MetaGraphs[0].Files(false); err == nil != fits {
			t.Errorf("%s: %v", name, err)
		}
	}
}
