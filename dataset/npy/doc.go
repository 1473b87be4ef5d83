// Package npy reads and writes NumPy's arrays: [Rows] makes a dataset of .npy files, [ZipRows] of
// .npz archives; [NewWriter] and [NewZipWriter] write them. The rows are the entries along an
// array's first axis.
//
// # Types
//
// Arrays are read of booleans, integers, floats (half precision too) and complex numbers of either
// byte order, in C or Fortran order and of any rank; of strings of type 'U' and bytes of type 'S'.
// bfloat16, which NumPy writes as raw values 'V2', is read where the component is bfloat16. Dates
// and durations are read as the integers that they are stored as. Structured arrays, Python objects
// and wider floats are refused.
//
// Values go to the component's type by the rule of the other formats: an integer takes whole
// numbers, a float takes numbers rounded, and a value that does not fit is an error that names the
// row. Where no value has to be converted, rows are views of the memory that the file was read
// into.
package npy
