package job

import (
	"io"
	"time"

	"github.com/tfrun/tfrun/runner"
)

// Job is a run from files to a file, as tfrun predict does it.
type Job struct {
	Source Source
	// Output is the file to write; "" and "-" are Stdout. A file appears under its name only when
	// it is whole, as does an object, "s3://bucket/key". A name that ends in .gz or .zst is written
	// compressed, for JSON lines, CSV, TSV and TFRecord.
	Output string
	Stdout io.Writer
	// Format is the output's format: "jsonl", "csv", "tsv", "npy", "npz", "tfrecord", "parquet" or
	// "arrow". "": the one that Output's name says, and jsonl for Stdout.
	Format string
	// NullNaN writes null in place of NaN and infinities in JSON lines. Without it they are written
	// as Python's json writes them: NaN, Infinity, -Infinity.
	NullNaN bool
	// Squeeze says in which formats an output of one value per row is written as that value. Wide
	// says whether an output of several values per row is one column of lists, or several columns.
	Squeeze Squeeze
	Wide    Wide
	// MaxBadRows and MaxBadShare end a run with a *[BadRowsError] when more rows, or a larger share
	// of them, could not be read or run; 0: no bound. The share counts from the 1,000th row on, and
	// at the end. Both need [runner.PredictOptions].SkipBadRows.
	MaxBadRows  int64
	MaxBadShare float64
	// Errors is a file to which each bad row is written when it comes, as a line of JSON; "": none.
	Errors string
	// State is a folder for the rows and the journal of an object until it is whole. The disk needs
	// room for one output there. "": a folder in the user's cache.
	State string
	// Resume goes on where an interrupted run into the same Output stopped: the output is byte for
	// byte that of an uninterrupted run. If there is nothing to go on with, the run begins anew. If
	// the earlier run had another model, other inputs or other options, it is a *[ResumeError].
	Resume bool
	// Began, if not nil, is called before the first row is read, with the number of rows that an
	// interrupted run has done already.
	Began func(done int64)
	// Progress, if not nil, is called at most ten times a second, and once at the end.
	Progress func(Progress)

	// small says that the output is small: it is written in one go, without a journal, and an
	// interrupted run begins anew.
	small bool
}

// Progress says how far a job has come.
type Progress struct {
	Rows int64 // written by this run
	// Total is the number of rows that this run will write. It is 0 where the files do not say;
	// Parquet and NumPy do.
	Total int64
	Bad   int64 // rows with an error, see [Summary]
	// Read is how many bytes of the input files, as they are stored, have been read, and Size how
	// many there are. Size is 0 if it is not known, as for a pipe.
	Read, Size int64
	// Real is the number of values in the rows, Padded their number after padding.
	Real, Padded int64
}

// Waste is the share of padding in what was fed, see [runner.Counters.Waste].
func (p Progress) Waste() float64 {
	return runner.Counters{Real: p.Real, Padded: p.Padded}.Waste()
}

// Summary says what a [Job] did.
type Summary struct {
	Rows     int64   // written by this run
	BadRows  int64   // rows with an error, those of an interrupted run included
	Resumed  int64   // rows that an interrupted run had written
	Waste    float64 // share of padding in what was fed, see [Progress.Waste]
	Restarts int     // how often an isolated model's process has died, see [runner.Options.Isolate]
	Duration time.Duration
	// Kept says that the run was interrupted, or failed in TensorFlow, and that a run with
	// [Job.Resume] can go on.
	Kept bool
	// Missing is the number of rows without a kept key, by key, for keys that rows lack.
	Missing map[string]int64

	lastBad error
}

// ErrStdinResume says that standard input cannot be read again.
var ErrStdinResume = &runner.OptionError{Option: "Resume", Msg: "standard input cannot be read again, and standard output has nothing to go on with: name files"}

// rowOutput is what the bytes of rows are written to.
type rowOutput interface {
	io.Writer
	// CheckpointDue reports whether it is time for a Checkpoint. Checkpoint says how many rows the
	// bytes so far hold, and what their writer has to know to go on.
	CheckpointDue(now time.Time) bool
	Checkpoint(rows int64, state []byte) error
}

// fileOutput is a rowOutput that may hold rows of an interrupted run already.
type fileOutput interface {
	rowOutput
	Rows() int64
}

// rowsLeft returns how many of a source's rows a run will write, 0 if their number is not known.
func rowsLeft(o runner.PredictOptions, all int64) int64 {
	if n := o.Shards; n > 1 {
		all = (all - o.Shard + n - 1) / n
	}
	return max(all-o.From, 0)
}

// Squeeze says in which formats an output of one value per row is written as that value, not as a
// list of one. The signature tells which outputs these are: those whose rows have no axes, or only
// axes of size 1, such as the (None, 1) of binary classifiers and regressors.
type Squeeze string

const (
	// SqueezeTables, the default: squeeze in CSV, TSV, Parquet and Arrow, whose readers want
	// columns of numbers. JSON, NumPy and TFRecord, which hold arrays, have the signature's shape,
	// as TensorFlow Serving and Keras' predict give it.
	SqueezeTables Squeeze = ""
	// SqueezeAll squeezes in every format.
	SqueezeAll Squeeze = "all"
	// SqueezeNone squeezes in no format.
	SqueezeNone Squeeze = "none"
)

// Wide says how an output of several values per row is written.
type Wide string

const (
	// WideList, the default: one column of lists.
	WideList Wide = ""
	// WideColumns: a column for each value, named after the output and the value's index, from 0:
	// probs.0, probs.1; for a matrix per row m.0.0, m.0.1.
	WideColumns Wide = "columns"
)
