package runner

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner/internal/source"
	"github.com/tfrun/tfrun/tensor"
)

// files is the source as package source knows it.
func (src Source) files() source.Source {
	return source.Source{Files: src.Files, Stdin: src.Stdin, Format: src.Format, Columns: src.Columns, Keep: src.Keep, Nulls: src.Nulls, CSV: src.CSV, Read: src.read}
}

// files is the source within the predictor's limits.
func (p *Predictor) files(src Source) source.Source {
	in := src.files()
	in.Limits, in.BlockBytes = p.o.Limits, p.blockBytes()
	in.Envelope = func(key string, value []byte) error {
		var name string
		if key != "signature_name" || json.Unmarshal(value, &name) != nil || name == p.f.signature.Name {
			return nil
		}
		return &RequestError{Signature: name, Run: p.f.signature.Name}
	}
	return in
}

// TextEncoder turns a text into ids.
type TextEncoder interface {
	Encode(text string) []int64
}

// Rows returns the rows of a source as the signature takes them. What is wrong with the source
// itself is an error here: *[OptionError] and *[NameError]. What is wrong with a row comes with the
// iteration, as a *[dataset.SyntaxError].
func (p *Predictor) Rows(src Source) (*dataset.Dataset, error) {
	if len(src.Files) == 0 && len(p.f.signature.Inputs) == 0 {
		return dataset.FromElements(p.spec, dataset.Element{}), nil // the one answer there is
	}
	format, err := src.files().Find()
	if err != nil {
		return nil, err
	}
	for name := range src.Columns {
		if _, ok := p.f.signature.Inputs[name]; !ok && !p.hasFeature(name) {
			return nil, &NameError{Kind: "input", Name: name, Have: append(p.f.signature.InputNames(), p.featureNames()...)}
		}
	}
	if src.Encoder != nil && p.o.NoBatch {
		return nil, &OptionError{Option: "Encoder, NoBatch", Msg: "text is encoded row by row, whole tensors hold ids already"}
	}
	q := p.reader()
	rows, src, err := q.exampleRows(src, format)
	switch {
	case rows != nil || err != nil:
	case format.Name == source.Text:
		rows, err = q.textRows(src)
	default:
		rows, err = q.columnRows(src, format)
	}
	if err != nil {
		return nil, err
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return p.padTo(p.limited(p.sequenced(q, rows))), nil
}

// textRows reads a text a line, for the only input of the signature.
func (p *Predictor) textRows(src Source) (*dataset.Dataset, error) {
	if len(src.Keep) > 0 {
		return nil, &OptionError{Option: "Keep", Msg: "lines of text have no columns to keep"}
	}
	names := p.f.signature.InputNames()
	if len(names) != 1 {
		return nil, &OptionError{Option: "Format", Msg: fmt.Sprintf("lines of text feed one input, the signature has %d: %s", len(names), strings.Join(names, ", "))}
	}
	lines := p.files(src).TextLines()
	return p.convertText(lines, 0, src.Encoder)
}

// columnRows reads rows that have a column, or a key, for each input.
func (p *Predictor) columnRows(src Source, f source.Format) (*dataset.Dataset, error) {
	if src.Encoder == nil {
		return p.givenRows(src, f)
	}
	input, err := p.textInput(src)
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
	for i, key := range p.spec.Keys() {
		items[key] = p.spec.Items()[i]
	}
	items[input] = dataset.TensorSpec(tensor.String)
	read := dataset.Dict(items)
	return p.convertText(p.files(src).Rows(f, read), read.Index(input), src.Encoder)
}

// textInput returns the input that encoded text goes to: the one that is mapped to the column, or
// the only one.
func (p *Predictor) textInput(src Source) (string, error) {
	names := p.f.signature.InputNames()
	for _, name := range names {
		if src.Text != "" && (src.Columns[name] == src.Text || src.Columns[name] == "" && name == src.Text) {
			return name, nil
		}
	}
	if len(names) == 1 {
		return names[0], nil
	}
	return "", &OptionError{Option: "Text", Msg: fmt.Sprintf("say which input column %q feeds: one of %s", src.Text, strings.Join(names, ", "))}
}

// convertText turns component c of the rows, a text, into what the input takes: ids, or the text in
// the input's shape.
func (p *Predictor) convertText(rows *dataset.Dataset, c int, encoder TextEncoder) (*dataset.Dataset, error) {
	want := p.spec.Flatten()[c]
	name := p.spec.Paths()[c]
	var convert func(string) (tensor.Tensor, error)
	switch {
	case encoder != nil:
		if !want.Shape.Admits([]int64{tensor.Unknown}) {
			return nil, &FeedError{Input: name, WantDType: want.DType, WantShape: want.Shape, GotDType: want.DType, GotShape: tensor.MakeShape(tensor.Unknown)}
		}
		if _, err := ids(nil, want.DType); err != nil {
			return nil, fmt.Errorf("input %q: %w", name, err)
		}
		convert = func(s string) (tensor.Tensor, error) { return ids(encoder.Encode(s), want.DType) }
		rows = rows.Check(func(e dataset.Element) (string, error) { return name, p.checkText(e.Tensors[c].Strings()) })
	case want.DType != tensor.String:
		return nil, &FeedError{Input: name, WantDType: want.DType, WantShape: want.Shape, GotDType: tensor.String, GotShape: tensor.MakeShape()}
	default:
		dims, ok := oneElement(want.Shape)
		if !ok {
			return nil, &FeedError{Input: name, WantDType: want.DType, WantShape: want.Shape, GotDType: tensor.String, GotShape: tensor.MakeShape()}
		}
		convert = func(s string) (tensor.Tensor, error) { return tensor.FromSlice([]string{s}, dims...) }
	}
	return rows.Map(p.spec, func(e dataset.Element) (dataset.Element, error) {
		t, err := convert(e.Tensors[c].Strings()[0])
		e.Tensors = slices.Clone(e.Tensors)
		e.Tensors[c] = t
		return e, err
	}), nil
}

// oneElement returns sizes that hold one value and fit the shape.
func oneElement(s tensor.Shape) ([]int64, bool) {
	dims := s.Dims()
	for i, d := range dims {
		if d == tensor.Unknown {
			dims[i] = 1
		} else if d != 1 {
			return nil, false
		}
	}
	return append([]int64{}, dims...), true
}

// ids returns a vector of ids in the dtype of an input: an integer, or a float as models that cast
// for themselves take them.
func ids(v []int64, dtype tensor.DType) (tensor.Tensor, error) {
	switch dtype {
	case tensor.Int64:
		return tensor.Vector(v...), nil
	case tensor.Int32:
		return idsAs[int32](v), nil
	case tensor.Float32:
		return idsAs[float32](v), nil
	case tensor.Float64:
		return idsAs[float64](v), nil
	}
	return tensor.Tensor{}, fmt.Errorf("ids of text are integers or floats of at least 32 bits, not %s", dtype)
}

func idsAs[T int32 | float32 | float64](v []int64) tensor.Tensor {
	out := make([]T, len(v))
	for i, x := range v {
		out[i] = T(x)
	}
	return tensor.Vector(out...)
}

// padTo extends rows to the least sizes that PadTo asks for.
func (p *Predictor) padTo(rows *dataset.Dataset) *dataset.Dataset {
	if len(p.o.PadTo) == 0 {
		return rows
	}
	least := map[int]int64{} // by component
	for name, n := range p.o.PadTo {
		if c := p.spec.Index(name); c >= 0 {
			least[c] = n
		}
	}
	return rows.Map(p.spec, func(e dataset.Element) (dataset.Element, error) {
		e.Tensors = slices.Clone(e.Tensors)
		for c, n := range least {
			t, err := extend(e.Tensors[c], n, p.o.Pad[p.spec.Paths()[c]])
			if err != nil {
				return e, fmt.Errorf("input %q: %w", p.spec.Paths()[c], err)
			}
			e.Tensors[c] = t
		}
		return e, nil
	})
}

// extend returns t with its first axis padded to n entries, or t itself where it has as many:
// pad_to_size.
func extend(t tensor.Tensor, n int64, pad tensor.Tensor) (tensor.Tensor, error) {
	if t.Rank() == 0 || t.Dims()[0] >= n {
		return t, nil
	}
	dims := slices.Clone(t.Dims())
	dims[0] = n
	out, err := tensor.New(t.DType(), dims...)
	if err != nil {
		return out, err
	}
	copy(out.Strings(), t.Strings())
	have := copy(out.Bytes(), t.Bytes())
	for i := t.Len(); i < out.Len() && pad.Len() == 1; i++ {
		if t.DType() == tensor.String {
			out.Strings()[i] = pad.Strings()[0]
		} else {
			have += copy(out.Bytes()[have:], pad.Bytes())
		}
	}
	return out, nil
}
