//go:build cgo && !notf && unix

package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/tfrun/tfrun/internal/store/storetest"
)

// TestKillObjects is TestKill with rows out of a store and results into it: runs are killed while
// they read, write and upload. A quarter as many as TFRUN_KILLS.
func TestKillObjects(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("TestKill shows a few kills under the race detector")
	}
	kills, dense, ids := 2, 30000, 500
	if s := os.Getenv("TFRUN_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		kills, dense, ids = (n+3)/4, 300000, 4000
	}
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // any number will do
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // not for secrets
	cases := killCases(t, dense, ids)
	k := killer{rnd: rnd, most: kills}
	for k.kills < kills {
		k.runObject(t, cases[rnd.IntN(len(cases))])
	}
	t.Logf("%d kills of %d runs; %d went on in the middle", k.kills, k.runs, k.resumed)
}

// runObject does one case.
func (k *killer) runObject(t *testing.T, c killCase) {
	t.Helper()
	dir, s := t.TempDir(), storetest.New(t)
	state := filepath.Join(dir, "state")
	s.Put(filepath.Base(c.rows), mustRead(t, c.rows))
	object := c
	object.rows = s.Typed(filepath.Base(c.rows))
	command := func(out string, more ...string) *exec.Cmd {
		return object.command(t, s.Typed(out), append(more, "--state", state)...)
	}
	cmd := command("first/" + c.out)
	start := time.Now()
	if !c.whole(cmd, cmd.Run()) {
		t.Fatalf("%v: %s", cmd.Args, cmd.Stderr)
	}
	length := time.Since(start)
	// As that of a file, but for the names in errors of rows.
	whole, there := s.Get("first/" + c.out)
	if !there {
		t.Fatalf("%v: wrote nothing", cmd.Args)
	}
	sum := sha256.Sum256([]byte(s.Name("out/" + c.out)))
	journal := journalOf(filepath.Join(state, fmt.Sprintf("%x-%s", sum[:8], c.out)))
	again := func(more ...string) *exec.Cmd { return command("out/"+c.out, more...) }
	k.untilWhole(t, c, journal, length*7/10, again, func() {
		if got, there := s.Get("out/" + c.out); there && !bytes.Equal(got, whole) {
			t.Errorf("%s: %d bytes are there after a kill", c.out, len(got))
		}
	})
	if got, _ := s.Get("out/" + c.out); !bytes.Equal(got, whole) {
		t.Errorf("%s from %s %v: %d bytes, another file than that of a run that was not killed", c.out, filepath.Base(c.rows), c.args, len(got))
	}
	if files := left(state); len(files) > 0 || s.Uploads() > 0 {
		t.Errorf("%s: left behind: %v, %d uploads", c.out, files, s.Uploads())
	}
}
