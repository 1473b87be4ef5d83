package savedmodel

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/tfrun/tfrun/internal/regular"
)

// The names of a SavedModel's files (constants.h of TensorFlow's cc/saved_model).
const (
	fileBinary      = "saved_model.pb"
	fileText        = "saved_model.pbtxt"
	fileSplit       = "saved_model.cpb" // models beyond 2 GB, in parts
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
	maxText        = 64 << 20
	maxMetadata    = 512 << 20
	maxFingerprint = 1 << 20
	maxSignatures  = 10_000  // of a graph; honest ones have up to a few dozen
	maxAssets      = 10_000  // of a graph; honest ones have a few vocabularies
	maxTensors     = 100_000 // of all signatures, inputs and outputs
	maxMetaGraphs  = 1_000   // of a model; honest ones have one for serving, and a few variants
)

// readFile reads a whole file of at most limit bytes. check sees its first bytes before the rest is
// read.
func readFile(path string, limit int64, check func(head []byte) error) ([]byte, error) {
	f, size, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readOpen(f, size, limit, check)
}

// readOpen is [readFile] of a file that is open, and size bytes long.
func readOpen(f *os.File, size, limit int64, check func(head []byte) error) ([]byte, error) {
	path := f.Name()
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

// anyHead is a check of a file's first bytes that takes all.
func anyHead([]byte) error { return nil }

// openRegular opens a file, which must be a regular one, and returns its size.
func openRegular(path string) (*os.File, int64, error) {
	f, size, err := regular.Open(path)
	switch {
	case errors.Is(err, regular.ErrOther):
		return nil, 0, formatError(path, "%v", regular.ErrOther)
	case err != nil:
		return nil, 0, &FileError{File: path, Msg: cause(err), Err: err}
	}
	return f, size, nil
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

// unframed is the size up to which a file is read whole without a look at its frames first.
const unframed = 64 << 20

// mostFrames bounds how many messages [checkFrames] steps over; it does not look at the rest.
const mostFrames = 1 << 20

// frameWalk is a walk over the outermost messages of a file, by their lengths alone.
type frameWalk struct {
	path string
	file io.ReaderAt
	size int64
	left int
}

// checkFrames refuses a large file that cannot be a SavedModel, before memory is taken for it: the
// lengths of its graphs and of their nodes must fit into each other. It reads these lengths alone.
func checkFrames(path string, file io.ReaderAt, size int64) error {
	w := &frameWalk{path, file, size, mostFrames}
	return w.walk(0, size, fieldMetaGraphs, fieldGraphDef)
}

// walk steps over the fields from at to end. It goes into length-delimited fields with the number
// inside[0], whose fields it steps over in the same way with the rest of inside.
func (w *frameWalk) walk(at, end int64, inside ...protowire.Number) error {
	for ; at < end && w.left > 0; w.left-- {
		var b [20]byte // a tag and a length take ten bytes each at most
		n, err := w.file.ReadAt(b[:min(int64(len(b)), end-at)], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return &FileError{File: w.path, Msg: cause(err), Err: err}
		}
		num, typ, tag := protowire.ConsumeTag(b[:n])
		if tag < 0 {
			return w.damaged(at)
		}
		body, ok := int64(0), false
		switch typ {
		case protowire.BytesType:
			size, m := protowire.ConsumeVarint(b[tag:n])
			if m < 0 {
				break
			}
			if size > uint64(end-at) || int64(size) > end-at-int64(tag+m) { //nolint:gosec // sizes within the file
				return w.beyond(end)
			}
			body, ok = int64(size), true //nolint:gosec // within the file
			at += int64(m)
		default:
			m := protowire.ConsumeFieldValue(num, typ, b[tag:n])
			body, ok = int64(m), m >= 0 && typ != protowire.StartGroupType
		}
		if !ok {
			return w.damaged(at)
		}
		at += int64(tag)
		if typ == protowire.BytesType && len(inside) > 0 && num == inside[0] {
			if err := w.walk(at, at+body, inside[1:]...); err != nil {
				return err
			}
		}
		at += body
	}
	return nil
}

// beyond says that a length reaches beyond the end of what holds it.
func (w *frameWalk) beyond(end int64) error {
	if end < w.size {
		return formatError(w.path, "is damaged: a length inside its graph reaches beyond the graph's end")
	}
	return formatError(w.path, "is cut off: it ends after %d bytes in the middle of a message; copy it again", w.size)
}

func (w *frameWalk) damaged(at int64) error {
	return &FormatError{File: w.path, Msg: "is not a SavedModel, or is damaged: the bytes are no protobuf message", Offset: at}
}
