// Package sizes says which dimensions of a signature's inputs are open, why each dimension of its
// inputs and outputs is what it is, and what the shapes of the outputs are once sizes are put in.
//
//	at := sizes.Sizes{Axes: map[string]int64{"batch": 64, "time": 120}}
//	shapes, err := sizes.Put(mg, sig, at)
//	outputs, err := sizes.OutputsAt(mg, sig, shapes)
//
// [RowValues] tells signatures that compute each row of a batch by itself.
package sizes
