//go:build cgo && !notf && unix

package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tfrun/tfrun/internal/store/storetest"
)

// indexedJob is what a manifest says of an Indexed Job.
type indexedJob struct {
	args                     []string
	completions, parallelism int
}

func readIndexedJob(t *testing.T, file string) (j indexedJob) {
	t.Helper()
	text := readText(t, dockerDir+"/kubernetes/"+file)
	number := func(key string) int {
		n, err := strconv.Atoi(regexp.MustCompile(`(?m)^ *` + key + `: (\d+)`).FindStringSubmatch(text)[1])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	args := regexp.MustCompile(`(?m)^ *args: \[(.*)\]$`).FindStringSubmatch(text)[1]
	return indexedJob{strings.Split(strings.ReplaceAll(args, `"`, ""), ", "), number("completions"), number("parallelism")}
}

// run runs the job's pods as processes, as many at a time as the job says, with the words of the
// command replaced. Half of the pods are killed in their first try, the first at once, the others
// when chance picks, and run again by the same command line, as Kubernetes does. state, if not "",
// names the pod's own folder.
func (j indexedJob) run(t *testing.T, rnd *rand.Rand, state string, words map[string]string) (kills int64) {
	t.Helper()
	var pods errgroup.Group
	pods.SetLimit(j.parallelism)
	var killed atomic.Int64
	for i := range j.completions {
		own := t.TempDir()
		args := slices.Clone(j.args)
		for k := range args {
			args[k] = strings.ReplaceAll(args[k], "$(INDEX)", strconv.Itoa(i))
			if word, ok := words[args[k]]; ok {
				args[k] = word
			}
			if args[k] == state {
				args[k] = own
			}
		}
		moment := time.Duration(rnd.Int64N(int64(time.Second))) * time.Duration(min(i, 1))
		pods.Go(func() error {
			for try := 0; ; try++ {
				cmd := exec.CommandContext(t.Context(), "tfrun", args...) //nolint:gosec // a test
				cmd.Stderr = &bytes.Buffer{}
				if err := cmd.Start(); err != nil {
					return err
				}
				if try == 0 && i%2 == 0 {
					timer := time.AfterFunc(moment, func() { _ = cmd.Process.Kill() })
					defer timer.Stop()
				}
				err := cmd.Wait()
				if cmd.ProcessState.Exited() || try > 0 {
					if err != nil {
						return fmt.Errorf("%v: %w\n%s", cmd.Args, err, cmd.Stderr)
					}
					return nil
				}
				killed.Add(1)
			}
		})
	}
	if err := pods.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d pods were killed", killed.Load(), j.completions)
	return killed.Load()
}

// TestIndexedJobs runs the Indexed Jobs over folders, of a volume and of a store, as their pods do,
// half of which are killed and retried. Each file of results is that of one run over all, _SUCCESS
// comes once, and nothing else is left.
func TestIndexedJobs(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a dozen processes twice")
	}
	dir, model := objectsDir(t, 2000)
	rows := mustRead(t, filepath.Join(dir, "rows.jsonl"))
	s, in := storetest.New(t), filepath.Join(dir, "in")
	for i := range 20 {
		name := fmt.Sprintf("day=%d/%d.jsonl", i%3, i)
		data := bytes.Repeat(rows, 1+i%4)
		s.Put("in/"+name, data)
		if err := os.MkdirAll(filepath.Dir(filepath.Join(in, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(in, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	whole := filepath.Join(dir, "whole")
	must0(t, "predict", model, in, "-o", whole, "-q")
	want := map[string][]byte{}
	for _, name := range left(whole) {
		if below, _ := filepath.Rel(whole, name); !strings.HasPrefix(below, "_tfrun") {
			want[filepath.ToSlash(below)] = mustRead(t, name)
		}
	}
	if len(want) != 21 {
		t.Fatalf("%d files, want 20 and _SUCCESS", len(want))
	}
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // any number will do
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 2)) //nolint:gosec // not for secrets
	check := func(where string, got map[string][]byte, kills int64) {
		t.Helper()
		if kills == 0 {
			t.Errorf("%s: no pod was killed", where)
		}
		for name, data := range want {
			if !bytes.Equal(got[name], data) {
				t.Errorf("%s: %s has %d bytes, not the %d of one run", where, name, len(got[name]), len(data))
			}
		}
		for name := range got {
			if _, ok := want[name]; !ok && !strings.HasPrefix(name, "_tfrun") {
				t.Errorf("%s: %s is left behind", where, name)
			}
		}
	}

	out, got := filepath.Join(dir, "scores"), map[string][]byte{}
	kills := readIndexedJob(t, "job-folder.yaml").run(t, rnd, "", map[string]string{"/model": model, "/data/rows": in, "/data/scores": out})
	for _, name := range left(out) {
		below, _ := filepath.Rel(out, name)
		got[filepath.ToSlash(below)] = mustRead(t, name)
	}
	check("folder", got, kills)

	kills = readIndexedJob(t, "job-objects.yaml").run(t, rnd, "/state", map[string]string{"/model": model, "s3://rows/in/": s.Typed("in/"), "s3://rows/scores/": s.Typed("scores/")})
	got = map[string][]byte{}
	for _, key := range s.Keys() {
		if name, ok := strings.CutPrefix(key, "scores/"); ok {
			got[name], _ = s.Get(key)
		}
	}
	check("objects", got, kills)
	if n := s.Uploads(); n > 0 {
		t.Errorf("%d uploads are left", n)
	}
}
