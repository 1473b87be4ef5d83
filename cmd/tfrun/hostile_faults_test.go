//go:build cgo && !notf && !race && linux

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// hostileFaults lists bad moments: what is pulled from under a run, and models that end their
// process.
func hostileFaults() []hostileCase {
	return []hostileCase{
		{"fault", "`--isolate`: TensorFlow aborts at a row", (*hostile).abortIsolated},
		{"fault", "`--isolate --skip-bad-rows`: TensorFlow aborts at a row", (*hostile).skipIsolated},
		{"fault", "`--isolate`: a row reaches a failed check of TensorFlow's kernels", (*hostile).failedCheck},
		{"fault", "`--isolate-memory`: a row asks for 2,147,483,647 tensors", (*hostile).badAlloc},
		{"fault", "`--isolate`: tfrun is killed", (*hostile).killedIsolated},
		{"fault", "the disk is full", (*hostile).diskFull},
		{"fault", "the input is removed while it is read", (*hostile).inputRemoved},
		{"fault", "SIGTERM while rows come slowly", (*hostile).terminated},
		{"fault", "two runs into one output", (*hostile).twoRuns},
		{"fault", "rows come slowly: a result is there before the next row", (*hostile).slowRows},
		{"fault", "the reader of the results goes away (`head -1`)", (*hostile).readerGone},
		{"fault", "results of each kind go to a named pipe that nobody reads", (*hostile).unread},
		{"fault", "NaN and infinity in and out", (*hostile).notNumbers},
	}
}

// deadly names a model that ends its process: see runner/testdata/make_deadly.py.
func (h *hostile) deadly() string {
	h.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", "runner", "testdata", "deadly"))
	if err != nil {
		h.Fatal(err)
	}
	return h.link("deadly", dir)
}

// unlucky writes three rows, of which the second makes the model abort. Empty lines follow, for a
// job that is not short: without its graph optimizer, which short ones leave out, TensorFlow drops
// the operation, on whose result nothing depends.
func (h *hostile) unlucky() string {
	h.Helper()
	return h.file("rows.jsonl", []byte("[1]\n[13]\n[2]\n"+strings.Repeat("\n", 20<<10)))
}

func (h *hostile) abortIsolated() string {
	rows := h.unlucky()
	return h.refused(5, "rows.jsonl:2: run: the model's process died: SIGABRT", "predict", h.deadly(), rows, "--isolate", "--allow-op", "Abort", "-o", "out.jsonl")
}

func (h *hostile) skipIsolated() string {
	rows := h.unlucky()
	r := h.run(nil, "predict", h.deadly(), rows, "--isolate", "--allow-op", "Abort", "--skip-bad-rows")
	h.want(r, 4, "")
	if strings.Count(r.stdout, `{"y":`) != 2 || strings.Count(r.stdout, `rows.jsonl:2: `) != 1 {
		h.Errorf("got %s", r.stdout)
	}
	return "exit 4: that row has an \"error\", the others their results"
}

func (h *hostile) failedCheck() string {
	rows := h.file("rows.jsonl", []byte("[1]\n[16]\n"))
	cmd := h.command("predict", h.deadly(), rows, "--isolate", "-s", "checks", "-o", "out.jsonl", "-q")
	text, err := cmd.CombinedOutput()
	// Where oneDNN is off it is an error as others are, of the row.
	if code := cmd.ProcessState.ExitCode(); code != exitDied && code != exitData || bytes.Count(text, []byte("\n")) != 1 || !bytes.Contains(text, []byte("rows.jsonl:")) {
		h.Errorf("exit code %d, %v: %s", code, err, text)
	}
	return "exit 5: one line names the row and the check"
}

func (h *hostile) badAlloc() string {
	rows := h.file("rows.jsonl", []byte("[1]\n[15]\n"))
	return h.refused(5, "std::bad_alloc", "predict", h.deadly(), rows, "--isolate", "--isolate-memory", "4GiB", "-s", "checks", "-o", "out.jsonl")
}

