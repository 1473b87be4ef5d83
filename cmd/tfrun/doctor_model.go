package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/padding"
	"github.com/tfrun/tfrun/savedmodel/scan"
	"github.com/tfrun/tfrun/tensor"
)

// modelDiagnosis is what tfrun doctor MODEL found.
type modelDiagnosis struct {
	Model      string               `json:"model"`
	Version    string               `json:"version,omitempty"`
	Framework  savedmodel.Framework `json:"framework"`
	TensorFlow string               `json:"tensorflow_version"`
	Tags       []string             `json:"tags"`
	Signature  string               `json:"signature"`
	Others     []string             `json:"other_signatures"`
	Inputs     []endpointDiagnosis  `json:"inputs"`
	Outputs    []endpointDiagnosis  `json:"outputs"`
	// Unsafe lists operations that loading the model, or the signature, runs.
	Unsafe []string `json:"unsafe_operations"`
	// Changes lists operations that change the result of a later run.
	Changes []string `json:"state_changes"`
	// Random lists operations that draw random numbers.
	Random []string `json:"random"`
	// NoBatch says that a row holds whole tensors, and is one run.
	NoBatch bool           `json:"no_batch"`
	Rows    *rowsDiagnosis `json:"rows"`
	LoadMS  float64        `json:"load_ms"`
	FirstMS float64        `json:"first_run_ms"`
	Runs    bool           `json:"runs"`
	Problem string         `json:"problem,omitempty"`
	// Steady says that the same row gives the same answer again, Alone that it does among other
	// rows, without padding. Both are nil if nothing was run.
	Steady  *bool            `json:"same_again"`
	Alone   *bool            `json:"same_among_others"`
	Company *effectDiagnosis `json:"company"`
	Padding *effectDiagnosis `json:"padding"`
	// BatchSize is the number of rows in a batch for long files, if --batch-size does not say.
	BatchSize    int      `json:"batch_size,omitempty"`
	BatchSizeWhy string   `json:"batch_size_why,omitempty"`
	Advice       []advice `json:"advice"`

	verdict     runner.Verdict
	padsExactly bool // --batching exact does
}

type endpointDiagnosis struct {
	Name  string       `json:"name"`
	DType string       `json:"dtype"`
	Shape tensor.Shape `json:"shape"`
	// Default is the value of an input that is left out.
	Default json.RawMessage `json:"default,omitempty"`
}

// rowsDiagnosis describes the rows that were run.
type rowsDiagnosis struct {
	Files    []string `json:"files"` // empty: the rows were made up
	Count    int      `json:"count"`
	Shortest int64    `json:"shortest"`
	Longest  int64    `json:"longest"`
	// Refused lists made-up lengths that the model could not run.
	Refused []int64 `json:"refused_lengths,omitempty"`
	// Failed lists those of the first rows, from 1, that the model cannot run alone; the reason is
	// the first one's.
	Failed []int64 `json:"refused_rows,omitempty"`
	Why    string  `json:"refused_rows_why,omitempty"`
}

// advice is a command, and what it does.
type advice struct {
	Command string `json:"command"`
	Gives   string `json:"gives"`
}

// doctorRows is the number of rows of the data that are looked at, madeRows the number that are
// made up.
const (
	doctorRows = 64
	madeRows   = 16
)

// doctorModel examines a model: what its files say, and what running a few rows shows.
func doctorModel(ctx context.Context, o predictOptions, flags []string, std stdio) (*modelDiagnosis, error) {
	if err := o.validate(ctx); err != nil {
		return nil, err
	}
	source, err := o.source(ctx, std)
	if err != nil {
		return nil, err
	}
	m, err := o.openFiles(ctx, std, &source)
	if err != nil {
		return nil, err
	}
	noteAll(m.model.Contradictions(), std)
	d := &modelDiagnosis{
		Model: o.model, Version: m.model.Version, Framework: m.graph.Framework, TensorFlow: m.graph.TensorFlowVersion, Tags: m.graph.Tags,
		Signature: m.sig.Name, Others: []string{}, Unsafe: []string{}, Changes: []string{}, Random: []string{}, Advice: []advice{},
	}
	if err := d.readFiles(m); err != nil {
		return nil, err
	}
	if err := d.run(ctx, m, &o, source); err != nil {
		d.Problem = oneLine(message(err))
		return d, err
	}
	d.advise(o, flags)
	return d, nil
}

