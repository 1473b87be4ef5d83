//go:build cgo && !notf && !race && linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// endCase is what a process may lack: a shell's words before the command starts take it away. Each
// command has to do its work, or to say in one line what it lacks.
func endCase(name, before string) hostileCase {
	return hostileCase{"fault", name, func(h *hostile) string {
		rows := filepath.Join(h.dir, h.eights(20_000))
		model := filepath.Join(h.dir, h.model("k3_autoencoder"))
		var said []string
		for _, args := range [][]string{
			{"shapes", model},
			{"scan", model},
			{"shapes", model, "--format", "json", "-o", "shapes.json"},
			{"doctor", model},
			{"predict", model, rows, "-q"},
			{"predict", model, rows, "-q", "-o", "out.jsonl"},
			{"predict", model, rows, "-q", "-o", "out.parquet"},
			{"predict", model, rows, "-q", "-o", "out.npz"},
			{"predict", model, rows, "-q", "-o", "out.csv", "--plot", "plot.svg"},
			{"predict", model, rows, "-q", "--isolate"},
		} {
			what := strings.NewReplacer(" "+model, "", " "+rows, "", " -q", "").Replace(strings.Join(args, " "))
			said = append(said, fmt.Sprintf("%s: %s", what, h.after(before, args...)))
		}
		return strings.Join(merge(said), "; ")
	}}
}

// after runs tfrun after a shell has run the words before, and says what came of it.
func (h *hostile) after(before string, args ...string) string {
	h.Helper()
	cmd := h.command(append([]string{"-c", before + `exec "$0" "$@"`, h.tfrun}, args...)...)
	cmd.Path = "/bin/sh"
	cmd.Args[0] = "sh"
	r := h.wait(cmd)
	for _, name := range []string{"out.jsonl", "out.parquet", "out.npz", "out.csv", "shapes.json"} {
		path := filepath.Join(h.dir, name)
		if _, err := os.Stat(path); (err == nil) != (r.code == 0 && strings.Contains(strings.Join(args, " "), "-o "+name)) {
			h.Errorf("tfrun %q: exit code %d, and %s: %v", args, r.code, name, err)
		}
		_ = os.Remove(path) // if it is there
	}
	// what a run that failed has finished would be in the next one's way
	for _, left := range h.glob(".*.tfrun-*") {
		_ = os.Remove(left) // if it is there
	}
	return strings.ReplaceAll(r.outcome(), h.dir, "…")
}

func (h *hostile) glob(pattern string) []string {
	names, err := filepath.Glob(filepath.Join(h.dir, pattern))
	if err != nil {
		h.Fatal(err)
	}
	return names
}

// hostileEnds lists what a process may lack: memory, files, room, streams, places, and variables of
// the environment that make sense.
func hostileEnds() []hostileCase {
	var cases []hostileCase
	for _, c := range []struct{ name, before string }{
		{"the address space is limited to 100 MiB (`ulimit -v`)", "ulimit -v 102400; "},
		{"the address space is limited to 1,500 MiB", "ulimit -v 1536000; "},
		{"the address space is limited to 2,500 MiB", "ulimit -v 2560000; "},
		{"data is limited to 100 MiB (`ulimit -d`)", "ulimit -d 102400; "},
		{"data is limited to 300 MiB", "ulimit -d 307200; "},
		{"four open files (`ulimit -n`)", "ulimit -n 4; "},
		{"15 open files", "ulimit -n 15; "},
		{"files of at most 0 bytes (`ulimit -f`)", "ulimit -f 0; "},
		{"files of at most 512 bytes", "ulimit -f 1; "},
		{"a stack of 64 KiB (`ulimit -s`)", "ulimit -s 64; "},
		{"`GOMEMLIMIT` that is no number", "export GOMEMLIMIT=lots; "},
		{"`GOMAXPROCS` of a million", "export GOMAXPROCS=1000000; "},
		{"`GOGC` and `GODEBUG` that make no sense", "export GOGC=lots GODEBUG=,=,x=1,; "},
		{"`umask 777`", "umask 777; "},
		{"no `HOME`, no `PATH`, no `TMPDIR`, no cache", "unset HOME PATH TMPDIR XDG_CACHE_HOME; "},
		{"`TMPDIR` that is not there", "export TMPDIR=/nowhere; "},
		{"the working directory is removed", "mkdir gone && cd gone && rmdir ../gone; "},
	} {
		cases = append(cases, endCase(c.name, c.before))
	}
	for _, c := range []struct{ name, mounts string }{
		{"no `/proc`", "mount -t tmpfs none /proc"},
		{"no `/dev`", "mount -t tmpfs none /dev"},
		{"`TMPDIR` of a file system that is full", "mount -t tmpfs -o size=4k,nr_inodes=1 none full && export TMPDIR=$PWD/full"},
	} {
		private := fmt.Sprintf(`mkdir -p full; exec unshare -m --propagation private sh -c '%s && exec "$0" "$@"' "$0" "$@"; `, c.mounts)
		mounted := endCase(c.name, private)
		cases = append(cases, hostileCase{mounted.kind, mounted.name, func(h *hostile) string {
			if text, err := exec.CommandContext(h.Context(), "unshare", "-m", "--propagation", "private", "mount", "-t", "tmpfs", "none", h.dir).CombinedOutput(); err != nil {
				h.Skipf("nothing can be mounted here: %v, %s", err, text)
			}
			return mounted.try(h)
		}})
	}
	return cases
}
