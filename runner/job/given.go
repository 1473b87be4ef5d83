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

// Rows may leave out inputs, or have another form than the signature. An input with a default may
// be left out. A sparse input may be a plain list, of which each entry is a value, also a zero, as
// tf.io.VarLenFeature makes it. The columns of the file, or its first row, decide which form the
// rows have.

// givenRows reads the rows of a source in their own form, and converts them to the signature's.
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

// absentRows reads rows with keys of their own, without the inputs that the first row lacks: these
// take their defaults. A later row with a value for one of them is an error, since its value would
// be ignored.
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

// setDefaults adds the defaults of the named inputs to a row.
func (r *reader) setDefaults(row dataset.Element, names []string) {
	for _, name := range names {
		row.Tensors[r.spec.Index(name)] = r.sig.Defaults[name]
	}
}

// defaulted lists the inputs with a default. It is empty if all inputs have one.
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

// bare reads rows that are one value without a name, such as lines of text or an npy array. The
// value goes to the only input without a default.
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

// setSparse adds a sparse value to a row that holds all entries of a tensor.
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

// rowForm says in which form rows come.
type rowForm struct {
	absent []string // inputs that rows leave out
	lists  []string // sparse inputs that come as plain lists
	keyed  bool     // each row has keys of its own, and may differ from the first
}

// given finds out the form of the rows of a source. If rows have the signature's own name for an
// input instead of the model's, the source that it returns reads them under that name.
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
			g.lists = append(g.lists, name) // the row is nothing but this list
		}
	}
	return src, g, nil
}

// listSpec returns the spec of a sparse input that comes as a plain list.
func (r *reader) listSpec(name string) dataset.Spec {
	info := r.sig.Inputs[name]
	shape := info.Shape
	if !r.noBatch {
		shape = shape.Drop(1)
	}
	values := r.spec.Flatten()[r.spec.Index(name+"/values")]
	return dataset.Leaf(dataset.Component{DType: values.DType, Shape: shape})
}

// everyIndex returns the indices of all entries of a tensor, in their order: a matrix with one row
// for each.
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
