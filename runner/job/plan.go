package job

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/csv"
	"github.com/tfrun/tfrun/dataset/tfrecord"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job/internal/source"
	"github.com/tfrun/tfrun/tensor"
)

// Plan says what a run would do.
type Plan struct {
	Model     string      `json:"model"`
	Signature string      `json:"signature"`
	Files     []PlanFile  `json:"files"`
	Inputs    []PlanInput `json:"inputs"`
	// Features say which columns make the tf.Examples of the only input. Empty: the input is not
	// made of Examples' features.
	Features []PlanFeature `json:"features,omitempty"`
	Outputs  []PlanOutput  `json:"outputs"`
	// Columns are the columns of the result file, in their order, or its keys, if it holds JSON.
	Columns   []PlanColumn    `json:"columns"`
	Batching  runner.Batching `json:"batching"`
	BatchSize int             `json:"batch_size"`
	// BatchSizeWhy says how BatchSize was chosen; empty with NoBatch.
	BatchSizeWhy string     `json:"batch_size_why,omitempty"`
	Sample       PlanSample `json:"sample"`
	NoBatch      bool       `json:"no_batch"`
	// State lists the operations that keep state between batches. If there are any, one worker runs
	// all rows, in their order.
	State []string `json:"state,omitempty"`
}

// PlanFile is a file of rows.
type PlanFile struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"` // -1: not known
	// Reading says how a file of cells or records is read, by options or by its contents. It is
	// empty for other formats, and for files that were not looked at.
	Reading string `json:"reading,omitempty"`
}

// PlanInput says how an input is fed.
type PlanInput struct {
	Name string `json:"name"`
	// From says where the values come from.
	From InputFrom `json:"from"`
	// Column is the column's name, for FromColumn.
	Column string `json:"column"`
	// Value is the default, or the value that is set, as JSON.
	Value json.RawMessage `json:"value,omitempty"`
	// Of is the input whose lengths or masks the values are.
	Of    string       `json:"of,omitempty"`
	DType tensor.DType `json:"dtype"`
	Shape tensor.Shape `json:"row_shape"`
	// Least and Most are the sizes of the sample's rows along their first axis; both are -1 if rows
	// are scalars.
	Least int64 `json:"least"`
	Most  int64 `json:"most"`
}

// InputFrom says where the values of an input come from.
type InputFrom string

// The places that values come from.
const (
	FromColumn  InputFrom = "column"  // a column of the rows
	FromDefault InputFrom = "default" // the signature's default, since rows have no such column
	FromSet     InputFrom = "set"     // [runner.Sequences.Set]
	FromLength  InputFrom = "length"  // [runner.Sequences.Lengths]
	FromMask    InputFrom = "mask"    // [runner.Sequences.Masks]
)

// PlanOutput describes an output in the results.
type PlanOutput struct {
	Name  string       `json:"name"`
	DType tensor.DType `json:"dtype"`
	Shape tensor.Shape `json:"shape"`
}

// PlanColumn is a column of the results.
type PlanColumn struct {
	Name string `json:"name"`
	// Type is the type of the values, in the words of Apache Arrow: "float", "list<float>". It is
	// "" for a kept column of an output in other formats than Arrow and Parquet.
	Type string `json:"type,omitempty"`
	// From is "output"; "input" for a kept column; or "run" for the column with the errors of rows.
	From string `json:"from"`
}

// PlanSample describes the rows that were looked at.
type PlanSample struct {
	Rows int64 `json:"rows"`
	All  bool  `json:"all"` // there are no other rows
	// Bad is the number of rows that could not be read; the first one for the reason given.
	Bad      int64  `json:"bad_rows"`
	FirstBad string `json:"first_bad,omitempty"`
	// Batches is how many batches the rows make in the order of arrival. The largest takes
	// BatchBytes of TensorFlow's memory, and Waste is the share of padding in all.
	Batches    int64   `json:"batches"`
	BatchBytes int64   `json:"largest_batch_bytes"`
	Waste      float64 `json:"padding"`
}

