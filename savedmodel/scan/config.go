package scan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Config looks through the configuration in one of Keras' own files for what loading it does beside
// making layers: Python bytecode, pickled objects, files that are read, functions that are called
// by name. Custom classes are [Expected]: loading needs their code, and runs it.
func Config(data json.RawMessage) []Finding {
	var config any
	if json.Unmarshal(data, &config) != nil {
		return nil // Keras cannot load it either
	}
	m := &metadataScan{seen: map[string]bool{}, file: true}
	m.walk(config, "", "")
	return m.findings
}

// object judges a serialized object by its class and its Python module.
func (m *metadataScan) object(v map[string]any, layer string) {
	class, _ := v["class_name"].(string)
	module, _ := v["module"].(string)
	config, _ := v["config"].(map[string]any)
	if layer == "" {
		layer = class
	}
	bare := class[strings.LastIndexByte(class, '>')+1:]
	switch bare {
	case "TorchModuleWrapper":
		m.add(RunsPython, Unsafe, layer, "a pickled PyTorch module: loading it may run any Python code")
	case "TFSMLayer":
		m.add(ReadsFiles, Unsafe, layer, fmt.Sprintf("loads and runs the SavedModel at %q", text(config["filepath"])))
	case "JaxLayer", "FlaxLayer":
		m.add(RunsPython, Unsafe, layer, "a "+bare+": its function stands in the file as bytecode or by name")
	}
	if path, ok := config["vocabulary"].(string); ok && path != "" {
		m.add(ReadsFiles, Unsafe, layer, fmt.Sprintf("its vocabulary is the file %q", path))
	}
	if registered := text(v["registered_name"]); module == "" && strings.Contains(registered, ">") {
		class = registered
	}
	m.module(class, module, text(v["config"]), layer)
}

func text(v any) string { s, _ := v.(string); return s }

// module judges the module of a class, or of a function, whose config is its name.
func (m *metadataScan) module(class, module, name, layer string) {
	root, rest, _ := strings.Cut(module, ".")
	function := class == "function"
	if function {
		class = name
	}
	switch {
	case strings.HasPrefix(class, "__"): // a tuple, a slice or a tensor
	case function && (module == "" || root == "builtins"):
		m.add(CustomCode, Expected, layer, fmt.Sprintf("the function %s is of one's own: loading needs its code", class))
	case module == "" && !strings.Contains(class, ">"):
	case strings.Contains(class, ">"), !kerasRoots[root]:
		if pythonRoots[root] {
			m.add(RunsPython, Unsafe, layer, fmt.Sprintf("names %s.%s, which is no layer: Keras calls it when it loads the model", module, class))
			return
		}
		m.add(CustomCode, Expected, layer, fmt.Sprintf("the class %s is of one's own: loading needs its code", class))
	default:
		first, _, _ := strings.Cut(strings.TrimPrefix(rest, "src."), ".")
		if slices.Contains(kerasCallables, first) {
			m.add(RunsPython, Unsafe, layer, fmt.Sprintf("names %s.%s, which is no layer: Keras calls it when it loads the model", module, class))
		}
	}
}

// kerasRoots are the packages that Keras and its model libraries consist of.
var kerasRoots = map[string]bool{
	"keras": true, "tf_keras": true, "keras_hub": true, "keras_nlp": true, "keras_cv": true, "keras_tuner": true, "tensorflow": true,
}

// kerasCallables are the parts of Keras with functions that do more than make layers: download
// files, unpack archives, load models, change settings.
var kerasCallables = []string{
	"utils", "saving", "config", "backend", "callbacks", "datasets", "tree", "wrappers", "export", "applications", "visualization", "api", "testing",
}

// pythonRoots are modules of Python, and of packages that come with Keras. No custom class is in
// them.
var pythonRoots = func() map[string]bool {
	roots := map[string]bool{}
	for _, name := range strings.Fields(`os sys subprocess shutil posix nt builtins importlib runpy code codeop pickle marshal ctypes socket http
		urllib ftplib smtplib ssl asyncio multiprocessing threading signal pty fcntl tempfile pathlib glob io zipfile tarfile shelve dbm
		sqlite3 webbrowser operator functools types inspect ast pdb cProfile timeit trace platform site venv pip setuptools numpy scipy
		pandas h5py requests dill cloudpickle joblib torch jax absl google`) {
		roots[name] = true
	}
	return roots
}()

// metadataScan collects findings. Each layer's findings are noted once, though a model's config
// lists its layers again.
type metadataScan struct {
	findings []Finding
	seen     map[string]bool
	file     bool // the config is in one of Keras' own files, see [Config]
}

func (m *metadataScan) add(kind FindingKind, severity Severity, layer, detail string) {
	key := string(kind) + "\x00" + layer
	if m.file {
		key += "\x00" + detail
	}
	if !m.seen[key] {
		m.seen[key] = true
		m.findings = append(m.findings, Finding{Kind: kind, Severity: severity, Layer: layer, Detail: detail})
	}
}
