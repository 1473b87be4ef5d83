package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestHelp holds every command's help: each flag stands in it once, under a heading, within 80
// columns; that of predict fits two screens of 50 lines.
func TestHelp(t *testing.T) {
	t.Parallel()
	root := newRootCmd(stdio{})
	for _, cmd := range append(root.Commands(), root) {
		if strings.HasPrefix(cmd.Name(), "completion") {
			continue // cobra's own
		}
		var b bytes.Buffer
		printHelp(&b, cmd, 80)
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		for _, line := range lines {
			if strings.HasPrefix(line, "  tfrun ") {
				continue // an example
			}
			if utf8.RuneCountInString(line) > 80 {
				t.Errorf("%s: %d columns: %s", cmd.CommandPath(), utf8.RuneCountInString(line), line)
			}
			if _, usage, ok := strings.Cut(line, "  --"); ok && strings.Count(usage, "INPUT=") > 1 && !strings.Contains(usage, "[") {
				t.Errorf("%s: the name of a value is repeated: %s", cmd.CommandPath(), line)
			}
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			n := 0
			for _, line := range lines {
				if strings.HasPrefix(strings.TrimSpace(line)+" ", "--"+f.Name+" ") || strings.Contains(line, ", --"+f.Name+" ") {
					n++
				}
			}
			if n != 1 && !f.Hidden && cmd.Runnable() {
				t.Errorf("%s: --%s stands %d times", cmd.CommandPath(), f.Name, n)
			}
		})
		if cmd.Name() == "predict" && len(lines) > 100 {
			t.Errorf("help of predict takes %d lines", len(lines))
		}
	}
	predict, _, err := root.Find([]string{"predict"})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(predictGroups[0].flags); n != 10 {
		t.Errorf("%d flags are most needed, want 10", n)
	}
	for _, g := range predictGroups {
		for _, name := range g.flags {
			if predict.Flags().Lookup(name) == nil {
				t.Errorf("there is no --%s", name)
			}
		}
	}
	rest := groups(predict)
	if other := rest[len(rest)-1].flags; len(other) > 0 {
		t.Errorf("flags under no heading: %v", other)
	}
}

// TestFlagErrors holds what is said of flags that are typed wrong: never the words of Go's parsers.
func TestFlagErrors(t *testing.T) {
	t.Parallel()
	root := newRootCmd(stdio{})
	predict, _, err := root.Find([]string{"predict"})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range [][2]string{{"keap", "keep"}, {"skip", "skip-bad-rows"}, {"batchsize", "batch-size"}, {"zzzzzzzz", ""}} {
		if got := nearestFlag(predict, test[0]); got != test[1] {
			t.Errorf("--%s: did you mean %q, want %q", test[0], got, test[1])
		}
	}
	for _, cmd := range root.Commands() {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			for _, args := range [][]string{{"--" + f.Name + "=\x00,=,"}, {"--" + f.Name}, {"--" + f.Name + "x"}} {
				var errs bytes.Buffer
				code := run(t.Context(), append([]string{cmd.Name(), "m"}, args...), stdio{strings.NewReader(""), &bytes.Buffer{}, &errs})
				for _, word := range []string{"strconv", "parsing", "invalid syntax", "goroutine", "pflag"} {
					if strings.Contains(errs.String(), word) {
						t.Errorf("%s %v: exit code %d: %s", cmd.Name(), args, code, errs.String())
					}
				}
			}
		})
	}
}

// TestManPages holds that pages say all that help does, in roff.
func TestManPages(t *testing.T) {
	t.Parallel()
	var all func(cmd *cobra.Command)
	all = func(cmd *cobra.Command) {
		page := manPage(cmd)
		for _, line := range strings.Split(page, "\n") {
			if strings.HasPrefix(line, ".") && !slices.Contains([]string{".TH", ".SH", ".TP", ".B", ".nf", ".fi"}, strings.Fields(line)[0]) {
				t.Errorf("%s: %q is no request", cmd.CommandPath(), line)
			}
		}
		for _, sub := range cmd.Commands() {
			all(sub)
		}
	}
	all(newRootCmd(stdio{}))
}

// TestCompleteKeep offers the columns of files of each kind.
func TestCompleteKeep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"a.csv": "id,x,name\n1,2,3\n", "a.jsonl": "{\"id\":1,\"x\":[2,{\"y\":3}],\"name\":\"a\"}\n{\"z\":1}\n", "b.json": "[{\"id\":1,\"name\":{}}]"} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, _ := completeKeep(nil, []string{"m", file}, "id,n"); !slices.Equal(got, []string{"id,name"}) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
