package arrow_test

import (
	"bytes"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/arrow"
	"github.com/tfrun/tfrun/dataset/internal/rowtest"
)

// FuzzAgainstPyarrow lets pyarrow write a table of any types, which the fuzzer's bytes stand for,
// as a file or a stream: what is read is what pyarrow reads, and what is kept of it is that again
// in a file of one's own.
func FuzzAgainstPyarrow(f *testing.F) {
	for i := range byte(40) {
		f.Add([]byte{3, i, 255 - i, i * 7, 1, i})
	}
	nothing := dataset.Dict(map[string]dataset.Spec{})
	python := rowtest.StartPyarrow(f, rowtest.ArrowFiles)
	f.Fuzz(func(t *testing.T, choices []byte) {
		read := func(open dataset.Opener, spec dataset.Spec, keep []string) *dataset.Dataset {
			return arrow.Rows(spec, arrow.Options{Open: open, Keep: keep}, "f")
		}
		python.CheckDrawn(t, choices, read, map[byte]func([]string, []dataset.Element) []byte{
			rowtest.ArrowFiles: func(keep []string, rows []dataset.Element) []byte {
				var b bytes.Buffer
				w, err := arrow.NewWriter(&b, nothing, arrow.WriterOptions{Keep: keep, Stream: len(choices)%2 == 0})
				if err != nil {
					t.Fatal(err)
				}
				rowtest.Write(t, w, rows...)
				return b.Bytes()
			},
		})
	})
}
