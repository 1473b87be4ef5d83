package main

import (
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// columns is the widest that a comment or a line of Markdown prose may be; a tab counts as four.
const columns = 100

// top is the repository's folder.
var top = filepath.Join("..", "..")

// tracked lists the files of the repository that match.
func tracked(t *testing.T, patterns ...string) []string {
	t.Helper()
	out, err := exec.Command("git", append([]string{"-C", top, "ls-files", "-z"}, patterns...)...).Output()
	if err != nil {
		t.Skipf("NOT CHECKED: git lists no files: %v", err)
	}
	files := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	if len(files) < 100 {
		t.Fatalf("only %d files were found", len(files))
	}
	return files
}

// The repository holds no file that a build has made, such as the command itself: whoever clones it
// would have to fetch that for ever.
func TestNothingBuilt(t *testing.T) {
	t.Parallel()
	const most = 6 << 20 // the largest model of testdata has 5 MB
	for _, name := range tracked(t) {
		if info, err := os.Lstat(filepath.Join(top, name)); err == nil && info.Size() > most {
			t.Errorf("%s: %d bytes, want at most %d", name, info.Size(), most)
		}
	}
}

// TestColumns holds the width of Go comments, of Markdown prose, and of comments of scripts that
// fill their lines. Tables, code blocks, cgo's C and what an example prints are as wide as they
// have to be.
func TestColumns(t *testing.T) {
	if testing.Short() {
		t.Skip("reads sources: nothing that the race detector sees")
	}
	t.Parallel()
	for _, name := range tracked(t, "*.go", "*.md", "*.sh", "*.py", "*.yaml", "Makefile", "docker/Dockerfile") {
		src, err := os.ReadFile(filepath.Join(top, name))
		if os.IsNotExist(err) { // removed, and not committed yet
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		wide := wideHashes
		switch filepath.Ext(name) {
		case ".go":
			wide = wideComments
		case ".md":
			wide = wideProse
		}
		for _, line := range wide(t, name, string(src)) {
			t.Errorf("%s:%d: wider than %d columns", name, line, columns)
		}
	}
}

func width(line string) int {
	return utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    "))
}

// wideComments lists the lines of a Go file whose comment ends beyond the last column.
func wideComments(t *testing.T, name, src string) (wide []int) {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, src, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	preamble := 0 // the line above import "C"
	for _, spec := range f.Imports {
		if spec.Path.Value == `"C"` {
			preamble = fset.Position(spec.Pos()).Line - 1
		}
	}
	lines := strings.Split(src, "\n")
	for _, group := range f.Comments {
		if fset.Position(group.End()).Line == preamble {
			continue
		}
		for _, c := range group.List {
			if strings.Contains(strings.ToLower(c.Text), "output:") {
				break // what an example prints follows
			}
			if strings.HasPrefix(c.Text, "//go:") || strings.HasPrefix(c.Text, "//nolint") {
				continue
			}
			first := fset.Position(c.Pos()).Line
			for i := range strings.Count(c.Text, "\n") + 1 {
				if width(lines[first-1+i]) > columns {
					wide = append(wide, first+i)
				}
			}
		}
	}
	return wide
}

// wideHashes lists the lines of a script that a comment fills beyond the last column.
func wideHashes(_ *testing.T, _, src string) (wide []int) {
	for i, line := range strings.Split(src, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "#") && width(line) > columns {
			wide = append(wide, i+1)
		}
	}
	return wide
}

// unbreakable is a line without a place to break it: a list's mark, then one word, link or span of
// code.
var unbreakable = regexp.MustCompile("^\\s*([-*]|\\d+\\.)?\\s*(\\S+|`[^`]+`\\S*|\\[[^]]*\\]\\(\\S*\\)\\S*)$")

// wideProse lists the lines of a Markdown file that go beyond the last column, without tables and
// code.
func wideProse(_ *testing.T, _, src string) (wide []int) {
	fenced := false
	for i, line := range strings.Split(src, "\n") {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "```") {
			fenced = !fenced
		}
		code := fenced || strings.HasPrefix(line, "    ")
		if !code && !strings.HasPrefix(trimmed, "|") && width(line) > columns &&
			!unbreakable.MatchString(line) {
			wide = append(wide, i+1)
		}
	}
	return wide
}
