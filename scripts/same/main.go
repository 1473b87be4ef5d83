// Command same compares what two revisions of the project say of models, byte for byte: the net
// under changes that must change nothing.
//
//	same [-only facts,scan] BASE [HEAD]
//
// BASE and HEAD are git revisions; without HEAD it is the working tree. Both are built in folders
// of their own. The models are those of the working tree, and those below the folders that
// TFRUN_MODELS lists. The checks are those of [checks]. Answers of a revision are kept in
// bin/same/REVISION and not asked for again. Where an answer differs, BASE is asked a second time:
// a model that draws random numbers does not answer the same twice.
//
// Run it as `make same BASE=REV`.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
)

func main() {
	only := flag.String("only", "", "the checks to make, with commas (all)")
	flag.Parse()
	if flag.NArg() < 1 || flag.NArg() > 2 {
		fmt.Fprintln(os.Stderr, "usage: make same BASE=REV [HEAD=REV] [ONLY=facts,scan]")
		os.Exit(2)
	}
	different, err := run(flag.Arg(0), flag.Arg(1), *only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "same:", err)
		os.Exit(2)
	}
	if different > 0 {
		os.Exit(1)
	}
}

// run compares two revisions and returns how many answers differ.
func run(base, head, only string) (different int, err error) {
	models, err := findModels()
	if err != nil {
		return 0, err
	}
	questions, err := ask(models, strings.FieldsFunc(only, func(r rune) bool { return r == ',' }))
	if err != nil {
		return 0, err
	}
	work, err := os.MkdirTemp("", "same-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(work)
	var builds [2]*build
	for i, rev := range []string{base, head} {
		if builds[i], err = newBuild(rev, filepath.Join(work, fmt.Sprint(i))); err != nil {
			return 0, err
		}
		defer builds[i].remove()
	}
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		varies int
		todo   = make(chan question)
	)
	for range runtime.NumCPU() {
		wg.Go(func() {
			for q := range todo {
				said, same, again := compare(builds[0], builds[1], q)
				mu.Lock()
				switch {
				case same:
				case again:
					varies++
					fmt.Println("varies from run to run:", q.title)
				default:
					different++
					fmt.Printf("DIFFERENT %s\n%s", q.title, said)
				}
				mu.Unlock()
			}
		})
	}
	for _, q := range questions {
		todo <- q
	}
	close(todo)
	wg.Wait()
	fmt.Printf("%d models, %d answers: %d different, %d vary from run to run\n", len(models), len(questions), different, varies)
	return different, nil
}

// compare asks both builds. varies says that the first does not answer the same twice.
func compare(base, head *build, q question) (said string, same, varies bool) {
	was, is := base.answer(q), head.answer(q)
	if bytes.Equal(was, is) {
		return "", true, false
	}
	if !bytes.Equal(was, base.run(q)) {
		return "", false, true
	}
	old, now := bytes.SplitAfter(was, []byte("\n")), bytes.SplitAfter(is, []byte("\n"))
	at := 0
	for at < min(len(old), len(now)) && bytes.Equal(old[at], now[at]) {
		at++
	}
	return fmt.Sprintf("  line %d\n  - %s\n  + %s\n", at+1, line(old, at), line(now, at)), false, false
}

// line returns a line of a text, cut to what a terminal shows.
func line(lines [][]byte, i int) string {
	if i >= len(lines) {
		return "(the end)"
	}
	text := strings.TrimSuffix(string(lines[i]), "\n")
	if len(text) > 300 {
		text = text[:300] + "…"
	}
	return text
}

// build is the command and the facts program of one revision.
type build struct {
	worktree     string // of git; "" for the working tree
	tfrun, facts string // the programs
	kept         string // folder of answers; "" where none are kept
}

// newBuild builds a revision below a folder. The working tree is built where it is, as it is now.
func newBuild(rev, dir string) (*build, error) {
	b := &build{tfrun: filepath.Join(dir, "tfrun"), facts: filepath.Join(dir, "facts")}
	tree := "."
	if rev != "" {
		hash, err := exec.Command("git", "rev-parse", "--verify", rev+"^{commit}").Output()
		if err != nil {
			return nil, fmt.Errorf("no such revision: %s", rev)
		}
		b.kept = filepath.Join("bin", "same", strings.TrimSpace(string(hash)))
		tree, b.worktree = filepath.Join(dir, "tree"), filepath.Join(dir, "tree")
		if err := command("", "git", "worktree", "add", "--detach", "--force", tree, rev); err != nil {
			return nil, err
		}
	}
	// The version is shown on pages; it is to be the same.
	if err := command(tree, "make", "-s", "build", "version=same"); err != nil {
		return nil, errors.Join(err, b.remove())
	}
	program := "scripts/same/facts"
	if _, err := os.Stat(filepath.Join(tree, program)); err != nil {
		// Revisions before this check are asked by the program in testdata.
		if program, err = writeProgram(tree); err != nil {
			return nil, errors.Join(err, b.remove())
		}
	}
	if err := command(tree, "env", "CGO_ENABLED=0", "go", "build", "-o", b.facts, "./"+program); err != nil {
		return nil, errors.Join(err, b.remove())
	}
	return b, os.Rename(filepath.Join(tree, "bin", "tfrun"), b.tfrun)
}

// writeProgram puts the facts program for old revisions into a tree.
func writeProgram(tree string) (folder string, err error) {
	source, err := os.ReadFile(filepath.Join("scripts", "same", "testdata", "facts.go"))
	if err != nil {
		return "", err
	}
	folder = "scripts/facts"
	if err := os.MkdirAll(filepath.Join(tree, folder), 0o755); err != nil {
		return "", err
	}
	return folder, os.WriteFile(filepath.Join(tree, folder, "main.go"), source, 0o644)
}

// remove takes the worktree away.
func (b *build) remove() error {
	if b.worktree == "" {
		return nil
	}
	return command("", "git", "worktree", "remove", "--force", b.worktree)
}

// command runs a program in a folder; its output is shown where it fails.
func command(dir, name string, args ...string) error {
	c := exec.Command(name, args...)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(c.Args, " "), err, out)
	}
	return nil
}

// answer is run, unless the answer is kept.
func (b *build) answer(q question) []byte {
	if b.kept == "" {
		return b.run(q)
	}
	file := filepath.Join(b.kept, q.key())
	if data, err := os.ReadFile(file); err == nil {
		return data
	}
	data := b.run(q)
	if os.MkdirAll(b.kept, 0o755) == nil {
		_ = os.WriteFile(file, data, 0o644) // it is asked again then
	}
	return data
}

// run returns what the program writes to either stream, and its exit status.
func (b *build) run(q question) []byte {
	program := b.tfrun
	if q.facts {
		program = b.facts
	}
	c := exec.Command(program, q.args...)
	c.Env = slices.Concat(os.Environ(), []string{"TF_CPP_MIN_LOG_LEVEL=3"})
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	fmt.Fprintf(&out, "%s%v\n", errs.Bytes(), err)
	return out.Bytes()
}
