package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module  = "github.com/tfrun/tfrun/"
	binding = "github.com/galeone/tensorflow/tensorflow/go"
	tfgo    = "github.com/galeone/tfgo"
)

// TestLayers holds the arrows of ARCHITECTURE.md.
func TestLayers(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	files := 0
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && name != root && d.Name() != ".." || d.Name() == "third_party" || d.Name() == "testdata"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		files++
		from := filepath.ToSlash(filepath.Dir(rel))
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			why := forbidden(from, imported)
			if strings.HasSuffix(name, "_test.go") && strings.HasPrefix(imported, module) {
				why = "" // tests may take what they like of the project
			}
			if why != "" {
				t.Errorf("%s imports %q: %s", rel, imported, why)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 {
		t.Errorf("only %d files were looked at", files)
	}
}

// arrows lists the layers, each a folder with all below it that is no layer of its own, and those
// that it may import beside itself, in one or more lines each. What is in no layer, such as the
// commands, may import all.
const arrows = `
tensor:
dataset: tensor internal/words internal/crash
dataset/csv: tensor dataset
dataset/npy: tensor dataset
dataset/parquet: tensor dataset internal/crash
dataset/arrow: tensor dataset
dataset/tfrecord: tensor dataset
dataset/text: dataset
dataset/pipeline: tensor dataset

internal/wire:
internal/words:
internal/regular:
internal/ops:
internal/hdf5:
internal/strict:
internal/weight:
internal/crash:
internal/lastwords: internal/words internal/crash
internal/admit: internal/ops internal/strict
internal/graph: tensor internal/wire internal/strict
internal/shape: tensor internal/graph
savedmodel: tensor internal/wire internal/graph internal/words
savedmodel: internal/strict internal/weight internal/regular
savedmodel/scan: savedmodel internal/graph internal/ops internal/admit
savedmodel/internal/body: tensor savedmodel internal/graph internal/shape
savedmodel/internal/kerasnames:
savedmodel/layers: tensor savedmodel savedmodel/internal/body savedmodel/internal/kerasnames
savedmodel/layers: internal/graph internal/shape internal/words
savedmodel/layers: savedmodel/layers/internal/rules savedmodel/layers/internal/scopes
savedmodel/layers/internal/rules: tensor internal/shape
savedmodel/layers/internal/scopes: tensor savedmodel internal/graph savedmodel/layers/internal/rules
savedmodel/layers/internal/scopes: savedmodel/internal/body savedmodel/internal/kerasnames
savedmodel/sizes: savedmodel/layers savedmodel/padding
savedmodel/sizes: tensor savedmodel savedmodel/internal/body
savedmodel/sizes: internal/graph internal/shape internal/words savedmodel/internal/kerasnames
savedmodel/kerasfile: tensor savedmodel savedmodel/layers savedmodel/sizes
savedmodel/kerasfile: savedmodel/internal/kerasnames
savedmodel/kerasfile: savedmodel/scan internal/hdf5 internal/regular
internal/rewrite: tensor savedmodel savedmodel/padding
internal/rewrite: internal/graph internal/wire internal/words
savedmodel/padding: tensor savedmodel internal/graph

internal/cache:
internal/store: internal/words internal/crash
internal/getlib:
internal/partfile: tensor dataset dataset/arrow
runner/internal/option:
runner/internal/tf: tensor runner/internal/option internal/cache internal/crash
runner/internal/tf: internal/lastwords
runner/internal/isolate: internal/lastwords internal/crash
runner/internal/isolate: tensor runner/internal/option runner/internal/tf
runner/internal/sequence: tensor dataset
runner/internal/xla: tensor savedmodel internal/rewrite runner/internal/tf
runner: tensor dataset
runner: savedmodel savedmodel/scan savedmodel/padding
runner: internal/rewrite internal/ops internal/admit internal/words internal/crash
runner: runner/internal/option runner/internal/tf runner/internal/isolate
runner: runner/internal/xla runner/internal/sequence
runner/job/internal/source: dataset internal/words internal/store runner/internal/option
runner/job/internal/source: internal/regular
runner/job/internal/source: dataset/csv dataset/npy dataset/parquet dataset/arrow dataset/tfrecord
runner/job: internal/words internal/crash internal/store internal/cache internal/regular
runner/job/stores: internal/store
runner/job: runner runner/job/internal/source internal/partfile
runner/job: tensor dataset savedmodel savedmodel/sizes
runner/job: dataset/csv dataset/npy dataset/parquet dataset/arrow dataset/tfrecord
runner/bench: dataset savedmodel runner runner/job
`

// mayImport is arrows by layer.
var mayImport = func() map[string][]string {
	m := map[string][]string{}
	for line := range strings.Lines(arrows) {
		if layer, to, ok := strings.Cut(line, ":"); ok {
			m[layer] = append(m[layer], strings.Fields(to)...)
		}
	}
	return m
}()

// layerOf returns the layer of a folder of the repository, "" where it is in none.
func layerOf(dir string) string {
	for ; dir != "."; dir = path.Dir(dir) {
		if _, ok := mayImport[dir]; ok {
			return dir
		}
	}
	return ""
}

// forbidden says why the files of a folder may not import a package, or "".
func forbidden(dir, imported string) string {
	layer := layerOf(dir)
	if layer != "runner/internal/tf" {
		switch {
		// what runner is measured against
		case imported == binding && (dir == "bench" || strings.HasPrefix(dir, "bench/")):
		case imported == "C", imported == tfgo, imported == binding, strings.HasPrefix(imported, binding+"/op"):
			return "only runner/internal/tf touches libtensorflow"
		}
	}
	inner, ok := strings.CutPrefix(imported, module)
	if !ok || layer == "" {
		return ""
	}
	if to := layerOf(inner); to != layer && !slices.Contains(mayImport[layer], to) {
		return fmt.Sprintf("%s may import, beside itself, %v alone", layer, mayImport[layer])
	}
	return ""
}

// TestRunnerLinksNoFiles: a program that runs a model on what it has in memory does not link the
// readers and writers of files, nor the libraries that these take.
func TestRunnerLinksNoFiles(t *testing.T) {
	t.Parallel()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", module+"runner")
	list.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	for _, dep := range deps {
		for _, of := range []string{"parquet", "arrow", "csv", "npy", "tfrecord", "thrift", "flatbuf", "zstd", "lz4", "brotli"} {
			if strings.Contains(dep, of) && strings.Contains(dep, ".") { // none of Go's own
				t.Errorf("runner links %s", dep)
			}
		}
	}
	if len(deps) < 100 {
		t.Errorf("only %d packages were looked at", len(deps))
	}
}

// TestForbidden holds the rule of the layers itself: which package may import which.
func TestForbidden(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		dir, imported string
		want          bool
	}{
		{"dataset", module + "tensor", false},
		{"dataset/csv", module + "savedmodel", true},
		{"tensor", module + "dataset", true},
		{"savedmodel", binding + "/core/protobuf/for_core_protos_go_proto", false},
		{"savedmodel", binding, true},
		{"savedmodel", module + "internal/partfile", true},
		{"internal/graph", module + "savedmodel", true},
		{"internal/partfile", module + "dataset/arrow", false},
		{"internal/partfile", module + "dataset/csv", true},
		{"internal/partfile", module + "runner", true},
		{"cmd/tfrun", "C", true},
		{"cmd/tfrun", module + "runner", false},
		{"runner", tfgo, true},
		{"runner/internal/tf", tfgo, false},
		{"runner/internal/tf", module + "savedmodel", true},
		{"runner", module + "runner/internal/tf", false},
		{"runner", module + "dataset/parquet", true},
		{"runner", module + "runner/job", true},
		{"runner/job", module + "runner", false},
		{"runner/job", module + "runner/internal/tf", true},
		{"runner/bench", module + "runner", false},
		{"bench/latency", binding + "/op", true},
		{"bench/latency", binding, false},
		{".", module + "runner", false},
	} {
		if got := forbidden(tt.dir, tt.imported) != ""; got != tt.want {
			t.Errorf("forbidden(%q, %q) = %v, want %v", tt.dir, tt.imported, got, tt.want)
		}
	}
}
