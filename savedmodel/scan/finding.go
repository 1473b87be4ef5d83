package scan

import (
	"slices"

	"github.com/tfrun/tfrun/internal/ops"
)

// Finding is something in a model that does more than compute, or that makes a loader do so.
type Finding struct {
	Kind     FindingKind `json:"kind"`
	Severity Severity    `json:"severity"`
	// Op is the operation's type; "" for what stands in the Keras metadata or in the list of
	// assets, for calls and for sizes.
	Op string `json:"op,omitempty"`
	// Function holds the operation; "" stands for the main graph.
	Function string `json:"function,omitempty"`
	Node     string `json:"node,omitempty"`
	// Layer is the name scope that the operation stands in, or that the function is called from; of
	// metadata the layer's name.
	Layer string `json:"layer,omitempty"`
	// Signatures are those that reach the operation when they run, sorted.
	Signatures []string `json:"signatures,omitempty"`
	// Loading says that loading the model runs the operation: the restore op or the init op reaches
	// it.
	Loading bool `json:"loading,omitempty"`
	// Detail says what is known beyond that: which file, or why the finding is expected.
	Detail string `json:"detail,omitempty"`
}

// FindingKind says what a [Finding] can do.
type FindingKind string

// The kinds of findings.
const (
	ReadsFiles     FindingKind = "reads-files"
	WritesFiles    FindingKind = "writes-files"
	UsesNetwork    FindingKind = "network"     // or other workers of a cluster
	UsesProcess    FindingKind = "process"     // starts one, or ends this one
	RunsPython     FindingKind = "python"      // needs the Python interpreter that made the graph
	RunsNativeCode FindingKind = "native-code" // that is no part of TensorFlow
	RunsGraph      FindingKind = "graph"       // a graph or a program that is data
	LooseMemory    FindingKind = "memory"      // hands out memory that is not its own
	NeedsTPU       FindingKind = "tpu"
	Internal       FindingKind = "internal" // TensorFlow makes it itself, and trusts what it says
	// no TensorFlow from 2.15 to 2.21 has the operation: what it does is not known
	UnknownOp FindingKind = "unknown-op"
	// can be read in two ways, depends on who calls it, or holds handles: what it does is not what
	// it seems to do. TensorFlow writes no such file
	Ambiguous   FindingKind = "ambiguous"
	LambdaLayer FindingKind = "lambda" // a Keras layer whose code is a Python function
	// Python bytecode, which Keras runs when it loads the model
	Bytecode FindingKind = "bytecode"
	// functions that call themselves, or come to millions of calls: TensorFlow ends the process
	EndlessCalls FindingKind = "endless-calls"
	// the graph says how large: more values than there can be
	HugeTensor FindingKind = "huge-tensor"
	// contradicts itself, or counts what nobody can: TensorFlow ends the process
	BrokenNode FindingKind = "broken-node"
	AssetPath  FindingKind = "asset-path"  // a file of the model that lies elsewhere
	CustomCode FindingKind = "custom-code" // a class or a function that is not Keras' own
	// an archive that different programs read differently, or that grows beyond measure
	OddArchive FindingKind = "odd-archive"
)

// Allowable reports whether somebody who trusts the model may run it nevertheless, by the name of
// the operation. TensorFlow ends the process, or does not come to an end, with some of the others.
func (k FindingKind) Allowable() bool {
	return !slices.Contains([]FindingKind{EndlessCalls, HugeTensor, BrokenNode, Ambiguous}, k)
}

// runs reports whether it is an operation, or a call, that was found, and not what surrounds the
// graph.
func (k FindingKind) runs() bool {
	return !slices.Contains([]FindingKind{LambdaLayer, Bytecode, AssetPath, CustomCode, OddArchive}, k)
}

// Severity says what a [Finding] means to someone who loads the model and runs its signatures.
type Severity string

// The severities, the worst first.
const (
	Unsafe Severity = "unsafe" // happens when the model is loaded, or when a signature is run
	// no signature and no loader's step reaches it; other functions of the model may
	Dormant  Severity = "dormant"
	Expected Severity = "expected" // part of every such model: its own checkpoint and vocabularies
)

// Where names the place of the finding for people: the layer, or the function, or the node.
func (f *Finding) Where() string {
	switch {
	case f.Layer != "":
		return f.Layer
	case f.Function != "":
		return f.Function
	case f.Node != "":
		return f.Node
	}
	return "the graph"
}

// Result is what [Scan] says of a graph.
type Result struct {
	Findings []Finding // the worst first
	// Pins are the operations that may run although they can touch files, as long as they are told
	// the paths that were seen. Whoever hands the graph to TensorFlow writes those before them.
	Pins []Pin
}

// Pin says which path an operation is told.
type Pin struct {
	Function, Node string
	Input          int     // the data input that is the path
	Own            ops.Own // what of the model the path is; [ops.Nothing] for Path itself
	Path           string  // an asset's file name, or a path with which nothing is touched
}
