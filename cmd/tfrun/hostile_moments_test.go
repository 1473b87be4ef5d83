//go:build cgo && !notf && !race && linux

package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// hostileMoments lists more bad moments: files that end too early, signals, a directory that goes
// away; and what is no number, in every format.
func hostileMoments() []hostileCase {
	cases := []hostileCase{
		{"fault", "SIGINT twice while rows come slowly", (*hostile).interruptedTwice},
		{"fault", "SIGKILL, and the same with `--resume`", (*hostile).killedResumed},
		{"fault", "what an interrupted run has left: a journal of 50 GB of zeros, and `--resume`", (*hostile).hugeJournal},
		{"fault", "the directory of the output is removed", (*hostile).directoryGone},
	}
	for _, format := range []string{"npy", "npz", "parquet", "arrow", "tfrecord", "jsonl.gz"} {
		cases = append(cases, hostileCase{"fault", format + ": the input ends half-way", func(h *hostile) string { return h.truncated(format) }})
	}
	for _, format := range []string{"csv", "npy", "npz", "tfrecord", "parquet", "arrow"} {
		cases = append(cases, hostileCase{"fault", format + ": NaN and infinity out and in again", func(h *hostile) string { return h.notNumbersThrough(format) }})
	}
	return cases
}

// eights is a file of n rows of eight numbers.
func (h *hostile) eights(n int) string {
	return h.file("rows.jsonl", bytes.Repeat([]byte("[1,2,3,4,5,6,7,8]\n"), n))
}

// truncated gives half of a file that tfrun has written, or of one that was packed.
func (h *hostile) truncated(format string) string {
	const rows = 1000
	model, input, name := h.model("k3_autoencoder"), h.eights(rows), "whole."+format
	if format == "jsonl.gz" {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		for i := range rows {
			if _, err := fmt.Fprintf(w, "[1,2,3,4,5,6,7,%d]\n", i*i%977); err != nil {
				h.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			h.Fatal(err)
		}
		h.file(name, packed.Bytes())
	} else {
		h.want(h.run(nil, "predict", model, input, "-o", name, "-q"), 0, "")
	}
	data, err := os.ReadFile(filepath.Join(h.dir, name))
	if err != nil {
		h.Fatal(err)
	}
	r := h.run(nil, "predict", model, h.file("half."+format, data[:len(data)/2+1]), "-o", "out.jsonl", "-q")
	if r.code == 0 || len(r.errors) != 1 || !strings.Contains(r.errors[0], "half."+format) {
		h.Errorf("exit code %d, want an error that names the file: %s", r.code, short(r.stderr))
	}
	return r.outcome()
}

// interruptedTwice presses Ctrl-C a second time before the first has had its effect.
func (h *hostile) interruptedTwice() string {
	cmd := h.command("predict", h.model("k3_autoencoder"), "-", "-o", "out.jsonl", "-q")
	in, err := cmd.StdinPipe()
	if err != nil {
		h.Fatal(err)
	}
	defer in.Close() //nolint:errcheck // a pipe nobody reads any more
	time.AfterFunc(2*time.Second, func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Process.Signal(syscall.SIGINT)
	})
	r := h.wait(cmd)
	h.want(r, 130, "interrupted")
	if _, err := os.Stat(filepath.Join(h.dir, "out.jsonl")); err == nil {
		h.Error("a file is left under the final name")
	}
	return r.outcome()
}

// killedResumed kills a run that has written something, and holds what --resume makes of it against
// a run that was left alone.
func (h *hostile) killedResumed() string {
	model, rows := h.model("k3_autoencoder"), h.eights(200_000)
	h.want(h.run(nil, "predict", model, rows, "-o", "whole.jsonl", "-q"), 0, "")
	cmd := h.command("predict", model, rows, "-o", "out.jsonl", "-q")
	if err := cmd.Start(); err != nil {
		h.Fatal(err)
	}
	for range 800 {
		if info, err := os.Stat(filepath.Join(h.dir, ".out.jsonl.tfrun-part")); err == nil && info.Size() > 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	_ = cmd.Process.Kill()
	if err := cmd.Wait(); err == nil {
		h.Error("the run was over before it was killed")
	}
	if _, err := os.Stat(filepath.Join(h.dir, "out.jsonl")); err == nil {
		h.Error("a file is left under the final name")
	}
	h.want(h.run(nil, "predict", model, rows, "-o", "out.jsonl", "-q", "--resume"), 0, "")
	want, err := os.ReadFile(filepath.Join(h.dir, "whole.jsonl"))
	got, gotErr := os.ReadFile(filepath.Join(h.dir, "out.jsonl"))
	if err != nil || gotErr != nil || !bytes.Equal(got, want) {
		h.Errorf("%d bytes, %v, want the %d of a run that was left alone, %v", len(got), gotErr, len(want), err)
	}
	return "exit 0: the same bytes as a run that was left alone"
}

// hugeJournal goes on after a run whose journal has become a file that no memory holds.
func (h *hostile) hugeJournal() string {
	h.sparse(".out.jsonl.tfrun-journal", 50<<30)
	return h.refused(1, "is damaged", "predict", h.model("k3_autoencoder"), h.eights(10), "-o", "out.jsonl", "--resume")
}

// directoryGone removes the output's directory while rows come slowly.
func (h *hostile) directoryGone() string {
	if err := os.Mkdir(filepath.Join(h.dir, "results"), 0o777); err != nil {
		h.Fatal(err)
	}
	cmd := h.command("predict", h.model("k3_autoencoder"), "-", "-o", "results/out.jsonl", "-q")
	in, err := cmd.StdinPipe()
	if err != nil {
		h.Fatal(err)
	}
	go func() {
		for range 800 {
			if _, err := os.Stat(filepath.Join(h.dir, "results", ".out.jsonl.tfrun-part")); err == nil {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		time.Sleep(time.Second)                           // until it is the run's own
		_ = os.RemoveAll(filepath.Join(h.dir, "results")) // seen below
		_, _ = in.Write([]byte("[1,2,3,4,5,6,7,8]\n"))
		_ = in.Close()
	}()
	r := h.wait(cmd)
	if _, err := os.Stat(filepath.Join(h.dir, "results")); err == nil {
		h.Error("the directory is there")
	}
	return h.want(r, 1, "results")
}

// notNumbersThrough writes NaN and infinities in a format other than JSON, reads them back, and
// compares them with what went in.
func (h *hostile) notNumbersThrough(format string) string {
	rows := h.file("rows.jsonl", []byte("[NaN]\n[Infinity]\n[-Infinity]\n[-0.0]\n[1.5]\n"))
	model := h.deadly()
	name := "mid." + format
	h.want(h.run(nil, "predict", model, rows, "-s", "checks", "-o", name, "-q"), 0, "")
	h.want(h.run(nil, "predict", model, name, "-s", "checks", "--column", "x=y", "-o", "back.jsonl", "-q"), 0, "")
	want := "{\"y\":NaN}\n{\"y\":Infinity}\n{\"y\":-Infinity}\n"
	got, err := os.ReadFile(filepath.Join(h.dir, "back.jsonl"))
	if err != nil || !strings.HasPrefix(string(got), want) || !strings.HasSuffix(string(got), "{\"y\":1.5}\n") {
		h.Errorf("got %s, %v, want %s…", got, err, want)
	}
	return "exit 0: the same values"
}
