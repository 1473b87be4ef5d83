// Package tf contains everything that touches libtensorflow: the only uses of the binding, of tfgo,
// and all C code of the project. [Load] makes an [Engine] of a model, [Engine.Prepare] a [Program]
// of feeds and fetches, [Program.Load] writes values to TensorFlow's memory, and [Loaded.Run] runs
// them.
//
// # The library is opened, not linked
//
// A program linked with the library's 788 MB takes 0.2 s longer at every start, cannot start where
// the library is missing, and cannot silence its log. internal/cgoenv has a static archive that the
// linker finds as -ltensorflow: each function of the C API is a jump through a slot, which dlsym
// fills when the first model is loaded ([OpenLibrary]). So a command that runs no model starts in
// milliseconds, one binary serves the CPU build and the GPU build of the library, and a missing
// library is an error of one line. A program that links the library itself works too, since the
// shim's entry point is a weak symbol.
//
// # Values are written once
//
// A [Feed] writes its values into TensorFlow's memory: tf.ReadTensor asks a reader for the tensor's
// bytes, and the reader is the feed. The binding cannot move strings and 16-bit floats; they go
// through graphs of one operation, built with tfgo.
//
// # Memory
//
// Go's garbage collector does not see C memory, and the binding frees tensors in finalizers. So
// tensors that are not needed any more are freed at once: TF_TensorBitcastFrom makes a tensor give
// up its values. If batches have one size, a [Recycler] fills their memory again. For the remaining
// tensors, such as the values of runs that failed, bytes are counted, and garbage is collected when
// they reach a budget.
//
// # Several devices
//
// TensorFlow numbers GPUs once in a process, so its sessions cannot be given different ones.
// Instead [PlaceGraph] writes the device into every operation of the graph, each GPU's session
// loads a copy of its own, and [Spread] sends each run to the GPU with the fewest runs.
//
// # Nothing ends the process
//
// Every call of the binding goes through guard, which turns its panics into an *[Error]. Calls for
// which TensorFlow would end the process, such as those with impossible shapes, more than 254 axes
// or a wrong output index, are refused before.
package tf
