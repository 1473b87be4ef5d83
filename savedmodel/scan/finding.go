package scan

import (
	"slices"

	"github.com/tfrun/tfrun/internal/ops"
)

// Finding is a part of a model that does more than compute, or that makes a loader do so.
type Finding struct {
	Kind     FindingKind `json:"kind"`
	Severity Severity    `json:"severity"`
	// Op is the operation's type. It is "" for findings that are no operation: in the Keras
	// metadata, in the list of assets, for calls and for sizes.
	Op string `json:"op,omitempty"`
	// Function holds the operation; "" stands for the main graph.
	Function string `json:"function,omitempty"`
	Node     string `json:"node,omitempty"`
	// Layer is the name scope of the operation, or of the call of its function. For metadata it is
	// the layer's name.
	Layer string `json:"layer,omitempty"`
	// Signatures are the signatures that run the operation, sorted.
	Signatures []string `json:"signatures,omitempty"`
	// Loading says that loading the model runs the operation: the restore op or the init op reaches
	// it.
	Loading bool `json:"loading,omitempty"`
	// Detail says more, such as which file is read, or why the finding is expected.
	Detail string `json:"detail,omitempty"`
}

// FindingKind says what a [Finding] can do.
type FindingKind string

// The kinds of findings.
const (
	ReadsFiles     FindingKind = "reads-files"
	WritesFiles    FindingKind = "writes-files"
	UsesNetwork    FindingKind = "network"     // reaches the network, or other workers of a cluster
	UsesProcess    FindingKind = "process"     // starts a process, or ends this one
	RunsPython     FindingKind = "python"      // needs the Python interpreter that made the graph
	RunsNativeCode FindingKind = "native-code" // code that is not TensorFlow's
	RunsGraph      FindingKind = "graph"       // runs a graph or a program that is data
	LooseMemory    FindingKind = "memory"      // hands out memory that it does not own
	NeedsTPU       FindingKind = "tpu"
	Internal       FindingKind = "internal" // made by TensorFlow itself, and trusted by it
	// UnknownOp: TensorFlow 2.15 to 2.21 do not have the operation, so what it does is not known.
	UnknownOp FindingKind = "unknown-op"
	// Ambiguous: readers may differ about what it is, its caller decides what it does, or it holds
	// handles. TensorFlow writes no such file.
	Ambiguous   FindingKind = "ambiguous"
	LambdaLayer FindingKind = "lambda" // a Keras layer whose code is a Python function
	// Bytecode: Python bytecode, which Keras runs when it loads the model.
	Bytecode FindingKind = "bytecode"
	// EndlessCalls: functions call themselves, or make millions of calls. TensorFlow ends the
	// process.
	EndlessCalls FindingKind = "endless-calls"
	// HugeTensor: the graph asks for more values than a tensor can have.
	HugeTensor FindingKind = "huge-tensor"
	// LargeConstant: constants take far more memory than they have bytes in the file.
	LargeConstant FindingKind = "large-constant"
	// BrokenNode: a node contradicts itself, counts too many inputs, or enters a loop twice.
	// TensorFlow ends the process.
	BrokenNode FindingKind = "broken-node"
	AssetPath  FindingKind = "asset-path"  // an asset or link that leads out of the model
	CustomCode FindingKind = "custom-code" // a class or function that is not Keras' own
	// OddArchive: programs read the archive differently, or it grows too large when it is unpacked.
	OddArchive FindingKind = "odd-archive"
	// OddMetadata: what Keras 2 noted beside the graph, or the configuration of one of Keras' own
	// files, cannot be read here. Keras may read it, and run Python code that stands in it.
	OddMetadata FindingKind = "odd-metadata"
)

// Allowable reports whether a user who trusts the model may allow the finding, by naming the
// operation. With some of the other kinds TensorFlow ends the process, or runs for ever.
func (k FindingKind) Allowable() bool {
	return !slices.Contains([]FindingKind{EndlessCalls, HugeTensor, BrokenNode, Ambiguous}, k)
}

// runs reports whether a finding of the kind is an operation or a call. Others are found beside the
// graph.
func (k FindingKind) runs() bool {
	return !slices.Contains([]FindingKind{LambdaLayer, Bytecode, AssetPath, CustomCode, OddArchive, OddMetadata}, k)
}

// Severity says how much a [Finding] matters to a user who loads the model and runs its signatures.
type Severity string

// The severities, the worst first.
const (
	Unsafe Severity = "unsafe" // happens when the model is loaded, or when a signature is run
	// Dormant: loading and the signatures do not reach it; other functions of the model may.
	Dormant  Severity = "dormant"
	Expected Severity = "expected" // every such model has it: its own checkpoint and vocabularies
)

// Where names the place of the finding for people: the layer, else the function, else the node.
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

// Result is what [Scan] returns for a graph.
type Result struct {
	Findings []Finding // the worst first
	// Pins lists operations that could touch files, and may run with the paths that were seen. The
	// code that hands the graph to TensorFlow has to put these paths before them, as constants.
	Pins []Pin
}

// Pin says which path an operation gets.
type Pin struct {
	Function, Node string
	Input          int     // index of the data input that takes the path
	Own            ops.Own // kind of the model's file; [ops.Nothing] for Path itself
	Path           string  // an asset's file name, or a path with which nothing is touched
}
