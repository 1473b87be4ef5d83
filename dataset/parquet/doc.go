// Package parquet reads and writes rows as Parquet files: [Rows] makes a dataset of files,
// [NewWriter] writes one. Every encoding of the format is read, and every codec but LZO;
// testdata/make_matrix.py has the writers, versions, codecs and encodings that this is tried on.
//
// # Reading
//
// Only the columns that are needed are read, some thousand rows at a time, page by page; a file
// that cannot be read at any place, a pipe or a compressed one, is copied to a temporary file
// first. Columns of booleans, integers, floats (half precision too), decimals, strings and bytes
// are read, alone or in lists of any depth; a field of a structure is a column with a dotted name.
// Dates and times are the integers that they are stored as, those of 12 bytes as nanoseconds.
// Several columns may stand side by side in one component. Kept columns, structures and maps among
// them, have the types that the file says, as its schema of Arrow's does where it has one.
//
// A page whose checksum is wrong is an error. Encrypted columns are not read.
//
// Values go to the component's type by the rule of the other formats: integers where they are
// whole, floats and decimals rounded, what does not fit is an error that names the row. A null is
// one too, unless [Options.Nulls] stand in for it: pandas writes NaN as null.
//
// # Writing
//
// A scalar becomes a column of its type, a value of n dimensions lists n deep, a ragged value lists
// too. Kept columns have the types of their source. All columns may hold nulls.
package parquet
