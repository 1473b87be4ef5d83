package kerasfile

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/tfrun/tfrun/savedmodel"
)

// Variables lists all arrays in the file by their keys, those of the optimizer included. The layers
// give them their names.
func (m *Model) Variables() ([]*Variable, error) {
	if _, err := m.Layers(); err != nil {
		return nil, err
	}
	return slices.Clone(m.tree.all), nil
}

// Stats reads a variable's values piece by piece, so that memory stays small whatever its size. It
// fails for strings and other types that are no numbers.
func (m *Model) Stats(ctx context.Context, v *Variable) (savedmodel.Stats, error) {
	sum := savedmodel.NewSummer(v.DType)
	if sum == nil {
		return savedmodel.Stats{}, m.fail(v.Key, fmt.Errorf("%s has no numbers to sum up", v.data.Type))
	}
	swap := v.data.Type.Order == binary.BigEndian
	err := v.data.Values(ctx, func(_ int64, data []byte) error {
		if swap {
			data = reversed(data, v.data.Type.Size)
		}
		sum.Add(data)
		return nil
	})
	if err != nil {
		return savedmodel.Stats{}, m.fail(m.weightsPart(), err)
	}
	return sum.Stats(), nil
}

// weightsPart names the part of the file with the variables.
func (m *Model) weightsPart() string {
	if m.Kind == Archive || m.Kind == Folder {
		return weightsName
	}
	return ""
}

// reversed returns values of size bytes with their bytes in the other order.
func reversed(data []byte, size int) []byte {
	out := slices.Clone(data)
	for i := 0; i+size <= len(out); i += size {
		slices.Reverse(out[i : i+size])
	}
	return out
}
