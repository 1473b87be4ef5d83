// Package graph reads one GraphDef of TensorFlow: its nodes and functions by name, the references
// from tensor to tensor, what is reached from where ([Reach]), and what a tensor is made from
// ([Flow]). It knows nothing of signatures and of Keras.
//
// A [Graph] stays serialized. Single nodes and functions are decoded when they are asked for; a
// [Function] has its references resolved as well.
package graph
