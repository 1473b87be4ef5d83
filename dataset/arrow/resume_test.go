package arrow_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/arrow"
	"github.com/tfrun/tfrun/tensor"
)

// counting notes where batches end.
type counting struct {
	bytes.Buffer
	ends map[int64]int // rows → bytes
}

// A writer that goes on after any batch makes the same file, or stream.
func TestResume(t *testing.T) {
	spec := dataset.Dict(map[string]dataset.Spec{"f": dataset.TensorSpec(tensor.Float32, -1), "s": dataset.TensorSpec(tensor.String), "b": dataset.TensorSpec(tensor.Bool)})
	var rows []dataset.Element
	for i := range int64(3000) {
		e := dataset.Element{Row: i, Extra: []dataset.Field{{Key: "k", Value: fmt.Append(nil, i)}}}
		if i%7 > 0 {
			e.Tensors = []tensor.Tensor{tensor.Scalar(i%2 == 0), tensor.Vector(float32(i), 0.5), tensor.Scalar(fmt.Sprint("row ", i))}
		}
		rows = append(rows, e)
	}
	for _, o := range []arrow.WriterOptions{{BatchRows: 700}, {BatchRows: 999, Stream: true}, {}} {
		o.Keep = []string{"k"}
		out := &counting{ends: map[int64]int{0: 0}}
		whole := resume(t, out, spec, o, rows)
		if want := 3000 / max(o.BatchRows, 3001); len(out.ends) <= want {
			t.Errorf("%d batches, want more than %d", len(out.ends), want)
		}
		for done, end := range out.ends {
			o.Resume = io.NewSectionReader(bytes.NewReader(whole), 0, int64(end))
			again := &counting{ends: map[int64]int{}}
			again.Write(whole[:end])
			if got := resume(t, again, spec, o, rows[done:]); !bytes.Equal(got, whole) {
				t.Errorf("resumed after %d rows: another file", done)
			}
			if end > 0 {
				o.Resume = io.NewSectionReader(bytes.NewReader(whole), 0, int64(end-8))
				if _, err := arrow.NewWriter(io.Discard, spec, o); err == nil {
					t.Errorf("resumed behind a batch that is cut off")
				}
			}
		}
	}
}

// resume writes rows and returns all that there is then.
func resume(t *testing.T, out *counting, spec dataset.Spec, o arrow.WriterOptions, rows []dataset.Element) []byte {
	t.Helper()
	w, err := arrow.NewWriter(out, spec, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range rows {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
		out.ends[w.Grouped()] = out.Len()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
