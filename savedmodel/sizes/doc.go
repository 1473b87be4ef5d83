// Package sizes says which dimensions of a signature's inputs are open, why each dimension of its
// inputs and outputs is what it is, and what the shapes of the outputs are once sizes are put in.
//
//	s := sizes.Of(mg, sig, table) // the table of layers.Of, or nil
//	inputs, err := s.Put(sizes.Sizes{Axes: map[string]int64{"batch": 64, "time": 120}})
//	outputs, err := s.Outputs(inputs)
//
// [RowValues] tells signatures that compute each row of a batch by itself.
package sizes
