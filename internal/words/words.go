// Package words helps to write texts for people: names on one line, the nearest of several names,
// large numbers.
package words

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// OneLine returns a text on one line. Line breaks and characters that steer a terminal, which names
// in a model may hold, become Go's escapes.
func OneLine(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, unprintable) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if c := s[:n]; unprintable(r) || r == utf8.RuneError && n == 1 {
			quoted := strconv.Quote(c)
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteString(c)
		}
		s = s[n:]
	}
	return b.String()
}

func unprintable(r rune) bool { return !strconv.IsPrint(r) }

// JSON returns a text in JSON with escapes for all in it that is not printed as it is. That occurs
// only in strings, so the text says the same.
func JSON(text []byte) []byte {
	odd := func(r rune) bool { return r != '\n' && r != utf8.RuneError && unprintable(r) }
	if bytes.IndexFunc(text, odd) < 0 {
		return text
	}
	var out []byte
	for _, r := range string(text) {
		if odd(r) {
			out = AppendEscape(out, r)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}

// AppendEscape appends a character as a string of JSON may have it: \u202e.
func AppendEscape(dst []byte, r rune) []byte {
	for _, unit := range utf16.Encode([]rune{r}) {
		dst = fmt.Appendf(dst, "\\u%04x", unit)
	}
	return dst
}

// Steers reports whether a character that is not printed as it is steers a terminal, or breaks or
// turns round a line of text. Others are parts of words of some languages.
func Steers(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x061c || r == 0x200e || r == 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// Shell returns a text as one word of a shell's command line: in single quotes, unless it is plain,
// or in $'…', with escapes, where it holds what a terminal should not get as it is.
func Shell(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+=:,@%", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	if clean := OneLine(s); clean == s {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch char := s[i : i+n]; {
		case r == '\'' || r == '\\':
			b.WriteString(`\` + char)
		case OneLine(char) == char:
			b.WriteString(char)
		default:
			for _, c := range []byte(char) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		}
		i += n
	}
	return "$'" + b.String() + "'"
}

// ShellFile is [Shell] for a file's name, which no command takes for a flag.
func ShellFile(name string) string {
	if strings.HasPrefix(name, "-") {
		name = "./" + name
	}
	return Shell(name)
}

// Nearest returns the candidate with the smallest edit distance to name, or "" when none is close.
func Nearest(name string, candidates []string) string {
	name = name[:min(len(name), maxCompared)]
	best, limit := "", max(2, len(name)/3)+1
	for _, c := range candidates {
		if d := Distance(strings.ToLower(name), strings.ToLower(c)); d < limit {
			best, limit = c, d
		}
	}
	return best
}

// maxCompared bounds the bytes of a name that are compared, since hostile names may be long.
const maxCompared = 200

// Distance returns Levenshtein's distance of the first 200 bytes of both texts: the number of bytes
// that have to be changed, added or removed to make one of the other.
func Distance(a, b string) int {
	a, b = a[:min(len(a), maxCompared)], b[:min(len(b), maxCompared)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diag, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diag+cost)
		}
	}
	return row[len(b)]
}

// Thousands returns a number with commas between its thousands: 523,840.
func Thousands(n int64) string {
	digits := strconv.FormatInt(n, 10)
	first := 0
	if n < 0 {
		first = 1
	}
	for i := len(digits) - 3; i > first; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// shortName is how many bytes of a long name are shown.
const shortName = 1000

// Short returns a name; of a name with more than some thousand bytes, which only hostile files
// have, the first thousand and how many there are.
func Short(s string) string {
	if len(s) <= 2*shortName {
		return s
	}
	n := shortName
	for n < shortName+utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n++
	}
	return s[:n] + "… (" + Thousands(int64(len(s))) + " bytes)"
}

// Shorten cuts the middle out of a text that takes more than limit columns.
func Shorten(s string, limit int) string {
	r := []rune(s)
	if len(r) <= limit {
		return s
	}
	head := limit * 2 / 3
	return string(r[:head]) + "…" + string(r[len(r)-(limit-head-1):])
}

// Product returns sizes as a product: "3 × 3 × 16"; "1" for none.
func Product(sizes []int64) string {
	if len(sizes) == 0 {
		return "1"
	}
	texts := make([]string, len(sizes))
	for i, n := range sizes {
		texts[i] = Thousands(n)
	}
	return strings.Join(texts, " × ")
}
