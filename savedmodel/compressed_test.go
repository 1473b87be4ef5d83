package savedmodel_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
)

// TestCompressedIndex reads the index of every model once more, with its blocks compressed.
func TestCompressedIndex(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("..", "testdata", "*", "*", "model", "variables", "variables.index"))
	if err != nil || len(files) < 100 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	read := 0
	for _, file := range files {
		want, err := (&savedmodel.Model{Dir: filepath.Dir(filepath.Dir(file))}).Checkpoint()
		if err != nil {
			continue // one that is damaged on purpose
		}
		dir := t.TempDir()
		if err := os.CopyFS(filepath.Join(dir, "variables"), os.DirFS(filepath.Dir(file))); err != nil {
			t.Fatal(err)
		}
		modeltest.CompressIndex(t, filepath.Join(dir, "variables", "variables.index"))
		got, err := (&savedmodel.Model{Dir: dir}).Checkpoint()
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if diff := cmp.Diff(want.Tensors, got.Tensors, cmp.AllowUnexported(savedmodel.CheckpointTensor{})); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
		read++
	}
	t.Logf("%d checkpoints", read)
}
