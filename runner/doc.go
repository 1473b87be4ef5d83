// Package runner runs TensorFlow SavedModels through libtensorflow.
//
// [Load] opens a model and returns a [Session]; [Session.Run] runs one of its signatures on whole
// tensors. [Session.NewPredictor] streams rows through a signature in padded batches, one result
// for each row, in the rows' order. Package [github.com/tfrun/tfrun/runner/job] does whole jobs,
// from files to a file.
//
//	s, err := runner.Load(ctx, "model", runner.Options{})
//	if err != nil { … }
//	defer s.Close()
//	out, err := s.Run(ctx, "serving_default", map[string]tensor.Tensor{"x": x})
//
// # Doors
//
//   - To load: [Load], [LoadModel], [Options] with [Optimizer] and [XLA]; [IsolateMain].
//   - To call: [Session.Run]; [Function] with [Feed] and [Endpoint] for many calls.
//   - To stream rows: [Predictor] with [PredictOptions], [Batching] and [Head]. Rows are as
//     [Predictor.RowSpec] says, or [Predictor.Complete] makes them so; each gives a [Result]
//     with a [Value] for each output, and [Predictor.Batches] a [ResultBatch] of many.
//   - To serve: [Batcher] lets the rows of many goroutines share batches; [Predictor.ParseRow] and
//     [AppendRow] are JSON in and out, [Counters] and [Session.Stats] say what was done, and
//     [Options.Logger] gets TensorFlow's log.
//   - To ask before: [DryPredictor], [Predictor.Try], [Predictor.CheckUp].
//   - To look at the machine: [OpenLibrary] and [OpenAhead], [ExamineGPU], [SelfTest].
//
// Errors are types that name what was wanted: those of options and names ([OptionError],
// [NameError], [BatchAxisError]), of what is fed and given ([FeedError], [DTypeError],
// [OutputError]), of the model ([UnsafeError], [PaddingError]), of TensorFlow and its process
// ([Error], [RowError], [BatchError], [MemoryError], [ProcessError]), and of the machine
// ([LibraryError], [GPUError]).
//
// # Whose fault an error is
//
// A handler asks with [errors.As] and [errors.Is]:
//
//   - the caller's, who sent a row: *[dataset.SyntaxError] and *[dataset.LimitError] of
//     [Predictor.ParseRow], *[FeedError], *[NameError], *[RowError], and an *[Error] with the code
//     [InvalidArgument] or [OutOfRange];
//   - nobody's, the time was over: [context.DeadlineExceeded], [context.Canceled];
//   - later it may work: [ErrClosed] of a model that is being loaded anew, *[MemoryError], *[Error]
//     with [ResourceExhausted] or [Unavailable];
//   - the program's or the model's own: all others.
//
// # The library
//
// The package is linked against libtensorflow, or against a small stand-in for it that opens the
// library when the first model is loaded (the Makefile builds commands that way: a command that
// runs no model then starts in milliseconds). [OpenLibrary] does that ahead of time, and says which
// library was found. Built without cgo, every function that needs the library returns
// [ErrNoTensorFlow].
//
// # Checks
//
// What is fed is checked against the signature first: names, dtypes, ranks and the sizes that the
// signature fixes. A mismatch is a [*FeedError] or a [*NameError] and never reaches TensorFlow.
// What TensorFlow itself reports is an [*Error] with its [Code], without the prefixes that repeat
// the graph's function names. No panic of the binding reaches a caller.
//
// # Ownership
//
// The tensors that a caller feeds are only read, and only until the call returns; those of a
// [Batcher] may be read on after a call that its context has ended. The tensors that are returned
// live in Go memory and are the caller's. The caller closes a Session; after that every method
// returns [ErrClosed].
//
// # Deadlines
//
// A call returns when its context is done, [Load] among them, also while it copies large inputs or
// outputs. TensorFlow cancels a run at the context's deadline, or after [Options.Timeout], between
// two operations and in loops, so that the cores are soon free; a single operation that takes long,
// and a run whose context is cancelled before its deadline, goes on unseen to its end.
// [Session.Close] waits for it, and lets no other call in meanwhile. (A program that is linked with
// libtensorflow itself, without the stand-in, has no bound within TensorFlow.)
//
// # Concurrency
//
// A Session may be used from many goroutines at once, and each run gives what it gives alone.
// Models that keep state between runs see the calls in the order in which they happen.
//
// TensorFlow promises that much of its sessions, and does not keep it: the kernel that computes a
// convolution, its bias and a sum in one keeps two pointers of the run in itself, and two runs at
// a time give wrong numbers, or end the process, where the tensor that is added is needed
// elsewhere as well, as over a long skip connection (TensorFlow 2.15 to 2.21 on processors, with
// oneDNN, which is on by default). [Load] hands TensorFlow a copy of the graph of which its
// optimizer makes no such kernel: [rewrite.Sharing] says how. Where the file itself names
// kernels of that kind (quantized convolutions and products), runs wait for each other:
// [Options.InTurn].
package runner
