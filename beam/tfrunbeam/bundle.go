package tfrunbeam

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
)

const (
	mostHeld      = 16384    // rows of a bundle that wait to be run together
	mostHeldBytes = 32 << 20 // of their JSON
	mostShown     = 64 << 10 // bytes of a bad row
)

var badRows = beam.NewCounter("tfrun", "bad_rows")

// predictFn runs the rows of a bundle, those that came one after the other for one model together.
type predictFn struct {
	Model   string
	Options string   // an Options as JSON
	Fields  []string // of a row; nil where it is no struct
	Result  beam.EncodedType

	held  []heldRow
	bytes int
}

type heldRow struct {
	modelRow
	key beam.X
	at  beam.EventTime
}

// StartBundle forgets the rows of a bundle that has failed.
func (f *predictFn) StartBundle(func(beam.EventTime, beam.X, beam.Y), func(beam.EventTime, beam.X, Bad)) {
	f.held, f.bytes = f.held[:0], 0
}

// ProcessElement holds a row back, and runs all that are held where there are enough.
func (f *predictFn) ProcessElement(ctx context.Context, at beam.EventTime, key beam.X, row modelRow, emit func(beam.EventTime, beam.X, beam.Y), bad func(beam.EventTime, beam.X, Bad)) error {
	if row.Model == "" {
		row.Model = f.Model
	}
	if n := len(f.held); n > 0 && (n == mostHeld || f.bytes >= mostHeldBytes || f.held[0].Model != row.Model) {
		if err := f.FinishBundle(ctx, emit, bad); err != nil {
			return err
		}
	}
	f.held = append(f.held, heldRow{row, key, at})
	f.bytes += len(row.Row)
	return nil
}

// FinishBundle runs the rows that are held.
func (f *predictFn) FinishBundle(ctx context.Context, emit func(beam.EventTime, beam.X, beam.Y), bad func(beam.EventTime, beam.X, Bad)) error {
	if len(f.held) == 0 {
		return nil
	}
	held := f.held
	f.held, f.bytes = f.held[:0], 0
	m, err := models.use(ctx, held[0].Model, f.Options)
	if err != nil {
		return err
	}
	defer models.release(m)
	if err := m.checkFields(f.Fields); err != nil {
		return err
	}
	fill, err := filler(f.Result.T, m.predictor.OutputNames())
	if err != nil {
		return err
	}
	refuse := func(h heldRow, err error) {
		badRows.Inc(ctx, 1)
		bad(h.at, h.key, Bad{Row: string(h.Row[:min(len(h.Row), mostShown)]), Error: err.Error()})
	}
	rows := make([]dataset.Element, 0, len(held))
	from := make([]int, 0, len(held)) // of each row, where it is held
	for i, h := range held {
		row, err := m.parse(h.modelRow)
		if err != nil {
			refuse(h, err)
			continue
		}
		rows, from = append(rows, row), append(from, i)
	}
	for r, err := range m.predictor.Predict(ctx, dataset.FromElements(m.predictor.RowSpec(), rows...)) {
		if err != nil {
			return err
		}
		h := held[from[r.Row]]
		if r.Err != nil {
			refuse(h, cause(r.Err))
			continue
		}
		result := reflect.New(f.Result.T).Elem()
		if err := fill(result, r.Values); err != nil {
			return err
		}
		emit(h.at, h.key, result.Interface())
	}
	return nil
}

// checkFields makes sure that the fields of rows are the model's inputs.
func (m *model) checkFields(fields []string) error {
	inputs := m.predictor.RowSpec().Keys()
	for _, name := range fields {
		if !slices.Contains(inputs, name) {
			return fmt.Errorf("model %s: a field of rows: %w", m.folder, &runner.NameError{Kind: "input", Name: name, Have: inputs})
		}
	}
	for _, name := range inputs {
		if fields != nil && !slices.Contains(fields, name) {
			return fmt.Errorf("model %s: the fields of rows: %w", m.folder, &runner.NameError{Kind: "input", Name: name, Missing: true, Have: inputs})
		}
	}
	return nil
}

// cause takes numbers of rows out of an error: they count those of a bundle.
func cause(err error) error {
	var row *runner.RowError
	var batch *runner.BatchError
	switch {
	case errors.As(err, &row):
		return &runner.RowError{Row: -1, Input: row.Input, Value: row.Value, Err: row.Err}
	case errors.As(err, &batch):
		return batch.Err
	}
	return err
}

// parse makes a row of the model's.
func (m *model) parse(row modelRow) (dataset.Element, error) {
	if row.Error != "" {
		return dataset.Element{}, errors.New(row.Error)
	}
	return m.predictor.ParseRow(row.Row)
}
