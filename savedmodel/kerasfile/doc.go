// Package kerasfile reads the files in which Keras keeps its own models: .keras archives and the
// folders that they unpack to, .h5 files, and files of weights alone. [Open] tells them apart by
// what they hold; [Model.Layers] rebuilds the table that model.summary() prints, [Model.Variables]
// lists what the file keeps, and [Model.Scan] says what loading it in Python would do beside
// computing. Nothing in a file is run, and neither Python nor TensorFlow is needed.
//
// # What such a file holds
//
// A .keras archive holds a configuration, with the name, the class and the wiring of every layer of
// a Sequential or Functional model, and the variables below the path of attributes that led to
// each. An .h5 file holds the same configuration in an attribute, and lists of variables by layer.
// What a model of one's own class does between its layers is Python code, which no file holds: its
// table has the layers that own variables, without output shapes.
//
// # Ownership
//
// A [Model] keeps its file open: close it. It must not be used by several goroutines at a time.
package kerasfile
