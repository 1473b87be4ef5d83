// Package modeltest has what tests of models share: the models of testdata with what was recorded
// about them, and functions to write graphs node by node.
package modeltest
