package runner

import (
	"io"
	"sync/atomic"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/csv"
)

// Job is a run from files to a file: what tfrun predict does.
type Job struct {
	Source Source
	// Output is the file to write; "" and "-" are Stdout. A file appears under its name only when
	// it is whole. A name that ends in .gz or .zst is that of a compressed file, of lines of JSON,
	// CSV, TSV or TFRecord.
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
	// 1,000th row on, and at the end. They are of use with [PredictOptions].SkipBadRows.
	MaxBadRows  int64
	MaxBadShare float64
	// Errors is a file that gathers the bad rows, a line of JSON for each as it comes; "": none.
	Errors string
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

// Waste is the share of padding in what was fed: 0.75 when three values out of four are padding.
func (p Progress) Waste() float64 {
	if p.Padded == 0 {
		return 0
	}
	return 1 - float64(p.Real)/float64(p.Padded)
}

// meter counts what is read and fed, by several goroutines.
type meter struct {
	read, real, padded atomic.Int64
}

// Summary is what a [Job] did.
type Summary struct {
	Rows     int64   // written by this run
	BadRows  int64   // rows with an error, those of an interrupted run among them
	Resumed  int64   // rows that an interrupted run had done
	Waste    float64 // share of padding in what was fed, see [Progress.Waste]
	Restarts int     // how often the process of an isolated model has died, see [Options.Isolate]
	Duration time.Duration
	// Kept says that a run that was interrupted, or failed in TensorFlow, can be gone on with, see
	// [Job.Resume].
	Kept bool
	// Missing says how many rows lack a key that is to be kept, for each that rows lack.
	Missing map[string]int64

	lastBad error
}

// ErrStdinResume says that stdin cannot be read again.
var ErrStdinResume = &OptionError{Option: "Resume", Msg: "standard input cannot be read again, and standard output has nothing to go on with: name files"}

// rowOutput takes the bytes of rows.
type rowOutput interface {
	io.Writer
	// CheckpointDue reports whether it is time to hand on what is collected; Checkpoint then says
	// how many rows the bytes so far hold, and what their writer has to know to go on.
	CheckpointDue(now time.Time) bool
	Checkpoint(rows int64, state []byte) error
}

// rowsLeft is how many of a source's rows a run is to write, 0 where their number is not known.
func (p *Predictor) rowsLeft(all int64) int64 {
	if n := p.o.Shards; n > 1 {
		all = (all - p.o.Shard + n - 1) / n
	}
	return max(all-p.o.From, 0)
}

// Source says where rows come from and how they become a signature's inputs.
type Source struct {
	// Files are read one after the other; "-" is Stdin. A signature without inputs needs none. What
	// gzip or zstd compressed is decompressed, by its name or its first bytes; a TFRecord file also
	// what zlib did, as TensorFlow may write it.
	Files []string
	Stdin io.Reader
	// Format is "jsonl", "txt", "csv", "tsv", "npy", "npz", "tfrecord", "parquet" or "arrow"; ""
	// goes by the files' names, which must then agree.
	Format string
	// Columns maps an input to the column that it is read from, where that has another name. In
	// files of plain columns (csv, tsv, parquet, arrow) it may be several, separated by commas,
	// whose values stand side by side.
	Columns map[string]string
	// Nulls holds what stands in for missing values, by input.
	Nulls dataset.Nulls
	// CSV says how files of cells are read: of it count Header, Comma, Quote, NoQuotes, Comment and
	// Null, and Sniffed is told what was found out.
	CSV csv.Options
	// Keep lists columns that go to [Result.Extra] as they are, in this order.
	Keep []string
	// Encoder turns text into ids, for a model whose encoder lives outside its graph. Of JSON rows
	// it encodes column Text, of lines of text all.
	Encoder TextEncoder
	// Vocabulary says which vocabulary the Encoder has, such as a digest of its file: a run with
	// another one is not gone on with, see [Job.Resume].
	Vocabulary string
	Text       string

	read *atomic.Int64 // counts the bytes that are read of the files, or nil
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
