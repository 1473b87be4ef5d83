package scan

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/tfrun/tfrun/savedmodel/internal/pyjson"
)

// Config looks through the configuration in one of Keras' own files for what loading it does beside
// making layers: Python bytecode, pickled objects, files that are read, functions that are called
// by name. Custom classes are [Expected]: loading needs their code, and runs it.
func Config(data json.RawMessage) []Finding {
	if len(data) == 0 { // a file of weights alone
		return nil
	}
	m := &metadataScan{seen: map[string]bool{}, file: true}
	config, err := pyjson.Decode(data)
	if err != nil {
		m.add(OddMetadata, Unsafe, "", err.Error())
	}
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
	if name := text(config["function"]); bare == "TFOpLambda" && slices.Contains(tensorflowCallables, firstOf(name)) {
		m.add(RunsPython, Unsafe, layer, fmt.Sprintf("names tf.%s, which does more than compute: Keras calls it when it loads the model", name))
	}
	for _, key := range []string{"vocabulary", "merges", "proto"} {
		if path := text(config[key]); path != "" && !(key == "proto" && isBase64(path)) {
			m.add(ReadsFiles, Unsafe, layer, fmt.Sprintf("its %s is the file %q", nouns[key], path))
		}
	}
	if root, _, _ := strings.Cut(module, "."); bare == "__typespec__" && !kerasRoots[root] {
		m.module(text(v["spec_name"]), module, "", layer) // its class has a name of its own
	}
	if registered := text(v["registered_name"]); module == "" && strings.Contains(registered, ">") {
		class = registered
	}
	if class != "" { // the config of a Lambda layer names a module too
		m.module(class, module, text(v["config"]), layer)
	}
}

// nouns are the words for what Keras, and the tokenizers of keras_hub, read from a file where the
// configuration has its path.
var nouns = map[string]string{"vocabulary": "vocabulary", "merges": "list of merges", "proto": "SentencePiece model"}

// isBase64 reports whether a text is what bytes are encoded to, as keras_hub asks of one that is no
// path.
func isBase64(text string) bool {
	data, err := base64.StdEncoding.DecodeString(text)
	return err == nil && base64.StdEncoding.EncodeToString(data) == text
}

func text(v any) string { s, _ := v.(string); return s }

// firstOf returns the first part of a name of TensorFlow's API, behind the version of it: io of
// compat.v1.io.read_file.
func firstOf(name string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(name, "compat.v1."), "compat.v2."), ".")
	return first
}

// module judges the module of a class, or of a function, whose config is its name. Keras looks up
// both in the same way, and calls with a layer's arguments what turns out to be a function.
func (m *metadataScan) module(class, module, name, layer string) {
	root, rest, _ := strings.Cut(module, ".")
	function := class == "function"
	if function {
		class = name
	}
	switch {
	case !function && strings.HasPrefix(class, "__"): // a tuple, a slice or a tensor
	case function && (module == "" || root == "builtins" && !slices.Contains(pythonBuiltins, class)):
		m.add(CustomCode, Expected, layer, fmt.Sprintf("the function %s is of one's own: loading needs its code", class))
	case module == "" && !strings.Contains(class, ">"):
	case strings.Contains(class, ">"), !kerasRoots[root]:
		if pythonRoots[root] {
			m.add(RunsPython, Unsafe, layer, fmt.Sprintf("names %s.%s, which is no layer: Keras calls it when it loads the model", module, class))
			return
		}
		m.add(CustomCode, Expected, layer, fmt.Sprintf("the class %s is of one's own: loading needs its code", class))
	case class == "FeatureSpace" && rest == "utils": // the only layer there
	case calls(root, strings.TrimPrefix(rest, "src."), class):
		m.add(RunsPython, Unsafe, layer, fmt.Sprintf("names %s.%s, which is no layer: Keras calls it when it loads the model", module, class))
	}
}

// calls reports whether a name in a package of Keras' or in TensorFlow may be a function that does
// more than compute. Functions have small letters; of those that compute it is known where they
// are.
func calls(root, rest, name string) bool {
	first, more, _ := strings.Cut(rest, ".")
	if root == "tensorflow" {
		ops, _, _ := strings.Cut(strings.TrimPrefix(more, "ops."), ".")
		return first != "python" || !strings.HasPrefix(more, "ops.") || !slices.ContainsFunc(computingOps, func(op string) bool { return strings.Contains(ops, op) })
	}
	if name == "" || !unicode.IsLower([]rune(name)[0]) {
		return slices.Contains(kerasCallables, first)
	}
	return !slices.Contains(kerasFunctions, first) || name == "get" || name == "deserialize"
}

