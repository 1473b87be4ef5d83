package dataset

import "github.com/tfrun/tfrun/tensor"

// PadToSize returns vec followed by as many zeros as make it size values long: the
// text-classification tutorial's pad_to_size. A vec that is as long already, or longer, is returned
// whole: it is never cut. vec itself is not changed.
func PadToSize[T tensor.Value](vec []T, size int) []T {
	out := make([]T, max(len(vec), size))
	copy(out, vec)
	return out
}

// ModelInput returns the tensor that the tutorial makes of an encoded text before it asks the
// model, expand_dims(cast(vec, float32), 0): one row of float32 values. Numbers beyond 2^24 are
// rounded to the nearest float32, as by tf.cast.
func ModelInput(vec []int64) tensor.Tensor {
	v := make([]float32, len(vec))
	for i, x := range vec {
		v[i] = float32(x)
	}
	t, err := tensor.FromSlice(v, 1, int64(len(v)))
	if err != nil {
		panic(err) // unreachable: the sizes are the slice's own
	}
	return t
}
