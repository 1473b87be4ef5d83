// Package rules holds the rules of Keras' layers and operations: what shapes a layer gives for the
// shapes that it is called with, by its class and its configuration.
//
// They stand beside those of [github.com/tfrun/tfrun/internal/shape], which are for operations of a
// graph, since a .keras file holds a configuration and no graph. The arithmetic is the same.
package rules
