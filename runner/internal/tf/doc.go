// Package tf is libtensorflow: the binding, tfgo and all C code of the project. Nothing else
// imports them. [Load] makes an [Engine] of a SavedModel, [Engine.Prepare] a [Program] of its feeds
// and fetches, [Program.Load] writes values to TensorFlow's memory, and [Loaded.Run] runs them.
//
// # The library is opened, not linked
//
// A program linked with the library's 788 MB pays 0.2 s at every start, cannot start where it is
// missing, and cannot silence its log. internal/cgoenv has a static archive that the linker finds
// as -ltensorflow: each function of the C API is a jump through a slot, which dlsym fills when the
// first model is loaded ([OpenLibrary]). So a command that runs no model starts in milliseconds,
// one binary serves the CPU and the GPU build of the library, and a missing library is one line. A
// program that links the library itself works too: the shim's entry point is a weak symbol.
//
// # Values are written once
//
// A [Feed] writes its values straight into TensorFlow's memory: tf.ReadTensor asks a reader for the
// tensor's bytes, and the reader is the feed. Strings and 16-bit floats, which the binding cannot
// move, go through graphs of one operation built with tfgo.
//
// # Memory
//
// Go's collector does not see C memory, and the binding frees tensors in finalizers. So what is
// over is released at once: TF_TensorBitcastFrom makes a tensor give up its values. Where batches
// are of one size, a [Recycler] has their memory filled anew. For what is left, such as the values
// of runs that failed, bytes are counted, and garbage is collected at a budget.
//
// # Several devices
//
// TensorFlow numbers GPUs once in a process, so sessions cannot be given different ones.
// [PlaceGraph] writes the device into every operation of the graph instead, each GPU's session
// loads its own copy, and [Spread] sends each run to the GPU with the least to do.
//
// # Nothing ends the process
//
// Every call of the binding goes through guard, which turns its panics into an *[Error]. What makes
// TensorFlow abort, such as impossible shapes, more than 254 axes or a wrong output index, is
// refused before the call.
package tf
