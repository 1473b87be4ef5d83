// Command testsum runs go test and counts what it ran.
//
//	testsum COUNTS [go test flags and packages]
//
// It prints a line for each package, the output of failed tests and the reason of skipped ones, and
// appends "passed failed skipped" to the file COUNTS. Tests are counted as go test -v lists them,
// subtests included; a package that does not build, or fails outside its tests, is one failure. The
// exit status is go test's.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// event is one line of go test -json; see go doc test2json.
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Elapsed    float64
	Output     string
}

// testKey names one test of one package; Test is empty for the package itself.
type testKey struct{ Package, Test string }

// summary counts test results and shows them on out as they come.
type summary struct {
	passed, failed, skipped int

	out        io.Writer
	output     map[testKey][]string
	perPackage map[string]int // tests seen
	failures   map[string]int // tests failed
}

func newSummary(out io.Writer) *summary {
	return &summary{
		out:        out,
		output:     make(map[testKey][]string),
		perPackage: make(map[string]int),
		failures:   make(map[string]int),
	}
}

// add takes one event into account.
func (s *summary) add(e event) {
	key := testKey{e.Package, e.Test}
	switch e.Action {
	case "output":
		s.output[key] = append(s.output[key], e.Output)
		return
	case "build-output":
		fmt.Fprint(s.out, e.Output)
		return
	case "pass", "fail", "skip":
	default:
		return
	}
	if e.Test == "" {
		s.endPackage(e)
	} else {
		s.endTest(e)
	}
	delete(s.output, key)
}

func (s *summary) endTest(e event) {
	s.perPackage[e.Package]++
	text := strings.Join(s.output[testKey{e.Package, e.Test}], "")
	switch e.Action {
	case "pass":
		s.passed++
	case "skip":
		s.skipped++
		fmt.Fprintf(s.out, "skip %s %s: %s\n", e.Package, e.Test, skipReason(text))
	case "fail":
		s.failed++
		s.failures[e.Package]++
		fmt.Fprintf(s.out, "FAIL %s %s\n%s", e.Package, e.Test, text)
	}
}

func (s *summary) endPackage(e event) {
	switch e.Action {
	case "pass":
		fmt.Fprintf(s.out, "ok   %s (%d tests, %.1f s)\n", e.Package, s.perPackage[e.Package], e.Elapsed)
	case "fail":
		// Test output that no test's end took with it belongs to a test that never ended.
		for key, text := range s.output {
			if key.Package == e.Package {
				fmt.Fprint(s.out, strings.Join(text, ""))
				delete(s.output, key)
			}
		}
		if s.failures[e.Package] == 0 {
			s.failed++
		}
		fmt.Fprintf(s.out, "FAIL %s\n", e.Package)
	}
}

// skipReason returns what a test gave to t.Skip: the output without go test's own lines.
func skipReason(output string) string {
	var reason []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			reason = append(reason, line)
		}
	}
	return strings.Join(reason, " ")
}

// read adds every event of a go test -json stream; lines that are none are passed on.
func (s *summary) read(r io.Reader) error {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil && e.Action != "" {
				s.add(e)
			} else {
				fmt.Fprintf(s.out, "%s", line)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read go test: %w", err)
		}
	}
}

// run runs go test with args, and appends what it counted to the file counts.
func run(counts string, args []string, stdout, stderr io.Writer) error {
	goCommand := os.Getenv("GO")
	if goCommand == "" {
		goCommand = "go"
	}
	cmd := exec.Command(goCommand, append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("go test: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("go test: %w", err)
	}
	s := newSummary(stdout)
	err = s.read(events)
	waitErr := cmd.Wait()
	if waitErr != nil && s.failed == 0 {
		s.failed++ // failed before any package: a bad flag or pattern
	}
	return errors.Join(err, appendCounts(counts, s), waitErr)
}

func appendCounts(name string, s *summary) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("counts: %w", err)
	}
	_, err = fmt.Fprintln(f, s.passed, s.failed, s.skipped)
	return errors.Join(err, f.Close())
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: testsum COUNTS [go test flags and packages]")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(1)
	}
}