// Describe reads at most sample rows of the job's source and says what [Job.Run] would do with
// them. It runs nothing, so a predictor of [runner.DryPredictor] will do.
func (j Job) Describe(ctx context.Context, p *runner.Predictor, sample int64) (plan Plan, err error) {
	form, err := j.outputFormat()
	if err != nil {
		return plan, err
	}
	if j, err = j.keeping(ctx, p, form); err != nil {
		return plan, err
	}
	j.Source.ctx = ctx
	src := j.Source
	p, why, err := src.suited(p)
	if err != nil {
		return plan, err
	}
	o, f, state := p.Options(), p.Function(), p.State()
	plan = Plan{
		Model: f.Session().Model().Dir, Signature: f.Signature().Name, Batching: o.Batching, BatchSize: o.BatchSize, BatchSizeWhy: why, NoBatch: o.NoBatch,
		State: state.Changes, Files: []PlanFile{}, Inputs: []PlanInput{}, Outputs: []PlanOutput{},
	}
	if plan.Batching == "" || state.Stateful() {
		plan.Batching = runner.Arrival
	}
	for _, name := range src.Files {
		f := PlanFile{Name: name, Bytes: -1}
		if size, ok := source.Size(name); ok {
			f.Bytes = size
		}
		plan.Files = append(plan.Files, f)
	}
	for _, out := range f.Outputs() {
		shape := out.Shape
		if !o.NoBatch {
			shape = shape.Drop(1)
		}
		dtype := out.DType
		if out.Labels != nil {
			dtype = tensor.String
		}
		plan.Outputs = append(plan.Outputs, PlanOutput{Name: out.Name, DType: dtype, Shape: shape})
	}
	if plan.Columns, err = j.describeColumns(ctx, p, form); err != nil {
		return plan, err
	}
	if src, err = plan.addInputs(p, src); err != nil {
		return plan, err
	}
	if plan.Features, src, err = newReader(p).describeFeatures(src); err != nil {
		return plan, err
	}
	var readings sync.Map // by file; files are read on several goroutines
	src.CSV.Sniffed = func(file string, d csv.Dialect) { readings.Store(file, d.String()) }
	src.records = func(file string, kind tfrecord.Kind) { readings.Store(file, readingOf[kind]) }
	rows, err := src.Rows(p)
	if err != nil {
		return plan, err
	}
	err = plan.addRows(ctx, p, rows, sample)
	for i := range plan.Files {
		if r, ok := readings.Load(plan.Files[i].Name); ok {
			plan.Files[i].Reading = r.(string)
		}
	}
	return plan, err
}

// readingOf describes how kinds of records are read.
var readingOf = map[tfrecord.Kind]string{
	tfrecord.Examples: "the features of its tf.train.Examples",
	tfrecord.Whole:    "each record a string as it is: it is no tf.train.Example",
	"":                "each record as it is: the model parses it",
}

// describeColumns lists the columns of the results.
func (j Job) describeColumns(ctx context.Context, p *runner.Predictor, form source.Format) ([]PlanColumn, error) {
	columns, err := j.columns(p, form)
	list := []PlanColumn{}
	for _, c := range columns {
		list = append(list, PlanColumn{Name: c.name, Type: c.typeName(), From: "output"})
	}
	if err != nil {
		return nil, err
	}
	types, err := j.keptTypes(ctx, p, form)
	for _, name := range j.Source.keptNames() {
		c := PlanColumn{Name: name, From: "input"}
		// For NumPy the type depends on whether the column holds a null.
		if t := types[name]; t != nil && form.Name != "npz" {
			c.Type = t.String()
		}
		list = append(list, c)
	}
	if p.Options().SkipBadRows {
		list = append(list, PlanColumn{Name: errorColumn, Type: "string", From: "run"})
	}
	return list, err
}

