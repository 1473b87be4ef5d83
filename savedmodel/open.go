package savedmodel

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"google.golang.org/protobuf/encoding/protowire"
)

// The names of a SavedModel's files (constants.h of TensorFlow's cc/saved_model).
const (
	fileBinary      = "saved_model.pb"
	fileText        = "saved_model.pbtxt"
	fileMetadata    = "keras_metadata.pb"
	fileFingerprint = "fingerprint.pb"
	dirVariables    = "variables"
	dirAssets       = "assets"
	dirAssetsExtra  = "assets.extra"
)

// Limits on what is read into memory. A protobuf message ends at 2 GiB; text takes some twenty
// times its size once parsed.
const (
	maxBinary      = 1<<31 - 1
	maxText        = 256 << 20
	maxMetadata    = 512 << 20
	maxFingerprint = 1 << 20
	maxSignatures  = 10_000 // of a graph; honest ones have up to a few dozen
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
		return nil, &FileError{File: dir, Msg: "no such directory", Err: ErrNotFound}
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
	case strings.HasSuffix(base, ".keras"), strings.HasSuffix(base, ".h5"), strings.HasSuffix(base, ".hdf5"):
		e.Msg = "is a Keras file, not a SavedModel; make one in Python with: model.export(\"DIRECTORY\")"
	case strings.HasSuffix(base, ".tflite"), strings.HasSuffix(base, ".onnx"):
		e.Msg = "is a model of another format, not a SavedModel directory"
	case strings.HasSuffix(base, ".zip"), strings.HasSuffix(base, ".gz"), strings.HasSuffix(base, ".tgz"), strings.HasSuffix(base, ".tar"):
		e.Msg = "is an archive; unpack it and give the directory that holds saved_model.pb"
	default:
		e.Msg = "is a file; a SavedModel is a directory that holds saved_model.pb"
	}
	return e
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
	m.fingerprint = once(func() (*Fingerprint, error) { return readFingerprint(filepath.Join(dir, fileFingerprint)) })
	m.metadata = once(func() (KerasMetadata, error) { return readMetadata(filepath.Join(dir, fileMetadata)) })
	if err := m.split(data); err != nil {
		return nil, err
	}
	return m, nil
}

// openRegular opens a file and returns its size. It must be a regular one: a pipe would keep the
// reader waiting, and a device has no end.
func openRegular(path string) (*os.File, int64, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ENXIO) { // a socket, or a terminal that there is not
		return nil, 0, formatError(path, "is no regular file")
	}
	if err != nil {
		return nil, 0, &FileError{File: path, Msg: cause(err), Err: err}
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		err = &FileError{File: path, Msg: cause(err), Err: err}
	case !info.Mode().IsRegular():
		err = formatError(path, "is no regular file")
	default:
		return f, info.Size(), nil
	}
	_ = f.Close() // nothing was written
	return nil, 0, err
}

// readFile reads a whole file of at most limit bytes. check sees its first bytes before the rest is
// read.
func readFile(path string, limit int64, check func(head []byte) error) ([]byte, error) {
	f, size, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > limit {
		return nil, formatError(path, "is %d bytes long; at most %d can be read", size, limit)
	}
	head := make([]byte, min(size, 512))
	if _, err := io.ReadFull(f, head); err != nil {
		return nil, &FileError{File: path, Msg: cause(err), Err: err}
	}
	if err := check(head); err != nil {
		return nil, err
	}
	if size > unframed && filepath.Base(path) == fileBinary {
		if err := checkFrames(path, f, size); err != nil {
			return nil, err
		}
	}
	data := make([]byte, size)
	copy(data, head)
	if _, err := io.ReadFull(f, data[len(head):]); err != nil {
		return nil, &FileError{File: path, Msg: cause(err), Err: err}
	}
	return data, nil
}

// sniff recognizes by its first bytes what is often found where a model's file should be.
func sniff(path string, head []byte, text bool) error {
	trimmed := bytes.ToLower(bytes.TrimLeft(head, " \t\r\n\ufeff"))
	switch {
	case len(head) == 0:
		return formatError(path, "the file is empty")
	case bytes.HasPrefix(trimmed, []byte("version ")) && bytes.Contains(head, []byte("\noid sha256:")):
		return formatError(path, "is a Git LFS pointer, not the file itself; fetch it with: git lfs pull")
	case bytes.HasPrefix(trimmed, []byte("<!doctype")), bytes.HasPrefix(trimmed, []byte("<html")), bytes.HasPrefix(trimmed, []byte("<?xml")):
		return formatError(path, "is a web page, not a model; the download went wrong")
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("\x1f\x8b")), bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		return formatError(path, "is a compressed archive, not a model; unpack it first")
	case bytes.HasPrefix(head, []byte("\x89HDF")):
		return formatError(path, "is an HDF5 file, not a SavedModel")
	case text:
		return nil
	case len(head) > 0 && head[0] != fieldSchemaVersion<<3|byte(protowire.VarintType) && head[0] != fieldMetaGraphs<<3|byte(protowire.BytesType) && !isTextModel(trimmed):
		return formatError(path, "is not a SavedModel: the bytes are no protobuf message")
	case isTextModel(trimmed):
		return formatError(path, "is in protobuf's text form; it should be called %s", fileText)
	}
	return nil
}

// isTextModel reports whether text begins as a SavedModel's does.
func isTextModel(text []byte) bool {
	return bytes.HasPrefix(text, []byte("saved_model_schema_version")) || bytes.HasPrefix(text, []byte("meta_graphs"))
}

// cause returns what went wrong with a file operation, without the path that the caller names
// anyway.
func cause(err error) string {
	var pathErr *fs.PathError
	switch {
	case errors.As(err, &pathErr):
		return pathErr.Err.Error()
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the file became shorter while it was read"
	}
	return err.Error()
}
