package job

import (
	"io"
	"time"

	"github.com/tfrun/tfrun/runner"
)

// Job is a run from files to a file: what tfrun predict does.
type Job struct {
	Source Source
	// Output is the file to write; "" and "-" are Stdout. A file appears under its name only when
	// it is whole, and so does an object, "s3://bucket/key". A name that ends in .gz or .zst is
	// that of a compressed file, of lines of JSON, CSV, TSV or TFRecord.
	Output string
	Stdout io.Writer
	// Format is that of the output: "jsonl", "csv", "tsv", "npy", "npz", "tfrecord", "parquet" or
	// "arrow"; "" goes by the name of Output, and is jsonl for Stdout.
	Format string
	// NullNaN writes null in the place of NaN and the infinities in JSON lines, which have them as
	// Python's json does: NaN, Infinity, -Infinity.
	NullNaN bool
	// Squeeze says in which formats an output of one value a row is that value; Wide, whether one
	// of several is a column of lists or several columns.
	Squeeze Squeeze
	Wide    Wide
	// MaxBadRows and MaxBadShare end a run with a *[BadRowsError] when more rows than that, or more
	// than that share of them, could not be read or run; 0: no bound. The share counts from the
	// 1,000th row on, and at the end. They are of use with [runner.PredictOptions].SkipBadRows.
	MaxBadRows  int64
	MaxBadShare float64
	// Errors is a file that gathers the bad rows, a line of JSON for each as it comes; "": none.
	Errors string
	// State is a folder for what is written of an object until it is whole: its rows, and the
	// journal that Resume needs. The local disk has to hold one output. "" is a folder of the
	// user's cache.
	State string
	// Resume goes on where an interrupted run into the same Output stopped: the result is byte for
	// byte that of an uninterrupted run. With nothing to go on with the run begins anew. A run with
	// another model, other inputs or options is a *[ResumeError].
	Resume bool
	// Began, if not nil, is told how many rows an interrupted run has done already, before the
	// first row is read.
	Began func(done int64)
	// Progress, if not nil, is told how far the run is, at most ten times a second, and once at the
	// end.
	Progress func(Progress)

	// small says that the output is short: it is written in one go, without a journal, and a run
	// that is interrupted begins anew.
	small bool
}

// Progress says how far a job is.
type Progress struct {
	Rows int64 // written by this run
	// Total is how many rows this run is to write, 0 where the files do not say: those of Parquet
	// and NumPy do.
	Total int64
	Bad   int64 // rows with an error, see [Summary]
	// Read of Size bytes of the input files, compressed as they are. Size is 0 where it is not
	// known, as that of a pipe.
	Read, Size int64
	// Real values of the rows were padded to Padded ones.
	Real, Padded int64
}

// Waste is the share of padding in what was fed, see [runner.Counters.Waste].
func (p Progress) Waste() float64 {
	return runner.Counters{Real: p.Real, Padded: p.Padded}.Waste()
}

// Summary is what a [Job] did.
type Summary struct {
	Rows     int64   // written by this run
	BadRows  int64   // rows with an error, those of an interrupted run among them
	Resumed  int64   // rows that an interrupted run had done
	Waste    float64 // share of padding in what was fed, see [Progress.Waste]
	Restarts int     // how often an isolated model's process has died, see [runner.Options.Isolate]
	Duration time.Duration
	// Kept says that a run that was interrupted, or failed in TensorFlow, can be gone on with, see
	// [Job.Resume].
	Kept bool
	// Missing says how many rows lack a key that is to be kept, for each that rows lack.
	Missing map[string]int64

	lastBad error
}

// ErrStdinResume says that stdin cannot be read again.
var ErrStdinResume = &runner.OptionError{Option: "Resume", Msg: "standard input cannot be read again, and standard output has nothing to go on with: name files"}

// rowOutput takes the bytes of rows.
type rowOutput interface {
	io.Writer
	// CheckpointDue reports whether it is time to hand on what is collected; Checkpoint then says
	// how many rows the bytes so far hold, and what their writer has to know to go on.
	CheckpointDue(now time.Time) bool
	Checkpoint(rows int64, state []byte) error
}

// fileOutput is a file of rows, which holds those of an interrupted run already.
type fileOutput interface {
	rowOutput
	Rows() int64
}

// rowsLeft is how many of a source's rows a run is to write, 0 where their number is not known.
func rowsLeft(o runner.PredictOptions, all int64) int64 {
	if n := o.Shards; n > 1 {
		all = (all - o.Shard + n - 1) / n
	}
	return max(all-o.From, 0)
}

// Squeeze says where an output that holds one value a row is written as that value, not as a list
// of one. Which outputs these are is read off the signature: those whose rows have no axis but of
// size 1, such as the (None, 1) of every binary classifier and regressor.
type Squeeze string

const (
	// SqueezeTables is the default, "": in CSV, TSV, Parquet and Arrow, whose readers want columns
	// of numbers. JSON, NumPy and TFRecord, which hold arrays, have the shape of the signature, as
	// TensorFlow Serving and Keras' predict give it.
	SqueezeTables Squeeze = ""
	// SqueezeAll does so in every format.
	SqueezeAll Squeeze = "all"
	// SqueezeNone does so in none.
	SqueezeNone Squeeze = "none"
)

// Wide says how an output of several values a row is written.
type Wide string

const (
	// WideList is the default, "": one column of lists.
	WideList Wide = ""
	// WideColumns is a column for each value, which is named after the output and the place of the
	// value, counted from 0: probs.0, probs.1; of a matrix a row m.0.0, m.0.1.
	WideColumns Wide = "columns"
)
