package tfrecord

import (
	"encoding/binary"
	"math"
	"unicode/utf8"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/kept"
)

// keptLists are the types of kept features that hold several values, or none, by that of one.
var keptLists = map[*kept.Type]*kept.Type{}

func init() {
	for _, t := range []*kept.Type{kept.Int64, kept.Float32, kept.Text, kept.Binary} {
		keptLists[t] = kept.ListOf(t)
	}
}

// keptField is the kept value of a feature: its type, and where it stands in the job's text.
type keptField struct {
	has bool
	t   *kept.Type // nil: of a feature without values, which is null
	span
}

// field returns it as a field.
func (k *keptField) field(key string, text []byte) dataset.Field {
	switch {
	case k.t == nil:
		return dataset.Field{Key: key, Value: []byte("null")}
	case k.lo == k.hi:
		return dataset.Field{Key: key, Type: k.t, Value: []byte{}} // which is not null
	}
	return dataset.Field{Key: key, Type: k.t, Value: text[k.lo:k.hi:k.hi]}
}

// keep returns the value of a feature and its type: int64, float32, string, or binary where a value
// is not UTF-8; of a feature that has no or several values a list of these. A feature without a
// kind has no type.
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

// keepSteps is keep for a list of features: a list of what its steps are together.
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