// readFiles fills in what the files say, without TensorFlow.
func (d *modelDiagnosis) readFiles(m *loadedModel) error {
	for _, name := range m.graph.SignatureNames() {
		if name != m.sig.Name {
			d.Others = append(d.Others, name)
		}
	}
	d.Inputs, d.Outputs = endpointsOf(m.sig.Inputs), endpointsOf(m.sig.Outputs)
	for i, in := range d.Inputs {
		if value, ok := m.sig.Defaults[in.Name]; ok {
			text, err := dataset.AppendJSON(nil, value, nil)
			if err != nil {
				return err
			}
			d.Inputs[i].Default = dataset.NullNaN(text)
		}
	}
	found, err := scan.Scan(m.graph)
	if err != nil {
		return err
	}
	for _, f := range found.Findings {
		if (f.Loading && f.RunsWith("") || f.RunsWith(m.sig.Name)) && !slices.Contains(d.Unsafe, f.Op) {
			d.Unsafe = append(d.Unsafe, f.Op)
		}
	}
	state, err := m.graph.State(m.sig)
	d.Changes, d.Random = append(d.Changes, state.Changes...), append(d.Random, state.Random...)
	return err
}

func endpointsOf(infos map[string]savedmodel.TensorInfo) []endpointDiagnosis {
	list := []endpointDiagnosis{}
	for name, info := range infos {
		e := endpointDiagnosis{Name: name, DType: info.DType.String(), Shape: info.Shape}
		switch {
		case info.Ragged != nil:
			e.DType, e.Shape = "ragged "+info.Ragged.DType.String(), info.Ragged.Shape
		case info.Sparse():
			e.DType = "sparse " + info.DType.String()
		case info.Encoding != savedmodel.Dense:
			e.DType = info.Class
		}
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b endpointDiagnosis) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// run loads the model and runs rows: the first ones of the data, or made-up ones.
func (d *modelDiagnosis) run(ctx context.Context, m *loadedModel, o *predictOptions, source job.Source) error {
	defer runner.BoundMemory(o.load.Device)()
	if err := m.start(ctx, o, source); err != nil {
		return err
	}
	d.LoadMS = milliseconds(m.took)
	err := d.runRows(ctx, m.session, o, source)
	var output *runner.OutputError
	if errors.As(err, &output) && len(source.Files) == 0 && !o.predict.NoBatch {
		o.predict.NoBatch = true
		err = d.runRows(ctx, m.session, o, source)
	}
	return errors.Join(err, m.session.Close())
}

func (d *modelDiagnosis) runRows(ctx context.Context, s *runner.Session, o *predictOptions, source job.Source) error {
	p, err := s.NewPredictor(o.predict)
	var axis *runner.BatchAxisError
	if errors.As(err, &axis) {
		o.predict.NoBatch = true
		p, err = s.NewPredictor(o.predict)
	}
	if err != nil {
		return err
	}
	d.NoBatch = o.predict.NoBatch
	rows, err := d.someRows(ctx, p, source)
	if err != nil {
		return err
	}
	check, err := p.CheckUp(ctx, rows)
	if err != nil {
		return err
	}
	steady, alone := check.Steady(), !check.Verdict.Company.Depends()
	d.Runs, d.Steady = true, &steady
	for _, row := range check.Refused {
		d.Rows.Failed = append(d.Rows.Failed, row+1)
	}
	if check.Err != nil {
		d.Rows.Why = oneLine(message(check.Err))
	}
	if d.FirstMS == 0 {
		d.FirstMS = milliseconds(check.FirstRun)
	}
	if !d.NoBatch {
		size, err := job.FileBatchSize(p)
		if err != nil {
			return err
		}
		d.BatchSize, d.BatchSizeWhy = size.Rows, size.Why
	}
	if !d.NoBatch && len(d.Changes) == 0 {
		d.Alone = &alone
		d.Company, d.Padding = diagnose(check.Verdict.Company), diagnose(check.Verdict.Padding)
		d.verdict, d.padsExactly = check.Verdict, p.PadsExactly()
	}
	return nil
}

// someRows returns the first rows of the data, or made-up ones.
func (d *modelDiagnosis) someRows(ctx context.Context, p *runner.Predictor, source job.Source) ([]dataset.Element, error) {
	d.Rows = &rowsDiagnosis{Files: append([]string{}, source.Files...)}
	var rows []dataset.Element
	if len(source.Files) == 0 {
		made, err := job.MakeUpRows(ctx, p, madeRows, nil)
		if err != nil {
			return nil, err
		}
		rows, d.Rows.Refused, d.FirstMS = made.Rows, made.Refused, milliseconds(made.FirstRun)
	} else {
		all, err := source.Rows(p)
		if err != nil {
			return nil, err
		}
		if rows, err = all.Take(doctorRows).Collect(ctx); err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			return nil, fmt.Errorf("input %q: no rows to run", source.Files[0])
		}
	}
	d.Rows.Count = len(rows)
	for i, row := range rows {
		n := p.RowLength(row)
		d.Rows.Longest = max(d.Rows.Longest, n)
		if i == 0 || n < d.Rows.Shortest {
			d.Rows.Shortest = n
		}
	}
	return rows, nil
}

