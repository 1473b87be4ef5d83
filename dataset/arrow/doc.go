// Package arrow reads and writes rows as Arrow's IPC files (.arrow, .feather) and streams: [Rows]
// makes a dataset of them, [NewWriter] writes one. The format itself is the work of
// github.com/apache/arrow-go.
//
// # Reading
//
// A file is read by its footer, as other readers do, and a stream from beginning to end. Either is
// read one record batch at a time: a batch has to fit the memory. A file that cannot be read at any
// place is copied to a temporary one first.
//
// Columns of booleans, integers, floats (half precision too), decimals, strings and bytes are read,
// plain or encoded by a dictionary, alone or in lists of any depth, of fixed or of any length. A
// field of a structure is a column with a dotted name. Dates, times and durations are the integers
// that they are stored as. Several columns may stand side by side in one component. Where no value
// has to be converted, rows are views of the batch. Kept columns, structures and maps among them,
// have the types that the file says.
//
// Values go to the component's type by the rule of the other formats: an integer takes whole
// numbers, a float takes floats and decimals rounded, and a value that does not fit is an error
// that names the row. A null is an error too, unless [Options.Nulls] has a value for it.
//
// # Writing
//
// A scalar becomes a column of its type, a value of n dimensions lists n deep, and a ragged value
// lists as well. Kept columns have the types of their source, also where that is Parquet or npz.
package arrow
