package kept

import (
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tfrun/tfrun/dataset"
)

// Reader reads the values of an array of a type.
type Reader struct {
	null func(i int) bool
	// view returns a value in the array's own memory. nil: values have parts, and parts appends
	// them.
	view     func(i int) []byte
	parts    func(dst []byte, i int) ([]byte, error)
	maxBytes int
}

// Value returns value i, nil for null, possibly in the array's own memory. A value of more bytes
// than the reader allows is an error, see [TooLong].
func (r *Reader) Value(i int) (v []byte, err error) {
	switch {
	case r.null(i):
		return nil, nil
	case r.view != nil:
		v = r.view(i)
	default:
		v, err = r.parts([]byte{}, i)
	}
	if err == nil && len(v) > r.maxBytes {
		err = TooLong(r.maxBytes)
	}
	return v, err
}

// appendPart appends value i as a part of another one.
func (r *Reader) appendPart(dst []byte, i int) (_ []byte, err error) {
	at := len(dst)
	dst = Begin(dst)
	switch {
	case r.null(i):
		return dst, nil
	case r.view != nil:
		dst = append(dst, r.view(i)...)
	default:
		dst, err = r.parts(dst, i)
	}
	if err == nil && len(dst) > r.maxBytes {
		err = TooLong(r.maxBytes)
	}
	End(dst, at)
	return dst, err
}

// TooLong returns the error of a row whose kept values take more than the given number of bytes. A
// text in a dictionary may stand in each of them, so a file of a few kilobytes can hold terabytes.
func TooLong(most int) error {
	return dataset.KeptError(int64(most))
}

// Read returns a reader of an array of the type that t was made of, for values of at most so many
// bytes. A damaged array is an error here, or a panic later.
func (t *Type) Read(arr arrow.Array, most int) (*Reader, error) {
	switch a := arr.(type) {
	case array.ExtensionArray:
		return t.Read(a.Storage(), most)
	case *array.Dictionary:
		return t.readDictionary(a, most)
	case *array.RunEndEncoded:
		values, err := t.Read(a.Values(), most)
		if err != nil {
			return nil, err
		}
		return values.at(func(int) bool { return false }, a.GetPhysicalIndex), nil
	}
	r := &Reader{null: func(int) bool { return false }, maxBytes: most}
	if arr.NullN() > 0 {
		r.null = arr.IsNull
	}
	var err error
	switch t.form {
	case null:
		r.null = func(int) bool { return true }
	case bit:
		a, ok := arr.(*array.Boolean)
		if !ok {
			return nil, wrongArray(arr)
		}
		r.view = func(i int) []byte { return bits[b2i(a.Value(i))] }
	case fixed:
		r.view, err = t.readFixed(arr)
	case text:
		r.view, err = readText(arr)
	case list, vector, pairs:
		r.parts, err = t.readLists(arr, most)
	case group:
		r.parts, err = t.readGroup(arr, most)
	}
	return r, err
}

var bits = [2][]byte{{0}, {1}}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func wrongArray(arr arrow.Array) error { return fmt.Errorf("an array of type %s", arr.DataType()) }

// at returns a reader whose value i is value index(i) of r.
func (r *Reader) at(null func(int) bool, index func(int) int) *Reader {
	out := &Reader{null: func(i int) bool { return null(i) || r.null(index(i)) }, maxBytes: r.maxBytes}
	if r.view != nil {
		out.view = func(i int) []byte { return r.view(index(i)) }
	} else {
		out.parts = func(dst []byte, i int) ([]byte, error) { return r.parts(dst, index(i)) }
	}
	return out
}

func (t *Type) readDictionary(a *array.Dictionary, most int) (*Reader, error) {
	values, err := t.Read(a.Dictionary(), most)
	if err != nil {
		return nil, fmt.Errorf("dictionary: %w", err)
	}
	n := a.Dictionary().Len()
	for i := range a.Len() {
		if k := 0; !a.IsNull(i) {
			if k = a.GetValueIndex(i); k < 0 || k >= n {
				return nil, errors.New("an index beyond the dictionary")
			}
		}
	}
	return values.at(a.IsNull, a.GetValueIndex), nil
}

// readFixed reads values of one size.
func (t *Type) readFixed(arr arrow.Array) (func(int) []byte, error) {
	w, n := t.width, arr.Len()
	if n == 0 {
		return func(int) []byte { return nil }, nil
	}
	buffers := arr.Data().Buffers()
	if len(buffers) < 2 || buffers[1] == nil {
		return nil, errors.New("an array without values")
	}
	from := arr.Data().Offset()
	data := present(buffers[1].Bytes())
	if from < 0 || w > 0 && from+n > len(data)/w {
		return nil, errors.New("an array with fewer values than it says")
	}
	data = data[from*w : (from+n)*w : (from+n)*w]
	return func(i int) []byte { return data[i*w : (i+1)*w : (i+1)*w] }, nil
}

// present returns memory that is not nil, since nil is null: a value without bytes is not.
func present(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// readText reads strings or bytes.
func readText(arr arrow.Array) (func(int) []byte, error) {
	switch a := arr.(type) {
	case *array.StringView:
		return func(i int) []byte { return []byte(a.Value(i)) }, nil
	case *array.BinaryView:
		return func(i int) []byte { return present(a.Value(i)) }, nil
	case array.BinaryLike:
		buffers := arr.Data().Buffers()
		if len(buffers) < 3 || buffers[2] == nil {
			return func(int) []byte { return []byte{} }, nil
		}
		data := present(buffers[2].Bytes())
		return func(i int) []byte {
			lo := a.ValueOffset64(i)
			hi := lo + int64(a.ValueLen(i))
			return data[lo:hi:hi]
		}, nil
	}
	return nil, wrongArray(arr)
}

// readLists reads lists of any kind, and maps.
func (t *Type) readLists(arr arrow.Array, limit int) (func([]byte, int) ([]byte, error), error) {
	a, ok := arr.(array.ListLike)
	if !ok {
		return nil, wrongArray(arr)
	}
	items := make([]*Reader, len(t.parts))
	var err error
	if m, ok := arr.(*array.Map); ok {
		items[0], err = t.parts[0].Read(m.Keys(), limit)
		if err == nil {
			items[1], err = t.parts[1].Read(m.Items(), limit)
		}
	} else {
		items[0], err = t.parts[0].Read(a.ListValues(), limit)
	}
	entries := int64(a.ListValues().Len())
	return func(dst []byte, i int) (_ []byte, err error) {
		lo, hi := a.ValueOffsets(i)
		if lo < 0 || hi < lo || hi > entries {
			return dst, errors.New("lists that reach beyond their values")
		}
		for k := int(lo); k < int(hi); k++ {
			for _, r := range items {
				if dst, err = r.appendPart(dst, k); err != nil {
					return dst, err
				}
			}
		}
		return dst, nil
	}, err
}

// readGroup reads structures.
func (t *Type) readGroup(arr arrow.Array, most int) (func([]byte, int) ([]byte, error), error) {
	a, ok := arr.(*array.Struct)
	if !ok || a.NumField() != len(t.parts) {
		return nil, wrongArray(arr)
	}
	fields := make([]*Reader, len(t.parts))
	for k, p := range t.parts {
		var err error
		if fields[k], err = p.Read(a.Field(k), most); err != nil {
			return nil, err
		}
	}
	return func(dst []byte, i int) (_ []byte, err error) {
		for _, r := range fields {
			if dst, err = r.appendPart(dst, i); err != nil {
				return dst, err
			}
		}
		return dst, nil
	}, nil
}
