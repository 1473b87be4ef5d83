package isolate

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/tfrun/tfrun/internal/crash"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/tensor"
)

// The two processes of an isolated model talk through two pipes. A frame is one byte for its kind
// and four bytes, little-endian, for the number of the request. What follows depends on the kind.
// Answers may come in another order than the requests.
const (
	wireReady   = 'i' // nothing; sent by the model's process, unasked, when it serves
	wireLoad    = 'L' // JSON loadRequest, the bytes of the graph → nothing
	wirePrepare = 'P' // JSON prepareRequest → nothing
	wireHead    = 'H' // JSON headRequest → JSON []tf.HeadTensor
	wireDevices = 'D' // JSON {} → JSON []tf.Device
	wireRun     = 'R' // program, tensors → tensors
	wireOK      = 'o' // an answer
	wireError   = 'e' // JSON wireFault in place of an answer
)

type loadRequest struct {
	Steps  []tf.Step // of the model whose graph follows
	Config tf.Config
	Memory int64
}

type prepareRequest struct {
	ID             int
	Feeds, Fetches []string
}

type headRequest struct {
	Tensor string
	Head   tf.Head
}

func writeFrame(w *bufio.Writer, kind byte, id uint32) error {
	var head [5]byte
	head[0] = kind
	binary.LittleEndian.PutUint32(head[1:], id)
	_, err := w.Write(head[:])
	return err
}

func readFrame(r *bufio.Reader) (kind byte, id uint32, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, 0, err
	}
	return head[0], binary.LittleEndian.Uint32(head[1:]), nil
}

// maxWireJSON bounds a message in JSON: names of tensors, options, errors.
const maxWireJSON = 64 << 20

func writeJSON(w *bufio.Writer, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeBytes(w, data)
}

func writeBytes(w *bufio.Writer, data []byte) error {
	if err := writeUint(w, uint64(len(data))); err != nil {
		return err
	}
	_, err := w.Write(data)
	return err
}

