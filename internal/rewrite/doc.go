// Package rewrite writes what TensorFlow loads in the place of a model's own graph: what a
// signature reaches and nothing else, with functions in the place of calls, products that are
// looked up, sums that are kept apart from convolutions, and a twin for XLA to compile.
package rewrite
