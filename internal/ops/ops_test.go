package ops

import (
	"slices"
	"strings"
	"testing"
)

// TestTable looks at each line of the table for what people forget.
func TestTable(t *testing.T) {
	all, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(text) {
		if line[0] != '#' {
			name, _, _ := strings.Cut(line, " ")
			names = append(names, name)
		}
	}
	if !slices.IsSorted(names) {
		t.Error("the lines are not in alphabetical order")
	}
	for name, o := range all {
		switch {
		case !o.Pure() && o.Why == "":
			t.Errorf("%s is refused, and its line does not say why", name)
		case o.Class == Compute && o.Stateful && o.Why == "":
			t.Errorf("%s is stateful, and its line does not say how it only computes", name)
		case o.Pure() && (o.Path >= 0 || o.Attr != "" || o.harmless != nil || o.Own != Nothing):
			t.Errorf("%s has a path, and is said to touch no file", name)
		case o.Path >= 0 && o.Attr != "":
			t.Errorf("%s has two paths", name)
		case (o.harmless != nil && o.Path < 0 || o.Unset) && o.Attr == "":
			t.Errorf("%s has harmless paths, and no path", name)
		case o.Own != Nothing && (o.Class != Reads || o.Path < 0 || o.Own != Checkpoint && o.Own != Asset):
			t.Errorf("%s: own=%s wants an operation that reads, and an input with the path", name, o.Own)
		}
	}
}

// TestHarmless holds what the words of the table mean.
func TestHarmless(t *testing.T) {
	for _, c := range []struct {
		op, path string
		want     bool
	}{
		{"PrintV2", "stderr", true},
		{"PrintV2", "log(info)", true},
		{"PrintV2", "file:///tmp/x", false},
		{"PrintV2", "stderr ", false},
		{"PrintV2", "", false},
		{"CacheDatasetV2", "", true},
		{"CacheDatasetV2", "/tmp/x", false},
		{"DecodeProtoV2", "local://", true},
		{"DecodeProtoV2", "local://x", false},
		{"DecodeProtoV2", "bytes://\x0a", true},
		{"DecodeProtoV2", "/etc/passwd", false},
		{"ReadFile", "", false},
	} {
		if got := Of(c.op).Harmless(c.path); got != c.want {
			t.Errorf("%s with the path %q: Harmless = %v, want %v", c.op, c.path, got, c.want)
		}
	}
}

// TestFamilyOf guesses by names, and never for an operation that is TensorFlow's own.
func TestFamilyOf(t *testing.T) {
	for op, want := range map[string]string{
		"TFText>RoundRobinTrim": "TensorFlow Text (pip install tensorflow-text)", "SentencepieceTokenizeOp": "SentencePiece, in TensorFlow Text (pip install tensorflow-text)",
		"SimpleMLInferenceOpWithHandle": "TensorFlow Decision Forests (pip install tensorflow-decision-forests)", "Mine": "",
	} {
		if f, ok := FamilyOf(op); f.String() != want && (ok || want != "") {
			t.Errorf("FamilyOf(%q) = %q, %v; want %q", op, f, ok, want)
		}
	}
	for op := range All() {
		if f, ok := FamilyOf(op); ok {
			t.Errorf("%s is TensorFlow's, and not of %s", op, f)
		}
	}
}

// TestParse has lines that are none.
func TestParse(t *testing.T) {
	for _, line := range []string{"", "Abs", "New ? stateful # input filename", "X reads path=a", "X reads size=3", "X compute\nX compute"} {
		if _, err := parse(line + "\n"); err == nil {
			t.Errorf("%q gave no error", line)
		}
	}
}
