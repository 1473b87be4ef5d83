package lastwords

import (
	"io"
	"strings"
	"testing"
)

func TestLastWords(t *testing.T) {
	var passed strings.Builder
	l := &Filter{To: &passed}
	for _, part := range []string{
		"a line\nhalf of", " another\n", preface + "\n", "2026-01-31 12:00:00.000000: W tensorflow/x.cc:1] a warning\n",
		"2026-01-31 12:00:00.000000: F tensorflow/core/framework/tensor_shape.cc:356] Check failed: 0 <= new_num_elements (0 vs. -1)\n", "*** stack\n", "the end",
	} {
		if _, err := io.WriteString(l, part); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := passed.String(), "a line\nhalf of another\n2026-01-31 12:00:00.000000: W tensorflow/x.cc:1] a warning\n"; got != want {
		t.Errorf("passed on %q, want %q", got, want)
	}
	for _, tt := range []struct{ said, want string }{
		{"", ""},
		{"nothing of interest\n", ""},
		{"2026-01-31 12:00:00.000000: F tensorflow/a.cc:356] Check failed: a < b\n*** x\n", "Check failed: a < b"},
		{"F0000 00:00:1795458034.671302   23060 mkl.cc:610] Check failed: x is OK \n", "Check failed: x is OK"},
		{"2026-01-31 12:00:00.000000: F a.cc:610] Non-OK-status: MakeShape(a, &b)\nStatus: INVALID_ARGUMENT: too large\n", "Check failed: INVALID_ARGUMENT: too large"},
		{"terminate called after throwing an instance of 'std::length_error'\n  what():  vector::reserve\n", "C++ exception std::length_error: vector::reserve"},
		{"terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n", "C++ exception std::bad_alloc"},
		{"double free or corruption (out)", "double free or corruption (out)"},
		{"free(): invalid pointer\n", "free(): invalid pointer"},
	} {
		l := &Filter{To: io.Discard}
		_, _ = io.WriteString(l, tt.said)
		if got := l.Words(); got != tt.want {
			t.Errorf("words of %q: %q, want %q", tt.said, got, tt.want)
		}
	}
}

// TestFilterLeavesOutRE2 holds that what RE2 logs of an expression is left out, and what others
// print is not.
func TestFilterLeavesOutRE2(t *testing.T) {
	t.Parallel()
	const re2 = "external/com_googlesource_code_re2/re2/re2.cc:232: Error parsing '"
	for _, c := range []struct{ printed, want string }{
		{"a\n" + re2 + "(': missing ): (\nb\n", "a\nb\n"},
		{"external/model.cc:1: mine\n", "external/model.cc:1: mine\n"},
		{" " + re2 + "\n", " " + re2 + "\n"},
	} {
		var quiet, all strings.Builder
		_, _ = (&Filter{To: &quiet}).Write([]byte(c.printed))
		_, _ = (&Filter{To: &all, Log: true}).Write([]byte(c.printed))
		if quiet.String() != c.want || all.String() != c.printed {
			t.Errorf("%q: %q and with the log %q, want %q", c.printed, quiet.String(), all.String(), c.want)
		}
	}
}
