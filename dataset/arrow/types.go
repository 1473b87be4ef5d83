package arrow

import (
	"context"
	"encoding"
	"errors"
	"fmt"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/kept"
)

// MarshalType returns a type of kept values, of any format's, as a schema of Arrow's of one field.
func MarshalType(t dataset.FieldType) ([]byte, error) {
	m, ok := t.(encoding.BinaryMarshaler)
	if !ok {
		return nil, fmt.Errorf("the type %s is none of this module's", t)
	}
	return m.MarshalBinary()
}

// UnmarshalType reads what [MarshalType] returns. Values of the type that was marshaled are values
// of the one that it returns.
func UnmarshalType(b []byte) (dataset.FieldType, error) {
	t := new(kept.Type)
	return t, t.UnmarshalBinary(b)
}

// TypesOf reads all rows, of any format, and returns the type of each of their kept columns: the
// narrowest that holds all its values exactly. Values without a type, as those of JSON and CSV, are
// integers, floats, booleans, or else text. A number whose digits no float64 keeps makes a column
// text. What is kept of bad rows counts; a file that cannot be read on ends the reading without an
// error, as whoever reads it next will meet it.
func TypesOf(ctx context.Context, rows *dataset.Dataset, keep []string) (map[string]dataset.FieldType, error) {
	surveys := map[string]*kept.Survey{}
	for _, name := range keep {
		surveys[name] = new(kept.Survey)
	}
	for e, err := range rows.All(ctx) {
		fields := e.Extra
		if err != nil {
			bad, ok := errors.AsType[*dataset.SyntaxError](err)
			if !ok {
				break
			}
			fields = bad.Extra
		}
		for _, f := range fields {
			if s := surveys[f.Key]; s != nil {
				s.Add(f)
			}
		}
	}
	types := map[string]dataset.FieldType{}
	for name, s := range surveys {
		types[name] = s.Type()
	}
	return types, ctx.Err()
}

// JoinTypes returns the narrowest type that holds the values of both types exactly: text, which is
// JSON, where nothing else does. Either may be nil.
func JoinTypes(a, b dataset.FieldType) dataset.FieldType {
	x, _ := a.(*kept.Type)
	y, _ := b.(*kept.Type)
	if x == nil && y == nil {
		return nil
	}
	return kept.Join(x, y)
}
