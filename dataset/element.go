package dataset

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/tfrun/tfrun/dataset/internal/jsontext"
	"github.com/tfrun/tfrun/tensor"
)

// Element is one item of a dataset: its components in the order of [Nest.Flatten], and where it
// came from.
//
// Whether an element may be kept depends on how it was obtained, see the package's section on
// ownership; [Element.Clone] always may.
type Element struct {
	// Tensors holds one tensor per component. A ragged component has its flat values here.
	Tensors []tensor.Tensor
	// Splits holds the nested row splits of each ragged component, outermost first, each an int64
	// or int32 vector. It is nil when no component is ragged, as is the entry of a dense component.
	Splits [][]tensor.Tensor
	// Row is the element's number in its source, counted from 0; for a batch, the number of its
	// first row.
	Row int64
	// Rows holds, for a batch, the numbers of its rows. It is nil for a single row.
	Rows []int64
	// Extra holds what the source kept beside the components, see [JSONLOptions].
	Extra []Field
	// Place says where the row stands in the files of its source. It is zero where the row comes
	// from no file.
	Place Place
}

// Place says where a row stands: in which file, and there in which line, or, in a file that has no
// lines, as which row.
type Place struct {
	File string
	Line int64 // from 1; 0 in a file that has no lines
	Row  int64 // from 1, within a file that has no lines
}

// String writes the place as errors have it: "rows.jsonl:17", "rows.parquet: row 17".
func (p Place) String() string {
	if p.Line > 0 {
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s: row %d", p.File, p.Row)
}

// Syntax returns the error of a row whose field cannot be read, for the reason that err gives: with
// the row's place, or its number where it comes from no file, and a copy of its kept columns.
func (e Element) Syntax(field string, err error) *SyntaxError {
	s := &SyntaxError{
		File: e.Place.File, Line: e.Place.Line, FileRow: e.Place.Row, Row: e.Row,
		Field: field, Msg: err.Error(), Err: err, Extra: e.Clone().Extra,
	}
	if s.File == "" {
		s.FileRow = e.Row + 1
	}
	return s
}

// Field is a value that a source keeps beside the components: a key of a JSON row, or a column.
type Field struct {
	Key string
	// Type is the type of the value in the source's file. It is nil where files have no types, as
	// JSON and CSV.
	Type FieldType
	// Value is JSON text where Type is nil. With a Type it is the value in the encoding of that
	// type, nil for null.
	Value []byte
}

// FieldType is the type of kept values in a file that has types. The writers of this project's
// formats write such values in the types that its readers found, among them decimals, dates and
// structures.
type FieldType interface {
	// String is the type in the words of Apache Arrow: "decimal(10, 2)".
	String() string
	// AppendJSON appends a value as JSON: integers and decimals with all their digits, dates and
	// times as ISO 8601 has them, bytes that are not UTF-8 as {"b64": "…"}.
	AppendJSON(dst, value []byte) []byte
}

// Clone returns a copy with memory of its own.
func (f Field) Clone() Field { return Field{Key: f.Key, Type: f.Type, Value: bytes.Clone(f.Value)} }

// AppendJSON appends the field's value as JSON. Null is null.
func (f Field) AppendJSON(dst []byte) []byte {
	if f.Type == nil {
		return jsontext.AppendText(dst, f.Value)
	}
	return f.Type.AppendJSON(dst, f.Value)
}

// Ragged is a ragged tensor as tf.RaggedTensor holds it: flat values and nested row splits,
// outermost first.
type Ragged struct {
	Values tensor.Tensor
	Splits []tensor.Tensor
}

// Ragged returns component i as a ragged tensor; ok is false when it is dense.
func (e Element) Ragged(i int) (r Ragged, ok bool) {
	if e.Splits == nil || e.Splits[i] == nil {
		return Ragged{}, false
	}
	return Ragged{Values: e.Tensors[i], Splits: e.Splits[i]}, true
}

// AppendShapes appends a key to dst: elements of one spec have the same key if, and only if, their
// components have the same shapes, those of ragged ones with all row splits.
func (e Element) AppendShapes(dst []byte) []byte {
	for i, t := range e.Tensors {
		dst = binary.AppendUvarint(dst, uint64(t.Rank()))
		for _, d := range t.Dims() {
			dst = binary.AppendUvarint(dst, uint64(d))
		}
		if e.Splits == nil {
			continue
		}
		for _, s := range e.Splits[i] {
			dst = binary.AppendUvarint(dst, uint64(s.Len()))
			dst = append(dst, s.Bytes()...)
		}
	}
	return dst
}

// Size returns roughly how many bytes of memory the element takes, Extra included.
func (e Element) Size() int {
	n := 0
	for _, t := range e.Tensors {
		if t.DType() == tensor.String {
			for _, text := range t.Strings() {
				n += len(text)
			}
			continue
		}
		n += len(t.Bytes())
	}
	for _, f := range e.Extra {
		n += len(f.Value)
	}
	return n
}

// Clone returns a copy that shares no memory with e and stays valid whatever the iterator does.
func (e Element) Clone() Element {
	c := Element{Row: e.Row, Place: e.Place, Rows: slices.Clone(e.Rows), Tensors: make([]tensor.Tensor, len(e.Tensors))}
	for i, t := range e.Tensors {
		c.Tensors[i] = cloneTensor(t)
	}
	if e.Splits != nil {
		c.Splits = make([][]tensor.Tensor, len(e.Splits))
	}
	for i, splits := range e.Splits {
		for _, s := range splits {
			c.Splits[i] = append(c.Splits[i], cloneTensor(s))
		}
	}
	for _, f := range e.Extra {
		c.Extra = append(c.Extra, f.Clone())
	}
	return c
}

func cloneTensor(t tensor.Tensor) tensor.Tensor {
	var c tensor.Tensor
	if t.DType() == tensor.String {
		c, _ = tensor.ShareSlice(slices.Clone(t.Strings()), slices.Clone(t.Dims()))
	} else {
		c, _ = tensor.Share(t.DType(), slices.Clone(t.Bytes()), slices.Clone(t.Dims()))
	}
	return c
}

// set makes e a shallow copy of src, keeping e's own Tensors slice. The tensors' values stay
// shared.
func (e *Element) set(src *Element) {
	tensors := append(e.Tensors[:0], src.Tensors...)
	*e = *src
	e.Tensors = tensors
}

// reset empties e for a new row, keeping its Tensors slice.
func (e *Element) reset(row int64) {
	e.Tensors = e.Tensors[:0]
	e.Splits, e.Rows, e.Extra, e.Row, e.Place = nil, nil, nil, row, Place{}
}
