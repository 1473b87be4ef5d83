//go:build cgo && !notf

package job

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
)

// fuzzModels are small models of different inputs: sequences of ids, several dtypes, strings,
// several named inputs.
var fuzzModels = []string{"full_seed/k3/model", "mod_dtypes/model", "mod_strings/model", "k3_multi_io/model", "tf1_half_plus_two/model"}

// FuzzPredictRow puts bytes through a whole prediction: whatever they are, nothing panics, the rows
// that come out are numbered without gaps, a line alone is one row at most, and each row has either
// results or one error.
func FuzzPredictRow(f *testing.F) {
	predictors := make([]*runner.Predictor, len(fuzzModels))
	for i, name := range fuzzModels {
		s, err := runner.Load(context.Background(), filepath.Join("../../testdata/models", name), runner.Options{IntraOp: 1})
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(func() {
			if err := s.Close(); err != nil {
				f.Error(err)
			}
		})
		limits := dataset.Limits{RowBytes: 1 << 16, Elements: 1 << 16, Length: 1 << 10, BatchBytes: 1 << 22}
		if predictors[i], err = s.NewPredictor(runner.PredictOptions{SkipBadRows: true, BatchSize: 4, Limits: limits}); err != nil {
			f.Fatal(err)
		}
		for _, row := range []string{
			"[1,2,3]", "[[1.5]]", "[]", "{}", `{"keras_tensor":[5]}`, `{"x":[NaN,Infinity,1e39]}`, `["a\u0000b"]`, `"\ud800"`, `{"b64":"AA=="}`, "[1]\n[\"x\"]\n\n[2,3]\nnonsense",
			`{"a":[1],"b":[[2]]}`, "[[[[[[[[1]]]]]]]]", "[9223372036854775808]", "\xff\xfe[\x00", "\xff\xfe[", "\xfe\xff\x00[\x00[\x001\x00]\x00,\x00[\x002\x00]\x00]", "null", "[1,[2]]", "[-1]", `[{"x":1}},`, `{"instances":[[1],[2]]} x`, `{"inputs":{"x":[1]}}{`,
		} {
			f.Add(byte(i), []byte(row))
		}
	}
	f.Fuzz(func(t *testing.T, model byte, data []byte) {
		p := predictors[int(model)%len(predictors)]
		rows, err := jsonSource(string(data)).Rows(p)
		if err != nil {
			t.Fatalf("Rows: %v", err) // what is read later is nobody's fault yet
		}
		n := int64(0)
		for r, err := range p.Predict(t.Context(), rows) {
			if err != nil {
				// TensorFlow's word for a whole batch ends the run, and damage to the file: a JSON
				// document, or a text in UTF-16; nothing that a row alone may be.
				if !errors.As(err, new(*runner.Error)) && !errors.As(err, new(*dataset.FileError)) {
					t.Fatalf("after %d rows: %v", n, err)
				}
				return
			}
			if r.Row != n {
				t.Fatalf("result %d is of row %d", n, r.Row)
			}
			n++
			if (r.Err == nil) != (r.Values != nil) {
				t.Fatalf("row %d: %d outputs beside error %v", r.Row, len(r.Values), r.Err)
			}
		}
		// A document holds several rows without a line break; so does one in UTF-16.
		text := bytes.TrimLeft(data, "\ufeff \t\r")
		document := slices.ContainsFunc([]string{"[", "{", "\xff\xfe", "\xfe\xff"}, func(s string) bool { return bytes.HasPrefix(text, []byte(s)) })
		if n > 1 && !document && !bytes.Contains(data, []byte("\n")) {
			t.Fatalf("%d results of one row", n)
		}
	})
}
