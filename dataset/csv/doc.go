// Package csv reads and writes rows as comma- or tab-separated values: [Rows] makes a dataset of
// files, [NewWriter] writes one.
//
// # Format
//
// Files are read as RFC 4180 and Python's csv module have them: fields between commas, quoted where
// they hold commas, quotes (doubled) or line ends. A row ends in "\n", "\r\n" or "\r"; empty lines
// are skipped, and a byte order mark too. A quote inside a field that does not begin with one
// stands for itself.
//
// What [Options] leave open is found out by the first rows of a file, and [Sniff] says it. The
// separator is the one of commas, tabs, semicolons and bars that the first row has most of, or what
// a line "sep=;" before it says, as for Excel. A first row that is not all numbers holds the names
// of the columns. So does one that counts 0, 1, 2, … as pandas does for a frame without names,
// where the rows after it have a column without whole numbers; it is data where they do not.
// Without names the columns are called "0", "1", "2", ….
//
// # Values
//
// A cell holds one value, as text: a number as Go, Python or JSON write it (NaN, inf and Infinity
// in any case), true or false, or a string, which is taken as it stands. Integers are exact, and
// may be written 3.0 or 1e3; floats are rounded to the nearest; a number beyond the range of its
// type is an error. True and false are the numbers 1 and 0, and the other way round. A component
// with a list of values is read from a cell of JSON, [[1,2],[3,4]], or from several columns, one
// for each value. Such a cell may also be as Python prints lists, ['a', True, nan], tuples of
// numbers and NumPy's arrays, [1. 2.]. A list of one may stand without its brackets. A cell without
// a value is an error, or [Options.Nulls] stand in for it.
//
// A row that does not fit is a *[dataset.SyntaxError], after which the iteration may go on with the
// next.
package csv
