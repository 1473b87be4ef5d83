// Package bench measures a SavedModel on the path that tfrun predict takes: [runner.Predictor] over
// rows, padded in batches. [Run] does it all and returns a [Report]: how long a cold start takes,
// the latency of a batch by its size and length, rows per second by batching, batch size and number
// of workers, padding, memory, and which options are best.
//
// # How it measures
//
// Every figure is taken in windows that repeat until three in a row lie within 10 % of their mean,
// as Triton's perf_analyzer does; where that does not happen in time the figure says that it is not
// stable. A window of throughput holds each row of the sample at least once, so that windows of
// batches of different lengths can be compared. What other programs and the hypervisor took of the
// processors meanwhile is in the report too.
package bench
