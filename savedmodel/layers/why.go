package layers

import "github.com/tfrun/tfrun/tensor"

// layerInfo is what is known of a layer beyond its row, for explanations.
type layerInfo struct {
	config config         // Keras 2's, or what the graph shows of it
	in     []tensor.Shape // what the layer's last call takes
	shape  OutputShape    // where Keras prints a word in its place
	notes  []string       // reasons for guesses and unknowns
	// partial says that the output's shapes are those that others take, and there may be more
	partial bool
}
