package main

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestOneLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"as it is":            "as it is",
		"two\r\nlines\n":      "two; lines",
		"\x1b[31mred\x00\xff": "�[31mred��",
		"a\ttab":              "a\ttab",
	} {
		if got := oneLine(in); got != want {
			t.Errorf("oneLine(%q) = %q, want %q", in, got, want)
		}
	}
	long := oneLine("node " + strings.Repeat("é\n", 1<<20) + " cannot be decoded")
	if len(long) > oneLineMost+8 || !utf8.ValidString(long) || !strings.HasPrefix(long, "node é; é") || !strings.HasSuffix(long, "é;  cannot be decoded") {
		t.Errorf("oneLine of a long error = %q", long)
	}
}
