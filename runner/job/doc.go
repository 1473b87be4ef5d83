// Package job runs files of rows through a model, into files of results.
//
// [Run] does a whole job: it loads the model, reads the rows, and writes one result for each, in
// their order.
//
//	scores := job.Job{Source: job.Source{Files: []string{"rows.csv"}}, Output: "scores.parquet"}
//	sum, err := job.Run(ctx, "model", runner.Options{}, runner.PredictOptions{}, scores)
//
// # Doors
//
//   - To run: [Run], or [Job.Run] with a [runner.Predictor] that is there already; [Progress] on
//     the way, a [Summary] at the end. [Squeeze] and [Wide] say how columns look.
//   - To load as suits a job: [Job.Load] and [Job.Options], which choose what options leave open;
//     [FileBatchSize].
//   - To read rows alone: [Source] and [Source.Rows], with [TextEncoder] for text;
//     [MakeUpRows] where there are no files.
//   - To run folders: [Tree], which writes a file of results for each file of rows.
//   - To ask before: [Job.Validate]; [Job.Describe], whose [Plan] says what would be read, fed and
//     written.
//
// Errors are those of package runner, and types of its own: [BadRowsError], [RequestError] and
// [MadeUpError] about rows, [OutputFileError] and [ResumeError] about files.
//
// # Interrupted runs
//
// A file of results appears under its name when it is whole. What an interrupted run has written
// until then is kept beside it, with a journal: [Job.Resume] goes on from there, to the same bytes
// as one run, and refuses to where the model, the rows or an option that the bytes depend on is
// another.
package job
