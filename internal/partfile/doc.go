// Package partfile writes files that appear under their names only when they are whole.
//
// A [File] is the output of a run over many rows. A journal beside it says how many rows its bytes
// hold, so that a run that was killed can go on where it stopped and end with the same bytes.
// [Open] it, then call [File.Write] and now and then [File.Checkpoint], and at the end
// [File.Commit], [File.Leave] or [File.Remove]. Formats that write rows in groups, Parquet and
// Arrow, use [Groups]. A [Whole] is a file without a journal, for a report or a picture.
package partfile
