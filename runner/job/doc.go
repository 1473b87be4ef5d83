// Package job runs files of rows through a model, into files of results.
//
// [Run] does a whole job: it loads the model, reads the rows, and writes one result for each row,
// in their order.
//
//	scores := job.Job{Source: job.Source{Files: []string{"rows.csv"}}, Output: "scores.parquet"}
//	sum, err := job.Run(ctx, "model", runner.Options{}, runner.PredictOptions{}, scores)
//
// # Doors
//
//   - To run: [Run], or [Job.Run] with a [runner.Predictor] that exists already; [Progress] during
//     the run, a [Summary] at its end. [Squeeze] and [Wide] say how columns look.
//   - To load a model as suits a job: [Job.Load] and [Job.Options], which choose what the options
//     leave open; [FileBatchSize].
//   - To read rows alone: [Source] and [Source.Rows], with [TextEncoder] for text; [MakeUpRows]
//     where there are no files.
//   - To run folders: [Tree], which writes a file of results for each file of rows.
//   - To ask before running: [Job.Validate]; [Job.Describe], whose [Plan] says what would be read,
//     fed and written.
//
// Errors are those of package runner, and types of this package: [BadRowsError], [RequestError] and
// [MadeUpError] about rows, [OutputFileError] and [ResumeError] about files.
//
// # Interrupted runs
//
// A file of results appears under its name when it is whole. Until then the results written so far
// are kept beside it, with a journal. If the run is interrupted, a run with [Job.Resume] goes on
// from there, to the same bytes that one run would have written. It refuses to if the model, the
// rows, or an option that changes the bytes is another one.
package job