// advise adds commands to type; the first gives the model's own answers.
func (d *modelDiagnosis) advise(o predictOptions, flags []string) {
	words := []string{"tfrun", "predict", shellQuote(o.model)}
	for _, name := range o.inputs {
		words = append(words, shellQuote(name))
	}
	if len(o.inputs) == 0 && len(d.Inputs) > 0 {
		words = append(words, "rows.jsonl")
	}
	if d.NoBatch && !slices.Contains(flags, "--no-batch") {
		flags = append(flags, "--no-batch")
	}
	base := strings.Join(append(words, flags...), " ")
	add := func(more, gives string) { d.Advice = append(d.Advice, advice{strings.TrimSpace(base + more), gives}) }
	switch {
	case d.NoBatch && len(d.Inputs) == 0:
		add("", "the one answer that there is")
	case d.NoBatch:
		add("", "one run a row, each row holding whole tensors as the signature takes them")
	case len(d.Changes) > 0:
		add("", "answers for the rows in their order, one batch after the other, as the model's state asks for")
	case !*d.Steady:
		add("", "answers that differ from run to run, as measured: padding cannot be told from that")
	case !*d.Alone:
		add("", fmt.Sprintf("answers that depend on which rows share a batch, %d as they come", d.BatchSize))
		add(" --batching exact", "what each row gives alone; slower: each runs by itself")
	case d.verdict.Fixed:
		add("", "what each row gives alone: nothing is ever padded, so that every batching gives the same")
	case !d.verdict.Paddable() && !d.Padding.Depends:
		add("", "what tf.data's padded_batch and the signature give in Python")
		add(" --batching exact", "what each row gives alone, whatever rows come with it: "+d.exactly())
	case d.Padding.Depends:
		add("", "what tf.data's padded_batch and the signature give in Python: a row's answer depends on the longest row of its batch")
		add(" --batching exact", "what each row gives alone, whatever rows come with it: "+d.exactly())
	default:
		add(" --batching bucket", "the same answers as any other batching, soonest: rows of like length share a batch, "+d.reason())
	}
}

// exactly describes which rows share a batch with --batching exact.
func (d *modelDiagnosis) exactly() string {
	if d.padsExactly {
		return "rows of like length share a batch, and padding is kept out of their answers"
	}
	return "only rows of equal length share a batch"
}

func milliseconds(d time.Duration) float64 { return math.Round(float64(d.Microseconds())/10) / 100 }

// print writes the diagnosis for people, in lines of at most the given width, and without what
// would steer a terminal: it has names of the model and of files.
func (d *modelDiagnosis) print(std stdio, width int) error {
	var b strings.Builder
	line := func(what, format string, args ...any) {
		for i, text := range wrapped(words.OneLine(fmt.Sprintf(format, args...)), width-15) {
			if i > 0 {
				what = ""
			}
			fmt.Fprintf(&b, "%-14s %s\n", what, text)
		}
	}
	d.describe(line)
	d.describeRun(line)
	if len(d.Advice) > 0 {
		b.WriteString("\nWhat to type, and what it gives\n")
	}
	for _, a := range d.Advice {
		fmt.Fprintf(&b, "\n  %s\n", words.OneLine(a.Command))
		for _, text := range wrapped(words.OneLine(a.Gives), width-6) {
			fmt.Fprintf(&b, "      %s\n", text)
		}
	}
	if d.Padding != nil && d.Padding.Depends && *d.Steady && *d.Alone {
		b.WriteByte('\n')
		refused := "--batching bucket would be faster and is refused for this model"
		if d.padsExactly {
			refused = "--batching bucket, which exact is about as fast as, is refused for this model"
		}
		for _, text := range wrapped(refused+"; --batching auto takes arrival. A model with a mask (mask_zero=True, or a Masking layer) would not depend on padding.", width) {
			b.WriteString(text + "\n")
		}
	}
	_, err := std.out.Write([]byte(b.String()))
	return err
}

// frameworkNames maps frameworks to the names that people use.
var frameworkNames = map[savedmodel.Framework]string{
	savedmodel.Keras2: "Keras 2", savedmodel.Keras3: "Keras 3", savedmodel.TFModule: "tf.Module", savedmodel.TF1: "TensorFlow 1 graph",
}

