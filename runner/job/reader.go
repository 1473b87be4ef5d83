package job

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// reader reads rows of files, in the form that a predictor completes.
type reader struct {
	p       *runner.Predictor
	sig     *savedmodel.Signature // with only those inputs that rows give
	spec    dataset.Spec          // of the rows
	limits  dataset.Limits
	noBatch bool
}

func newReader(p *runner.Predictor) *reader {
	o := p.Options()
	r := &reader{p: p, sig: p.Function().Signature(), spec: p.GivenSpec(), limits: o.Limits, noBatch: o.NoBatch}
	var made []string
	for _, name := range r.sig.InputNames() {
		if !slices.Contains(r.spec.Keys(), name) {
			made = append(made, name)
		}
	}
	return r.without(made)
}

// without returns a reader of rows that lack some inputs.
func (r *reader) without(names []string) *reader {
	if len(names) == 0 {
		return r
	}
	inner := *r
	sig := *r.sig
	sig.Inputs = maps.Clone(sig.Inputs)
	items := map[string]dataset.Spec{}
	for i, key := range r.spec.Keys() {
		items[key] = r.spec.Items()[i]
	}
	for _, name := range names {
		delete(sig.Inputs, name)
		delete(items, name)
	}
	inner.sig, inner.spec = &sig, dataset.Dict(items)
	return &inner
}

// textInput returns the input for encoded text: the one that is mapped to the column, or the only
// one that rows must have.
func (src Source) textInput(sig *savedmodel.Signature) (string, error) {
	names := sig.InputNames()
	for _, name := range names {
		if src.Text != "" && (src.Columns[name] == src.Text || src.Columns[name] == "" && name == src.Text) {
			return name, nil
		}
	}
	needed := slices.DeleteFunc(slices.Clone(names), func(name string) bool { _, has := sig.Defaults[name]; return has })
	switch {
	case len(names) == 1:
		return names[0], nil
	case len(needed) == 1:
		return needed[0], nil
	}
	return "", &runner.OptionError{Option: "Text", Msg: fmt.Sprintf("say which input column %q feeds: one of %s", src.Text, strings.Join(names, ", "))}
}

// convertText turns component c of the rows, a text, into the input's form: ids, or the text in the
// input's shape.
func (r *reader) convertText(rows *dataset.Dataset, c int, encoder TextEncoder) (*dataset.Dataset, error) {
	want := r.spec.Flatten()[c]
	name := r.spec.Paths()[c]
	dims, one := oneElement(want.Shape)
	var convert func(string) (tensor.Tensor, error)
	switch {
	case encoder != nil:
		if _, err := ids(nil, want.DType); err != nil {
			return nil, fmt.Errorf("input %q: %w", name, err)
		}
		if !want.Shape.Admits([]int64{tensor.Unknown}) {
			return nil, &runner.FeedError{Input: name, WantDType: want.DType, WantShape: want.Shape, GotDType: want.DType, GotShape: tensor.MakeShape(tensor.Unknown)}
		}
		convert = func(s string) (tensor.Tensor, error) { return ids(encoder.Encode(s), want.DType) }
		rows = rows.Check(func(e dataset.Element) (string, error) {
			return name, checkText(e.Tensors[c].Strings()[0], r.limits.Length)
		})
	case want.DType != tensor.String || !one:
		return nil, &runner.FeedError{Input: name, WantDType: want.DType, WantShape: want.Shape, GotDType: tensor.String, GotShape: tensor.MakeShape()}
	default:
		convert = func(s string) (tensor.Tensor, error) { return tensor.FromSlice([]string{s}, dims...) }
	}
	return rows.Map(r.spec, func(e dataset.Element) (dataset.Element, error) {
		t, err := convert(e.Tensors[c].Strings()[0])
		e.Tensors = slices.Clone(e.Tensors)
		e.Tensors[c] = t
		return e, err
	}), nil
}

// idBytes is how many bytes of text an id may stand for on average. For English it is about four.
const idBytes = 32

// checkText refuses a text that would certainly become more than so many ids, before it is encoded.
func checkText(text string, most int64) error {
	if n := int64(len(text)); n > 0 && (n-1)/idBytes >= most {
		return &dataset.LimitError{Limit: dataset.LimitLength, Msg: fmt.Sprintf("a text of %d bytes would become more than %d ids", n, most)}
	}
	return nil
}

// oneElement returns sizes of one value that fit the shape.
func oneElement(s tensor.Shape) ([]int64, bool) {
	dims := slices.Repeat([]int64{1}, len(s.Dims()))
	return dims, s.Admits(dims)
}

// ids returns a vector of ids in the dtype of an input: an integer, or a float, for models that
// cast themselves.
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
