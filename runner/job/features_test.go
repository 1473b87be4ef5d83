//go:build cgo && !notf

package job

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/tfrecord"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/tensor"
)

// predictLines runs a source and returns its results as lines of JSON.
func predictLines(t *testing.T, p *runner.Predictor, src Source) string {
	t.Helper()
	var lines []byte
	for r, err := range p.Predict(t.Context(), mustRows(t, p, src)) {
		if err != nil {
			t.Fatal(err)
		}
		if lines, err = runner.AppendRow(lines, p.OutputNames(), r); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, '\n')
	}
	return string(lines)
}

// Rows of columns give what the serialized tf.Examples give that Python made of the same values.
// That TensorFlow in Python gives the same for these is tested with all models.
func TestExamplesAgreeWithPython(t *testing.T) {
	for _, model := range []string{"own_tf1_census", "own_mod_examples"} {
		data, err := os.ReadFile(filepath.Join("../../testdata/models", model, "expect.json"))
		if err != nil {
			t.Fatal(err)
		}
		var expect struct {
			Examples []struct {
				Signature string
				Row       json.RawMessage
				Inputs    map[string]struct{ Values []json.RawMessage }
			}
		}
		if err := json.Unmarshal(data, &expect); err != nil {
			t.Fatal(err)
		}
		rows, ready := map[string]string{}, map[string]string{}
		for _, x := range expect.Examples {
			rows[x.Signature] += string(x.Row) + "\n"
			for _, in := range x.Inputs {
				ready[x.Signature] += string(in.Values[0]) + "\n"
			}
		}
		s := load(t, model+"/model")
		for sig := range rows {
			p, err := s.NewPredictor(runner.PredictOptions{Signature: sig})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := predictLines(t, p, jsonSource(rows[sig])), predictLines(t, p, jsonSource(ready[sig])); got != want || got == "" {
				t.Errorf("%s %s: of columns\n%s\nof Examples\n%s", model, sig, got, want)
			}
		}
	}
}

// Records go to the model as they are.
func TestRecordsAreExamples(t *testing.T) {
	spec := dataset.Dict(map[string]dataset.Spec{"age": dataset.TensorSpec(tensor.Float32), "score": dataset.TensorSpec(tensor.Float32, 2)})
	name := filepath.Join(t.TempDir(), "rows.tfrecord")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w, err := tfrecord.NewWriter(f, spec, tfrecord.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rows := ""
	for n := range 100 {
		i := float32(n)
		if err := w.Write(dataset.Element{Tensors: []tensor.Tensor{tensor.Scalar(i), tensor.Vector(i/2, i/4)}}); err != nil {
			t.Fatal(err)
		}
		rows += fmt.Sprintf(`{"age":%v,"score":[%v,%v]}`+"\n", i, i/2, i/4)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	p, err := load(t, "own_tf1_census/model").NewPredictor(runner.PredictOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got, want := predictLines(t, p, Source{Files: []string{name}}), predictLines(t, p, jsonSource(rows))
	if got != want || len(got) < 1000 {
		t.Errorf("of records\n%s\nof columns\n%s", got, want)
	}
}
