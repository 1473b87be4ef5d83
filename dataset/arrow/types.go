package arrow

import (
	"encoding"
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