// killedIsolated kills the command and waits for the model's process to end.
func (h *hostile) killedIsolated() string {
	cmd := h.command("predict", h.deadly(), "-", "--isolate", "--allow-op", "Abort", "--batch-size", "1")
	in, lines := h.pipes(cmd.StdinPipe, cmd.StdoutPipe)
	if err := cmd.Start(); err != nil {
		h.Fatal(err)
	}
	h.give(in, lines, "[1]\n")
	children := h.children(cmd.Process.Pid)
	if len(children) == 0 {
		h.Fatal("the command has no child")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // it was killed
	for range 500 {
		if pid, _ := strconv.Atoi(children[0]); syscall.Kill(pid, 0) != nil {
			return "its model's process ends, too"
		}
		time.Sleep(10 * time.Millisecond)
	}
	h.Errorf("process %s is left behind", children[0])
	return ""
}

// children lists the processes that a process has started.
func (h *hostile) children(pid int) (pids []string) {
	for task := range h.tasks(pid) {
		list, _ := os.ReadFile(task + "/children") // a thread that has ended meanwhile
		pids = append(pids, strings.Fields(string(list))...)
	}
	return pids
}

// tasks yields the folders of a process' threads.
func (h *hostile) tasks(pid int) func(func(string) bool) {
	return func(yield func(string) bool) {
		list, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid)) // the pattern is right
		for _, task := range list {
			if !yield(task) {
				return
			}
		}
	}
}

// pipes opens a command's stdin and stdout.
func (h *hostile) pipes(stdin func() (io.WriteCloser, error), stdout func() (io.ReadCloser, error)) (io.WriteCloser, *bufio.Scanner) {
	h.Helper()
	in, err := stdin()
	if err != nil {
		h.Fatal(err)
	}
	out, err := stdout()
	if err != nil {
		h.Fatal(err)
	}
	return in, bufio.NewScanner(out)
}

// give writes a row and waits for its result.
func (h *hostile) give(in io.Writer, lines *bufio.Scanner, row string) {
	h.Helper()
	if _, err := io.WriteString(in, row); err != nil {
		h.Fatal(err)
	}
	got := make(chan bool, 1)
	go func() { got <- lines.Scan() }()
	select {
	case ok := <-got:
		if !ok {
			h.Fatalf("no result of row %s", row)
		}
	case <-time.After(h.limit):
		h.Fatalf("no result of row %s after %v", row, h.limit)
	}
}

func (h *hostile) diskFull() string {
	disk := filepath.Join(h.dir, "disk")
	if err := os.Mkdir(disk, 0o777); err != nil {
		h.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"); err != nil {
		h.Skipf("a file system of 1 MB cannot be mounted here: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			h.Error(err)
		}
	}()
	rows := h.file("rows.jsonl", bytes.Repeat([]byte("[1,2,3,4,5,6,7,8]\n"), 30_000))
	return h.refused(1, "no space left on device", "predict", h.model("k3_autoencoder"), rows, "-o", "disk/out.jsonl", "-q")
}

