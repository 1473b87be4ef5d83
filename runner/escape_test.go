//go:build cgo && !notf

package runner

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/tfrun/tfrun/internal/escape"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// escapeModes are the ways to load a model that differ in what TensorFlow is given.
var escapeModes = []struct {
	name string
	text bool // the model is in text form
	o    Options
}{
	{"by default", false, Options{}},
	{"--no-prune", false, Options{NoPrune: true}},
	{"--optimizer none", false, Options{Optimizer: OptimizerNone}},
	{"--optimizer all", false, Options{Optimizer: OptimizerAll}},
	{"--no-prune --optimizer all", false, Options{NoPrune: true, Optimizer: OptimizerAll}},
	{"--xla on", false, Options{XLA: XLAOn}},
	{"--no-prune --xla on", false, Options{NoPrune: true, XLA: XLAOn}},
	{"--allow-links", false, Options{AllowLinks: true}},
	{"one signature", false, Options{Signatures: []string{savedmodel.DefaultSignature}}},
	{"saved_model.pbtxt", true, Options{}},
	{"saved_model.pbtxt --no-prune", true, Options{NoPrune: true}},
	{"--isolate", false, Options{Isolate: true}},
}

// escapePart says which models and modes a test tries: one in 211, one in TFRUN_ESCAPES=N, or those
// whose description holds TFRUN_ESCAPE=TEXT.
func escapePart(t *testing.T) func(e escape.Case, mode string) bool {
	t.Helper()
	share := uint64(211)
	if text := os.Getenv("TFRUN_ESCAPES"); text != "" {
		var err error
		if share, err = strconv.ParseUint(text, 10, 31); err != nil || share == 0 {
			t.Fatalf("TFRUN_ESCAPES=%q: want one in how many models to try", text)
		}
	}
	text := os.Getenv("TFRUN_ESCAPE")
	return func(e escape.Case, mode string) bool {
		name := e.String() + ", " + mode
		if text != "" {
			return strings.Contains(name, text)
		}
		h := fnv.New32a()
		fmt.Fprint(h, name)
		return uint64(h.Sum32())%share == 0
	}
}

// TestEscape loads and runs models that try to get at a canary, in every way to load one: none
// does. That they can is what TestEscapeUnguarded of package tf shows.
func TestEscape(t *testing.T) {
	t.Parallel()
	c := escape.Canary{Dir: t.TempDir()}
	if err := c.Make(); err != nil {
		t.Fatal(err)
	}
	wanted := escapePart(t)
	tried, ran, escapes, dir := 0, 0, 0, t.TempDir()
	ways := map[string]int{}
	for e := range escape.Cases(c) {
		for _, mode := range escapeModes {
			if mode.text && e.Form != "as it is" || mode.o.Isolate && e.Place != "an output" && e.Disguise != "plain" {
				continue
			}
			if !wanted(e, mode.name) {
				continue
			}
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			if err := e.Write(dir, mode.text); err != nil {
				t.Fatal(err)
			}
			tried++
			o := mode.o
			o.Tags = e.Tags
			answers, err := runGuarded(t.Context(), dir, o)
			var refused *UnsafeError
			var late *AdmitError
			switch {
			case errors.As(err, &late):
				t.Errorf("%v, %s: nothing was found in it, and then: %v", e, mode.name, err)
			case err == nil:
				ran++
				ways["ran"]++
			case errors.As(err, &refused):
				ways["refused by the scan"]++
			default:
				ways[fmt.Sprintf("%T", err)]++
				if os.Getenv("TFRUN_ESCAPE") != "" {
					t.Logf("%v, %s: %v", e, mode.name, err)
				}
			}
			if out := c.Escaped(answers + fmt.Sprint(err)); out != "" {
				escapes++
				t.Errorf("%v, %s: %s", e, mode.name, out)
			}
		}
	}
	t.Logf("escapes %d of %d: %v", escapes, tried, ways)
	if os.Getenv("TFRUN_ESCAPE") == "" && (tried < 200 || ran == 0) {
		t.Errorf("only %d models were tried, of which %d ran", tried, ran)
	}
}

// runGuarded loads a model and runs its signatures. It returns all answers.
func runGuarded(ctx context.Context, dir string, o Options) (answers string, err error) {
	s, err := Load(ctx, dir, o)
	if err != nil {
		return "", err
	}
	for name, sig := range s.MetaGraph().Signatures {
		if sig.InitOp {
			continue
		}
		out, runErr := s.Run(ctx, name, map[string]tensor.Tensor{"x": tensor.Vector[float32](1, 2)})
		if runErr != nil {
			answers, err = answers+runErr.Error(), runErr
			continue
		}
		answers += fmt.Sprint(out["y"].Strings())
	}
	return answers, errors.Join(err, s.Close())
}

// TestEscapeNames looks at what TensorFlow would be given of models with each operation that may
// not run, in each place: the operation is never part of it.
func TestEscapeNames(t *testing.T) {
	t.Parallel()
	c := escape.Canary{Dir: t.TempDir()}
	wanted := escapePart(t)
	tried, given := 0, 0
	for e := range escape.Refused(c) {
		for _, mode := range escapeModes {
			if mode.text || mode.o.Isolate || !wanted(e, mode.name) {
				continue
			}
			tried++
			m, err := savedmodel.FromBytes(t.TempDir(), e.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			s, err := newSession(m, mode.o)
			if err != nil {
				continue
			}
			what, _, err := s.tfModel(mode.o, "", false)
			if err != nil {
				t.Errorf("%v, %s: nothing was found in it, and then: %v", e, mode.name, err)
				continue
			}
			given++
			g := &graphpb.GraphDef{}
			if err := proto.Unmarshal(what.Graph, g); err != nil {
				t.Fatal(err)
			}
			nodes := slices.Clone(g.GetNode())
			for _, f := range g.GetLibrary().GetFunction() {
				nodes = append(nodes, f.GetNodeDef()...)
			}
			if slices.ContainsFunc(nodes, func(n *nodepb.NodeDef) bool { return n.GetOp() == e.Op }) {
				t.Errorf("%v, %s: it is part of what TensorFlow is given", e, mode.name)
			}
		}
	}
	t.Logf("handed over: 0 of %d; %d graphs without the operation", tried, given)
	if os.Getenv("TFRUN_ESCAPE") == "" && (tried < 200 || given == 0) {
		t.Errorf("only %d models were tried, of which %d were handed over", tried, given)
	}
}
