// Package scopes finds the layers that a function calls. Keras opens a name scope around each call
// of a layer, so the nodes "model/dense/MatMul" and "model/dense/BiasAdd" are one [Call], of the
// layer "dense". [Of] cuts the function of a model into its calls, [Classify] tells a layer's class
// from what its call computes, and [Config] reads the layer's configuration from the operations.
package scopes
