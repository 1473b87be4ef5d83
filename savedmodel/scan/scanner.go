package scan

import (
	"fmt"
	"slices"

	"github.com/tfrun/tfrun/internal/ops"
	"github.com/tfrun/tfrun/savedmodel"
)

// scanner reads a graph once, keeps of each node what the scan needs, and then follows the calls.
type scanner struct {
	mg *savedmodel.MetaGraph
	// order lists the functions' names in the file's order, after "" for the main graph.
	order     []string
	functions map[string]*scanBody // by name
	callers   map[string][]scanCaller
	implement map[string][]string // functions by the interface that they implement (api_implements)
	gradients map[string]string   // function → its gradient function
	assets    map[string]string   // tensors of the main graph with paths of assets → their file
	saver     string              // tensor of the main graph with the checkpoint's path
	main      map[string]*scanNode
	variables map[string]bool // variables that functions have handles of

	signatures []string          // sorted
	labels     map[string]labels // by function
	mainLabels map[string]labels // by node of the main graph
	reached    int               // nodes, functions and edges, counted for each label
	traced     int               // calls that paths were traced through
	threads    int64             // that operations start
	unfolded   int64             // bytes that constants take beside those in the file

	// The fields down to the end keep results.
	inputNames map[string]string               // of placeholders, see inputName
	followed   map[string]scanOrigin           // by tensor of the main graph, see followMain
	traces     map[functionTensor][]scanOrigin // see trace
	layers     map[string]string               // by function
	reachedBys map[string][]string             // by function: the signatures that reach it
	findings   []Finding
	mentions   int // findings, and the signatures listed for them
}

// scanBody is the part of a function that is kept.
type scanBody struct {
	hits     []scanHit
	calls    []*scanCall
	huge     []scanHuge
	template bool // callers fill in its attributes
}

// scanNode is the part of a main graph's node that is kept.
type scanNode struct {
	op       string
	inputs   []string
	beside   []string // nodes whose device it shares, and which the graph so needs
	calls    []*scanCall
	origin   scanOrigin
	sizes    string // what is wrong with a constant that would be an impossible shape
	variable string // name of a handle's variable, see [variableName]
	// assigned marks a node that reads a variable; its first input is the value assigned to the
	// variable.
	assigned bool
}

// scanHit is an operation that does more than compute, or that is not known.
type scanHit struct {
	op, node string
	known    *ops.Op // nil if the table does not have it
	fault    string  // what is wrong with the node, see admit.Fault
	path     scanOrigin
	attr     string
}

// scanCall is a use of a function. args are the origins of the function's arguments; nil if the op
// does not pass on its own inputs.
type scanCall struct {
	node   string
	callee string
	args   []scanOrigin
}

// scanCaller is a call, kept with the function called.
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
	fromGraph originKind = iota // computed, or not followed further
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

// labels says what reaches a node or a function: indices of [scanner.signatures], or the labels
// below, in ascending order.
type labels []int32

// Labels of what loading reaches.
const (
	labelInit    int32 = -1 // the init op, and whatever else loading needs
	labelRestore int32 = -2 // the restore op, which loading runs first
)

func (l labels) has(label int32) bool { return slices.Contains(l[:min(2, len(l))], label) }

// functionTensor is a tensor of a function.
type functionTensor struct {
	function string
	origin   scanOrigin
}

// labelsOf returns the labels of a node.
func (s *scanner) labelsOf(function, node string) labels {
	if function == "" {
		return s.mainLabels[node]
	}
	return s.labels[function]
}

// mostMentions bounds the findings, and the signatures listed for them.
const mostMentions = 1 << 18

// found adds findings to the result. Beyond mostMentions it only counts them: a file of 20 MB can
// have ten million things wrong.
func (s *scanner) found(list ...Finding) {
	for _, f := range list {
		if s.mentions += 1 + len(f.Signatures); s.mentions <= mostMentions {
			s.findings = append(s.findings, f)
		}
	}
}
