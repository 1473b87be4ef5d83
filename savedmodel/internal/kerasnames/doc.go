// Package kerasnames knows how Keras names things: the classes of layers there are, the name that a
// layer without one gets ("dense_2"), the numbers that make names unique, and what the axes of a
// layer's input are called. A file often holds names alone, and these say which layers there were.
package kerasnames
