// Package partfile writes files that appear under their names only when they are whole.
//
// A [File] is the output of a run over many rows. Beside it a journal says how many rows its bytes
// hold, so that a run that was killed goes on where it stopped, to the same bytes: [Open], then
// [File.Write] and now and then [File.Checkpoint], and in the end [File.Commit], [File.Leave] or
// [File.Remove]. Formats whose rows are written in groups, Parquet and Arrow, go through [Groups].
// A [Whole] is the same without the journal, for a report or a picture.
package partfile
