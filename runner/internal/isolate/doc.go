// Package isolate runs a model in a process of its own. That process is the program itself, started
// anew: [Main], called first thing in main, serves the model there and does not return.
//
// An [Engine] is a [tf.Engine] like any other: rows are read, padded and written in the program,
// and tensors travel over two pipes. A process that dies is replaced when the engine is next used,
// and told what its predecessor was told. Which row it died of, the caller finds out by running
// rows one by one: see [Call.Alone]. The process ends when the pipe of requests does, so none is
// left behind, whatever becomes of the program.
package isolate
