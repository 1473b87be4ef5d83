package arrow

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"

	ar "github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tfrun/tfrun/dataset/internal/kept"
	"github.com/tfrun/tfrun/dataset/internal/message"
	"github.com/tfrun/tfrun/dataset/internal/sample"
)

// errResume says that a file is not what a writer has left.
var errResume = errors.New("the batches written before are not as they were left")

// resume brings the writer to where an earlier one of the same spec and options was. The library
// can only write a file from its beginning to its end, and its footer tells where each batch is: so
// it is given the batches of the earlier writer again, and what it writes of them must be what is
// there.
func (w *Writer) resume(have *io.SectionReader) error {
	start := int64(0)
	if !w.o.Stream {
		start = 8 // the magic bytes, and what fills them up
	}
	rest := bufio.NewReaderSize(io.NewSectionReader(have, start, have.Size()-start), readAhead)
	in := message.NewStream(rest, start, have.Size(), math.MaxInt64)
	r, err := ipc.NewReaderFromMessageReader(in, ipc.WithAllocator(memory.NewGoAllocator()))
	if err != nil {
		return fmt.Errorf("%w: %w", errResume, err)
	}
	defer r.Release()
	if err := w.takeColumns(r.Schema()); err != nil {
		return err
	}
	again := &replay{w: w.w, have: bufio.NewReaderSize(have, readAhead), left: have.Size()}
	w.w = again
	if err := w.open(); err != nil {
		return err
	}
	for r.Next() {
		if err := w.out.Write(r.RecordBatch()); err != nil {
			return err
		}
		w.grouped += r.RecordBatch().NumRows()
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("%w: %w", errResume, err)
	}
	if again.left > 0 {
		return errResume
	}
	return nil
}

const readAhead = 256 << 10

// takeColumns works out what columns hold from a schema that a writer has made.
func (w *Writer) takeColumns(schema *ar.Schema) error {
	if schema.NumFields() != len(w.sample.Names) {
		return errResume
	}
	for i, name := range w.sample.Names {
		f := schema.Field(i)
		if f.Name != name {
			return errResume
		}
		c := sample.Column{Name: name}
		if i >= len(w.sample.Comps) {
			var err error
			if c.Type, err = kept.Of(f); err != nil {
				return fmt.Errorf("%w: %w", errResume, err)
			}
			w.cols = append(w.cols, outColumn{Column: c})
			continue
		}
		t := f.Type
		for list, ok := t.(*ar.ListType); ok; list, ok = t.(*ar.ListType) {
			c.Depth++
			t = list.Elem()
		}
		c.DType, c.Text = w.sample.Comps[i].DType, t.ID() == ar.STRING
		w.cols = append(w.cols, outColumn{Column: c})
	}
	w.schema = schema
	return nil
}

// replay passes over what is written again, and hands on what comes after.
type replay struct {
	w    io.Writer
	have *bufio.Reader
	left int64
}

// Write compares with what is there, and then writes.
func (r *replay) Write(b []byte) (int, error) {
	same := 0
	for r.left > 0 && same < len(b) {
		n := int(min(r.left, int64(len(b)-same), readAhead))
		have, err := r.have.Peek(n)
		if err != nil {
			return same, err
		}
		if !bytes.Equal(have, b[same:same+n]) {
			return same, errResume
		}
		_, _ = r.have.Discard(n) // it is in the buffer
		same, r.left = same+n, r.left-int64(n)
	}
	if same == len(b) {
		return same, nil
	}
	n, err := r.w.Write(b[same:])
	return same + n, err
}
