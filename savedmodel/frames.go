package savedmodel

import (
	"errors"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// unframed is the size up to which a model's file is read before anybody knows whether it is one.
const unframed = 64 << 20

// mostFrames bounds how many messages [checkFrames] steps over. What is left then is read as it is.
const mostFrames = 1 << 20

// frames is a walk over the outermost messages of a file, by their lengths alone.
type frames struct {
	path string
	file io.ReaderAt
	size int64
	left int
}

// checkFrames looks whether a large file can be a SavedModel at all, before memory is taken for it:
// whether the lengths of its graphs, and of their nodes, fit into each other. Little is read.
func checkFrames(path string, file io.ReaderAt, size int64) error {
	w := &frames{path, file, size, mostFrames}
	return w.walk(0, size, fieldMetaGraphs, fieldGraphDef)
}

// walk goes over the fields from at to end, and into the length-delimited ones with the number
// inside[0], the same way.
func (w *frames) walk(at, end int64, inside ...protowire.Number) error {
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
func (w *frames) beyond(end int64) error {
	if end < w.size {
		return formatError(w.path, "is damaged: a length inside its graph reaches beyond the graph's end")
	}
	return formatError(w.path, "is cut off: it ends after %d bytes in the middle of a message; copy it again", w.size)
}

func (w *frames) damaged(at int64) error {
	return &FormatError{File: w.path, Msg: "is not a SavedModel, or is damaged: the bytes are no protobuf message", Offset: at}
}
