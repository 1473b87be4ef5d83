package job

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/csv"
	"github.com/tfrun/tfrun/dataset/tfrecord"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job/internal/source"
)

// Source says where rows come from, and how they become a signature's inputs.
type Source struct {
	// Files are read one after the other; "-" is Stdin, "s3://bucket/key" an object, for which the
	// program must import package stores. A signature without inputs needs no files. Files that
	// gzip or zstd compressed are decompressed, which their names or first bytes show; TFRecord
	// files also if zlib compressed them, as TensorFlow may do.
	Files []string
	Stdin io.Reader
	// Format is "jsonl", "txt", "csv", "tsv", "npy", "npz", "tfrecord", "parquet" or "arrow". "":
	// the one that the files' names say, on which they must agree.
	Format string
	// Columns maps an input to the column that it is read from, where that has another name. For
	// files of plain columns (csv, tsv, parquet, arrow) it may be several names, separated by
	// commas, whose values are put side by side.
	Columns map[string]string
	// Nulls holds the values that take the place of missing ones, by input.
	Nulls dataset.Nulls
	// CSV says how files of cells are read. Its fields Header, Comma, Quote, NoQuotes, Comment and
	// Null count, and Sniffed is called.
	CSV csv.Options
	// Keep lists columns that are kept in [runner.Result.Extra], in this order.
	Keep []string
	// Part and Parts read only part number Part, from 0, of the Parts parts of each file, which
	// must be Parquet. With 0 Parts the whole files are read.
	Part, Parts int
	// Partition holds columns with one value for all rows, such as those in a file's path, see
	// package hive. Those that Keep names or matches come after the kept columns of the rows. A
	// column of the same name in a file is not read.
	Partition []dataset.Field
	// Encoder turns text into ids, for a model that is trained with an encoder outside its graph.
	// It encodes column Text of JSON rows, or all lines of text.
	Encoder TextEncoder
	// Vocabulary identifies the Encoder's vocabulary, for instance by a digest of its file. A run
	// with another one does not go on, see [Job.Resume].
	Vocabulary string
	Text       string

	// records, if not nil, is called with the kind of records in each TFRecord file.
	records func(file string, kind tfrecord.Kind)

	read *atomic.Int64             // counts the bytes read from the files, or nil
	size func() (BatchSize, error) // FileBatchSize, called once for many jobs; or nil
	ctx  context.Context           //nolint:containedctx // of the run, which ends the reading of objects
}

// TextEncoder turns a text into ids.
type TextEncoder interface {
	Encode(text string) []int64
}

// files returns the source in the form of package source.
func (src Source) files() source.Source {
	return source.Source{Files: src.Files, Stdin: src.Stdin, Format: src.Format, Columns: src.Columns, Keep: src.Keep, Nulls: src.Nulls, CSV: src.CSV, Part: src.Part, Parts: src.Parts, Read: src.read, Context: src.ctx, Records: src.records}
}

// filesFor returns the source in the form of package source, within a predictor's limits.
func (src Source) filesFor(p *runner.Predictor) source.Source {
	in, signature := src.files(), p.Function().Signature().Name
	in.Limits, in.BlockBytes, in.Room = p.Options().Limits, blockBytes(p), room(p)
	in.Envelope = func(key string, value []byte) error {
		var name string
		if key != "signature_name" || json.Unmarshal(value, &name) != nil || name == signature {
			return nil
		}
		return &RequestError{Signature: name, Run: signature}
	}
	return in
}

// room returns the room that a predictor's sources take their memory from, or nil.
func room(p *runner.Predictor) dataset.Room {
	if r := p.Options().Room; r != nil {
		return r
	}
	return nil
}

// blockBytes returns about how many bytes to read at a time from a source of blocks: those of a
// batch, if that is more than the source's default; otherwise 0.
func blockBytes(p *runner.Predictor) int {
	n, ok := p.RowBytes()
	o := p.Options()
	if rows := int64(o.BatchSize); ok && !o.NoBatch && n <= 64<<20/rows && n*rows >= 1<<20 {
		return int(n * rows)
	}
	return 0
}

// RequestError says that rows come in a request of TensorFlow Serving for another signature than
// the one that is run.
type RequestError struct {
	Signature string // the request's signature_name
	Run       string // the signature that is run
}

// Error names both signatures.
func (e *RequestError) Error() string {
	return fmt.Sprintf("the request is for signature %q, this run is of %q", e.Signature, e.Run)
}

// Hints returns how to run the request's signature.
func (e *RequestError) Hints() []string {
	return []string{"run the signature of the request: -s " + e.Signature}
}
