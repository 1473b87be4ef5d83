package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestArrows holds that the files of each package can be read from the bottom up: fewer than one in
// ten of the arrows between them run back up. Packages that need cgo are looked at where cgo's
// variables are set, as `make test` sets them.
func TestArrows(t *testing.T) {
	t.Parallel()
	env := os.Environ()
	if os.Getenv("CGO_CFLAGS") == "" {
		env = append(env, "CGO_ENABLED=0")
	}
	pkgs, err := load(filepath.Join("..", ".."), env, "./...")
	if err != nil {
		t.Fatal(err)
	}
	if len(pkgs) < 40 {
		t.Fatalf("only %d packages were looked at", len(pkgs))
	}
	for _, p := range pkgs {
		back := p.Back()
		if len(back) == 0 || 10*len(back) < p.Arrows() {
			continue
		}
		t.Errorf("%s: %d of the %d arrows between files run back up, want fewer than one in ten", p.Path, len(back), p.Arrows())
		for _, b := range back {
			t.Errorf("  %s takes from %s, which is above it: %s", b[0], b[1], strings.Join(slices.Sorted(maps.Keys(p.Uses[b[0]][b[1]])), " "))
		}
	}
}

// TestBack: of two files that take from each other, one arrow runs back up.
func TestBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module example.org/m\n\ngo 1.26\n",
		"low.go":  "package m\n\ntype T struct{ n int }\n\nfunc (t T) Up() int { return high() }\n",
		"high.go": "package m\n\nfunc high() int { return T{1}.n }\n",
		"top.go":  "package m\n\nfunc Top() int { return T{2}.Up() + high() }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	pkgs, err := load(dir, append(os.Environ(), "CGO_ENABLED=0"), ".")
	if err != nil {
		t.Fatal(err)
	}
	if len(pkgs) != 1 || pkgs[0].Arrows() != 4 || len(pkgs[0].Back()) != 1 || pkgs[0].Files[2] != "top.go" {
		t.Errorf("got %+v, want 4 arrows, one of them back up, and top.go on top", pkgs)
	}
}
