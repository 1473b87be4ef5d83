//go:build cgo && !notf

package runner

import (
	"strings"
	"testing"
)

// TestAppendRowJSON: a row that is written and read again is written the same.
func TestAppendRowJSON(t *testing.T) {
	for model, want := range map[string]string{
		"k3_masked/model":  `{"tokens":[1,2.5,3]}`,
		"tf1_sparse/model": `{"x":{"dense_shape":[5],"indices":[[1],[4]],"values":[0.5,2]}}`,
	} {
		p, err := load(t, model).NewPredictor(PredictOptions{})
		if err != nil {
			t.Fatal(err)
		}
		rows, err := jsonRows(p, want+"\n").Collect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.AppendRowJSON(nil, rows[0])
		if err != nil || strings.TrimSpace(string(got)) != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
}
