package job

import (
	"bytes"
	"encoding/json"
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
	src, absent, lists, err := r.given(src, f)
	if err != nil {
		return nil, err
	}
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
	return src.filesFor(r.p).Rows(f, read).Map(r.spec, func(e dataset.Element) (dataset.Element, error) {
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
		for _, name := range absent {
			row.Tensors[r.spec.Index(name)] = r.sig.Defaults[name]
		}
		for _, name := range lists {
			if err := r.setSparse(row, name, e.Tensors[read.Index(name)]); err != nil {
				return row, err
			}
		}
		return row, nil
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

// given says which inputs the rows of a source leave to their defaults, and which sparse ones they
// hold as plain lists. The source that it returns reads inputs under the signature's own name where
// rows have that and not the model's.
func (r *reader) given(src Source, f source.Format) (_ Source, absent, lists []string, err error) {
	var optional []string
	for _, name := range r.sig.InputNames() {
		info := r.sig.Inputs[name]
		if _, has := r.sig.Defaults[name]; has || info.Sparse() || info.Key != "" {
			optional = append(optional, name)
		}
	}
	if len(optional) == 0 || f.Name == "npy" {
		return src, nil, nil, nil
	}
	src, found, err := r.peek(src, f, r.sig.InputNames())
	if err != nil || found.row == nil && found.names == nil {
		return src, nil, nil, err
	}
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
		case defaults && !has(keys[0]):
			absent = append(absent, name)
		case defaults || !info.Sparse():
		case has(keys[0]) && !bytes.HasPrefix(row[keys[0]], []byte("{")):
			lists = append(lists, name)
		case !object && found.names == nil && len(r.sig.Inputs) == 1:
			lists = append(lists, name) // the row is nothing but the list
		}
	}
	return src, absent, lists, nil
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
