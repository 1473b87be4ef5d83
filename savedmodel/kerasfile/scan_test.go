package kerasfile

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/savedmodel/scan"
)

// TestScanOfFiles finds nothing in files of layers of Keras alone, and what is hostile in others.
func TestScanOfFiles(t *testing.T) {
	t.Parallel()
	dir, names := testFiles(t, "*", 1<<20)
	want := map[string]string{
		"k2_lambdas_python.keras": "bytecode unsafe", "k2_lambdas_python.h5": "bytecode unsafe",
		"k3_lambdas_python.keras": "bytecode unsafe", "k3_lambdas_python.h5": "bytecode unsafe",
		"hostile_external.weights.h5": "reads-files unsafe", "hostile_external_link.weights.h5": "reads-files unsafe",
		"hostile_virtual.weights.h5": "reads-files unsafe", "hostile_bomb.weights.h5": "huge-tensor unsafe",
		"hostile_soft_link.weights.h5": "odd-archive dormant", "hostile_again.weights.h5": "odd-archive dormant",
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".json") {
			continue
		}
		findings, err := Scan(filepath.Join(dir, name))
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		got := ""
		for _, f := range findings {
			if f.Severity != scan.Expected {
				got = string(f.Kind) + " " + string(f.Severity)
				break
			}
		}
		if got != want[name] {
			t.Errorf("%s: %q, want %q (%v)", name, got, want[name], findings)
		}
	}
}

