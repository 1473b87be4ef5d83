// Package hdf5 reads HDF5 files as Keras and h5py write them: [Open] gives the root [Group], a
// group its [Link] entries, and a [Dataset] its type, shape and values. It is pure Go, reads any
// [io.ReaderAt], and never writes.
//
// # What is read
//
//   - superblocks 0 to 3, object headers 1 and 2, also behind a user block;
//   - groups as symbol tables, as lists of links, and as fractal heaps (many links, or links in
//     the order in which they were made);
//   - attributes in the object header and in fractal heaps, of any size, with strings of fixed and
//     of variable length;
//   - values that are compact, contiguous or in chunks, with the filters gzip, shuffle and
//     Fletcher-32 (whose checksum is not verified).
//
// What else HDF5 knows (virtual datasets, values in other files, other filters, extensible arrays
// of chunks) is described but its values are not read: [Dataset.Values] says why.
//
// # Hostile files
//
// Links are never followed out of the file. Each structure is bounded by the file's size, all
// structures together by a budget (64 MiB plus four times the file's size, at most 2 GiB more), and
// values that are declared but not stored are refused.
//
// The format is described in "HDF5 File Format Specification Version 3.0" of The HDF Group.
//
// # Concurrency
//
// A [File] keeps a cache of what it read: it must not be used by several goroutines at a time.
package hdf5
