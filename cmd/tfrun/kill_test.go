//go:build cgo && !notf && unix

package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// killCase is a command line of tfrun predict that is killed.
type killCase struct {
	model, rows, out string
	args             []string
}

// killCases are all formats, from plain and from compressed rows, in their order and in buckets,
// with bad rows and without.
func killCases(t *testing.T, dense, ids int) []killCase {
	t.Helper()
	dir := t.TempDir()
	rows := map[string]string{"dense": filepath.Join(dir, "dense"), "ids": filepath.Join(dir, "ids")}
	for _, bad := range []bool{false, true} {
		writeKillRows(t, rows["dense"], "sample", dense, bad)
		writeKillRows(t, rows["ids"], "keras_tensor", ids, bad)
	}
	var cases []killCase
	for _, form := range []string{"jsonl", "csv", "tsv", "npy", "npz", "tfrecord", "parquet", "arrow"} {
		for bits := range 8 {
			gz, bucket, bad := bits&1 > 0, bits&2 > 0, bits&4 > 0
			if bad && form == "npy" {
				continue // one array has no place for an error
			}
			c := killCase{model: "k3_autoencoder", rows: rows["dense"], out: "out." + form, args: []string{"--batch-size", "256"}}
			if bucket {
				c = killCase{model: "full_seed/k3", rows: rows["ids"], out: "out." + form, args: []string{"--batching", "bucket", "--padding-may-change-results"}}
			}
			if form != "npy" {
				c.args = append(c.args, "--keep", "id")
			}
			if bad {
				c.rows += "_bad"
				c.args = append(c.args, "--skip-bad-rows")
			}
			if c.rows += ".jsonl"; gz {
				c.rows += ".gz"
			}
			cases = append(cases, c)
		}
	}
	return cases
}

// writeKillRows writes NAME.jsonl and NAME.jsonl.gz, or, with bad rows, NAME_bad.jsonl and
// NAME_bad.jsonl.gz. A row has eight numbers for the dense model, up to forty for the other.
func writeKillRows(t *testing.T, name, input string, n int, bad bool) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // not for secrets
	var plain, packed bytes.Buffer
	for i := range n {
		count := 8
		if input != "sample" {
			count = 1 + rnd.IntN(40)
		}
		values := make([]string, count)
		for k := range values {
			values[k] = strconv.Itoa(1 + rnd.IntN(8000))
		}
		if bad && i%97 == 13 {
			values[0] = `"no number"`
		}
		fmt.Fprintf(&plain, "{%q:[%s],\"id\":%d}\n", input, strings.Join(values, ","), i)
	}
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(plain.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if bad {
		name += "_bad"
	}
	for file, data := range map[string][]byte{".jsonl": plain.Bytes(), ".jsonl.gz": packed.Bytes()} {
		if err := os.WriteFile(name+file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKill ends runs with kill -9 at moments that chance picks, goes on with --resume until one is
// whole, and compares the file with that of a run that was left alone. TFRUN_KILLS says how many
// kills; make kill-test does 200.
func TestKill(t *testing.T) {
	t.Parallel()
	kills, dense, ids := 10, 60000, 500
	if testing.Short() { // races are told of runs that end, not of those that are killed
		kills = 3
	}
	if s := os.Getenv("TFRUN_KILLS"); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
		dense, ids = 300000, 4000
	}
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // any number will do
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // not for secrets
	cases := killCases(t, dense, ids)
	k := killer{rnd: rnd, most: kills}
	for k.kills < kills {
		rnd.Shuffle(len(cases), func(i, j int) { cases[i], cases[j] = cases[j], cases[i] })
		for _, c := range cases {
			if k.kills < kills {
				k.run(t, c)
			}
		}
	}
	t.Logf("%d kills of %d runs; %d went on in the middle", k.kills, k.runs, k.resumed)
	if k.resumed == 0 && kills > 100 {
		t.Error("no run went on in the middle")
	}
}

// killer counts.
type killer struct {
	rnd                  *rand.Rand
	most                 int
	kills, runs, resumed int
}

// untilWhole runs a case's command, which is killed within a time after it has its journal, and
// resumed, until it ends by itself. looked is called after each kill.
func (k *killer) untilWhole(t *testing.T, c killCase, journal string, within time.Duration, command func(again ...string) *exec.Cmd, looked func()) {
	t.Helper()
	for again := []string{}; ; again = []string{"--resume"} {
		cmd := command(again...)
		startAndWait(t, cmd, journal)
		moment := time.Duration(k.rnd.Float64() * float64(within))
		if k.kills == k.most {
			moment = time.Hour
		}
		timer := time.AfterFunc(moment, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		killed := !timer.Stop()
		if strings.Contains(fmt.Sprint(cmd.Stderr), "going on after") {
			k.resumed++
		}
		if c.whole(cmd, err) {
			k.runs++
			return
		}
		if !killed {
			t.Fatalf("%v: %v\n%s", cmd.Args, err, cmd.Stderr)
		}
		k.kills++
		looked()
	}
}

// run does one case.
func (k *killer) run(t *testing.T, c killCase) {
	t.Helper()
	dir := t.TempDir()
	whole, out := filepath.Join(dir, "whole"+filepath.Ext(c.out)), filepath.Join(dir, c.out)
	cmd := c.command(t, whole)
	start := startAndWait(t, cmd, journalOf(whole))
	if err := cmd.Wait(); !c.whole(cmd, err) {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, cmd.Stderr)
	}
	length := time.Since(start)
	want, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	command := func(again ...string) *exec.Cmd { return c.command(t, out, again...) }
	k.untilWhole(t, c, journalOf(out), length*12/10, command, func() {})
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s from %s %v: %d bytes, another file than the %d bytes of a run that was not killed", c.out, filepath.Base(c.rows), c.args, len(got), len(want))
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("%s: left behind: %v", c.out, left)
	}
}

// whole reports whether a command has done its work: there may be bad rows where they are skipped.
func (c killCase) whole(cmd *exec.Cmd, err error) bool {
	return err == nil || slices.Contains(c.args, "--skip-bad-rows") && cmd.ProcessState.ExitCode() == exitBadRows
}

// command returns the case's command, with output to a file.
func (c killCase) command(t *testing.T, out string, more ...string) *exec.Cmd {
	t.Helper()
	model, err := filepath.Abs(filepath.Join("..", "..", "testdata", "models", c.model, "model"))
	if err != nil {
		t.Fatal(err)
	}
	args := slices.Concat([]string{"predict", model, c.rows, "-o", out}, c.args, more)
	cmd := exec.CommandContext(t.Context(), "tfrun", args...) //nolint:gosec // a test
	cmd.Stderr = &bytes.Buffer{}
	return cmd
}

// journalOf is the journal of an output.
func journalOf(out string) string {
	return filepath.Join(filepath.Dir(out), "."+filepath.Base(out)+".tfrun-journal")
}

// startAndWait starts a command and returns when it has begun to write: when its journal is there,
// or touched anew.
func startAndWait(t *testing.T, cmd *exec.Cmd, journal string) time.Time {
	t.Helper()
	before, beforeErr := os.Stat(journal)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if now, err := os.Stat(journal); err == nil && (beforeErr != nil || !now.ModTime().Equal(before.ModTime())) {
			break
		}
	}
	return time.Now()
}
