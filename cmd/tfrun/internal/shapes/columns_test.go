package shapes

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tfrun/tfrun/internal/words"
)

// layOut writes a grid into lines.
func layOut(g *grid, indent, space int) []string {
	var b bytes.Buffer
	p := &printer{Writer: bufio.NewWriter(&b), Look: Look{Width: space}}
	g.write(p, indent, space)
	_ = p.Flush() // a Buffer takes all
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

func TestGrid(t *testing.T) {
	t.Parallel()
	g := &grid{right: []bool{false, false, true}}
	g.add(cellOf(bold, "Layer", "(type)"), cellOf(plain, "Output shape"), cellOf(plain, "Params"))
	g.rule()
	g.add(cellOf(plain, "dense", "(Dense)"), cellOf(plain, "(None, 64)"), cellOf(plain, "8,256"))
	g.note(dim, "· 64: the layer's units")
	g.add(cellOf(plain, "層", "(Dense)"), nil, cellOf(plain, "65"))
	tests := []struct {
		name  string
		space int
		want  string
	}{
		{"as wide as it takes", 0, `
  Layer (type)   Output shape  Params
  ───────────────────────────────────
  dense (Dense)  (None, 64)     8,256
    · 64: the layer's units
  層 (Dense)                       65`},
		{"narrow", 34, `
  Layer (type)  Output shape  Params
  ──────────────────────────────────
  dense         (None, 64)     8,256
  (Dense)
    · 64: the layer's units
  層 (Dense)                      65`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			space := tt.space
			if space > 0 {
				space += 2
			}
			if got := "\n" + strings.Join(layOut(g, 2, space), "\n"); got != tt.want {
				t.Errorf("got%s\nwant%s", got, tt.want)
			}
		})
	}
}

// TestGridFits holds that no line is wider than the terminal, unless the numbers alone are, and
// that no letter is lost.
func TestGridFits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-z_/層é]{1,40}`)
		g := &grid{right: []bool{false, false, true, false}}
		var letters string
		for range rapid.IntRange(1, 6).Draw(t, "rows") {
			a, b := name.Draw(t, "name"), name.Draw(t, "class")
			n := words.Thousands(rapid.Int64Range(0, 1<<40).Draw(t, "params"))
			from := rapid.SliceOfN(name, 0, 4).Draw(t, "from")
			g.add(cell{{a, plain}, {b, dim}}, cellOf(plain, "(None, 64)"), cellOf(plain, n), cellOf(dim, from...))
			letters += a + b + strings.Join(from, "")
		}
		space := rapid.IntRange(64, 200).Draw(t, "space")
		lines := layOut(g, 2, space)
		all := strings.Join(lines, "")
		for _, l := range lines {
			if columns(l) > space {
				t.Fatalf("%q takes %d columns of %d", l, columns(l), space)
			}
		}
		for _, r := range "abcdefghijklmnopqrstuvwxyz_/層é" {
			if got, want := strings.Count(all, string(r)), strings.Count(letters+strings.Repeat("(None, 64)", len(g.rows)), string(r)); got != want {
				t.Fatalf("%q stands %d times in\n%s\nwant %d times", r, got, strings.Join(lines, "\n"), want)
			}
		}
		for _, r := range g.rows {
			if n := r.cells[2][0].text; !strings.Contains(all, n) {
				t.Fatalf("number %s is cut in\n%s", n, strings.Join(lines, "\n"))
			}
		}
	})
}

func TestColumns(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]int{"": 0, "abc": 3, "層": 2, "é": 1, "e\u0301": 1, "⌊8⌋": 3, "─": 1} {
		if got := columns(s); got != want {
			t.Errorf("columns(%q) = %d, want %d", s, got, want)
		}
	}
}
