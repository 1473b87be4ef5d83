package words

import (
	"fmt"
	"math"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestShell(t *testing.T) {
	for in, want := range map[string]string{
		"model": "model", "a/b-1.0_x": "a/b-1.0_x", "": "''", "e;touch x": "'e;touch x'", "it's": `'it'\''s'`, "$(x)": "'$(x)'", "~": "'~'", "é": "'é'",
		"it's\x1b\\n": `$'it\'s\x1b\\n'`, "a\u202eé": `$'a\xe2\x80\xaeé'`, "\xffé\u0085": `$'\xffé\xc2\x85'`,
	} {
		got := Shell(in)
		if got != want {
			t.Errorf("Shell(%q) = %s, want %s", in, got, want)
		}
		if read, err := exec.CommandContext(t.Context(), "bash", "-c", "printf %s "+got).Output(); err == nil && string(read) != in {
			t.Errorf("bash reads %s as %q, want %q", got, read, in)
		}
	}
	if got := ShellFile("-r f"); got != "'./-r f'" {
		t.Errorf("got %s", got)
	}
}

// TestOneLine writes what breaks a line or steers a terminal as escapes, and changes nothing else.
func TestOneLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a/\nb\x1b[31m\xff\u202e": `a/\nb\x1b[31m\xff\u202e`,
		"modèle/ünï 模型.pb":        "modèle/ünï 模型.pb",
		"":                        "",
	} {
		got := OneLine(in)
		if got != want || !utf8.ValidString(got) || strings.Contains(got, "\n") {
			t.Errorf("OneLine(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestNearest takes the name with the fewest letters to change, if they are few.
func TestNearest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, want string }{
		{"serving_defualt", "serving_default"},
		{"SERVE", "serve"},
		{"SERVING", ""},
		{"clasify", "classify"},
		{"x", ""},
		{strings.Repeat("z", 1<<20), ""},
	} {
		if got := Nearest(tt.name, []string{"serving_default", "serve", "classify"}); got != tt.want {
			t.Errorf("Nearest(%.20q) = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestThousands(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 7: "7", -7: "-7", 999: "999", -999: "-999", 1000: "1,000", -1000: "-1,000", 523840: "523,840", math.MinInt64: "-9,223,372,036,854,775,808"} {
		if got := Thousands(n); got != want {
			t.Errorf("Thousands(%d) = %q, want %q", n, got, want)
		}
	}
}

// TestShort cuts names that are longer than any honest one, between characters.
func TestShort(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "name", strings.Repeat("ü", 1000)} {
		if got := Short(s); got != s {
			t.Errorf("Short of %d bytes has %d", len(s), len(got))
		}
	}
	for i := range 4 {
		s := strings.Repeat("x", i) + strings.Repeat("模", 1_000_000)
		if got := Short(s); len(got) > 1050 || !utf8.ValidString(got) || !strings.HasSuffix(got, fmt.Sprintf("模… (3,000,00%d bytes)", i)) {
			t.Errorf("Short: %d bytes, %q", len(got), got[max(0, len(got)-40):])
		}
	}
}
