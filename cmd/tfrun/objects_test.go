//go:build cgo && !notf && unix

package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tfrun/tfrun/internal/store/storetest"
)

// ran runs a command line in this process, and returns its exit code and what it says.
func ran(t *testing.T, args ...string) (code int, said string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, stdio{strings.NewReader(""), &out, &errs})
	return code, out.String() + errs.String()
}

// must0 runs a command line that has to end well.
func must0(t *testing.T, args ...string) string {
	t.Helper()
	code, said := ran(t, args...)
	if code != exitDone {
		t.Fatalf("tfrun %v: exit code %d: %s", args, code, said)
	}
	return said
}

// objectsDir makes a folder with a model, rows for it, and a state folder.
func objectsDir(t *testing.T, rows int) (dir, model string) {
	t.Helper()
	dir = t.TempDir()
	writeKillRows(t, filepath.Join(dir, "rows"), "sample", rows, false)
	model, err := filepath.Abs(filepath.Join("..", "..", "testdata", "models", "k3_autoencoder", "model"))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TFRUN_CACHE", filepath.Join(dir, "cache"))
	return dir, model
}

func mustRead(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// left lists the files below a folder.
func left(dir string) (names []string) {
	// there may be none
	_ = filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return nil
	})
	return names
}

// TestObjects runs rows of every format out of a store and into it, which fails now and then and
// breaks off: the objects are, byte for byte, the files of runs without a store, and nothing else
// is left.
func TestObjects(t *testing.T) {
	dir, model := objectsDir(t, 8_000)
	s := storetest.New(t)
	broken, failing := storetest.Broken(150_000, "reset"), storetest.Failing(7, http.StatusInternalServerError, nil)
	s.SetFault(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		failing(w, r, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { broken(w, r, next) }))
	})
	input, column := filepath.Join(dir, "rows.jsonl"), "sample=sample"
	state := filepath.Join(dir, "state")
	for _, form := range []string{"jsonl", "jsonl.gz", "csv", "csv.zst", "tsv", "npy", "npz", "tfrecord", "parquet", "arrow"} {
		whole := filepath.Join(dir, "whole."+form)
		flags := []string{"--batch-size", "256", "--column", column, "-q"}
		must0(t, append([]string{"predict", model, input, "-o", whole}, flags...)...)
		s.Put("in/"+filepath.Base(input), mustRead(t, input))
		must0(t, append([]string{"predict", model, s.Typed("in/" + filepath.Base(input)), "-o", s.Typed("out." + form), "--state", state}, flags...)...)
		if got, _ := s.Get("out." + form); !bytes.Equal(got, mustRead(t, whole)) {
			t.Errorf("%s from %s: %d bytes, another file than without a store", form, filepath.Base(input), len(got))
		}
		if form != "npz" { // whose arrays have no place in a list of columns to feed from
			input, column = whole, "sample=output_0"
		}
		if form == "npy" {
			column = "sample=sample"
		}
	}
	if names := left(state); len(names) > 0 || s.Uploads() > 0 {
		t.Errorf("left behind: %v, %d uploads", names, s.Uploads())
	}
}

