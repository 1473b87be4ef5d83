package savedmodel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"

	"github.com/tfrun/tfrun/internal/regular"
	"github.com/tfrun/tfrun/internal/weight"
)

// Open reads the SavedModel in directory dir: saved_model.pb, or saved_model.pbtxt where there is
// only that. Where dir holds neither but folders with numbers for names, as TensorFlow Serving has
// them, the highest is taken and [Model.Version] says which.
//
// It fails with a *[FileError] (which wraps [ErrNotFound] when there is no SavedModel at all) or a
// *[FormatError]. Whether the files beside saved_model.pb are whole is not looked at here: see
// [Model.Verify].
func Open(dir string) (*Model, error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &FileError{File: dir, Msg: "no such file or directory", Err: ErrNotFound}
	case err != nil:
		return nil, &FileError{File: dir, Msg: cause(err), Err: err}
	case !info.IsDir():
		return nil, notADirectory(dir)
	}
	dir = filepath.Clean(dir)
	if file := modelFile(dir); file != "" {
		return openFile(dir, file, "")
	}
	version, err := highestVersion(dir)
	if err != nil {
		return nil, err
	}
	if version == "" {
		return nil, noModelFile(dir)
	}
	sub := filepath.Join(dir, version)
	file := modelFile(sub)
	if file == "" {
		return nil, noModelFile(sub)
	}
	return openFile(sub, file, version)
}

// modelFile returns the path of the model's file in dir, or "". Like TensorFlow's loaders it
// prefers the binary form.
func modelFile(dir string) string {
	for _, name := range []string{fileBinary, fileText} {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path
		}
	}
	return ""
}

// highestVersion returns the name of the subdirectory of dir with the highest number for a name, or
// "".
func highestVersion(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", &FileError{File: dir, Msg: cause(err), Err: err}
	}
	best := ""
	for _, e := range entries {
		name := e.Name()
		if strings.Trim(name, "0123456789") != "" {
			continue
		}
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || !info.IsDir() {
			continue
		}
		if best == "" || lessNumber(best, name) {
			best = name
		}
	}
	return best, nil
}

// lessNumber compares two strings of digits, of any length, by the numbers they stand for.
func lessNumber(a, b string) bool {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}

// notADirectory says what to give instead of a file.
func notADirectory(path string) error {
	e := &FileError{File: path, Err: ErrNotFound}
	switch base := filepath.Base(path); {
	case base == fileBinary || base == fileText:
		e.Msg = "is a file of a SavedModel; give the directory that holds it"
	case strings.HasSuffix(base, ".weights.h5"):
		e.Msg = "is a file of weights, not a SavedModel; load them into the model in Python, then: model.export(\"DIRECTORY\")"
	case isKerasFile(path):
		e.Msg = fmt.Sprintf("is a Keras file, not a SavedModel; make one in Python with: keras.models.load_model(%q).export(\"DIRECTORY\")", base)
	case strings.HasSuffix(base, ".tflite"), strings.HasSuffix(base, ".onnx"):
		e.Msg = "is a model of another format, not a SavedModel directory"
	case strings.HasSuffix(base, ".zip"), strings.HasSuffix(base, ".gz"), strings.HasSuffix(base, ".tgz"), strings.HasSuffix(base, ".tar"):
		e.Msg = "is an archive; unpack it and give the directory that holds saved_model.pb"
	default:
		e.Msg = "is a file; a SavedModel is a directory that holds saved_model.pb"
	}
	return e
}

// isKerasFile reports whether a file is one that Keras keeps a model in, by its name or its first
// bytes: an archive, whose first part Keras calls so, or an HDF5 file.
func isKerasFile(path string) bool {
	switch filepath.Ext(path) {
	case ".keras", ".h5", ".hdf5":
		return true
	}
	text := string(regular.Head(path, 43))
	return strings.HasPrefix(text, "\x89HDF\r\n\x1a\n") || strings.HasPrefix(text, "PK\x03\x04") && (strings.HasSuffix(text, "metadata.json") || strings.Contains(text, "config.json"))
}

