package tfrecord

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/jsontext"
	"github.com/tfrun/tfrun/dataset/internal/kept"
	"github.com/tfrun/tfrun/tensor"
)

// keptLists maps the type of a kept feature with one value to its type with several values, or
// none.
var keptLists = map[*kept.Type]*kept.Type{}

func init() {
	for _, t := range []*kept.Type{kept.Int64, kept.Float32, kept.Text, kept.Binary} {
		keptLists[t] = kept.ListOf(t)
	}
}

// keptField is the kept value of a feature: its type, and the place of its encoding in the job's
// text.
type keptField struct {
	has bool
	t   *kept.Type // nil for a feature without a kind, which is null
	span
}

// field returns the value as a field.
func (k *keptField) field(key string, text []byte) dataset.Field {
	switch {
	case k.t == nil:
		return dataset.Field{Key: key, Value: []byte("null")}
	case k.lo == k.hi:
		// An empty value is not null, which would be nil.
		return dataset.Field{Key: key, Type: k.t, Value: []byte{}}
	}
	return dataset.Field{Key: key, Type: k.t, Value: text[k.lo:k.hi:k.hi]}
}

// keep returns the value of a feature and its type: int64, float32, string, or binary where a value
// is not UTF-8; for a feature with several values or none, a list of one of these. A feature
// without a kind has no type.
func (j *job) keep(value []byte) (t *kept.Type, v []byte, err error) {
	k, data, err := feature(value)
	if err != nil || k == noValues {
		return nil, nil, err
	}
	var items [][]byte
	switch k {
	case bytesList:
		items, err = appendStrings(nil, data)
		t = kept.Text
		for _, s := range items {
			if !utf8.Valid(s) {
				t = kept.Binary
			}
		}
	case floatList:
		j.floats, err = appendFloats(j.floats[:0], data)
		t = kept.Float32
		for _, f := range j.floats {
			items = append(items, binary.LittleEndian.AppendUint32(nil, math.Float32bits(f)))
		}
	default:
		j.ints, err = appendInts(j.ints[:0], data)
		t = kept.Int64
		for _, n := range j.ints {
			items = append(items, binary.LittleEndian.AppendUint64(nil, uint64(n))) //nolint:gosec // the bits are meant
		}
	}
	if len(items) == 1 {
		return t, append([]byte{}, items[0]...), err
	}
	v = []byte{}
	for _, item := range items {
		v = kept.AppendPart(v, item)
	}
	return keptLists[t], v, err
}

// keepSteps is [job.keep] for a list of features: the value is a list with one entry for each step.
func (j *job) keepSteps(value []byte) (t *kept.Type, v []byte, err error) {
	var steps []dataset.Field
	err = eachField(value, func(_ uint64, _ byte, data []byte) error {
		own, step, err := j.keep(data)
		if own != nil {
			t = kept.Join(t, own)
		}
		f := dataset.Field{Value: step}
		if own != nil {
			f.Type = own
		}
		steps = append(steps, f)
		return err
	})
	if err != nil || t == nil {
		return nil, nil, err
	}
	v = []byte{}
	for _, f := range steps {
		item, err := t.Take(f)
		if err != nil {
			return nil, nil, err
		}
		v = kept.AppendPart(v, item)
	}
	return kept.ListOf(t), v, nil
}

// setKept keeps the value of a feature, or of a list of features, for the last row.
func (j *job) setKept(k int, value []byte, list bool) (path, msg string) {
	read := j.keep
	if list {
		read = j.keepSteps
	}
	t, v, err := read(value)
	if err != nil {
		return j.p.keep[k], err.Error()
	}
	lo := len(j.text)
	j.text = append(j.text, v...)
	j.kept[len(j.kept)-len(j.p.keep)+k] = keptField{has: true, t: t, span: span{lo, len(j.text)}}
	return "", ""
}

// keptValue returns a kept value as a feature can hold it: integers and booleans as int64, floats
// as float32, strings and bytes as they are, and lists of these as several values. Any other value
// becomes text with all its digits: integers beyond int64, columns of uint64, floats beyond
// float32, decimals, dates, structures. ok is false for null.
func keptValue(f dataset.Field) (t tensor.Tensor, ok bool) {
	own, typed := f.Type.(*kept.Type)
	if typed && f.Value == nil {
		return t, false
	}
	if typed {
		if t, ok = featureOf(own, f.Value); ok {
			return t, true
		}
	}
	text := f.AppendJSON(nil)
	kind := jsontext.KindOf(text)
	switch {
	case kind == jsontext.Null:
		return t, false
	case typed: // of a type that features do not have
	case kind == jsontext.Bool:
		return tensor.Vector(string(text) == "true"), true
	case kind == jsontext.Int:
		v, _ := jsontext.AsInt(text)
		return tensor.Vector(v), true
	case kind == jsontext.Float && !isWhole(text):
		if v, _ := jsontext.AsFloat(text); fits(v) {
			return tensor.Vector(float32(v)), true
		}
	}
	return tensor.Vector(string(jsontext.AsText(text))), true
}

// fits reports whether float32 has a finite value near v, or v is infinite itself.
func fits(v float64) bool { return math.IsInf(v, 0) || !math.IsInf(float64(float32(v)), 0) }

// isWhole reports whether a number is written in digits alone.
func isWhole(text []byte) bool {
	return bytes.IndexFunc(bytes.TrimPrefix(text, []byte("-")), func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// featureOf returns a value of a type that features can hold. ok is false for other types, and for
// a list that holds a null.
func featureOf(own *kept.Type, v []byte) (t tensor.Tensor, ok bool) {
	items := [][]byte{v}
	if _, list := own.Written().Type.(arrow.ListLikeType); list && len(own.Parts()) == 1 {
		own, items = own.Parts()[0], nil
		for len(v) > 0 {
			var item []byte
			if item, v = kept.Next(v); item == nil {
				return t, false
			}
			items = append(items, item)
		}
	}
	switch own.Written().Type.ID() {
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64:
		return tensor.Vector(each(items, kept.Signed)...), true
	case arrow.BOOL, arrow.UINT8, arrow.UINT16, arrow.UINT32:
		return tensor.Vector(each(items, func(b []byte) int64 { return kept.Signed(append(slices.Clone(b), 0)) })...), true
	case arrow.FLOAT32:
		return tensor.Vector(each(items, func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) })...), true
	case arrow.FLOAT64:
		ok = true
		values := each(items, func(b []byte) float32 {
			v := math.Float64frombits(binary.LittleEndian.Uint64(b))
			ok = ok && fits(v)
			return float32(v)
		})
		return tensor.Vector(values...), ok
	case arrow.STRING, arrow.LARGE_STRING, arrow.STRING_VIEW, arrow.BINARY, arrow.LARGE_BINARY, arrow.BINARY_VIEW:
		return tensor.Vector(each(items, func(b []byte) string { return string(b) })...), true
	}
	return t, false
}

// each returns f of each item.
func each[T any](items [][]byte, f func([]byte) T) []T {
	out := make([]T, len(items))
	for i, item := range items {
		out[i] = f(item)
	}
	return out
}
