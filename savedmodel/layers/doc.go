// Package layers rebuilds the table of layers that Keras' model.summary() prints, from a model's
// files alone.
//
//	table, err := layers.Of(mg)
//	for _, l := range table.Layers {
//		fmt.Println(l.Name, l.Class, l.Output, l.Params)
//	}
//
// Keras 2 leaves its configuration in keras_metadata.pb. Of a Keras 3 export only the name scopes
// of the serving function and the variables' names are left: what they do not say is marked as a
// guess ([Layer.Guessed]). Each row says why it is what it is ([Layer.Why]).
package layers
