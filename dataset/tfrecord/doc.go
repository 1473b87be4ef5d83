// Package tfrecord reads and writes TFRecord files of tf.train.Example: [Rows] makes a dataset of
// them, [NewWriter] writes one, [AppendExample] makes the serialized Example that signatures for
// classification and regression take.
//
// # Records
//
// Each record has its length, the length's checksum, its bytes and their checksum, crc32c masked as
// TensorFlow has it. Both checksums are checked. A record whose bytes do not fit their checksum is
// a *[dataset.SyntaxError], after which the reading may go on; a wrong length is the end of the
// file, since nothing says where the next record begins.
//
// # Values
//
// A feature is a list of bytes, floats (float32) or int64. Its values fill a component's row in
// order: a scalar takes one value, a shape that is known but for one size as many as there are, as
// tf.io.parse_single_example does for FixedLenFeature and FixedLenSequenceFeature. Values go to the
// component's type where that loses nothing: int64 to int32 if it fits, float to int if it is
// whole, int64 to bool if it is 0 or 1. A component whose dtype is not string may also be read from
// one bytes value that holds its values' raw bytes, little-endian, as tf.io.decode_raw reads them,
// if the shape tells how many there are. A feature that a row lacks, or that is empty, is a row of
// no values where the shape allows one, and an error otherwise.
//
// A component of lists of lists is read from the feature_lists of a tf.train.SequenceExample: one
// inner list for each step.
//
// # Other records
//
// Records may be anything, such as texts or images. Where the first records of a file are no
// Examples, each record is a row of a spec of one component of strings, as it is.
package tfrecord
