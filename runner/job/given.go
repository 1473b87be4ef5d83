package job

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner/job/internal/source"
	"github.com/tfrun/tfrun/tensor"
)

// Rows need not hold all that the signature takes, nor in its own form. An input that has a default
// may be left out, and a sparse input may be a plain list, all of whose entries are values, zeros
// too, as a tf.io.VarLenFeature makes of a list. Which it is, the columns or the first row say.

// givenRows reads the rows of a source in the form that they have, and brings them into that of the
// signature.
func (r *reader) givenRows(src Source, f source.Format) (*dataset.Dataset, error) {
	src, g, err := r.given(src, f)
	if err != nil {
		return nil, err
	}
	absent, lists := g.absent, g.lists
	if len(absent)+len(lists) == 0 {
		return src.filesFor(r.p).Rows(f, r.spec), nil
	}
	items := map[string]dataset.Spec{}
	for i, key := range r.spec.Keys() {
		switch {
		case slices.Contains(absent, key):
		case slices.Contains(lists, key):
			items[key] = r.listSpec(key)
		default:
			items[key] = r.spec.Items()[i]
		}
	}
	read := dataset.Dict(items)
	rows := src.filesFor(r.p).Rows(f, read)
	if g.keyed && len(absent) > 0 {
		rows = r.absentRows(src, f, read, absent)
	}
	return rows.Map(r.spec, func(e dataset.Element) (dataset.Element, error) {
		row := e
		row.Tensors, row.Splits = make([]tensor.Tensor, len(r.spec.Flatten())), nil
		for i, path := range r.spec.Paths() {
			if k := read.Index(path); k >= 0 {
				row.Tensors[i] = e.Tensors[k]
				if e.Splits != nil {
					row.Splits = append(row.Splits, make([][]tensor.Tensor, i+1-len(row.Splits))...)
					row.Splits[i] = e.Splits[k]
				}
			}
		}
		r.setDefaults(row, absent)
		for _, name := range lists {
			if err := r.setSparse(row, name, e.Tensors[read.Index(name)]); err != nil {
				return row, err
			}
		}
		return row, nil
	}), nil
}

// absentRows reads rows with keys of their own, without the inputs that are absent: left to their
// defaults, since the first row lacks them. A later row that has one is an error, which would
// otherwise get an answer for another value than its own.
func (r *reader) absentRows(src Source, f source.Format, read dataset.Spec, absent []string) *dataset.Dataset {
	in := src
	in.Keep = slices.Clone(src.Keep)
	for _, name := range absent {
		if !slices.Contains(in.Keep, name) {
			in.Keep = append(in.Keep, name)
		}
	}
	rows := in.filesFor(r.p).Rows(f, read).Check(func(e dataset.Element) (string, error) {
		for _, x := range e.Extra {
			if slices.Contains(absent, x.Key) {
				return x.Key, errors.New("the first row has no such value, so that all get the default; give the first row one too")
			}
		}
		return "", nil
	})
	return rows.Map(read, func(e dataset.Element) (dataset.Element, error) {
		e.Extra = kept(e.Extra, src.Keep)
		return e, nil
	})
}

// setDefaults gives a row the defaults of inputs.
func (r *reader) setDefaults(row dataset.Element, names []string) {
	for _, name := range names {
		row.Tensors[r.spec.Index(name)] = r.sig.Defaults[name]
	}
}

// defaulted lists the inputs that have a default, none where all of them have.
func (r *reader) defaulted() []string {
	var names []string
	for _, name := range r.sig.InputNames() {
		if _, ok := r.sig.Defaults[name]; ok {
			names = append(names, name)
		}
	}
	if len(names) == len(r.sig.Inputs) {
		return nil
	}
	return names
}

// bare reads rows that are one value without a name: lines of text, an array of npy. It goes to the
// only input that has no default.
func (r *reader) bare(read func(*reader) (*dataset.Dataset, error)) (*dataset.Dataset, error) {
	absent := r.defaulted()
	if len(absent) == 0 {
		return read(r)
	}
	inner := r.without(absent)
	rows, err := read(inner)
	if err != nil {
		return nil, err
	}
	return rows.Map(r.spec, func(e dataset.Element) (dataset.Element, error) {
		given := e.Tensors
		e.Tensors = make([]tensor.Tensor, len(r.spec.Flatten()))
		for i, path := range inner.spec.Paths() {
			e.Tensors[r.spec.Index(path)] = given[i]
		}
		r.setDefaults(e, absent)
		return e, nil
	}), nil
}

