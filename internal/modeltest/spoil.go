package modeltest

import (
	"maps"
	"math/rand/v2"
	"slices"

	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
)

// Spoil changes operations of a model: their types, to some of ops, their inputs and attributes. It
// adds and removes some too. The same seed makes the same changes.
func Spoil(m *pb.SavedModel, seed uint64, ops []string) {
	rng := rand.New(rand.NewPCG(seed, 7))
	graph := m.GetMetaGraphs()[0].GetGraphDef()
	for range 1 + rng.IntN(12) {
		nodes := graph.GetNode()
		if functions := graph.GetLibrary().GetFunction(); len(functions) > 0 && rng.IntN(10) > 0 {
			nodes = functions[rng.IntN(len(functions))].GetNodeDef()
		}
		if len(nodes) == 0 {
			continue
		}
		pick := func() *nodepb.NodeDef { return nodes[rng.IntN(len(nodes))] }
		n, other := pick(), pick()
		switch rng.IntN(6) {
		case 0:
			n.Op = ops[rng.IntN(len(ops))]
		case 1:
			n.Op, n.Attr = other.GetOp(), other.GetAttr()
		case 2:
			n.Input = append(n.GetInput(), other.GetName()+":output:0")
		case 3:
			n.Input = n.GetInput()[:rng.IntN(len(n.GetInput())+1)]
		case 4:
			if len(n.GetInput()) > 0 && len(other.GetInput()) > 0 {
				n.Input[rng.IntN(len(n.GetInput()))] = other.GetInput()[rng.IntN(len(other.GetInput()))]
			}
		case 5:
			for _, key := range slices.Sorted(maps.Keys(n.GetAttr())) {
				switch a := n.GetAttr()[key]; {
				case a.GetTensor() != nil && rng.IntN(2) == 0:
					a.GetTensor().TensorContent, a.GetTensor().IntVal = nil, []int32{int32(rng.IntN(9) - 4)}
				case a.GetList() != nil && len(a.GetList().GetI()) > 0:
					a.GetList().I[rng.IntN(len(a.GetList().GetI()))] = int64(rng.IntN(9) - 4)
				case rng.IntN(4) == 0:
					delete(n.GetAttr(), key)
				}
			}
		}
	}
}
