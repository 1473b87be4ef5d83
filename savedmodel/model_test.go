package savedmodel_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

func TestTags(t *testing.T) {
	t.Parallel()
	m := modeltest.Open(t, "tf1_multi_tags")
	for _, tags := range [][]string{nil, {"serve"}, {"gpu", "serve"}, {"serve", "gpu"}, {"train"}} {
		mg, err := m.MetaGraph(tags...)
		if err != nil {
			t.Errorf("MetaGraph(%v) = %v", tags, err)
			continue
		}
		want := slices.Sorted(slices.Values(tags))
		if tags == nil {
			want = []string{"serve"}
		}
		if !slices.Equal(mg.Tags, want) {
			t.Errorf("MetaGraph(%v) has tags %v, want %v", tags, mg.Tags, want)
		}
	}
	_, err := m.MetaGraph("serve", "npu")
	var te *savedmodel.TagError
	if !errors.As(err, &te) || len(te.Have) != 4 || !strings.Contains(err.Error(), "no graph with tags [npu serve]; the model has [serve], [gpu serve]") {
		t.Errorf("MetaGraph(serve, npu) = %v, want a *TagError with the four tag sets", err)
	}
}

func TestSignatureErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		model, name, want, text string
		none                    bool
	}{
		{"mod_multi_signature", "", savedmodel.DefaultSignature, "", false},
		{"k3_seed", "serve", "serve", "", false},
		{"k3_seed", "serving_defualt", "", `has no signature "serving_defualt"; did you mean "serving_default"?`, false},
		{"k3_seed", "zzz", "", `has no signature "zzz"; it has: serve, serving_default`, false},
		{"k3_seed", "__saved_model_init_op", "", "has no signature", false},
		{"mod_no_signature", "", "", "has no signatures", true},
	}
	for _, tt := range tests {
		s, err := modeltest.Open(t, tt.model).MetaGraphs[0].Signature(tt.name)
		if tt.want != "" {
			if err != nil || s.Name != tt.want {
				t.Errorf("%s: Signature(%q) = %v, %v, want %q", tt.model, tt.name, s, err, tt.want)
			}
			continue
		}
		var se *savedmodel.SignatureError
		if !errors.As(err, &se) || !strings.Contains(err.Error(), tt.text) || errors.Is(err, savedmodel.ErrNoSignatures) != tt.none {
			t.Errorf("%s: Signature(%q) = %v, want a *SignatureError with %q", tt.model, tt.name, err, tt.text)
		}
	}
}

func TestOpenVersions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, v := range []string{"1", "9", "10", "0008", "latest"} {
		if err := os.CopyFS(filepath.Join(dir, v), os.DirFS(filepath.Join("..", "testdata", "models", "mod_scalar", "model"))); err != nil {
			t.Fatal(err)
		}
	}
	m, err := savedmodel.Open(dir)
	if err != nil || m.Version != "10" || m.Dir != filepath.Join(dir, "10") {
		t.Errorf("Open = %+v, %v, want version 10", m, err)
	}
	if err := os.Remove(filepath.Join(dir, "10", savedmodel.FileBinary)); err != nil {
		t.Fatal(err)
	}
	if _, err := savedmodel.Open(dir); !errors.Is(err, savedmodel.ErrNotFound) || !strings.Contains(err.Error(), filepath.Join(dir, "10")) {
		t.Errorf("Open with a broken highest version = %v, want ErrNotFound about it", err)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file("outer/export/saved_model.pb", "x")
	file("zip/saved_model.pb", "PK\x03\x04…")
	file("h5/saved_model.pb", "\x89HDF\r\n")
	file("text/saved_model.pb", "meta_graphs {\n}\n")
	file("badtext/saved_model.pbtxt", "meta_graphs { nonsense")
	file("ckpt/checkpoint", "")
	file("keras/config.json", "{}")
	file("keras/model.weights.h5", "")
	tests := []struct {
		path, want string
		notFound   bool
	}{
		{filepath.Join(dir, "nowhere"), "no such file or directory", true},
		{file("m.keras", "PK"), "is a Keras file", true},
		{file("m.h5", "x"), "is a Keras file", true},
		{file("m.tflite", "x"), "another format", true},
		{file("m.tar.gz", "x"), "is an archive", true},
		{file("alone/saved_model.pb", "x"), "give the directory that holds it", true},
		{filepath.Join(dir, "outer"), "but there is one in", true},
		{filepath.Join(dir, "ckpt"), "folder of checkpoints", true},
		{filepath.Join(dir, "keras"), "unpacked .keras archive", true},
		{filepath.Join(dir, "zip"), "compressed archive", false},
		{filepath.Join(dir, "h5"), "HDF5", false},
		{filepath.Join(dir, "text"), "text form", false},
		{filepath.Join(dir, "badtext"), "text form", false},
	}
	for _, tt := range tests {
		_, err := savedmodel.Open(tt.path)
		if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, savedmodel.ErrNotFound) != tt.notFound || strings.Contains(err.Error(), "\n") {
			t.Errorf("Open(%s) = %v, want one line with %q", tt.path, err, tt.want)
		}
	}
}

