// Package tfrunbeam runs SavedModels in pipelines of Apache Beam:
//
//	type Row struct {
//		Features []float32 `beam:"features"` // an input of the model
//	}
//	type Score struct {
//		Score float32 `beam:"score"` // an output
//	}
//
//	results, bad := tfrunbeam.Predict[Score](s, "/models/m", tfrunbeam.Options{}, rows)
//
// rows are KV<K, Row>, results KV<K, Score>. Each row gives one result under its key, or stands
// with the reason among the bad ones.
//
// # Batches
//
// A DoFn collects the rows of a bundle, up to 16,384 of them or 32 MiB, and runs them in batches of
// [Options.BatchSize] rows, of like length, and of [Options.MaxTokens] padded entries at most. A
// batch never changes an answer, unless [Options.Batching] asks for that.
//
// # Models
//
// A process loads a model once, whatever DoFns and bundles use it, and keeps it; of a model that
// [Options.Updates] replaces it keeps the last two versions. The folder has to be the same on each
// worker.
//
// The program is built as any that uses package runner (`tfrun env`), and libtensorflow is found
// as there: from TFRUN_LIBTENSORFLOW, in the program's folder, or in the cache.
package tfrunbeam

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/window"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
)

func init() {
	register.DoFn3x0[beam.X, beam.Y, func(beam.X, modelRow)](&rowsFn{})
	register.DoFn4x0[beam.X, beam.Y, func(*Update) bool, func(beam.X, modelRow)](&updatedRowsFn{})
	register.DoFn6x1[context.Context, beam.EventTime, beam.X, modelRow, func(beam.EventTime, beam.X, beam.Y), func(beam.EventTime, beam.X, Bad), error](&predictFn{})
	register.Emitter2[beam.X, modelRow]()
	register.Emitter3[beam.EventTime, beam.X, beam.Y]()
	register.Emitter3[beam.EventTime, beam.X, Bad]()
	register.Iter1[Update]()
}

// Options says how a model is loaded and run. The zero value works.
type Options struct {
	// Load says how the model is loaded. Functions and a Logger do not reach the workers.
	Load runner.Options
	// The options from here to Workers are those of [runner.PredictOptions].
	Signature string
	Outputs   []string
	Heads     []runner.Head
	BatchSize int
	MaxTokens int64
	PadTo     map[string]int64
	Limits    dataset.Limits
	Workers   int
	// Batching says which rows of a bundle share a batch; "" is [runner.Exact]: those of which each
	// gets the answer that it gets alone.
	Batching runner.Batching
	// Updates, if valid, are a PCollection of [Update], read as a side input. Of those that are in
	// a row's window, the one of the highest version runs the row.
	Updates beam.PCollection `json:"-"`
}

// Update names a model that takes the place of the one that [Predict] was given.
type Update struct {
	Version int64
	Model   string // its folder
}

// Bad is a row without a result.
type Bad struct {
	Row   string // as JSON, cut to 64 KiB; "" where the row cannot be written so
	Error string
}

// modelRow is a row on its way to its model.
type modelRow struct {
	Model string // "" is the one that Predict was given
	Row   []byte // as JSON, "" where Error says why not
	Error string
}

// Predict runs rows, a PCollection of KV<K, Row>, through the model in a folder. It returns
// KV<K, Result> and, of rows that do not fit the model or that it refuses, KV<K, [Bad]>.
//
// A Row is a struct with a field for each input of the signature, or a string or []byte that holds
// such a row as JSON. A Result is a struct with fields for outputs, as many as are wanted; or, of a
// model with one output, the value itself. A field is named by its tag, `beam:"name"`, or else as
// it is in Go; names of inputs and outputs that begin with a small letter need the tag. Values are
// numbers, bools, strings, []byte, and slices and arrays of these, converted where that loses
// nothing but the precision of floats on their way in (docs/values.md). An output of one value, of
// whatever shape, may go to a field that is no slice.
//
// Rows are in the global window from here on, with the event times that they had: window the
// results again where the windows matter. A model that keeps state between calls is refused, since
// rows have no order.
func Predict[Result any](s beam.Scope, model string, o Options, rows beam.PCollection) (results, bad beam.PCollection) {
	s = s.Scope("tfrunbeam.Predict")
	_, row := beam.ValidateKVType(rows)
	fields, err := namesOf(row.Type())
	options, err2 := json.Marshal(o)
	if err := errors.Join(err, err2); err != nil {
		panic(err) // as Beam does while a pipeline is built
	}
	fed := beam.PCollection{}
	if o.Updates.IsValid() {
		fed = beam.ParDo(s, &updatedRowsFn{}, rows, beam.SideInput{Input: o.Updates})
	} else {
		fed = beam.ParDo(s, &rowsFn{}, rows)
	}
	fed = beam.WindowInto(s, window.NewGlobalWindows(), fed)
	result := reflect.TypeFor[Result]()
	fn := &predictFn{Model: model, Options: string(options), Fields: fields, Result: beam.EncodedType{T: result}}
	return beam.ParDo2(s, fn, fed, beam.TypeDefinition{Var: beam.YType, T: result})
}

// rowsFn writes rows down as the model's input.
type rowsFn struct{}

// ProcessElement writes one row.
func (*rowsFn) ProcessElement(key beam.X, row beam.Y, emit func(beam.X, modelRow)) {
	emit(key, newModelRow("", row))
}

// updatedRowsFn does that and says which model is to run the row.
type updatedRowsFn struct{}

// ProcessElement writes one row.
func (*updatedRowsFn) ProcessElement(key beam.X, row beam.Y, updates func(*Update) bool, emit func(beam.X, modelRow)) {
	newest, found := Update{}, false
	for u := (Update{}); updates(&u); {
		if !found || u.Version > newest.Version || u.Version == newest.Version && u.Model > newest.Model {
			newest, found = u, true
		}
	}
	emit(key, newModelRow(newest.Model, row))
}

func newModelRow(model string, row any) modelRow {
	text, err := appendRow(nil, reflect.ValueOf(row))
	if err != nil {
		return modelRow{Model: model, Error: err.Error()}
	}
	return modelRow{Model: model, Row: text}
}