// inputRemoved takes the name of the input away while rows of it are being run: an open file stays
// readable.
func (h *hostile) inputRemoved() string {
	rows := h.file("rows.jsonl", bytes.Repeat([]byte("[1,2,3,4,5,6,7,8]\n"), 300_000))
	path := filepath.Join(h.dir, rows)
	go func() {
		for range 1000 {
			if _, err := os.Stat(filepath.Join(h.dir, ".out.jsonl.tfrun-part")); err == nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		_ = os.Remove(path) // seen below
	}()
	r := h.run(nil, "predict", h.model("k3_autoencoder"), rows, "-o", "out.jsonl", "-q")
	if _, err := os.Stat(path); err == nil {
		h.Error("the input is still there")
	}
	out, err := os.ReadFile(filepath.Join(h.dir, "out.jsonl"))
	if r.code == 0 && (err != nil || bytes.Count(out, []byte("\n")) != 300_000) {
		h.Errorf("exit code 0 with %d rows, %v", bytes.Count(out, []byte("\n")), err)
	}
	return "all rows, or none under the final name"
}

func (h *hostile) terminated() string {
	cmd := h.command("predict", h.model("k3_autoencoder"), "-", "-o", "out.jsonl", "-q")
	in, err := cmd.StdinPipe()
	if err != nil {
		h.Fatal(err)
	}
	defer in.Close() //nolint:errcheck // a pipe nobody reads any more
	time.AfterFunc(2*time.Second, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	r := h.wait(cmd)
	h.want(r, 130, "interrupted")
	if _, err := os.Stat(filepath.Join(h.dir, "out.jsonl")); err == nil {
		h.Error("a file is left under the final name")
	}
	return r.outcome()
}

func (h *hostile) twoRuns() string {
	model := h.model("k3_autoencoder")
	cmd := h.command("predict", model, "-", "-o", "out.jsonl", "-q")
	in, err := cmd.StdinPipe()
	if err != nil {
		h.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		h.Fatal(err)
	}
	for range 800 {
		if _, err := os.Stat(filepath.Join(h.dir, ".out.jsonl.tfrun-part")); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	rows := h.file("rows.jsonl", []byte("[1,2,3,4,5,6,7,8]\n"))
	outcome := h.refused(1, "another run is writing it", "predict", model, rows, "-o", "out.jsonl")
	_, err = io.WriteString(in, "[1,2,3,4,5,6,7,8]\n")
	if closeErr := in.Close(); err != nil || closeErr != nil {
		h.Error(err, closeErr)
	}
	if err := cmd.Wait(); err != nil {
		h.Errorf("the first run: %v", err)
	}
	return "the second: " + outcome
}

func (h *hostile) slowRows() string {
	cmd := h.command("predict", h.model("k3_autoencoder"), "-", "--batch-size", "1", "-q")
	in, lines := h.pipes(cmd.StdinPipe, cmd.StdoutPipe)
	if err := cmd.Start(); err != nil {
		h.Fatal(err)
	}
	for range 3 {
		h.give(in, lines, "[1,2,3,4,5,6,7,8]\n")
	}
	if err := in.Close(); err != nil {
		h.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		h.Error(err)
	}
	return "exit 0: with `--batch-size 1`"
}

func (h *hostile) readerGone() string {
	rows := h.file("rows.jsonl", bytes.Repeat([]byte("[1,2,3,4,5,6,7,8]\n"), 100_000))
	cmd := h.command("predict", h.model("k3_autoencoder"), rows, "-q")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		h.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		h.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		h.Errorf("no line: %s", errs.String())
	}
	_ = out.Close()
	start := time.Now()
	_ = cmd.Wait() // as the shell does: nobody is left to tell
	if errs.Len() > 0 || time.Since(start) > h.limit {
		h.Errorf("after %v: %s", time.Since(start), errs.String())
	}
	return "it ends without a word"
}

// unread writes what can be written into a pipe that nobody reads.
func (h *hostile) unread() string {
	model, rows := h.model("k3_autoencoder"), h.eights(5000)
	bad := h.file("bad.jsonl", bytes.Repeat([]byte("[1]\n"), 5000))
	for _, args := range [][]string{
		{"predict", model, rows, "-o", "p.jsonl"},
		{"predict", model, rows, "-o", "p.npy"},
		{"predict", model, rows, "-o", "p.parquet"},
		{"predict", model, rows, "--plot", "p.svg"},
		{"predict", model, bad, "-o", "out.jsonl", "--skip-bad-rows", "--errors", "p.errors"},
		{"shapes", model, "-o", "p.txt"},
	} {
		for _, pipe := range args {
			if strings.HasPrefix(pipe, "p.") {
				h.fifo(pipe)
				h.refused(1, fmt.Sprintf("output %q: is a pipe that nobody reads", pipe), args...)
				_ = os.Remove(filepath.Join(h.dir, pipe))
			}
		}
	}
	return "exit 1: `output \"p.jsonl\": is a pipe that nobody reads`"
}

func (h *hostile) notNumbers() string {
	rows := h.file("rows.jsonl", []byte("[NaN]\n[Infinity]\n[-Infinity]\n[1,Infinity,-Infinity]\n[-0.0]\n"))
	model := h.deadly()
	h.want(h.run(nil, "predict", model, rows, "-s", "checks", "-o", "sums.jsonl", "-q"), 0, "")
	want := "{\"y\":NaN}\n{\"y\":Infinity}\n{\"y\":-Infinity}\n{\"y\":NaN}\n"
	if got, err := os.ReadFile(filepath.Join(h.dir, "sums.jsonl")); err != nil || !strings.HasPrefix(string(got), want) {
		h.Errorf("got %s, %v, want %s", got, err, want)
	}
	return "exit 0: `NaN`, `Infinity`, `-Infinity`"
}
