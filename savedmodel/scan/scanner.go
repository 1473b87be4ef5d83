package scan

import (
	"fmt"
	"slices"

	"github.com/tfrun/tfrun/internal/ops"
	"github.com/tfrun/tfrun/savedmodel"
)

// scanner goes through a graph once, keeps of each node what the scan needs, and then follows the
// calls.
type scanner struct {
	mg *savedmodel.MetaGraph
	// function names in the file's order, after "" for the main graph
	order     []string
	functions map[string]*scanBody // by name
	callers   map[string][]scanCaller
	implement map[string][]string // the functions of each interface (the attribute api_implements)
	gradients map[string]string   // the function that is another's gradient, by the other
	assets    map[string]string   // the main graph's tensors that are the paths of assets
	saver     string              // the main graph's tensor that is the checkpoint's path
	main      map[string]*scanNode
	variables map[string]bool // the variables that functions have handles of

	signatures []string          // sorted
	labels     map[string]labels // of functions
	mainLabels map[string]labels // of the main graph's nodes
	reached    int               // nodes, functions and edges, once for each label
	traced     int               // calls that paths were followed through

	// what was found out already
	inputNames map[string]string      // of placeholders, see inputName
	followed   map[string]scanOrigin  // of the main graph's tensors, see followMain
	traces     map[place][]scanOrigin // see trace
	layers     map[string]string      // of functions
	reachedBys map[string][]string    // the signatures that reach a function
}

// scanBody is what is kept of a function.
type scanBody struct {
	hits     []scanHit
	calls    []*scanCall
	huge     []scanHuge
	template bool // callers fill in its attributes
}

// scanNode is what is kept of a node of the main graph.
type scanNode struct {
	op       string
	inputs   []string
	beside   []string // the nodes that it has to stand beside, which so are part of the graph
	calls    []*scanCall
	origin   scanOrigin
	sizes    string // of a constant that would be an impossible shape: what is wrong with it
	variable string // of a handle: the variable's name, see [variableName]
	// assigned marks a read of a variable whose first input is what the variable holds.
	assigned bool
}

// scanHit is an operation that does more than compute, or that is not known.
type scanHit struct {
	op, node string
	known    *ops.Op // nil where the table does not have it
	fault    string  // what the node holds that no node should
	path     scanOrigin
	attr     string
}

// scanCall is a use of a function. args says where its arguments come from; nil when the op passes
// them in a way of its own.
type scanCall struct {
	node   string
	callee string
	args   []scanOrigin
}

// scanCaller is a call as its callee sees it.
type scanCaller struct {
	function string
	call     *scanCall
}

// scanOrigin says where a tensor comes from.
type scanOrigin struct {
	kind  originKind
	value string // a constant's string, an asset's file name, or an input's name
	arg   int
}

type originKind int

const (
	fromGraph originKind = iota // computed, or not followed
	fromConst
	fromArg // of the function
	fromAsset
	fromInput // of a signature
	fromSaver
)

func (o scanOrigin) String() string {
	switch o.kind {
	case fromConst:
		return fmt.Sprintf("the path %q", o.value)
	case fromAsset:
		return fmt.Sprintf("the model's asset %q", o.value)
	case fromInput:
		return fmt.Sprintf("a path given by input %q", o.value)
	case fromSaver:
		return "the model's checkpoint"
	}
	return "a path made in the graph"
}

// labels are what reaches a node or a function: numbers of [scanner.signatures], or one of those
// below. They ascend.
type labels []int32

// What reaches a node or a function beside the signatures.
const (
	labelInit    int32 = -1 // the init op, and what else loading needs
	labelRestore int32 = -2 // the restore op, which loading runs first
)

func (l labels) has(label int32) bool { return slices.Contains(l[:min(2, len(l))], label) }

// place is a tensor of a function.
type place struct {
	function string
	origin   scanOrigin
}

// labelsOf says what reaches a node.
func (s *scanner) labelsOf(function, node string) labels {
	if function == "" {
		return s.mainLabels[node]
	}
	return s.labels[function]
}