func TestCompositesSayHowTheyBelongTogether(t *testing.T) {
	t.Parallel()
	words := modeltest.Open(t, "mod_ragged_out").MetaGraphs[0].Signatures[savedmodel.DefaultSignature].Outputs["words"]
	if words.Ragged == nil || words.Ragged.RaggedRank != 1 || words.Ragged.DType != tensor.String || words.Components[0].Role != "values" || words.Components[1].Role != "row_splits" {
		t.Errorf("words = %+v, ragged %+v", words, words.Ragged)
	}
	x := modeltest.Open(t, "tf1_sparse").MetaGraphs[0].Signatures[savedmodel.DefaultSignature].Inputs["x"]
	var roles []string
	for _, c := range x.Components {
		roles = append(roles, c.Role)
	}
	if diff := cmp.Diff([]string{"values", "indices", "dense_shape"}, roles); diff != "" || !x.Sparse() {
		t.Errorf("roles of a sparse input (-want +got):\n%s", diff)
	}
}

func TestConcreteFunctions(t *testing.T) {
	t.Parallel()
	mg := modeltest.Open(t, "k2_multi_io").MetaGraphs[0]
	objs, err := mg.Objects()
	if err != nil || len(objs.Functions()) == 0 {
		t.Fatalf("Objects() = %v, %v; want functions", objs, err)
	}
	for _, name := range objs.Functions() {
		f, err := objs.Function(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(name, "signature_wrapper") {
			continue
		}
		var outputs, captures []string
		for _, id := range f.Bound {
			if v := objs.Variables[id]; v != nil {
				captures = append(captures, v.Name)
			}
		}
		for _, o := range f.Outputs {
			outputs = append(outputs, fmt.Sprintf("%s %v%v", o.Path, o.DType, o.Shape))
		}
		want := []string{`["department"] float32(None, 4)`, `["priority"] float32(None, 1)`}
		if diff := cmp.Diff(want, outputs); diff != "" || len(f.Inputs) != 3 || !slices.Contains(captures, "words/embeddings") {
			t.Errorf("%s: inputs %v, captures %v, outputs (-want +got):\n%s", name, f.Inputs, captures, diff)
		}
		return
	}
	t.Error("no signature wrapper among the concrete functions")
}

func TestVerifyRefusesAssetsOutside(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"../../etc/passwd", "/etc/passwd", "a/../../b"} {
		mg := modeltest.Open(t, "mod_vocab_asset").MetaGraphs[0]
		mg.Assets = []savedmodel.Asset{{Tensor: "x:0", Filename: name}}
		if err := mg.Verify(); err == nil || !strings.Contains(err.Error(), "outside") {
			t.Errorf("Verify with asset %q = %v, want an error", name, err)
		}
	}
	dir := modeltest.Copy(t, "mod_vocab_asset")
	m, err := savedmodel.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	m.MetaGraphs[0].Assets = append(m.MetaGraphs[0].Assets, m.MetaGraphs[0].Assets[0])
	if err := m.MetaGraphs[0].Verify(); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("Verify with an asset listed twice = %v, want an error", err)
	}
}
