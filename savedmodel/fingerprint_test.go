package savedmodel_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
)

// modelsWithFingerprints lists the models of the repository that have a fingerprint.
func modelsWithFingerprints(tb testing.TB) (models []*savedmodel.Model) {
	tb.Helper()
	for _, root := range []string{"testdata", "examples"} {
		err := filepath.WalkDir(filepath.Join("..", root), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.Name() != savedmodel.FileFingerprint {
				return err
			}
			if m, err := savedmodel.Open(filepath.Dir(path)); err == nil {
				models = append(models, m)
			}
			return nil
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
	return modeltest.Sample(models)
}

// contradictions returns what a folder says against its model, without the folder's path.
func contradictions(m *savedmodel.Model) (list []string) {
	for _, err := range m.Contradictions() {
		list = append(list, strings.ReplaceAll(err.Error(), m.Dir+string(filepath.Separator), ""))
	}
	return list
}

// TestFingerprints holds the hashes against those that TensorFlow 2.15 to 2.21 wrote.
func TestFingerprints(t *testing.T) {
	wrong := map[string]string{
		"bad_fingerprint_garbage":    "fingerprint.pb: the fingerprint is damaged: byte 0: cut off",
		"bad_index_garbage":          "another variables/variables.index",
		"bad_index_half":             "another variables/variables.index",
		"bad_other_models_variables": "another variables/variables.index",
		"bad_index_missing":          "a variables/variables.index that is missing",
		"bad_no_variables_dir":       "a variables/variables.index that is missing",
	}
	models := modelsWithFingerprints(t)
	if len(models) < 200 && !testing.Short() {
		t.Fatalf("%d models with a fingerprint, want 200 at least", len(models))
	}
	for _, m := range models {
		got, want := contradictions(m), wrong[filepath.Base(filepath.Dir(m.Dir))]
		if want == "" && got != nil || want != "" && (len(got) != 1 || !strings.Contains(got[0], want)) {
			t.Errorf("%s: Contradictions() = %q, want %q", m.Dir, got, want)
		}
	}
}

// TestChangedFiles changes a byte of each model, and every byte of an index.
func TestChangedFiles(t *testing.T) {
	models := modelsWithFingerprints(t)
	tried := 0
	for i, m := range models {
		data, err := os.ReadFile(m.File)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(contradictions(m), func(s string) bool { return strings.HasPrefix(s, "fingerprint.pb: the fingerprint") }) {
			continue
		}
		data[len(data)*(i+1)/(len(models)+1)] ^= 4
		changed, err := savedmodel.FromBytes(m.Dir, data)
		if err != nil {
			continue // the byte was a length, or the like
		}
		tried++
		if got := contradictions(changed); len(got) != 1 || !strings.Contains(got[0], "another saved_model.pb") {
			t.Errorf("%s with one byte changed: Contradictions() = %q", m.Dir, got)
		}
	}
	if tried < len(models)/2 {
		t.Errorf("%d of %d models could be read with one byte changed, want half of them at least", tried, len(models))
	}

	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "testdata", "models", "k2_fixed_batch", "model"))); err != nil {
		t.Fatal(err)
	}
	index := filepath.Join(dir, "variables", "variables.index")
	data, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	step := 1
	if testing.Short() { // one goroutine reads the file
		step = 8
	}
	for i := 0; i < len(data); i += step {
		data[i] ^= 0x80
		if err := os.WriteFile(index, data, 0o600); err != nil {
			t.Fatal(err)
		}
		data[i] ^= 0x80
		m, err := savedmodel.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := contradictions(m); len(got) != 1 || !strings.Contains(got[0], "another variables/variables.index") {
			t.Fatalf("byte %d of the index changed: Contradictions() = %q", i, got)
		}
	}
}

// TestSecondModelFile puts the three forms of a model's file next to each other.
func TestSecondModelFile(t *testing.T) {
	names := []string{"saved_model.pb", "saved_model.pbtxt", "saved_model.cpb"}
	for set := 1; set < 8; set++ {
		dir := t.TempDir()
		var there []string
		for i, name := range names {
			if set>>i&1 == 0 {
				continue
			}
			there = append(there, name)
			text := "meta_graphs {}"
			if i == 0 {
				text = "\x12\x00"
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		m, err := savedmodel.Open(dir)
		if there[0] == "saved_model.cpb" {
			if err == nil || !strings.Contains(err.Error(), "saved_model.cpb") {
				t.Errorf("%q: Open = %v, want an error that names the file", there, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%q: Open = %v", there, err)
		}
		var want []string
		for _, name := range names {
			if slices.Contains(there[1:], name) {
				want = append(want, name+": is not read: the model is that of "+there[0]+", which lies beside it")
			}
		}
		slices.Sort(want)
		if got := contradictions(m); !slices.Equal(got, want) || filepath.Base(m.File) != there[0] {
			t.Errorf("%q: reads %s, Contradictions() = %q, want %q", there, filepath.Base(m.File), got, want)
		}
	}
}

func BenchmarkContradictions(b *testing.B) {
	m, err := savedmodel.Open(filepath.Join("..", "examples", "reviews", "model"))
	if err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(m.File)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	for b.Loop() {
		if got := m.Contradictions(); got != nil {
			b.Fatal(got)
		}
	}
}
