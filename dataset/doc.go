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
// # Doors
//
//   - To make a dataset: [FromTensorSlices], [FromRows], [FromElements], [FromGenerator], [Range],
//     [Zip]. Its [Spec], a [Nest] of [Component], says what the elements consist of: [TensorSpec],
//     [RaggedSpec] and [UnknownRankSpec] make one for a single tensor, and [Leaf], [Tuple] and
//     [Dict] put several together.
//   - To read files: [JSONLFiles], [JSONL], [TextLines] and [TextLinesFrom]; packages csv, parquet,
//     arrow, npy and tfrecord read others. [Limits] bounds what one row may ask for.
//   - To change it: the methods of [Dataset], with tf.data's names, and their options. [Seed],
//     [Shape] and [OutputShapes] make values of options. Packages text and pipeline do more.
//   - To use it: [Dataset.All], [Dataset.Iterator] and [Dataset.Collect] give an [Element] at a
//     time, [Dataset.Batches] a [Batch], in an order of [Grouping]. [PadToSize] and [ModelInput]
//     pad a single row.
//   - To ask before: [Measure] counts rows and their sizes, as [Stats]; [Dataset.Peek] looks at the
//     first rows.
//   - To convert JSON: [ParseTensor], [RowParser], [AppendJSON], [AppendJSONString], [NullNaN].
//     [FirstLine], [FirstJSON] and [JSONLKeys] look at the beginning of a file.
//   - To write a reader of another format: [FromReader] with a [RowReader], which may be a
//     [BlockReader]; [Opener], [ReadOptions], [Column] and [ValueParser].
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
