// Package kerasnames knows how Keras names layers: the classes there are, the name that a layer
// without one gets ("dense_2"), and the numbers that make names unique. A file often holds names
// alone, and these say which layers there were.
package kerasnames