// TestObjectsFolder runs a folder of a store into another, in shards too, and goes on with a run
// that could not write one of its objects.
func TestObjectsFolder(t *testing.T) {
	dir, model := objectsDir(t, 500)
	rows, packed := mustRead(t, filepath.Join(dir, "rows.jsonl")), mustRead(t, filepath.Join(dir, "rows.jsonl.gz"))
	s := storetest.New(t)
	local := filepath.Join(dir, "data")
	for _, name := range []string{"a-b.jsonl", "a/1.jsonl", "a/x=2/2.jsonl.gz", "b.jsonl", "_hidden/x.jsonl", ".x.jsonl", "README"} {
		data := rows
		if strings.HasSuffix(name, ".gz") {
			data = packed
		}
		s.Put("data/"+name, data)
		if err := os.MkdirAll(filepath.Dir(filepath.Join(local, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(local, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	must0(t, "predict", model, local, "-o", filepath.Join(dir, "scores"), "-q", "--keep", "id")
	var names []string
	for _, name := range left(filepath.Join(dir, "scores")) {
		if name, _ := filepath.Rel(filepath.Join(dir, "scores"), name); name != "_tfrun.jsonl" {
			names = append(names, name)
		}
	}
	same := func(folder string, names []string) {
		t.Helper()
		var there []string
		for _, key := range s.Keys() {
			if name, ok := strings.CutPrefix(key, folder+"/"); ok && !strings.HasPrefix(name, "_tfrun") {
				there = append(there, name)
				if got, _ := s.Get(key); !bytes.Equal(got, mustRead(t, filepath.Join(dir, "scores", name))) {
					t.Errorf("%s is another file than without a store", key)
				}
			}
		}
		slices.Sort(names)
		if slices.Sort(there); !slices.Equal(there, names) {
			t.Errorf("%s holds %v, want %v", folder, there, names)
		}
	}
	state := []string{"--state", filepath.Join(dir, "state"), "--keep", "id"}
	command := func(in, out string, more ...string) []string {
		return slices.Concat([]string{"predict", model, in, "-o", out}, state, more)
	}

	refused := true
	s.SetFault(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if refused && r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/b.jsonl") {
			for n := 0; n < 3; time.Sleep(time.Millisecond) { // until the others are there
				n = strings.Count(strings.Join(s.Keys(), "\n"), "scores/")
			}
			w.WriteHeader(http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
	code, said := ran(t, command(s.Typed("data/"), s.Typed("scores/"))...)
	if code != exitFailed || !strings.Contains(said, "scores/b.jsonl: access denied, to write it") || !strings.Contains(said, "--resume") {
		t.Errorf("exit code %d: %s", code, said)
	}
	if _, ok := s.Get("scores/_SUCCESS"); ok {
		t.Error("a run that failed left _SUCCESS")
	}
	refused = false
	if said := must0(t, command(s.Typed("data/"), s.Typed("scores/"), "--resume")...); !strings.Contains(said, "done already") {
		t.Errorf("with --resume: %s", said)
	}
	same("scores", slices.Clone(names))
	if said := must0(t, command(s.Typed("data"), s.Typed("scores"), "--resume")...); !strings.Contains(said, "4 of 4 files done already") {
		t.Errorf("with --resume after the end: %s", said)
	}

	for i := range 2 { // as on machines of their own
		if _, ok := s.Get("shards/_SUCCESS"); ok {
			t.Error("_SUCCESS is there after half of the work")
		}
		args := []string{"predict", model, s.Typed("data/**/*.jsonl*"), "-o", s.Typed("shards"), "--keep", "id", "--shard", fmt.Sprintf("%d/2", i), "-q"}
		must0(t, append(args, "--state", t.TempDir())...)
		if said := must0(t, append(args[:len(args)-1], "--state", t.TempDir(), "--resume")...); !strings.Contains(said, "2 of 2 files done already") {
			t.Errorf("on another machine: %s", said)
		}
	}
	same("shards", slices.Clone(names))
	must0(t, command(local, s.Typed("fromlocal/"), "-q")...)
	same("fromlocal", names)

	whole := filepath.Join(dir, "one.csv")
	must0(t, command(s.Typed("data/*.jsonl"), whole, "-q")...)
	if n := bytes.Count(mustRead(t, whole), []byte("\n")); n != 1001 {
		t.Errorf("two objects into one file: %d lines", n)
	}
	if code, said := ran(t, command(s.Typed("data/"), s.Typed("data/scores/"))...); code != exitUsage || !strings.Contains(said, "lies in the input folder") {
		t.Errorf("an output in the input: exit code %d: %s", code, said)
	}
}

// TestObjectsModel takes the model, of the highest version, the vocabulary, and names of classes
// from a store, copies the model once, and resumes what an upload that failed left.
func TestObjectsModel(t *testing.T) {
	dir, model := objectsDir(t, 300)
	s := storetest.New(t)
	for _, name := range left(model) {
		below, err := filepath.Rel(model, name)
		if err != nil {
			t.Fatal(err)
		}
		s.Put("models/m/12/"+filepath.ToSlash(below), mustRead(t, name))
		s.Put("models/m/9/"+filepath.ToSlash(below), []byte("old"))
	}
	s.Put("labels.txt", []byte("a\nb\nc\nd\ne\nf\ng\nh\n"))
	rows, whole := filepath.Join(dir, "rows.jsonl"), filepath.Join(dir, "whole.jsonl")
	flags := []string{"--head", "argmax", "--labels"}
	if err := os.WriteFile(filepath.Join(dir, "labels.txt"), []byte("a\nb\nc\nd\ne\nf\ng\nh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	must0(t, append([]string{"predict", model, rows, "-q", "-o", whole}, append(flags, filepath.Join(dir, "labels.txt"))...)...)
	gets := 0
	s.SetFault(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/saved_model.pb") {
			gets++
		}
		if r.Method == http.MethodPut {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
	args := append([]string{"predict", s.Typed("models/m"), rows, "-o", s.Typed("out.jsonl")}, append(flags, s.Typed("labels.txt"))...)
	if code, said := ran(t, args...); code != exitFailed || !strings.Contains(said, "access denied, to write it") || !strings.Contains(said, "--resume") || !strings.Contains(said, "version 12") {
		t.Errorf("exit code %d: %s", code, said)
	}
	s.SetFault(nil)
	if said := must0(t, append(args, "--resume")...); !strings.Contains(said, "going on after 300 rows") {
		t.Errorf("with --resume: %s", said)
	}
	if got, _ := s.Get("out.jsonl"); !bytes.Equal(got, mustRead(t, whole)) || gets != 1 {
		t.Errorf("%d bytes; the model was fetched %d times", len(got), gets)
	}
	for _, args := range [][]string{{"shapes", s.Typed("models/m")}, {"scan", s.Typed("models/m")}, {"predict", s.Typed("models/m"), s.Typed("labels.txt"), "--dry-run", "--input-format", "csv", "--csv-header", "no", "--column", "sample=column1"}} {
		if code, said := ran(t, args...); code == exitUsage || strings.Contains(said, "no such") {
			t.Errorf("%v: %d, %s", args, code, said)
		}
	}
	for name, want := range map[string]string{
		"models/n": "there is no such object; there is s3://" + s.Bucket + "/models/m/", "models": "no saved_model.pb", "labels.txt": "is a file",
	} {
		if code, said := ran(t, "predict", s.Typed(name), rows); code != exitFailed || !strings.Contains(said, want) {
			t.Errorf("%s: exit code %d: %s; want %s", name, code, said, want)
		}
	}
	for _, args := range [][]string{{"gs://b/x"}, {rows, "-o", "az://b/x"}, {rows, "--errors", "s3://b/x"}} {
		if code, said := ran(t, append([]string{"predict", model}, args...)...); code != exitUsage {
			t.Errorf("%v: exit code %d: %s", args, code, said)
		}
	}
}
