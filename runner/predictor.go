package runner

import (
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// PredictOptions says how rows are run through a signature. The zero value runs serving_default in
// padded batches of 64 rows.
type PredictOptions struct {
	// Signature is the signature to run; "" is serving_default, or the only one.
	Signature string
	// Outputs picks and orders the outputs, and may rename them: "score=output_0", also what heads
	// make of them, "class=output_0_labels"; nil takes all, by name.
	Outputs []string
	// Heads are computed from outputs inside the graph, and take their places.
	Heads []Head

	// NoBatch runs one row at a time: each row holds whole tensors as the signature takes them,
	// batch axis included, and each result holds whole outputs. Of a signature without inputs it is
	// always set.
	NoBatch bool
	// BatchSize is the number of rows of a batch. 0 means the size that the signature fixes, or 64;
	// a job takes more rows of a file where each is little work. A size other than the one that the
	// signature fixes is an error.
	BatchSize int
	// Batching says which rows share a batch; "" is [Arrival].
	Batching Batching
	// PaddingMayChangeResults lets [Bucket] and [Auto] go ahead without trials.
	PaddingMayChangeResults bool
	// Measured, if not nil, is told what was found before a run with [Exact], [Bucket] or [Auto],
	// and which of them it is. It is called before the first result, from another goroutine.
	Measured func(found Verdict, chosen Batching)
	// MaxTokens bounds a batch by its rows times its longest row; 0: no bound.
	MaxTokens int64
	// Window is how many rows a batching other than arrival may hold back; 0 means
	// [dataset.DefaultWindow], or for [Exact] as many as take WindowMemory bytes.
	Window int
	// WindowMemory bounds the memory of the rows that a batching other than arrival holds back, so
	// that those of one length meet, and of the results that wait for theirs. 0 means
	// [DefaultWindowMemory]. Of standard input the default Window counts, too.
	WindowMemory int64

	// Pad gives the padding value of an input, in its dtype; 0, "" or false for the others.
	Pad map[string]tensor.Tensor
	// PadTo is the least size that the first axis of an input's rows is padded to: the tutorial's
	// pad_to_size. Longer rows stay as they are.
	PadTo map[string]int64
	// PaddedShapes gives the padded shape of an input's rows, as padded_batch takes it: a size is
	// exact, [dataset.None] the longest row's.
	PaddedShapes map[string]dataset.Dims

	// Sequences says how rows are brought to a length, and what inputs get beside what rows hold.
	Sequences Sequences

	// JSON says how [Predictor.ParseRow] reads a row. Its Keys (inputs under names of a service's
	// own), Keep (what is handed on to the result) and Nulls (what missing values become) count.
	JSON dataset.JSONLOptions

	// Limits bounds what rows may ask for.
	Limits dataset.Limits
	// Split, if not nil, is told once that a batch was split to keep within
	// [dataset.Limits].BatchBytes: how many rows it would have had, and how many the first part
	// has. It is called from another goroutine.
	Split func(rows, first int)

	// Shard, of Shards, runs only the rows whose number leaves that remainder; 0 Shards means all
	// rows. Result rows are then numbered anew.
	Shard, Shards int64
	// From leaves out the results of lower rows, which an earlier run has delivered. Batches with
	// lower rows alone are not run, unless the signature keeps state: then later answers depend on
	// them.
	From int64

	// Workers is the number of batches that run at the same time, on each device where there are
	// several. 0 means [DefaultWorkers], or 1 where the order of the runs shows in the answers: a
	// signature that keeps state ([Predictor.State]), which takes no more, or draws random numbers.
	Workers int
	// Halved, if not nil, is told once that a batch of so many rows does not fit the device's
	// memory; such batches are run in halves from then on, and the results are the same. It is
	// called from another goroutine. A row that does not fit by itself is a
	// *[RowError] of a *[MemoryError].
	Halved func(rows int64, err error)
	// SkipBadRows turns rows that cannot be read into results with an error, and goes on.
	SkipBadRows bool
	// Room, if not nil, is asked for the memory of what readers of Arrow hold, and of batches, and
	// told of results: iterations that have one each, of one whole, share that.
	Room Room
	// Stats, if not nil, is told of every batch. It must not be read before the iteration ends.
	Stats *dataset.Stats
	// Batch, if not nil, is told of every batch that has run, by the worker that ran it: with
	// several workers, by several goroutines at a time.
	Batch func(BatchInfo)
}

// DefaultBatchSize is the number of rows of a batch unless told otherwise: the tutorial's.
const DefaultBatchSize = 64

// DefaultWindowMemory is how much the rows may take that are held back, unless told otherwise.
const DefaultWindowMemory = 256 << 20

// DefaultWorkers is the number of batches that run at the same time unless told otherwise. A second
// one fills the gaps that the operations of one leave on the processors: of a recurrent model's
// steps each waits for the one before. On 2 cores it gave the tutorial's model 1.1 to 1.2 times the
// rows a second, and a small dense model 1.3 times; a third gave nothing more and takes the memory
// of one more batch.
const DefaultWorkers = 2

// Room is memory that several iterations share, of one iteration. Its methods are called by several
// goroutines at a time.
type Room interface {
	dataset.Room
	// Feed takes the bytes of a batch that the model is given, and Fed gives them back.
	Feed(bytes int64) error
	Fed(bytes int64)
	// Delivered says that the results of so many rows were taken.
	Delivered(rows int)
}

// Result is what a signature gave for one row.
type Result struct {
	// Row is the row's number in its source, counted from 0.
	Row int64
	// Values are the outputs in the order of [Predictor.OutputNames]; nil where Err is set.
	Values []Value
	// Extra is what the source kept beside the inputs.
	Extra []dataset.Field
	// Err says why a row has no values; only with SkipBadRows.
	Err error
}

// Predictor runs rows through a signature. It may be used for several iterations at once.
type Predictor struct {
	f          *Function
	given      PredictOptions // as the caller gave them
	o          PredictOptions // in force: what was left open is filled in
	spec       dataset.Spec
	components []dataset.Component // spec, flattened
	paths      []string            // of spec
	feeders    []feeder
	fixed      int64 // the batch size that the signature fixes, or 0
	outputs    []string
	features   []savedmodel.ExampleFeature // that the only input's tf.Examples hold
	records    bool                        // the only input is a serialized message
	counters   *counters
	fit        *fitter
	proven     *proven
	made       map[string]string // inputs made of the length of another
	lengths    map[string]int64  // that inputs' rows get, see [Sequences]
	parsers    *sync.Pool        // of *dataset.RowParser
	fed        *tf.Recycler      // of a batcher's batches; nil: their memory is not kept
	twin       *exactTwin        // that Exact may use; nil where there is none
	using      *exactTwin        // that batches are fed to; nil: they are fed to f
}

// Options returns the options in force: those that were given, with what they left open filled in.
// Their slices and maps are the Predictor's own.
func (p *Predictor) Options() PredictOptions { return p.o }

// With returns a predictor of the same signature with other options. change gets the options that
// p was made with, in which 0 stands for what was left open. Signature, Outputs, Heads, NoBatch,
// Pad, Sequences and Halved must stay as they are: with them, both predictors share what is known
// of the signature, so that the new one costs next to nothing. Its [Counters] begin at 0. Errors
// are *[OptionError].
func (p *Predictor) With(change func(o *PredictOptions)) (*Predictor, error) {
	q := *p
	q.counters = &counters{}
	change(&q.given)
	if !reflect.DeepEqual(q.given.shared(), p.given.shared()) {
		return nil, &OptionError{Option: "Signature, Outputs, Heads, NoBatch, Pad, Sequences", Msg: "another predictor has others: see Session.NewPredictor"}
	}
	q.given.Halved = p.given.Halved
	q.o = q.given
	if err := q.settle(); err != nil {
		return nil, err
	}
	if p.suitsTwin() {
		if !q.suitsTwin() {
			q.twin = nil
		}
		return &q, nil
	}
	return &q, q.findTwin()
}

// shared are the options that predictors made by With have in common.
func (o PredictOptions) shared() PredictOptions {
	return PredictOptions{Signature: o.Signature, Outputs: o.Outputs, Heads: o.Heads, NoBatch: o.NoBatch, Pad: o.Pad, Sequences: o.Sequences}
}

// with returns a copy of the predictor with other options, for a use of its own: nothing is
// checked.
func (p *Predictor) with(change func(o *PredictOptions)) *Predictor {
	q := *p
	change(&q.o)
	return &q
}

// Function returns the signature that is run.
func (p *Predictor) Function() *Function { return p.f }

// RowSpec is what rows must look like: a dictionary with a component for each input of the
// signature, without the batch axis unless NoBatch is set. A sparse input is a dictionary of its
// indices, values and dense_shape.
func (p *Predictor) RowSpec() dataset.Spec { return p.spec }

// OutputNames lists the outputs in the order of [Result.Values]. The slice is the Predictor's own.
func (p *Predictor) OutputNames() []string { return p.outputs }

// BatchAxisError says that rows cannot be batched for a signature: an input has no batch axis, or
// its inputs fix different sizes of it.
type BatchAxisError struct {
	Input string
	Shape tensor.Shape
	Msg   string
}

// Error names the input, its shape and the reason.
func (e *BatchAxisError) Error() string {
	return fmt.Sprintf("input %q of shape %s: %s", e.Input, e.Shape, e.Msg)
}

// Hints says what to type instead.
func (e *BatchAxisError) Hints() []string {
	hints := []string{"run one row at a time, each holding whole tensors: --no-batch"}
	if e.Shape.Ranked() && e.Shape.Rank() == 0 {
		hints = append(hints, fmt.Sprintf("or give all rows one value: --set %s", words.Shell(e.Input+"=VALUE")))
	}
	return hints
}

// BatchError is an error of TensorFlow's with the rows that were being run.
type BatchError struct {
	First, Last int64 // the lowest and the highest row number of the batch, counted from 0
	Err         error
}

// Error counts rows from 1, as people and editors do.
func (e *BatchError) Error() string {
	if e.First == e.Last {
		return fmt.Sprintf("row %d: %v", e.First+1, e.Err)
	}
	return fmt.Sprintf("rows %d to %d: %v", e.First+1, e.Last+1, e.Err)
}

// Unwrap returns TensorFlow's error.
func (e *BatchError) Unwrap() error { return e.Err }

// OutputError says that an output does not hold one entry for each row of the batch.
type OutputError struct {
	Output string
	Got    int64 // entries along the first axis, or -1 for a scalar
	Want   int64 // rows of the batch
	Always bool  // the signature says so, for any number of rows: Want is not set
}

// Error says what came and what was wanted.
func (e *OutputError) Error() string {
	switch {
	case e.Always && e.Got < 0:
		return fmt.Sprintf("output %q: a scalar, not one value for each row", e.Output)
	case e.Always:
		return fmt.Sprintf("output %q: has %d entries along its first axis whatever the number of rows, not one for each", e.Output, e.Got)
	}
	if e.Got < 0 {
		return fmt.Sprintf("output %q: a scalar, not one value for each of the batch's %d rows", e.Output, e.Want)
	}
	return fmt.Sprintf("output %q: %d entries along its first axis, not one for each of the batch's %d rows", e.Output, e.Got, e.Want)
}

// Hints says what to type instead.
func (e *OutputError) Hints() []string {
	if e.Always && e.Got == 1 {
		return []string{
			"if the model takes one row at a time: --batch-size 1",
			"or run one row at a time, each holding whole tensors: --no-batch",
		}
	}
	return []string{
		"leave this output out with --outputs, which names the ones to keep",
		"or run one row at a time, each holding whole tensors: --no-batch",
	}
}

// State says which operations of the signature change what a later run sees. Where there are some,
// batches run one after the other in the rows' order ([Auto] is [Arrival] then), and a resumed run
// begins with the first row, without delivering what an earlier run has delivered.
func (p *Predictor) State() savedmodel.State { return p.f.state }

// checkState refuses options under which rows would not meet the state that the model's author had
// in mind.
func (p *Predictor) checkState() error {
	switch {
	case !p.f.state.Stateful():
	case p.o.Workers > 1:
		return p.refuse("Workers", "%d workers, want 1", p.o.Workers)
	case p.o.Batching == Exact || p.o.Batching == Bucket:
		return p.refuse("Batching", "batching %s changes the order of rows, want arrival", p.o.Batching)
	case p.o.Shards > 1:
		return p.refuse("Shard", "a shard leaves out rows that later ones depend on")
	}
	return nil
}

// refuse says that an option does not go with a signature that keeps state.
func (p *Predictor) refuse(option, format string, args ...any) error {
	return &OptionError{Option: option, Msg: fmt.Sprintf(format+": the model keeps state from batch to batch (%s)", append(args, strings.Join(p.f.state.Changes, ", "))...)}
}
