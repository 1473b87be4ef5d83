// Package shape computes the shapes of tensors: what TensorFlow's operations make of shapes, each
// by the rule of its own shape function, and, through a function of a graph, what follows for each
// tensor once the shapes of the arguments are given.
//
// A size that does not follow is unknown: where an operation has no rule, or its size depends on
// values that the graph does not hold. A size that is given is right.
package shape
