package rules

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"testing"

	"github.com/tfrun/tfrun/tensor"
)

// TestRefused compares what is refused with what Keras refused to call layers on, and what is not
// with what they gave (testdata/make_refused.py).
func TestRefused(t *testing.T) {
	f, err := os.Open("testdata/refused.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	gave, refused := 0, 0
	for lines := bufio.NewScanner(z); lines.Scan(); {
		var r struct {
			Class, Version string
			Config         Config
			In             []tensor.Shape
			Out            *tensor.Shape
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		r.Config[VersionKey] = r.Version
		c := r.Config.Real()
		if got := Refused(r.Class, c, r.In); got != (r.Out == nil) {
			t.Errorf("Keras %s, %s of %v: refused %v, but Keras gave %v (%v)", r.Version, r.Class, r.In, got, r.Out, r.Config)
			continue
		}
		if r.Out == nil {
			refused++
			continue
		}
		gave++
		if out, ok := Shapes(r.Class, c, r.In); ok && !out[0].Equal(*r.Out) {
			t.Errorf("Keras %s, %s of %v: %v, but Keras gave %v (%v)", r.Version, r.Class, r.In, out[0], r.Out, r.Config)
		}
	}
	if gave < 300 || refused < 100 {
		t.Errorf("%d calls, and %d that were refused", gave, refused)
	}
}