// addInputs adds how inputs are fed. The source that it returns takes the place of src.
func (plan *Plan) addInputs(p *runner.Predictor, src Source) (Source, error) {
	r := newReader(p)
	src, absent, err := r.absent(src)
	if err != nil {
		return src, err
	}
	spec, set := p.RowSpec(), p.Options().Sequences
	for i, c := range spec.Flatten() {
		in := PlanInput{Name: spec.Paths()[i], From: FromColumn, DType: c.DType, Shape: c.Shape, Least: -1, Most: -1}
		var value tensor.Tensor
		of, isLength := set.Lengths[in.Name]
		mask, isMask := set.Masks[in.Name]
		switch {
		case isLength:
			in.From, in.Of = FromLength, cmp.Or(of, r.spec.Keys()[0])
		case isMask:
			in.From, in.Of = FromMask, cmp.Or(mask, r.spec.Keys()[0])
		case r.spec.Index(in.Name) < 0:
			in.From, value = FromSet, set.Set[in.Name]
		case slices.Contains(absent, in.Name):
			in.From, value = FromDefault, r.sig.Defaults[in.Name]
		default:
			in.Column = cmp.Or(src.Columns[in.Name], in.Name)
			if text, err := src.textInput(r.sig); src.Encoder != nil && src.Text != "" && err == nil && text == in.Name {
				in.Column = src.Text
			}
		}
		if value.DType() != tensor.Invalid {
			text, err := dataset.AppendJSON(nil, value, nil)
			if err != nil {
				return src, err
			}
			in.Value = dataset.NullNaN(text)
		}
		plan.Inputs = append(plan.Inputs, in)
	}
	return src, nil
}

// absent lists the inputs that rows leave to their defaults. The source that it returns takes the
// place of src.
func (r *reader) absent(src Source) (Source, []string, error) {
	if len(src.Files) == 0 {
		return src, nil, nil
	}
	f, err := src.files().Find()
	if err != nil {
		return src, nil, err
	}
	if f.Name == source.Text || f.Name == "npy" {
		return src, r.defaulted(), nil
	}
	src, g, err := r.given(src, f)
	return src, g.absent, err
}

// sampleBytes bounds the memory of the rows in a sample.
const sampleBytes = 64 << 20

// look reads at most sample rows and counts the bad ones. If all are bad it returns the first
// error.
func (plan *Plan) look(ctx context.Context, rows *dataset.Dataset, sample int64) (first []dataset.Element, bad error) {
	s := &plan.Sample
	s.All = true
	size := 0
	for row, err := range rows.All(ctx) {
		if s.Rows == sample || size > sampleBytes {
			s.All = false
			break
		}
		var syntax *dataset.SyntaxError
		switch {
		case errors.As(err, &syntax):
			if s.Bad++; bad == nil {
				bad, s.FirstBad = syntax, syntax.Error()
			}
		case err != nil:
			return nil, err
		default:
			row.Extra = nil // kept columns are not looked at
			size += row.Size()
			first = append(first, row.Clone())
		}
		s.Rows++
	}
	if len(first) > 0 {
		bad = nil
	}
	return first, bad
}

// addRows adds what the rows, and the batches that they make, are like.
func (plan *Plan) addRows(ctx context.Context, p *runner.Predictor, rows *dataset.Dataset, sample int64) error {
	first, err := plan.look(ctx, rows, sample)
	if err != nil {
		return err
	}
	for _, row := range first {
		for i := range plan.Inputs {
			if t := row.Tensors[i]; t.Rank() > 0 {
				in, n := &plan.Inputs[i], t.Dims()[0]
				if in.Least < 0 || n < in.Least {
					in.Least = n
				}
				in.Most = max(in.Most, n)
			}
		}
	}
	if plan.NoBatch || len(first) == 0 {
		return nil
	}
	var stats dataset.Stats
	o, rows := p.ArrivalBatches(ctx, dataset.FromElements(p.RowSpec(), first...))
	o.Stats = &stats
	for b, err := range rows.Batches(ctx, o) {
		if bad, ok := errors.AsType[*dataset.SyntaxError](err); ok {
			plan.Sample.Bad++
			plan.Sample.FirstBad = cmp.Or(plan.Sample.FirstBad, bad.Error())
			continue
		}
		if err != nil {
			return err
		}
		bytes := int64(0)
		for c := range p.RowSpec().Flatten() {
			bytes += b.Size(c)
		}
		plan.Sample.BatchBytes = max(plan.Sample.BatchBytes, bytes)
		plan.Sample.Batches++
	}
	plan.Sample.Waste = stats.Waste()
	return nil
}
