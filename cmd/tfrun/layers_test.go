package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
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
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != root && d.Name() != ".." || d.Name() == "third_party" || d.Name() == "testdata"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		files++
		layer, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if why := forbidden(layer, imported); why != "" {
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

// forbidden says why a layer may not import a package, or "".
func forbidden(layer, imported string) string {
	if layer != "runner" {
		switch {
		case imported == binding && layer == "bench": // what runner is measured against
		case imported == "C", imported == tfgo, imported == binding, strings.HasPrefix(imported, binding+"/op"):
			return "only runner touches libtensorflow"
		}
	}
	inner, ok := strings.CutPrefix(imported, module)
	if !ok {
		return ""
	}
	to, _, _ := strings.Cut(inner, "/")
	allowed := map[string][]string{
		"tensor":     {"tensor"},
		"dataset":    {"tensor", "dataset"},
		"savedmodel": {"tensor", "savedmodel"},
		"runner":     {"tensor", "dataset", "savedmodel", "runner"},
	}
	if list, ok := allowed[layer]; ok {
		for _, a := range list {
			if a == to {
				return ""
			}
		}
		return layer + " may import " + strings.Join(list, ", ") + " alone"
	}
	return ""
}

func TestForbidden(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		layer, imported string
		want            bool
	}{
		{"dataset", module + "tensor", false},
		{"dataset", module + "savedmodel", true},
		{"tensor", module + "dataset", true},
		{"savedmodel", binding + "/core/protobuf/for_core_protos_go_proto", false},
		{"savedmodel", binding, true},
		{"cmd", "C", true},
		{"cmd", module + "runner", false},
		{"runner", tfgo, false},
		{"bench", binding + "/op", true},
		{"bench", binding, false},
	} {
		if got := forbidden(tt.layer, tt.imported) != ""; got != tt.want {
			t.Errorf("forbidden(%q, %q) = %v, want %v", tt.layer, tt.imported, got, tt.want)
		}
	}
}