// kerasRoots are the packages that Keras and its model libraries consist of.
var kerasRoots = map[string]bool{
	"keras": true, "tf_keras": true, "keras_hub": true, "keras_nlp": true, "keras_cv": true, "keras_tuner": true, "tensorflow": true,
}

// kerasCallables are the parts of Keras with functions that do more than make layers: download
// files, unpack archives, load models, change settings.
var kerasCallables = []string{
	"utils", "saving", "config", "backend", "callbacks", "datasets", "tree", "wrappers", "export", "applications", "visualization", "api", "testing",
	"legacy",
}

// kerasFunctions are the parts of Keras whose functions compute. Others load models, say.
var kerasFunctions = []string{"activations", "constraints", "initializers", "losses", "metrics", "ops", "random", "regularizers"}

// computingOps stand in the names of the modules of TensorFlow's operations that compute, and of no
// others: files are read in io_ops, Python is run in script_ops.
var computingOps = []string{
	"array", "bitwise", "clip", "linalg", "image", "math", "nn", "ragged", "random", "signal", "sort", "sparse", "string",
}

// tensorflowCallables are the parts of TensorFlow's API, and functions in it, that do more than
// compute: read and write files, load libraries, run Python, change settings.
var tensorflowCallables = strings.Fields(`app autograph config data distribute estimator flags gfile io keras lite load_file_system_library
	load_library load_op_library numpy_function profiler py_func py_function read_file resource_loader saved_model summary sysconfig test
	train write_file`)

// pythonBuiltins are the functions of Python that need no module and do more than compute. Files
// have Keras' own functions under the module builtins too, where Keras 2 and the first releases of
// Keras 3 find Python's.
var pythonBuiltins = strings.Fields(`__build_class__ __import__ __loader__ breakpoint classmethod compile copyright credits delattr dir eval exec
	exit filter getattr globals help input license locals map memoryview object open print property quit setattr staticmethod super type vars`)

// pythonRoots are the modules of Python 3.10 to 3.13, and packages that come with Keras. No custom
// class is in them.
var pythonRoots = func() map[string]bool {
	roots := map[string]bool{}
	for _, name := range strings.Fields(`_ctypes _frozen_importlib _frozen_importlib_external _imp _io _operator _pickle _posixsubprocess _pyio _socket
		_sqlite3 _thread _winapi abc absl aifc antigravity argparse array ast asynchat asyncio asyncore atexit audioop base64 bdb
		binascii binhex bisect builtins bz2 calendar cgi cgitb chunk cloudpickle cmath cmd code codecs
		codeop collections colorsys compileall concurrent configparser contextlib contextvars copy
		copyreg cProfile crypt csv ctypes curses dataclasses datetime dbm decimal difflib dill dis
		distutils doctest email encodings ensurepip enum errno faulthandler fcntl filecmp fileinput
		fnmatch fractions ftplib functools gc genericpath getopt getpass gettext glob google graphlib
		grp gzip h5py hashlib heapq hmac html http idlelib imaplib imghdr imp importlib inspect io
		ipaddress itertools jax joblib json keyword lib2to3 linecache locale logging lzma mailbox
		mailcap marshal math mimetypes mmap modulefinder msilib msvcrt multiprocessing netrc nis nntplib
		nt ntpath nturl2path numbers numpy opcode operator optparse os ossaudiodev pandas pathlib pdb
		pickle pickletools pip pipes pkgutil platform plistlib poplib posix posixpath pprint profile
		pstats pty pwd py_compile pyclbr pydoc pydoc_data pyexpat queue quopri random re readline
		reprlib requests resource rlcompleter runpy sched scipy secrets select selectors setuptools
		shelve shlex shutil signal site smtpd smtplib sndhdr socket socketserver spwd sqlite3
		sre_compile sre_constants sre_parse ssl stat statistics string stringprep struct subprocess
		sunau symtable sys sysconfig syslog tabnanny tarfile telnetlib tempfile termios textwrap this
		threading time timeit tkinter token tokenize tomllib torch trace traceback tracemalloc tty
		turtle turtledemo types typing unicodedata unittest urllib uu uuid venv warnings wave weakref
		webbrowser winreg winsound wsgiref xdrlib xml xmlrpc zipapp zipfile zipimport zlib zoneinfo`) {
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