// setSparse makes a row's sparse value of all entries of a tensor.
func (r *reader) setSparse(row dataset.Element, name string, t tensor.Tensor) error {
	values, err := t.Reshape(int64(t.Len()))
	if err != nil {
		return err
	}
	indices, err := everyIndex(t.Dims())
	if err != nil {
		return err
	}
	row.Tensors[r.spec.Index(name+"/values")] = values
	row.Tensors[r.spec.Index(name+"/indices")] = indices
	row.Tensors[r.spec.Index(name+"/dense_shape")] = tensor.Vector(t.Dims()...)
	return nil
}

// rowForm is the form that rows have.
type rowForm struct {
	absent []string // inputs that they leave to their defaults
	lists  []string // sparse inputs that they hold as plain lists
	keyed  bool     // each row has keys of its own: a later one may have others than the first
}

// given says which form the rows of a source have. The source that it returns reads inputs under
// the signature's own name where rows have that and not the model's.
func (r *reader) given(src Source, f source.Format) (_ Source, g rowForm, err error) {
	var optional []string
	for _, name := range r.sig.InputNames() {
		info := r.sig.Inputs[name]
		if _, has := r.sig.Defaults[name]; has || info.Sparse() || info.Key != "" {
			optional = append(optional, name)
		}
	}
	if len(optional) == 0 || f.Name == "npy" {
		return src, g, nil
	}
	src, found, err := r.peek(src, f, r.sig.InputNames())
	if err != nil || found.row == nil && found.names == nil {
		return src, g, err
	}
	g.keyed = found.row != nil || !f.HasColumns() && len(found.names) > 0
	var row map[string]json.RawMessage
	object := json.Unmarshal(found.row, &row) == nil
	has := func(key string) bool {
		_, ok := row[key]
		return ok || found.names != nil && slices.Contains(found.names, matchColumns([]string{key}, found.names)[0])
	}
	for _, name := range optional {
		if key := r.sig.Inputs[name].Key; key != "" && src.Columns[name] == "" && !has(name) && has(key) {
			src.Columns = maps.Clone(src.Columns)
			if src.Columns == nil {
				src.Columns = map[string]string{}
			}
			src.Columns[name] = key
		}
	}
	columns := src.files().ColumnLists()
	for _, name := range optional {
		keys := columns[name]
		if len(keys) == 0 {
			keys = []string{name}
		}
		_, defaults := r.sig.Defaults[name]
		switch info := r.sig.Inputs[name]; {
		case defaults && src.Columns[name] == "" && !has(name):
			g.absent = append(g.absent, name)
		case defaults || !info.Sparse():
		case has(keys[0]) && !bytes.HasPrefix(row[keys[0]], []byte("{")):
			g.lists = append(g.lists, name)
		case !object && found.names == nil && len(r.sig.Inputs) == 1:
			g.lists = append(g.lists, name) // the row is nothing but the list
		}
	}
	return src, g, nil
}

// listSpec is the form of a sparse input that is given as a plain list.
func (r *reader) listSpec(name string) dataset.Spec {
	info := r.sig.Inputs[name]
	shape := info.Shape
	if !r.noBatch {
		shape = shape.Drop(1)
	}
	values := r.spec.Flatten()[r.spec.Index(name+"/values")]
	return dataset.Leaf(dataset.Component{DType: values.DType, Shape: shape})
}

// everyIndex lists the places of all entries of a tensor, in their order: one row of a matrix each.
func everyIndex(dims []int64) (tensor.Tensor, error) {
	n, _ := tensor.NumElements(dims)
	list := make([]int64, 0, n*int64(len(dims)))
	for i := range n {
		list = append(list, make([]int64, len(dims))...)
		for axis, rest := len(dims)-1, i; axis >= 0; axis-- {
			list[len(list)-len(dims)+axis] = rest % dims[axis]
			rest /= dims[axis]
		}
	}
	return tensor.FromSlice(list, n, int64(len(dims)))
}
