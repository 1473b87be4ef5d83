// Package rewrite writes the graph that TensorFlow loads in place of a model's own: only what a
// signature reaches, function bodies in place of calls, lookups in place of products, sums kept
// apart from convolutions, and a twin that XLA compiles. [Reduction] has the switches.
package rewrite
