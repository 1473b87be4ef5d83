// Package csv reads and writes rows as comma- or tab-separated values: [Rows] makes a dataset of
// files, [NewWriter] writes one.
//
// # Format
//
// Files are read as RFC 4180 and Python's csv module have them: fields between commas, quoted where
// they hold commas, quotes (doubled) or line ends. Lines end in "\n" or "\r\n"; empty lines are
// skipped, and a byte order mark too. A quote inside a field that does not begin with one stands
// for itself.
//
// A first line that is all numbers is data, unless it counts 0, 1, 2, … as pandas does for a frame
// without names; any other is the header. Without a header the columns are called "0", "1", "2", ….
// Where the separator is not given it is what the header has: a comma, a tab or a semicolon.
//
// # Values
//
// A cell holds one value, as text: a number as Go, Python or JSON write it (NaN, inf and Infinity
// in any case), true or false (or 0 or 1), or a string, which is taken as it stands. Integers are
// exact, and may be written 3.0 or 1e3. A number that is too large for its type is an error, one
// that has too many digits is rounded. A component with a list of values is read from a cell of
// JSON, [[1,2],[3,4]], or from several columns, one for each value. Such a cell may also be as
// Python prints lists, ['a', True, nan], tuples of numbers and NumPy's arrays, [1. 2.]. A list of
// one may stand without its brackets.
//
// A row that does not fit is a *[dataset.SyntaxError], after which the iteration may go on with the
// next.
package csv
