package arrow

import (
	"context"
	"encoding"
	"errors"
	"fmt"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/kept"
)

// MarshalType encodes a type of kept values, of any format's, as a schema of Arrow's with one
// field.
func MarshalType(t dataset.FieldType) ([]byte, error) {
	m, ok := t.(encoding.BinaryMarshaler)
	if !ok {
		return nil, fmt.Errorf("want a type that a reader of kept columns gave, got %s", t)
	}
	return m.MarshalBinary()
}

// UnmarshalType decodes what [MarshalType] returns. It returns an equal type: kept values of the
// original type are values of the decoded one.
func UnmarshalType(b []byte) (dataset.FieldType, error) {
	t := new(kept.Type)
	return t, t.UnmarshalBinary(b)
}

// TypesOf reads all rows, of any format, and returns for each of their kept columns the narrowest
// type that holds all its values exactly. Values without a type, as those of JSON and CSV, make a
// column of integers, floats, booleans, or else text; a number whose digits no float64 keeps makes
// it text too. The kept values of bad rows count. A file that cannot be read on ends the reading
// without an error, since reading the rows afterwards reports it.
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

// JoinTypes returns the narrowest type that holds the values of both types exactly. Where there is
// none but text, values are written as JSON. Either type may be nil.
func JoinTypes(a, b dataset.FieldType) dataset.FieldType {
	x, _ := a.(*kept.Type)
	y, _ := b.(*kept.Type)
	if x == nil && y == nil {
		return nil
	}
	return kept.Join(x, y)
}
