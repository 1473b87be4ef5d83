package scan

import (
	"fmt"

	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
)

// mostListed bounds the numbers of inputs or outputs that attributes give: TensorFlow makes a list
// of that length before it looks whether they exist. So it does of the steps of a loop that may run
// at a time, of which there are ten if nobody says otherwise. mostInputs bounds the inputs that do
// exist: no operation has more than four such lists.
const (
	mostListed = 1 << 16
	mostInputs = 4 * mostListed
)

// countAttrs are the attributes that give the number of inputs or outputs in a list (number_attr of
// TensorFlow's op definitions). Operations that use one of the names otherwise have a small number
// there too.
var countAttrs = map[string]bool{
	"M": true, "N": true, "NN": true, "Ncontext_dense": true, "Ncontext_sparse": true, "Ndense": true, "Nfeature_list_dense": true, "Nfeature_list_sparse": true,
	"Nordering_token": true, "Nresources": true, "Nsparse": true, "NumDynamicShapes": true, "NumLearningRateTags": true, "NumTables": true, "NumVariables": true,
	"OUTPUT_RAGGED_RANK": true, "PARAMS_RAGGED_RANK": true, "RAGGED_RANK": true, "num": true, "num_args": true, "num_bucketized_features": true,
	"num_computations": true, "num_dense_features": true, "num_devices": true, "num_features": true, "num_groups": true, "num_host_args": true, "num_outputs": true,
	"num_outs": true, "num_params": true, "num_params_biases": true, "num_params_weights": true, "num_partitions": true, "num_replicas": true,
	"num_row_partition_tensors": true, "num_sc_per_chip": true, "num_side_inputs": true, "num_sparse": true, "num_sparse_features": true,
	"num_sparse_features_with_values": true, "num_split": true, "num_splits": true, "num_streams": true, "num_tables": true, "output_ragged_rank": true,
	"task_count": true, "top_paths": true,
}

// brokenNode describes the part of a node with which TensorFlow would end the process, or take all
// memory, while it builds the graph; "" if there is none.
func brokenNode(def *nodepb.NodeDef) string {
	attrs := def.GetAttr()
	if def.GetOp() == "Const" {
		says, holds := attrs["dtype"].GetType(), attrs["value"].GetTensor().GetDtype()
		if says != typespb.DataType_DT_INVALID && attrs["value"].GetTensor() != nil && says != holds {
			return fmt.Sprintf("is a constant of %v that holds %v", graph.DType(says), graph.DType(holds))
		}
	}
	if n := dataInputs(def); n > mostInputs {
		return fmt.Sprintf("has %d inputs: more than %d", n, mostInputs)
	}
	if n := attrs["parallel_iterations"].GetI(); n < 0 || n > mostListed {
		return fmt.Sprintf("runs %d steps of a loop at a time: fewer than none, or more than %d", n, mostListed)
	}
	for name, v := range attrs {
		n := v.GetI()
		if n >= 0 && n <= mostListed || !countAttrs[name] {
			continue
		}
		if n < 0 {
			return fmt.Sprintf("lists %d inputs or outputs (%s)", n, name)
		}
		return fmt.Sprintf("lists %d inputs or outputs (%s): more than %d", n, name, mostListed)
	}
	return ""
}

// mostThreads bounds the threads that a model's operations start for themselves: a machine has a
// few ten thousand for everybody.
const mostThreads = 1 << 10

// crowded reports an operation that starts threads beyond [mostThreads], or a constant that takes
// memory beyond [mostUnfolded].
func (s *scanner) crowded(def *nodepb.NodeDef) []scanHuge {
	if huge := s.unfoldedBeyond(def); huge != nil {
		return huge
	}
	for _, name := range []string{"num_batch_threads", "num_threads"} {
		n := def.GetAttr()[name].GetI()
		if n <= 0 {
			continue
		}
		if s.threads += min(n, 2*mostThreads); s.threads > mostThreads {
			return []scanHuge{{kind: BrokenNode, node: def.GetName(), detail: fmt.Sprintf("starts %d threads (%s); operations may start %d in all", n, name, mostThreads)}}
		}
	}
	return nil
}

// isMerge reports whether an operation takes the first of its inputs that has a value.
func isMerge(op string) bool { return op == "Merge" || op == "RefMerge" }

// brokenMerge describes the entry of a loop that more than one value enters; "" for others. from
// are the operations that its inputs come from. TensorFlow adds such a node to its graph once one
// input is there, and ends the process at the second.
func brokenMerge(from []string) string {
	back := 0
	for _, op := range from {
		if op == "NextIteration" || op == "RefNextIteration" {
			back++
		}
	}
	if enter := len(from) - back; back > 0 && enter > 1 {
		return fmt.Sprintf("is the entry of a loop that %d values enter", enter)
	}
	return ""
}

// dataInputs returns how many inputs of a node are values.
func dataInputs(def *nodepb.NodeDef) (n int) {
	for _, in := range def.GetInput() {
		if in == "" || in[0] != '^' {
			n++
		}
	}
	return n
}

// impossible reports what [scanHuge] found, with the signatures that reach it.
func (s *scanner) impossible() {
	for _, name := range s.order {
		for _, h := range s.functions[name].huge {
			f := Finding{Kind: h.kind, Severity: Dormant, Function: name, Node: h.node, Op: h.op, Layer: s.layer(name, h.node), Detail: h.detail}
			s.reachedBy(&f)
			s.found(f)
		}
	}
}

// reachedBy sets which signatures reach a finding, and makes it [Unsafe] if any does, or loading
// does.
func (s *scanner) reachedBy(f *Finding) {
	l := s.labelsOf(f.Function, f.Node)
	f.Loading = l.has(labelInit) || l.has(labelRestore)
	f.Signatures = s.signaturesOf(f.Function, l)
	if f.Loading || len(f.Signatures) > 0 {
		f.Severity = Unsafe
	}
}

// signaturesOf returns the names of the signatures among labels. All findings in a function share
// one list, since both may be many.
func (s *scanner) signaturesOf(function string, l labels) []string {
	if names, known := s.reachedBys[function]; known {
		return names
	}
	var names []string
	for _, i := range l {
		if i >= 0 {
			names = append(names, s.signatures[i])
		}
	}
	if function != "" {
		s.reachedBys[function] = names
	}
	return names
}
