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

// Source says where rows come from and how they become a signature's inputs.
type Source struct {
	// Files are read one after the other; "-" is Stdin, "s3://bucket/key" an object, for which the
	// program imports package stores. A signature without inputs needs none. What
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
	// Keep lists columns that go to [runner.Result.Extra] as they are, in this order.
	Keep []string
	// Part, of Parts, reads that part of the row groups of each file, which are then to be Parquet;
	// 0 Parts means all.
	Part, Parts int
	// Partition holds columns that have one value for all rows, such as those that a file's path
	// tells, see package hive. Of them, those that Keep names or matches come after the columns
	// that rows have; a column of the same name in a file is not read.
	Partition []dataset.Field
	// Encoder turns text into ids, for a model whose encoder lives outside its graph. Of JSON rows
	// it encodes column Text, of lines of text all.
	Encoder TextEncoder
	// Vocabulary says which vocabulary the Encoder has, such as a digest of its file: a run with
	// another one is not gone on with, see [Job.Resume].
	Vocabulary string
	Text       string

	// records is told what the records of TFRecord files are; nil: nobody asks.
	records func(file string, kind tfrecord.Kind)

	read *atomic.Int64             // counts the bytes that are read of the files, or nil
	size func() (BatchSize, error) // what FileBatchSize says, asked for once of many files; or nil
	ctx  context.Context           //nolint:containedctx // of the run, which ends the reading of objects
}

// TextEncoder turns a text into ids.
type TextEncoder interface {
	Encode(text string) []int64
}

// files is the source as package source knows it.
func (src Source) files() source.Source {
	return source.Source{Files: src.Files, Stdin: src.Stdin, Format: src.Format, Columns: src.Columns, Keep: src.Keep, Nulls: src.Nulls, CSV: src.CSV, Part: src.Part, Parts: src.Parts, Read: src.read, Context: src.ctx, Records: src.records}
}

// filesFor is the source as package source knows it, within a predictor's limits.
func (src Source) filesFor(p *runner.Predictor) source.Source {
	in, signature := src.files(), p.Function().Signature().Name
	in.Limits, in.BlockBytes = p.Options().Limits, blockBytes(p)
	in.Envelope = func(key string, value []byte) error {
		var name string
		if key != "signature_name" || json.Unmarshal(value, &name) != nil || name == signature {
			return nil
		}
		return &RequestError{Signature: name, Run: signature}
	}
	return in
}

// blockBytes is about how much a source that reads by the block is to read at a time: a batch where
// that is more than its habit.
func blockBytes(p *runner.Predictor) int {
	n, ok := p.RowBytes()
	o := p.Options()
	if rows := int64(o.BatchSize); ok && !o.NoBatch && n <= 64<<20/rows && n*rows >= 1<<20 {
		return int(n * rows)
	}
	return 0
}

// RequestError says that rows come in a request of TensorFlow Serving for another signature.
type RequestError struct {
	Signature string // the request's signature_name
	Run       string // the signature that is run
}

// Error names both.
func (e *RequestError) Error() string {
	return fmt.Sprintf("the request is for signature %q, this run is of %q", e.Signature, e.Run)
}

// Hints says how to run the request's.
func (e *RequestError) Hints() []string {
	return []string{"run the signature of the request: -s " + e.Signature}
}
