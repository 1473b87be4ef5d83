//go:build cgo && !notf

package main

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// sameText compares output, long fractions to 1e-5: their last digits are the processor's.
func sameText(got, want string) bool {
	fraction := regexp.MustCompile(`\d\.\d{5,}`)
	if fraction.ReplaceAllString(got, "#") != fraction.ReplaceAllString(want, "#") {
		return false
	}
	g, w := fraction.FindAllString(got, -1), fraction.FindAllString(want, -1)
	for i := range w {
		x, err := strconv.ParseFloat(g[i], 64)
		y, err2 := strconv.ParseFloat(w[i], 64)
		if err != nil || err2 != nil || math.Abs(x-y) > 1e-5 {
			return false
		}
	}
	return true
}

// readReadme returns the repository's folder and what README.md says.
func readReadme(t *testing.T) (root string, text []byte) {
	t.Helper()
	root, err := filepath.Abs(top)
	if err != nil {
		t.Fatal(err)
	}
	text, err = os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return root, text
}

// TestReadme runs what README.md shows in a console: each command must print, on stdout, what
// follows it there.
func TestReadme(t *testing.T) {
	root, readme := readReadme(t)
	blocks := regexp.MustCompile("(?s)```console\n\\$ bin/tfrun ([^\n]*)\n(.*?)```").FindAllSubmatch(readme, -1)
	if len(blocks) < 2 {
		t.Fatalf("%d runs in README.md", len(blocks))
	}
	for _, b := range blocks {
		command, want := string(b[1]), string(b[2])
		line, filter, _ := strings.Cut(command, " | ")
		var out, errs bytes.Buffer
		t.Chdir(root)
		if code := run(t.Context(), strings.Fields(line), stdio{strings.NewReader(""), &out, &errs}); code != 0 {
			t.Errorf("%s: exit code %d: %s", line, code, errs.String())
			continue
		}
		got := out.String()
		if filter != "" {
			words := strings.Fields(filter)
			cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
			cmd.Stdin = &out
			filtered, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			got = string(filtered)
		}
		if !sameText(got, want) {
			t.Errorf("%s prints\n%s\nREADME.md shows\n%s", command, got, want)
		}
	}
	for _, word := range regexp.MustCompile(`bin/tfrun ([a-z]+)`).FindAllSubmatch(readme, -1) {
		if cmd, _, err := newRootCmd(stdio{}).Find([]string{string(word[1])}); err != nil || cmd.Name() != string(word[1]) {
			t.Errorf("README.md speaks of tfrun %s, which there is not", word[1])
		}
	}
}
