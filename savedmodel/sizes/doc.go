// Package sizes says which dimensions of a signature's inputs are open, why each dimension of
// inputs and outputs has its size, and which shapes the outputs have for given sizes of the inputs.
//
//	s := sizes.Of(mg, sig, table) // the table of layers.Of, or nil
//	inputs, err := s.Put(sizes.Sizes{Axes: map[string]int64{"batch": 64, "time": 120}})
//	outputs, err := s.Outputs(inputs)
//
// [RowValues] finds signatures that compute each row of a batch on its own, and how much work a row
// is.
package sizes
