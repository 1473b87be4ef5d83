// Package isolate runs a model in a process of its own. That process is the program itself, started
// once more: [Main], called first thing in main, serves the model there and does not return.
//
// An [Engine] is used like any other [tf.Engine]. Rows are read, padded and written in the program,
// and tensors are sent through two pipes. A process that dies is replaced when the engine is used
// again, and the new one gets the requests that the old one got. The caller finds the row that a
// process died of by running rows one by one, see [Call.Alone]. The process ends with the pipe of
// requests, so it never outlives the program.
package isolate
