// Package dataset is tf.data's batching in Go: sources of rows, and operations that shuffle,
// bucket, batch and pad them with the results, the order and the errors of tf.data. It needs no
// TensorFlow.
//
// A [Dataset] is a lazy sequence of elements. Sources make one ([FromTensorSlices], [FromRows],
// [JSONLFiles], [TextLines], …), methods in tf.data's words make another out of it
// ([Dataset.Shuffle], [Dataset.PaddedBatch], …), and [Dataset.All] iterates over it:
//
//	options := dataset.PaddedBatchOptions{PaddedShapes: dataset.OutputShapes(reviews)}
//	train := reviews.Shuffle(10000).PaddedBatch(64, options)
//	for batch, err := range train.All(ctx) {
//
// # Errors
//
// A method that tf.data would refuse returns a dataset that holds the error, so that a chain reads
// without interruption: [Dataset.Err] has it, and so has the first step of an iteration. Errors are
// of type *[Error], with a status code and a position; those of files of rows are of type
// *[SyntaxError]. After an error of a row or a batch the consumer may go on where tf.data can.
//
// # Ownership
//
// An element is valid until the next one is asked for, because the operations that batch reuse
// their memory: in a steady state a batch costs no allocation. [Element.Clone] makes a copy to
// keep, and [Dataset.Collect] returns elements that are kept. What a source was made of (the slices
// given to [FromRows], say) is shared, never written to, and must not change while the dataset is
// in use.
//
// # Padding into other memory
//
// [Dataset.Batches] yields groups of rows that are not padded yet. A [Batch] knows the sizes of the
// padded batch and writes it to memory of the consumer's, such as that of a tensor in C.
package dataset
