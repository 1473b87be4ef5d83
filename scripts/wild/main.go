// Command wild tries the SavedModels below folders: it describes and scans each, runs its
// signatures on rows that are made up, and, where the environment variable PYTHON names a Python
// with TensorFlow, compares with what TensorFlow's own session answers.
//
//	wild FOLDER…
//
// There is a line for each model, with totals at the end; the exit status is 1 where an answer
// differs, a model takes more than its time or memory, or tfrun panics. Each model has a process of
// its own with -seconds of time and -mib of memory. Run it as `make wild TFRUN_WILD=FOLDER`.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	one := flag.String("one", "", "try this model alone, and write what came of it as JSON")
	seconds := flag.Int("seconds", 60, "the time that a model may take")
	mib := flag.Int("mib", 4096, "the memory that a model's process may take")
	referee := flag.String("referee", "scripts/wild/referee.py", "the script that asks TensorFlow")
	flag.Parse()
	if *one != "" {
		if err := json.NewEncoder(os.Stdout).Encode(try(context.Background(), *one)); err != nil {
			fmt.Fprintln(os.Stderr, "wild:", err)
			os.Exit(1)
		}
		return
	}
	w := &wild{time: time.Duration(*seconds) * time.Second, memory: int64(*mib) << 20, referee: *referee, totals: map[string]int{}}
	for _, folder := range flag.Args() {
		if err := w.folder(folder); err != nil {
			fmt.Fprintln(os.Stderr, "wild:", err)
			os.Exit(2)
		}
	}
	w.print()
	if w.totals[differs]+w.totals[exceeds]+w.totals[crashes] > 0 {
		os.Exit(1)
	}
}

// wild goes through folders.
type wild struct {
	time    time.Duration
	memory  int64
	referee string
	totals  map[string]int
}

// folder tries every model below a folder.
func (w *wild) folder(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() != "saved_model.pb" && d.Name() != "saved_model.pbtxt" {
			return err
		}
		dir := filepath.Dir(path)
		found := w.model(dir)
		w.totals["models"]++
		w.totals[found.Outcome]++
		fmt.Printf("%-9s  %-9s  %3d layers  %2d ms  %s%s\n", found.Outcome, found.Framework, found.Layers, found.DescribeMS, dir, because(found.Why))
		return nil
	})
}

func because(why string) string {
	if why == "" {
		return ""
	}
	line, _, _ := strings.Cut(why, "\n")
	return ": " + line[:min(len(line), 160)]
}

// model tries one model in a process of its own, and asks the referee.
func (w *wild) model(dir string) outcome {
	var found outcome
	out, err := w.runBounded(exec.Command(os.Args[0], "-one", dir), nil)
	switch {
	case err != nil:
		found.Outcome, found.Why = crashes, err.Error()
		if over, ok := err.(overError); ok { //nolint:errorlint // bounded makes it
			found.Outcome, found.Why = exceeds, string(over)
		}
		return found
	case json.Unmarshal(out, &found) != nil:
		found.Outcome, found.Why = crashes, "no answer"
		return found
	}
	python := os.Getenv("PYTHON")
	if found.Outcome != ran || python == "" {
		return found
	}
	request, err := json.Marshal(found)
	if err == nil {
		out, err = w.runBounded(exec.Command(python, w.referee, dir), request)
	}
	if err != nil {
		found.Why = "Python: " + err.Error()
		return found
	}
	var answers []answer
	if err := json.Unmarshal(out, &answers); err != nil {
		found.Why = "Python: " + err.Error()
		return found
	}
	found.Outcome, found.Why = compare(found.Runs, answers)
	return found
}

// overError says which bound a process went over.
type overError string

func (e overError) Error() string { return string(e) }

// runBounded runs a command within the bounds, and returns what it writes.
func (w *wild) runBounded(cmd *exec.Cmd, in []byte) ([]byte, error) {
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &errs
	cmd.Env = append(os.Environ(), "TF_CPP_MIN_LOG_LEVEL=3", "CUDA_VISIBLE_DEVICES=")
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; {
		select {
		case err := <-done:
			if err != nil {
				err = fmt.Errorf("%w: %s", err, lastLine(errs.String()))
			}
			return out.Bytes(), err
		case <-tick.C:
			over := ""
			if time.Since(began) > w.time {
				over = fmt.Sprintf("more than %v", w.time)
			} else if n := resident(cmd.Process.Pid); n > w.memory {
				over = fmt.Sprintf("more than %d MiB", w.memory>>20)
			}
			if over != "" {
				_ = cmd.Process.Kill() // it may be gone
				<-done
				return nil, overError(over)
			}
		}
	}
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// resident is the memory that a process has; 0 where that cannot be told.
func resident(pid int) int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	var size, pages int64
	if err == nil {
		_, err = fmt.Sscan(string(data), &size, &pages)
	}
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// print writes the totals.
func (w *wild) print() {
	fmt.Printf("\n%d models", w.totals["models"])
	for _, what := range []string{equal, ran, differs, exceeds, crashes, refused, broken} {
		if n := w.totals[what]; n > 0 || slices.Contains([]string{differs, exceeds, crashes}, what) {
			fmt.Printf(", %d %s", n, what)
		}
	}
	fmt.Println()
}
