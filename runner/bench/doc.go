// Package bench measures a SavedModel on the path that tfrun predict takes: a [runner.Predictor]
// over rows, padded in batches. [Run] measures everything and returns a [Report]: the time of a
// cold start; the latency of a batch by its size and length; rows per second by batching, batch
// size and number of workers; padding; memory; and the best options.
//
// # How it measures
//
// A figure is measured in windows, which are repeated until three in a row lie within 10 % of their
// mean, as Triton's perf_analyzer does. If there is not enough time for that, the figure is marked
// as not stable. A window of throughput has each row of the sample at least once, so that batches
// of different lengths can be compared. The report also says how much of the processors other
// programs and the hypervisor took meanwhile.
package bench
