package shapes

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/savedmodel/scan"
)

// TestLongNames reports many findings with names of megabytes: the report is as long as its
// findings are many, and not as their names are long, and is laid out in time that is linear.
func TestLongNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("näme ", 1<<18)
	var findings []scan.Finding
	for i := range 50 {
		findings = append(findings, scan.Finding{
			Kind: scan.ReadsFiles, Severity: scan.Unsafe, Op: long, Function: long, Node: fmt.Sprint(i) + long, Layer: long,
			Signatures: []string{"short", long}, Detail: long,
		})
	}
	r := &ScanReport{Model: "m"}
	r.add(findings, []string{long})
	for name, write := range map[string]func(*bytes.Buffer) error{
		"text": func(b *bytes.Buffer) error { return r.WriteText(b, Look{Width: 80}, true) },
		"wide": func(b *bytes.Buffer) error { return r.WriteText(b, Look{}, true) },
		"JSON": func(b *bytes.Buffer) error { return r.WriteJSON(b) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		// a name of two columns may take a line for each word
		if text := b.String(); b.Len() > len(findings)*200_000 || !strings.Contains(text, "49n") || !strings.Contains(text, "bytes)") {
			t.Errorf("%s of %d bytes", name, b.Len())
		}
	}
	if got := cellOf(plain, strings.Repeat("x", 1<<21)).wrap(80); len(got) != 1<<21/80+1 {
		t.Errorf("a word of two megabytes takes %d lines", len(got))
	}
}