// archiveOf writes a .keras archive with a configuration and other parts.
func archiveOf(t *testing.T, config any, more func(*zip.Writer)) string {
	t.Helper()
	dir, _ := testFiles(t, "k3_values.keras", 1<<20)
	z, err := zip.OpenReader(filepath.Join(dir, "k3_values.keras"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, f := range z.File {
		if f.Name == configName && config != nil {
			part, err := w.Create(configName)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.NewEncoder(part).Encode(config); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := w.Copy(f); err != nil {
			t.Fatal(err)
		}
	}
	if more != nil {
		more(w)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.keras")
	if err := os.WriteFile(path, buf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

type object2 = map[string]any

// TestScanOfConfigs finds what Keras does when it loads a configuration, beside making layers.
func TestScanOfConfigs(t *testing.T) {
	t.Parallel()
	layer := func(l object2) object2 {
		return object2{"class_name": "Sequential", "module": "keras", "config": object2{"name": "m", "layers": []any{l}}}
	}
	tests := []struct {
		name   string
		config object2
		want   string // kind and severity, "" for nothing
	}{
		{"a layer", layer(object2{"class_name": "Dense", "module": "keras.layers", "config": object2{"name": "d"}}), ""},
		{"bytecode of Keras 3", layer(object2{"class_name": "Lambda", "module": "keras.layers", "config": object2{"function": object2{"class_name": "__lambda__", "config": object2{"code": "4wE="}}}}), "bytecode unsafe"},
		{"bytecode of Keras 2", layer(object2{"class_name": "Lambda", "config": object2{"function": []any{"4wE=", nil, nil}, "function_type": "lambda"}}), "bytecode unsafe"},
		{"a pickle", layer(object2{"class_name": "TorchModuleWrapper", "module": "keras.layers", "config": object2{"module": "gASV"}}), "python unsafe"},
		{"another model", layer(object2{"class_name": "TFSMLayer", "module": "keras.layers", "config": object2{"filepath": "/tmp/x"}}), "reads-files unsafe"},
		{"a vocabulary elsewhere", layer(object2{"class_name": "StringLookup", "module": "keras.layers", "config": object2{"vocabulary": "/etc/passwd"}}), "reads-files unsafe"},
		{"a vocabulary", layer(object2{"class_name": "StringLookup", "module": "keras.layers", "config": object2{"vocabulary": []any{"a"}}}), ""},
		{"a function of Python's", layer(object2{"class_name": "Lambda", "module": "keras.layers", "config": object2{"function": object2{"class_name": "function", "module": "os", "config": "system"}}}), "python unsafe"},
		{"a function of Keras' that fetches", layer(object2{"class_name": "Lambda", "module": "keras.layers", "config": object2{"function": object2{"class_name": "function", "module": "keras.utils", "config": "get_file"}}}), "python unsafe"},
		{"a function in a class's place", layer(object2{"class_name": "load_model", "module": "keras.models", "config": object2{}}), "python unsafe"},
		{"a function of Keras' that loads", layer(object2{"class_name": "function", "module": "keras.models", "config": "model_from_json"}), "python unsafe"},
		{"a function of Keras' that makes objects", layer(object2{"class_name": "function", "module": "keras.losses", "config": "deserialize"}), "python unsafe"},
		{"a setting of Keras'", layer(object2{"class_name": "function", "module": "keras.config", "config": "enable_unsafe_deserialization"}), "python unsafe"},
		{"older parts of Keras", layer(object2{"class_name": "function", "module": "keras.src.legacy.saving.legacy_h5_format", "config": "load_model_from_hdf5"}), "python unsafe"},
		{"an activation of Keras'", layer(object2{"class_name": "Lambda", "module": "keras.layers", "config": object2{"function": object2{"class_name": "function", "module": "keras.src.activations.activations", "config": "relu"}}}), ""},
		{"an operation of Keras'", layer(object2{"class_name": "Lambda", "module": "keras.layers", "config": object2{"function": object2{"class_name": "function", "module": "keras.src.ops.numpy", "config": "absolute"}}}), ""},
		{"an operation of TensorFlow's", layer(object2{"class_name": "Lambda", "module": "keras.layers", "config": object2{"function": object2{"class_name": "function", "module": "tensorflow.python.ops.nn_impl", "config": "l2_normalize"}}}), ""},
		{"a file by TensorFlow", layer(object2{"class_name": "function", "module": "tensorflow.python.lib.io.file_io", "config": "delete_recursively"}), "python unsafe"},
		{"Python by TensorFlow", layer(object2{"class_name": "function", "module": "tensorflow.python.ops.script_ops", "config": "py_func"}), "python unsafe"},
		{"a function of Keras 2 by its name in TensorFlow", layer(object2{"class_name": "TFOpLambda", "module": "keras.layers", "config": object2{"function": "math.multiply"}}), ""},
		{"a library by its name in TensorFlow", layer(object2{"class_name": "TFOpLambda", "module": "keras.layers", "config": object2{"function": "load_op_library"}}), "python unsafe"},
		{"a file by its name in TensorFlow", layer(object2{"class_name": "TFOpLambda", "config": object2{"function": "compat.v1.gfile.DeleteRecursively"}}), "python unsafe"},
		{"a module of Python's own", layer(object2{"class_name": "function", "module": "_posixsubprocess", "config": "fork_exec"}), "python unsafe"},
		{"a rarer module of Python", layer(object2{"class_name": "function", "module": "telnetlib", "config": "test"}), "python unsafe"},
		{"a function of Python's without a module", layer(object2{"class_name": "Lambda", "module": "keras.layers", "config": object2{"function": object2{"class_name": "function", "module": "builtins", "config": "exec"}}}), "python unsafe"},
		{"one whose name begins as those of Keras' own", layer(object2{"class_name": "function", "module": "builtins", "config": "__import__"}), "python unsafe"},
		{"a function of Keras' own", layer(object2{"class_name": "function", "module": "builtins", "config": "my_loss"}), "custom-code expected"},
		{"a module by a type", layer(object2{"class_name": "__typespec__", "module": "antigravity", "spec_name": "Spec", "config": []any{}}), "python unsafe"},
		{"a type", layer(object2{"class_name": "__typespec__", "module": "tensorflow.python.framework.tensor", "spec_name": "TensorSpec", "config": []any{}}), ""},
		{"a type of one's own", layer(object2{"class_name": "__typespec__", "module": "own.specs", "spec_name": "Spec", "config": []any{}}), "custom-code expected"},
		{"a tokenizer's model elsewhere", layer(object2{"class_name": "SentencePieceTokenizer", "module": "keras_hub.tokenizers", "config": object2{"proto": "/etc/passwd"}}), "reads-files unsafe"},
		{"a tokenizer's model", layer(object2{"class_name": "SentencePieceTokenizer", "module": "keras_hub.tokenizers", "config": object2{"proto": "Cg4KBTx1bms+FQAAAAAYAg=="}}), ""},
		{"a list of merges elsewhere", layer(object2{"class_name": "BytePairTokenizer", "module": "keras_hub.tokenizers", "config": object2{"vocabulary": nil, "merges": "/etc/passwd"}}), "reads-files unsafe"},
		{"features", object2{"class_name": "FeatureSpace", "module": "keras.utils", "config": object2{"features": object2{}}}, ""},
		{"a class of Python's", layer(object2{"class_name": "Popen", "module": "subprocess", "config": object2{}}), "python unsafe"},
		{"a class of one's own", layer(object2{"class_name": "Gate", "module": "my_package.layers", "config": object2{}}), "custom-code expected"},
		{"a registered class", layer(object2{"class_name": "Gate", "module": nil, "registered_name": "own>Gate", "config": object2{}}), "custom-code expected"},
		{"a registered class in .h5", layer(object2{"class_name": "own>Gate", "config": object2{}}), "custom-code expected"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			findings, err := Scan(archiveOf(t, tt.config, nil))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, f := range findings {
				if f.Kind != scan.LambdaLayer {
					got = string(f.Kind) + " " + string(f.Severity)
					break
				}
			}
			if got != tt.want {
				t.Errorf("%q, want %q: %+v", got, tt.want, findings)
			}
		})
	}
}

// TestScanOfArchives finds parts that lead out of the archive, that programs read differently, and
// that grow beyond measure.
func TestScanOfArchives(t *testing.T) {
	t.Parallel()
	add := func(name string) func(*zip.Writer) {
		return func(w *zip.Writer) {
			part, err := w.Create(name)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := part.Write([]byte("x")); err != nil {
				t.Error(err)
			}
		}
	}
	bomb := func(w *zip.Writer) {
		part, err := w.CreateRaw(&zip.FileHeader{Name: "assets/a", Method: zip.Deflate, CompressedSize64: 4, UncompressedSize64: 1 << 40})
		if err == nil {
			_, err = part.Write([]byte("\x03\x00\x00\x00"))
		}
		if err != nil {
			t.Error(err)
		}
	}
	link := func(w *zip.Writer) {
		h := &zip.FileHeader{Name: "assets/link"}
		h.SetMode(fs.ModeSymlink | 0o777)
		part, err := w.CreateHeader(h)
		if err == nil {
			_, err = part.Write([]byte("/etc"))
		}
		if err != nil {
			t.Error(err)
		}
	}
	for _, tt := range []struct {
		name string
		more func(*zip.Writer)
		want string
	}{
		{"as it is", nil, ""},
		{"an asset", add("assets/layers/text_vectorization/vocabulary.txt"), ""},
		{"out of the folder", add("../../x"), "asset-path unsafe"},
		{"from the root", add("/etc/x"), "asset-path unsafe"},
		{"another slash", add(`assets\..\..\x`), "asset-path unsafe"},
		{"a drive", add(`C:x`), "asset-path unsafe"},
		{"a link", link, "asset-path unsafe"},
		{"twice", add(configName), "odd-archive unsafe"},
		{"a bomb", bomb, "odd-archive unsafe"},
		{"a pickle", add("model.pkl"), "python dormant"},
		{"something else", add("run.sh"), "odd-archive dormant"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var config any
			if tt.name == "twice" { // the last counts, as in Python: it must be whole
				config = object2{"class_name": "Sequential", "config": object2{}}
			}
			findings, err := Scan(archiveOf(t, config, tt.more))
			if tt.name == "twice" && err != nil {
				return // the second one is no JSON
			}
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if len(findings) > 0 {
				got = string(findings[0].Kind) + " " + string(findings[0].Severity)
			}
			if got != tt.want {
				t.Errorf("%q, want %q: %+v", got, tt.want, findings)
			}
		})
	}
}