// describe writes what the files say.
func (d *modelDiagnosis) describe(line func(what, format string, args ...any)) {
	line("model", "%s", d.Model)
	facts := []string{frameworkNames[d.Framework]}
	if d.TensorFlow != "" {
		facts = append(facts, "written by TensorFlow "+d.TensorFlow)
	}
	if d.Version != "" {
		facts = append(facts, "version "+d.Version)
	}
	line("", "%s", strings.Join(append(facts, "tags "+orWord(d.Tags, "none")), ", "))
	others := ""
	if len(d.Others) > 0 {
		others = "; others, with -s: " + strings.Join(d.Others, ", ")
	}
	line("signature", "%s%s", d.Signature, others)
	for _, in := range d.Inputs {
		value := ""
		if in.Default != nil {
			value = ", default " + words.Shorten(string(in.Default), 40)
		}
		line("  in", "%s: %s %s%s", in.Name, in.DType, in.Shape, value)
	}
	for _, out := range d.Outputs {
		line("  out", "%s: %s %s", out.Name, out.DType, out.Shape)
	}
	if len(d.Unsafe) > 0 {
		line("safe", "NO: it runs %s, which does more than compute: tfrun scan %s says what", strings.Join(d.Unsafe, ", "), shellQuote(d.Model))
	} else {
		line("safe", "yes: it computes, and does nothing else")
	}
	switch {
	case len(d.Changes) > 0:
		line("state", "yes: a run changes what a later one sees (%s); rows run in order, one batch after the other", strings.Join(d.Changes, ", "))
	case len(d.Random) > 0:
		line("state", "none, but it draws random numbers (%s)", strings.Join(d.Random, ", "))
	default:
		line("state", "none: a run changes nothing that a later one sees")
	}
}

func orWord(list []string, none string) string {
	if len(list) == 0 {
		return none
	}
	return strings.Join(list, ",")
}

// describeRun writes what running rows showed.
func (d *modelDiagnosis) describeRun(line func(what, format string, args ...any)) {
	if d.Problem != "" {
		line("runs", "no: %s", d.Problem)
		return
	}
	line("runs", "yes: %s; loaded in %s, the first row took %s", d.Rows.text(), msText(d.LoadMS), msText(d.FirstMS))
	if len(d.Rows.Refused) > 0 {
		line("", "It does not run rows of %s entries.", numbers(d.Rows.Refused))
	}
	if len(d.Rows.Failed) > 0 {
		line("", "IT DOES NOT RUN row %s alone: %s", numbers(d.Rows.Failed), d.Rows.Why)
	}
	if *d.Steady {
		line("again", "the same row gives the same answer in every run")
	} else {
		line("again", "NO: the same row gives another answer in a second run")
	}
	if d.NoBatch {
		line("batches", "none: the signature takes and gives whole tensors, not one entry for each row")
		return
	}
	line("batches", "of %d rows, where files are long: %s", d.BatchSize, d.BatchSizeWhy)
	if len(d.Changes) > 0 {
		line("padding", "cannot be told: each run changes the state that the next one begins with")
		return
	}
	d.Company.describe(line, "company", effectWords{"other rows in its batch", "do not change", "OTHER ROWS CHANGE"}, !*d.Steady)
	switch {
	case d.verdict.Fixed:
		line("padding", "nothing to pad: rows have one shape, or are ragged")
	case !*d.Steady || !*d.Alone:
		line("padding", "cannot be told from what differs without it")
	default:
		d.Padding.describe(line, "padding", effectWords{"padding", "does not change", "PADDING CHANGES"}, false)
	}
}

// reason says why rows of unequal length may share a batch.
func (d *modelDiagnosis) reason() string {
	if d.Company.Proof == padding.Independent.String() && d.Padding.Proof == padding.Independent.String() {
		return "as it is proven that they may"
	}
	return "once trials on the data's own first rows have shown no effect"
}

// text describes the rows that were run.
func (r *rowsDiagnosis) text() string {
	s := rowCount(int64(r.Count))
	switch {
	case r.Longest > 1 && r.Shortest == r.Longest:
		s += fmt.Sprintf(" of %s entries", words.Thousands(r.Longest))
	case r.Longest > 1:
		s += fmt.Sprintf(" of %s to %s entries", words.Thousands(r.Shortest), words.Thousands(r.Longest))
	}
	if len(r.Files) == 0 {
		return s + " that were made up, for want of a file of rows"
	}
	return "the first " + s + " of " + r.Files[0]
}

func msText(ms float64) string {
	if ms >= 1000 {
		return fmt.Sprintf("%.2f s", ms/1000)
	}
	return fmt.Sprintf("%.3g ms", ms)
}

// numbers returns a list such as "1-3, 7": runs of numbers, at most eight of them.
func numbers(list []int64) string {
	var parts []string
	for i := 0; i < len(list); {
		k := i
		for k+1 < len(list) && list[k+1] == list[k]+1 {
			k++
		}
		if len(parts) == 8 {
			return strings.Join(parts, ", ") + ", …"
		}
		switch {
		case k == i:
			parts = append(parts, fmt.Sprint(list[i]))
		default:
			parts = append(parts, fmt.Sprintf("%d-%d", list[i], list[k]))
		}
		i = k + 1
	}
	return strings.Join(parts, ", ")
}
