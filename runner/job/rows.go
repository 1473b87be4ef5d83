package job

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job/internal/source"
	"github.com/tfrun/tfrun/tensor"
)

// Rows returns the rows of the source in the form of the predictor's signature. An error of the
// source itself is returned: *[runner.OptionError] and *[runner.NameError]. An error of a row comes
// with the iteration, as a *[dataset.SyntaxError].
func (src Source) Rows(p *runner.Predictor) (*dataset.Dataset, error) {
	sig := p.Function().Signature()
	if len(src.Files) == 0 && len(sig.Inputs) == 0 {
		// A signature without inputs has a single answer.
		return dataset.FromElements(p.RowSpec(), dataset.Element{}), nil
	}
	format, err := src.files().Find()
	if err != nil {
		return nil, err
	}
	r := newReader(p)
	for name := range src.Columns {
		if _, ok := sig.Inputs[name]; !ok && !r.hasFeature(name) {
			return nil, &runner.NameError{Kind: "input", Name: name, Have: append(sig.InputNames(), r.featureNames()...)}
		}
	}
	for _, name := range sig.InputNames() {
		_, given := r.sig.Inputs[name]
		_, null := src.Nulls[name]
		switch {
		case !given && src.Columns[name] != "":
			return nil, &runner.OptionError{Option: "Columns", Msg: fmt.Sprintf("input %q is set for all rows, or made of their lengths: it is read from no column", name)}
		case !given && null:
			return nil, &runner.OptionError{Option: "Nulls", Msg: fmt.Sprintf("input %q is set for all rows, or made of their lengths: it has no values that are missing", name)}
		}
	}
	if src.Encoder != nil && r.noBatch {
		return nil, &runner.OptionError{Option: "Encoder, NoBatch", Msg: "text is encoded row by row, whole tensors hold ids already"}
	}
	rows, src, err := r.exampleRows(src, format)
	switch {
	case rows != nil || err != nil:
	case format.Name == source.Text:
		rows, err = r.bare(func(r *reader) (*dataset.Dataset, error) { return r.textRows(src) })
	case format.Name == "npy":
		rows, err = r.bare(func(r *reader) (*dataset.Dataset, error) { return r.columnRows(src, format) })
	default:
		rows, err = r.columnRows(src, format)
	}
	if err != nil {
		return nil, err
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return p.Complete(rows), nil
}

// textRows reads lines of text for the signature's only input.
func (r *reader) textRows(src Source) (*dataset.Dataset, error) {
	if len(src.Keep) > 0 {
		return nil, &runner.OptionError{Option: "Keep", Msg: "lines of text have no columns to keep"}
	}
	names := r.sig.InputNames()
	if len(names) != 1 {
		return nil, &runner.OptionError{Option: "Format", Msg: fmt.Sprintf("lines of text feed one input, the signature has %d: %s", len(names), strings.Join(names, ", "))}
	}
	lines := src.filesFor(r.p).TextLines()
	rows, err := r.convertText(lines, 0, src.Encoder)
	if feed := new(runner.FeedError); src.Encoder == nil && errors.As(err, &feed) {
		err = &textError{feed}
	}
	return rows, err
}

// textError says that lines of text do not fit an input.
type textError struct{ feed *runner.FeedError }

// Error says what the input takes.
func (e *textError) Error() string {
	return fmt.Sprintf("input %q: lines of text are strings, it takes %s %s", e.feed.Input, e.feed.WantDType, e.feed.WantShape)
}

// Unwrap returns the error of the input.
func (e *textError) Unwrap() error { return e.feed }

// Hints returns what else a .txt file may be.
func (e *textError) Hints() []string {
	return []string{"make ids of the text: --vocab FILE", "or say what the file is: --input-format csv, tsv or jsonl"}
}

// columnRows reads rows with a column, or a key, for each input.
func (r *reader) columnRows(src Source, f source.Format) (*dataset.Dataset, error) {
	if src.Encoder == nil {
		return r.givenRows(src, f)
	}
	input, err := src.textInput(r.sig)
	if err != nil {
		return nil, err
	}
	if src.Text != "" {
		src.Columns = maps.Clone(src.Columns)
		if src.Columns == nil {
			src.Columns = map[string]string{}
		}
		src.Columns[input] = src.Text
	}
	items := map[string]dataset.Spec{}
	for i, key := range r.spec.Keys() {
		items[key] = r.spec.Items()[i]
	}
	items[input] = dataset.TensorSpec(tensor.String)
	texts := *r
	texts.spec = dataset.Dict(items)
	rows, err := texts.givenRows(src, f)
	if err != nil {
		return nil, err
	}
	return r.convertText(rows, texts.spec.Index(input), src.Encoder)
}