// noModelFile says what a directory without a model's file holds instead.
func noModelFile(dir string) error {
	e := &FileError{File: dir, Err: ErrNotFound}
	entries, err := os.ReadDir(dir)
	var others []string
	has := map[string]bool{}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".") {
			others = append(others, entry.Name())
			has[entry.Name()] = true
		}
	}
	switch {
	case err != nil:
		e.Msg, e.Err = cause(err), err
	case len(others) == 0:
		e.Msg = "the directory is empty: no saved_model.pb"
	case has[fileBinary] || has[fileText]:
		return notAFile(dir, has)
	case has[fileSplit]:
		e.Msg = "holds " + fileSplit + ", a model in parts, which is not read: its saved_model.pb is more than 2 GB"
	case has[dirVariables] || has[fileMetadata] || has[fileFingerprint]:
		e.Msg = "saved_model.pb is missing; other parts of a SavedModel are there"
	case has["config.json"] && has["model.weights.h5"]:
		e.Msg = "is an unpacked .keras archive, not a SavedModel; make one in Python with: model.export(\"DIRECTORY\")"
	case has["checkpoint"]:
		e.Msg = "is a folder of checkpoints, not a SavedModel: no saved_model.pb"
	default:
		for _, name := range others {
			if modelFile(filepath.Join(dir, name)) != "" {
				e.Msg = fmt.Sprintf("no saved_model.pb here, but there is one in %q", filepath.Join(dir, name))
				return e
			}
		}
		e.Msg = "no saved_model.pb or saved_model.pbtxt in this directory"
	}
	return e
}

// notAFile says what stands in the place of a model's file: a directory, or a link that leads
// nowhere.
func notAFile(dir string, has map[string]bool) error {
	e := &FileError{File: filepath.Join(dir, fileBinary), Msg: "is no regular file", Err: ErrNotFound}
	if !has[fileBinary] {
		e.File = filepath.Join(dir, fileText)
	}
	if _, err := os.Stat(e.File); err != nil {
		e.Msg = cause(err)
	}
	return e
}

// openFile reads the model's file. Its first bytes are looked at before the rest is read, so that a
// wrong file of any size fails at once.
func openFile(dir, path, version string) (*Model, error) {
	text := filepath.Base(path) == fileText
	limit := int64(maxBinary)
	if text {
		limit = maxText
	}
	data, err := readFile(path, limit, func(head []byte) error { return sniff(path, head, text) })
	if err != nil {
		return nil, err
	}
	if text {
		if data, err = textToBinary(path, data); err != nil {
			return nil, err
		}
	}
	return newModel(dir, path, version, data)
}

// FromBytes reads a serialized SavedModel as if it were the saved_model.pb of directory dir. Files
// beside it, which need not be there, are read when they are asked for.
func FromBytes(dir string, data []byte) (*Model, error) {
	return newModel(dir, filepath.Join(dir, fileBinary), "", data)
}

// newModel splits a serialized SavedModel. What lies beside it in dir is read when it is asked for.
func newModel(dir, path, version string, data []byte) (*Model, error) {
	m := &Model{Dir: dir, Version: version, File: path}
	if filepath.Base(path) == fileBinary {
		m.binary = data
	}
	m.fingerprint = once(m.readFingerprint)
	m.metadata = once(m.readMetadata)
	if err := checkWeight(path, data); err != nil {
		return nil, err
	}
	if err := m.split(data); err != nil {
		return nil, err
	}
	return m, nil
}

// maxEntries bounds what stands in one place by name, such as the attributes of an operation, of
// which honest models have a few dozen, or the inputs of a signature.
const maxEntries = 1 << 16

// Memory that decoding all of a model's file may take: weightFree, and weightPerByte for each byte
// of the file. Models that TensorFlow writes take 7 to 13 times their size, small ones up to 17.
const (
	weightFree    = 64 << 20
	weightPerByte = 16
)

// What the nodes of a file may list between them ([weight.Weight.Parts]): partsFree, and one for so
// many bytes of the file. Large models that TensorFlow writes list something in each 21 bytes.
const (
	partsFree    = 1 << 18
	bytesPerPart = 16
)

// maxBody bounds the nodes of one function, which are decoded all at once. TensorFlow would take
// 7 KB for each.
const maxBody = 1 << 18

// checkWeight refuses a file that asks for much more memory than files of its size do: one of 20 MB
// may hold ten million empty messages.
func checkWeight(path string, data []byte) error {
	limit := int64(weightFree + weightPerByte*len(data))
	w := weight.Of(data, (&pb.SavedModel{}).ProtoReflect().Descriptor())
	switch {
	case w.Bytes > limit:
		return tooHeavy(path, w.Bytes, int64(len(data)), limit)
	case w.Parts > partsFree+int64(len(data)/bytesPerPart):
		return formatError(path, "its operations list %d values, inputs and functions; in a file of %d bytes %d are read", w.Parts, len(data), partsFree+len(data)/bytesPerPart)
	case w.Body > maxBody:
		return formatError(path, "has a function of %d operations; at most %d are read", w.Body, maxBody)
	case w.Entries > maxEntries:
		return formatError(path, "has %d attributes, inputs or other named parts in one place; at most %d are read", w.Entries, maxEntries)
	}
	return nil
}

func tooHeavy(path string, need, size, limit int64) error {
	return formatError(path, "would take %d bytes of memory to read; a file of %d bytes may take %d", need, size, limit)
}
