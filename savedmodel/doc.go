// Package savedmodel reads TensorFlow SavedModels in pure Go, without libtensorflow: [Open] a
// directory, pick a [MetaGraph] by its tags, and look at its [Signature]s, its functions and its
// checkpoint ([Model.Checkpoint]). The packages below this one tell the layers of a Keras model
// (layers), the sizes of tensors (sizes), and what a model does beside computing (scan).
//
//	m, err := savedmodel.Open("models/reviews")
//	mg, err := m.MetaGraph()          // the only tag set, or "serve"
//	sig, err := mg.Signature("")      // serving_default
//	table, err := layers.Of(mg)       // the rows of Keras' model.summary()
//
// # Doors
//
//   - To open: [Open], [FromBytes]; [Model.MetaGraph] picks a [MetaGraph].
//   - What goes in and comes out: [Signature] with [TensorInfo] ([Encoding], [Component],
//     [Ragged]); [ExampleFeature] where a signature takes serialized tf.train.Examples.
//   - Weights: [Checkpoint] with [CheckpointTensor] and [CheckpointSlice]; [Variable]; [Stats] and
//     [Summer] add up values.
//   - Objects: [ObjectGraph] with [ConcreteFunction] and [StructuredTensor]; [KerasMetadata] with
//     [KerasObject]; [Framework] and [Fingerprint].
//   - To run it: [MetaGraph.Verify] and [MetaGraph.CheckSignature] first; [Files] and [Asset], each
//     [Step] of loading, and the [State] that runs change.
//   - Errors: [FileError], [FormatError] and [LinkError] of files; [TagError], [SignatureError] and
//     [UninitializedError] of what was asked for; [ErrNotFound], [ErrNoSignatures].
//
// # What is read when
//
// Open reads saved_model.pb once and splits it along the protobuf wire format. Only what names the
// model (tags, signatures, assets) is decoded then; the object graph, each function and the Keras
// metadata are decoded when they are asked for. So reading the signatures of a model costs little
// more than reading its file, whatever the size of its graph.
//
// # Trust
//
// The files of a SavedModel may come from anywhere. Every length is checked before memory is taken
// for it, walks over graphs and objects are iterative or bounded in depth, and whatever is
// truncated, corrupt or refers to itself ends in a [*FormatError] that names the file. Nothing in a
// model is ever run.
//
// # Concurrency
//
// A Model is immutable once opened: all methods may be called from several goroutines. What they
// return is shared and must not be changed.
package savedmodel
