package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/layers"
	"github.com/tfrun/tfrun/savedmodel/scan"
	"github.com/tfrun/tfrun/tensor"
)

// What came of a model, beside a reason for which it does not run.
const (
	ran     = "runs"
	equal   = "as Python"
	differs = "DIFFERS"
	exceeds = "TOO MUCH"
	crashes = "CRASHES"
	refused = "refused"
	broken  = "not run"
)

// outcome is what came of a model.
type outcome struct {
	Outcome, Why string
	Framework    savedmodel.Framework
	Layers       int
	DescribeMS   int64
	Tags         []string
	Runs         []signatureRun
}

// signatureRun is one run of a signature, by the tensors of the graph.
type signatureRun struct {
	Signature string
	Feeds     map[string]value
	Fetches   map[string]value
	changes   bool // the run changed the model's state
}

// answer is what the referee says of a run.
type answer struct {
	Error   string
	Fetches map[string]value
}

// value is a tensor: its bytes, or its texts.
type value struct {
	DType string
	Shape []int64
	Data  string   // base64
	Texts []string // base64
}

// most bounds the signatures of a model that are run.
const most = 8

// try describes, scans and runs a model.
func try(ctx context.Context, dir string) outcome {
	o := outcome{Outcome: broken}
	began := time.Now()
	m, err := savedmodel.Open(dir)
	if err != nil {
		o.Why = err.Error()
		return o
	}
	mg, err := m.MetaGraph()
	if err != nil {
		mg = m.MetaGraphs[0]
	}
	o.Framework, o.Tags = mg.Framework, mg.Tags
	table, err := layers.Of(mg)
	if err != nil {
		o.Why = err.Error()
		return o
	}
	if table != nil {
		o.Layers = len(table.Layers)
	}
	o.DescribeMS = time.Since(began).Milliseconds()
	if _, err := scan.Scan(mg); err != nil {
		o.Why = err.Error()
		return o
	}
	tags := mg.Tags
	if len(tags) == 0 {
		tags = []string{savedmodel.NoTags}
	}
	s, err := runner.LoadModel(ctx, m, runner.Options{Tags: tags})
	if err != nil {
		o.fail(err)
		return o
	}
	defer s.Close()  //nolint:errcheck // nothing is written
	changed := false // by a signature before, such as one that trains
	for i, name := range mg.SignatureNames() {
		if i == most {
			break
		}
		run, err := runSignature(ctx, s, name)
		if err != nil {
			o.fail(err)
			continue
		}
		if changed = changed || run.changes; changed {
			clear(run.Fetches)
		}
		o.Runs = append(o.Runs, run)
	}
	if len(o.Runs) > 0 {
		o.Outcome = ran
	}
	return o
}

// fail notes why something does not run.
func (o *outcome) fail(err error) {
	o.Why = err.Error()
	if unsafe := (*runner.UnsafeError)(nil); errors.As(err, &unsafe) {
		o.Outcome = refused
	}
}

// runSignature runs a signature on one row of whole tensors.
func runSignature(ctx context.Context, s *runner.Session, name string) (signatureRun, error) {
	run := signatureRun{Signature: name, Feeds: map[string]value{}, Fetches: map[string]value{}}
	p, err := s.NewPredictor(runner.PredictOptions{Signature: name})
	examples := err == nil && len(p.Features()) > 0
	if !examples {
		p, err = s.NewPredictor(runner.PredictOptions{Signature: name, NoBatch: true})
	}
	if err != nil {
		return run, err
	}
	var row dataset.Element
	if len(p.Function().Inputs()) > 0 {
		made, err := job.MakeUpRows(ctx, p, 1, nil)
		if err != nil {
			return run, err
		}
		row = made.Rows[0]
	}
	feeds := map[string]tensor.Tensor{}
	for _, in := range p.Function().Inputs() {
		path := in.Value
		if in.Role != "" && p.RowSpec().Index(path) < 0 {
			path += "/" + in.Role
		}
		at := p.RowSpec().Index(path)
		if at < 0 || row.Splits != nil && row.Splits[at] != nil {
			return run, fmt.Errorf("signature %q: input %q is ragged: not compared", name, in.Value)
		}
		t := row.Tensors[at]
		if examples {
			t = tensor.Vector(t.Strings()...)
		}
		feeds[in.Name] = t
		run.Feeds[in.Tensor] = valueOf(t)
	}
	out, err := p.Function().Run(ctx, feeds)
	if err != nil {
		return run, err
	}
	run.changes = p.State().Stateful()
	if run.changes || len(p.State().Random) > 0 {
		return run, nil // another run gives another answer
	}
	for output, info := range p.Function().Signature().Outputs {
		if t, ok := out[output]; ok {
			run.Fetches[info.Tensor] = valueOf(t)
		}
	}
	return run, nil
}

func valueOf(t tensor.Tensor) value {
	v := value{DType: t.DType().String(), Shape: append([]int64{}, t.Dims()...), Data: base64.StdEncoding.EncodeToString(t.Bytes())}
	for _, s := range t.Strings() {
		v.Texts = append(v.Texts, base64.StdEncoding.EncodeToString([]byte(s)))
	}
	return v
}

// compare says whether all runs gave what the referee's did.
func compare(runs []signatureRun, answers []answer) (what, why string) {
	if len(runs) != len(answers) {
		return differs, fmt.Sprintf("%d answers of Python for %d runs", len(answers), len(runs))
	}
	compared := 0
	for i, run := range runs {
		compared += len(run.Fetches)
		if answers[i].Error != "" {
			return differs, fmt.Sprintf("signature %q: Python refuses what runs here: %s", run.Signature, answers[i].Error)
		}
		for name, got := range run.Fetches {
			if far := distance(got, answers[i].Fetches[name]); far != "" {
				return differs, fmt.Sprintf("signature %q: %s: %s", run.Signature, name, far)
			}
		}
	}
	if compared == 0 {
		return ran, "nothing to compare: another run gives other answers"
	}
	return equal, ""
}

// distance says how far two tensors are apart, "" where no further than rounding makes them.
func distance(a, b value) string {
	if a.DType != b.DType || fmt.Sprint(a.Shape) != fmt.Sprint(b.Shape) {
		return fmt.Sprintf("%s %v, Python %s %v", a.DType, a.Shape, b.DType, b.Shape)
	}
	if strings.Join(a.Texts, " ") != strings.Join(b.Texts, " ") {
		return "other texts"
	}
	if a.Data == b.Data {
		return ""
	}
	x, y := numbers(a), numbers(b)
	if x == nil || len(x) != len(y) {
		return "other values"
	}
	for i := range x {
		if bothNaN := math.IsNaN(x[i]) && math.IsNaN(y[i]); !bothNaN && math.Abs(x[i]-y[i]) > 1e-5+1e-4*math.Abs(y[i]) {
			return fmt.Sprintf("%v, Python %v", x[i], y[i])
		}
	}
	return ""
}

// numbers are the values of a tensor of floats; nil for other types, which are compared exactly.
func numbers(v value) []float64 {
	data, err := base64.StdEncoding.DecodeString(v.Data)
	dtype, err2 := tensor.ParseDType(v.DType)
	if err != nil || err2 != nil {
		return nil
	}
	t, err := tensor.FromBytes(dtype, data, v.Shape...)
	if err != nil {
		return nil
	}
	switch dtype {
	case tensor.Float32:
		list, _ := tensor.Values[float32](t)
		out := make([]float64, len(list))
		for i, x := range list {
			out[i] = float64(x)
		}
		return out
	case tensor.Float64:
		list, _ := tensor.Values[float64](t)
		return list
	}
	return nil
}