func readJSON(r *bufio.Reader, v any) error {
	data, err := readBytes(r, maxWireJSON)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// maxWireGraph bounds a graph: protobuf messages have at most 2 GiB.
const maxWireGraph = 1<<31 - 1

func readBytes(r *bufio.Reader, most uint64) ([]byte, error) {
	n, err := readUint(r, most)
	if err != nil {
		return nil, err
	}
	data := make([]byte, n)
	_, err = io.ReadFull(r, data)
	return data, err
}

func writeUint(w *bufio.Writer, n uint64) error {
	_, err := w.Write(binary.AppendUvarint(w.AvailableBuffer(), n))
	return err
}

// errWire says that a message is invalid.
var errWire = errors.New("the message is invalid")

func readUint(r *bufio.Reader, most uint64) (uint64, error) {
	n, err := binary.ReadUvarint(r)
	if err == nil && n > most {
		err = errWire
	}
	return n, err
}

// maxWireTensors bounds the tensors of a run.
const maxWireTensors = 1 << 20

// writeTensors writes the headers of tensors, and the texts of those that hold texts, then the
// bytes of the others.
func writeTensors(w *bufio.Writer, list []tensor.Tensor) error {
	if err := writeUint(w, uint64(len(list))); err != nil {
		return err
	}
	for _, t := range list {
		if err := writeHeader(w, t); err != nil {
			return err
		}
	}
	for _, t := range list {
		if _, err := w.Write(t.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

func writeHeader(w *bufio.Writer, t tensor.Tensor) error {
	err := errors.Join(writeUint(w, uint64(t.DType())), writeUint(w, uint64(t.Rank())))
	for _, d := range t.Dims() {
		err = errors.Join(err, writeUint(w, uint64(d)))
	}
	for _, s := range t.Strings() {
		if err != nil {
			return err
		}
		if err = writeUint(w, uint64(len(s))); err == nil {
			_, err = w.WriteString(s)
		}
	}
	return err
}

// header is a tensor without its bytes, which come later.
type header struct {
	dtype   tensor.DType
	dims    []int64
	strings []string
	bytes   int64
}

func readHeaders(r *bufio.Reader) ([]header, error) {
	n, err := readUint(r, maxWireTensors)
	if err != nil {
		return nil, err
	}
	var list []header
	for range n {
		h, err := readHeader(r)
		if err != nil {
			return nil, err
		}
		list = append(list, h)
	}
	return list, nil
}

func readHeader(r *bufio.Reader) (header, error) {
	dtype, err := readUint(r, 1<<16)
	if err != nil {
		return header{}, err
	}
	rank, err := readUint(r, tf.MaxRank)
	if err != nil {
		return header{}, err
	}
	h := header{dtype: tensor.DType(dtype), dims: make([]int64, rank)}
	for i := range h.dims {
		d, err := readUint(r, 1<<63-1)
		if err != nil {
			return h, err
		}
		h.dims[i] = int64(d)
	}
	n, ok := tensor.NumElements(h.dims)
	size := h.dtype.Size()
	if !ok || size == 0 && h.dtype != tensor.String || n > tf.MaxFeedBytes/int64(max(size, 1)) {
		return h, errWire
	}
	h.bytes = n * int64(size)
	if h.dtype == tensor.String {
		h.strings, err = readStrings(r, n)
	}
	return h, err
}

// readStrings reads n texts. Memory is taken only as they come, since n and their lengths may be
// lies.
func readStrings(r *bufio.Reader, n int64) ([]string, error) {
	list := make([]string, 0, min(n, 4096))
	var buf []byte
	for range n {
		size, err := readUint(r, tf.MaxFeedBytes)
		if err != nil {
			return nil, err
		}
		buf = buf[:0]
		for left := int64(size); left > 0; {
			step := min(left, 1<<20)
			at := len(buf)
			buf = append(buf, make([]byte, step)...)
			if _, err := io.ReadFull(r, buf[at:]); err != nil {
				return nil, err
			}
			left -= step
		}
		list = append(list, string(buf))
	}
	return list, nil
}

// readTensors reads what [writeTensors] has written.
func readTensors(r *bufio.Reader) ([]tensor.Tensor, error) {
	headers, err := readHeaders(r)
	if err != nil {
		return nil, err
	}
	list := make([]tensor.Tensor, len(headers))
	for i, h := range headers {
		if h.dtype == tensor.String {
			if list[i], err = tensor.FromSlice(h.strings, h.dims...); err != nil {
				return nil, err
			}
			continue
		}
		if list[i], err = tensor.New(h.dtype, h.dims...); err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(r, list[i].Bytes()); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// writeRun writes the body of a request to run.
func writeRun(w *bufio.Writer, program int, feeds []tensor.Tensor) error {
	if err := writeUint(w, uint64(program)); err != nil {
		return err
	}
	return writeTensors(w, feeds)
}

// wireFault is an error on its way through the pipe: one of the types that callers look for, or
// just a text.
type wireFault struct {
	TensorFlow *tf.Error          `json:",omitempty"`
	Library    *tf.LibraryError   `json:",omitempty"`
	GPU        *tf.GPUError       `json:",omitempty"`
	DType      *tf.DTypeError     `json:",omitempty"`
	Shape      *tensor.ShapeError `json:",omitempty"`
	NoLibrary  bool               `json:",omitempty"`
	Fault      *crash.Error       `json:",omitempty"` // its value is a text
	Text       string
}

func faultOf(err error) wireFault {
	f := wireFault{Text: err.Error(), NoLibrary: errors.Is(err, tf.ErrNoTensorFlow)}
	_ = errors.As(err, &f.TensorFlow) || errors.As(err, &f.Library) || errors.As(err, &f.GPU) ||
		errors.As(err, &f.DType) || errors.As(err, &f.Shape)
	if fault := (*crash.Error)(nil); errors.As(err, &fault) {
		f.Fault = &crash.Error{Value: fmt.Sprint(fault.Value), Stack: fault.Stack}
	}
	return f
}

// err returns the error that was sent. Of errors wrapped around it only the text is kept.
func (f wireFault) err() error {
	var cause error
	switch {
	case f.TensorFlow != nil:
		cause = f.TensorFlow
	case f.Library != nil:
		cause = f.Library
	case f.GPU != nil:
		cause = f.GPU
	case f.DType != nil:
		cause = f.DType
	case f.Shape != nil:
		cause = f.Shape
	case f.Fault != nil:
		cause = f.Fault
	case f.NoLibrary:
		cause = tf.ErrNoTensorFlow
	default:
		return errors.New(f.Text)
	}
	if text := cause.Error(); text != f.Text && len(f.Text) > len(text) && f.Text[len(f.Text)-len(text):] == text {
		return fmt.Errorf("%s%w", f.Text[:len(f.Text)-len(text)], cause)
	}
	return cause
}
