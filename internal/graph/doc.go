// Package graph is one GraphDef of TensorFlow: its nodes and functions by name, references from
// tensor to tensor, what is reached from where ([Reach]) and what a tensor is made from ([Flow]).
// It knows no signature and no Keras.
//
// A [Graph] stays serialized. What is decoded is a node, or a function with its references resolved
// ([Function]), when it is asked for.
package graph
