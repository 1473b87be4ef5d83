// Package modeltest has what tests of models share: the models of testdata and what was recorded of
// them, and graphs that a test writes down node by node.
package modeltest
