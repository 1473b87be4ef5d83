//go:build cgo && !notf

package runner

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
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

// escapeMode is a way to load a model.
type escapeMode struct {
	name string
	text bool // the model is in text form
	o    Options
}

// escapeModes are the ways to load a model that differ in what TensorFlow is given.
var escapeModes = []escapeMode{
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

// escapePart says which models and modes a test tries: one in 211, a quarter of these under the
// race detector, one in TFRUN_ESCAPES=N, or those whose description holds TFRUN_ESCAPE=TEXT.
func escapePart(t *testing.T) func(e escape.Case, mode string) bool {
	t.Helper()
	share := uint64(211)
	if underRace {
		share *= 4
	}
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
// does. That they can is what TestEscapeUnguarded of package tf shows. Models that are spoiled, a
// field at a time, are loaded in two ways, cut down and whole.
func TestEscape(t *testing.T) {
	t.Parallel()
	e := escapes{canary: escape.Canary{Dir: t.TempDir()}, dir: t.TempDir(), ways: map[string]int{}}
	if err := e.canary.Make(); err != nil {
		t.Fatal(err)
	}
	wanted := escapePart(t)
	for c := range escape.Cases(e.canary) {
		for _, mode := range escapeModes {
			skip := mode.text && c.Form != "as it is" || mode.o.Isolate && c.Place != "an output" && c.Disguise != "plain"
			if !skip && wanted(c, mode.name) {
				e.try(t, c, mode)
			}
		}
	}
	for c := range escape.Called(e.canary) {
		for _, mode := range escapeModes {
			if wanted(c, mode.name) {
				e.try(t, c, mode)
			}
		}
	}
	for c := range escape.Spoiled(e.canary) {
		for _, mode := range escapeModes[:2] {
			if wanted(c, mode.name) {
				e.try(t, c, mode)
			}
		}
	}
	t.Logf("escapes %d of %d: %v", e.escaped, e.tried, e.ways)
	if os.Getenv("TFRUN_ESCAPE") == "" && (e.tried < 50 || e.ways["ran"] == 0) {
		t.Errorf("only %d models were tried, of which %d ran", e.tried, e.ways["ran"])
	}
}

// escapes counts what came of models that try to get at a canary.
type escapes struct {
	canary         escape.Canary
	dir            string // of the model that is tried
	tried, escaped int
	ways           map[string]int // how models ended
}

// try writes a model down, loads and runs it.
func (s *escapes) try(t *testing.T, e escape.Case, mode escapeMode) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(s.dir), e.Write(s.dir, mode.text)); err != nil {
		t.Fatal(err)
	}
	s.tried++
	o := mode.o
	o.Tags = e.Tags
	answers, err := runGuarded(t.Context(), s.dir, e.Path, o)
	var refused *UnsafeError
	var late *AdmitError
	switch {
	case errors.As(err, &late):
		t.Errorf("%v, %s: nothing was found in it, and then: %v", e, mode.name, err)
	case err == nil:
		s.ways["ran"]++
	case errors.As(err, &refused):
		s.ways["refused by the scan"]++
	default:
		s.ways[fmt.Sprintf("%T", err)]++
		if os.Getenv("TFRUN_ESCAPE") != "" {
			t.Logf("%v, %s: %v", e, mode.name, err)
		}
	}
	if out := s.canary.Escaped(answers + fmt.Sprint(err)); out != "" {
		s.escaped++
		t.Errorf("%v, %s: %s", e, mode.name, out)
	}
}

// runGuarded loads a model and runs its signatures; path is fed to an input of that name. It gives
// all answers.
func runGuarded(ctx context.Context, dir, path string, o Options) (answers string, err error) {
	s, err := Load(ctx, dir, o)
	if err != nil {
		return "", err
	}
	for name, sig := range s.MetaGraph().Signatures {
		if sig.InitOp {
			continue
		}
		feeds := map[string]tensor.Tensor{"x": tensor.Vector[float32](1, 2)}
		if _, ok := sig.Inputs["path"]; ok {
			feeds["path"] = tensor.Scalar(path)
		}
		out, runErr := s.Run(ctx, name, feeds)
		if runErr != nil {
			answers, err = answers+runErr.Error(), runErr
			continue
		}
		answers += fmt.Sprint(out["y"].Strings())
	}
	return answers, errors.Join(err, s.Close())
}

// refusedOrCalled yields what TestEscapeNames looks at.
func refusedOrCalled(c escape.Canary) iter.Seq[escape.Case] {
	return func(yield func(escape.Case) bool) {
		for _, all := range []iter.Seq[escape.Case]{escape.Refused(c), escape.Called(c)} {
			for e := range all {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// TestEscapeNames looks at what TensorFlow would be given of models with each operation that may
// not run, in each place, and with some of them in each function that an operation can call: the
// operation is never part of it.
func TestEscapeNames(t *testing.T) {
	t.Parallel()
	c := escape.Canary{Dir: t.TempDir()}
	wanted := escapePart(t)
	tried, given := 0, 0
	for e := range refusedOrCalled(c) {
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
	if os.Getenv("TFRUN_ESCAPE") == "" && (tried < 50 || given == 0) {
		t.Errorf("only %d models were tried, of which %d were handed over", tried, given)
	}
}
