// Package shape computes the shapes of tensors. It knows what TensorFlow's operations make of
// shapes, each by the rule of its own shape function. Given the shapes of a function's arguments,
// it finds the shape of each tensor in the function.
//
// A size that is returned is right. A size that does not follow is unknown: the operation has no
// rule here, or the size depends on values that the graph does not hold.
package shape
