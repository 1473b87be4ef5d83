package scan

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/tfrun/tfrun/internal/graph"
)

// mostValues bounds the values of a tensor whose size the graph gives: a constant's shape may claim
// any size. Most kernels of TensorFlow count in 32 bits, and a shape whose product overflows 64
// bits ends the process.
const mostValues = 1<<31 - 1

// sizedBy maps operations that make tensors to the index of the input with the shape.
var sizedBy = map[string]int{
	"Fill": 0, "Empty": 0, "BroadcastTo": 1,
	"RandomUniform": 0, "RandomUniformInt": 0, "RandomStandardNormal": 0, "TruncatedNormal": 0, "ParameterizedTruncatedNormal": 0,
	"StatelessRandomUniform": 0, "StatelessRandomUniformV2": 0, "StatelessRandomNormal": 0, "StatelessRandomNormalV2": 0,
	"StatelessTruncatedNormal": 0, "StatelessTruncatedNormalV2": 0, "StatelessRandomUniformInt": 0, "StatelessRandomUniformIntV2": 0,
}

// scanHuge is an operation that makes a tensor of more than [mostValues] values, or that ends
// TensorFlow's process for another reason.
type scanHuge struct {
	kind         FindingKind
	node, detail string
	op           string // of a kind that may be allowed
}

// hugeInside returns what is huge or broken in a node of a function's body.
func hugeInside(n *graph.Node) (huge []scanHuge) {
	if huge = hugeAlone(n.Def); len(huge) > 0 {
		return huge
	}
	if isMerge(n.Op) {
		from := make([]string, len(n.Inputs))
		for i, in := range n.Inputs {
			if in.Node != nil {
				from[i] = in.Node.Op
			}
		}
		if detail := brokenMerge(from); detail != "" {
			return []scanHuge{{kind: BrokenNode, node: n.Name, detail: detail}}
		}
	}
	at, ok := sizedBy[n.Op]
	if !ok || at >= len(n.Inputs) {
		return nil
	}
	from := n.Inputs[at].Node
	for range graph.MaxUnwrap {
		switch {
		case from == nil:
			return nil
		case from.Op == "Const":
			if detail := hugeShape(from.Def); detail != "" {
				return []scanHuge{{kind: HugeTensor, node: n.Name, detail: detail}}
			}
			return nil
		case from.Op != "Identity" || len(from.Inputs) == 0:
			return nil
		}
		from = from.Inputs[0].Node
	}
	return nil
}

// hugeAlone returns the huge tensors that a node makes by its own attributes.
func hugeAlone(def *nodepb.NodeDef) []scanHuge {
	if detail := hugeConst(def); detail != "" {
		return []scanHuge{{kind: HugeTensor, node: def.GetName(), detail: detail}}
	}
	if detail := brokenNode(def); detail != "" {
		return []scanHuge{{kind: BrokenNode, node: def.GetName(), detail: detail}}
	}
	return nil
}

// hugeConst describes what is wrong with a constant, or the stand-in for one, whose own shape is
// impossible; "" for others.
func hugeConst(def *nodepb.NodeDef) string {
	shape := def.GetAttr()["value"].GetTensor().GetTensorShape()
	switch def.GetOp() {
	case "Const":
	case "FakeParam":
		shape = def.GetAttr()["shape"].GetShape()
	default:
		return ""
	}
	var dims []int64
	for _, d := range shape.GetDim() {
		dims = append(dims, d.GetSize())
	}
	return hugeDims(dims)
}

// hugeShape describes what is wrong with a constant that would be an impossible shape; "" for
// others.
func hugeShape(def *nodepb.NodeDef) string {
	if def.GetOp() != "Const" {
		return ""
	}
	return hugeDims(shapeValues(def.GetAttr()["value"].GetTensor()))
}

// shapeValues returns the numbers of a constant that may be a shape; nil for others.
func shapeValues(t *tensorpb.TensorProto) []int64 {
	const maxRank = 254 // tensor_shape.h of TensorFlow
	content := t.GetTensorContent()
	var values []int64
	switch t.GetDtype() {
	case typespb.DataType_DT_INT32:
		if len(content) > 4*maxRank || len(t.GetIntVal()) > maxRank {
			return nil
		}
		for ; len(content) >= 4; content = content[4:] {
			values = append(values, int64(int32(binary.LittleEndian.Uint32(content)))) //nolint:gosec // the bits of a signed number
		}
		for _, v := range t.GetIntVal() {
			values = append(values, int64(v))
		}
	case typespb.DataType_DT_INT64:
		if len(content) > 8*maxRank || len(t.GetInt64Val()) > maxRank {
			return nil
		}
		for ; len(content) >= 8; content = content[8:] {
			values = append(values, int64(binary.LittleEndian.Uint64(content))) //nolint:gosec // the bits of a signed number
		}
		values = append(values, t.GetInt64Val()...)
	default:
		return nil
	}
	// The last number stands for those that are left out.
	if n := len(values); n > 0 && len(t.GetTensorShape().GetDim()) == 1 {
		for want := t.GetTensorShape().GetDim()[0].GetSize(); int64(len(values)) < min(want, maxRank); {
			values = append(values, values[n-1])
		}
	}
	return values
}

// hugeDims describes what is wrong with dimensions that multiply to more than [mostValues]; "" for
// others. Negative ones are left to TensorFlow, which refuses them.
func hugeDims(dims []int64) string {
	if len(dims) == 0 || slices.Min(dims) <= 0 {
		return ""
	}
	n := uint64(1)
	for _, d := range dims {
		hi, lo := bits.Mul64(n, uint64(d)) //nolint:gosec // not negative
		if hi > 0 || lo > mostValues {
			return fmt.Sprintf("makes a tensor of shape %s: more than %d values", strings.Join(strings.Fields(fmt.Sprint(dims[:min(len(dims), 8)])), ", "), mostValues)
		}
		n = lo
	}
	return ""
}

// mostUnfolded bounds the bytes that the constants of a model take beside those in the file, where
// a value may stand for many after it. TensorFlow keeps them as long as the model.
const mostUnfolded = 1 << 30

// unfoldedBytes returns how many bytes a constant takes beside those in the file.
func unfoldedBytes(def *nodepb.NodeDef) int64 {
	t := def.GetAttr()["value"].GetTensor()
	if def.GetOp() != "Const" || len(t.GetTensorContent()) > 0 {
		return 0 // all of its values stand there
	}
	values := int64(1)
	for _, d := range t.GetTensorShape().GetDim() {
		if d.GetSize() < 0 || d.GetSize() > mostValues {
			return 0 // none can be made
		}
		if values *= d.GetSize(); values > mostValues {
			return 0 // as above
		}
	}
	const perText = 24 // a tstring of TensorFlow
	size := int64(perText)
	if d := graph.DType(t.GetDtype()); d.Size() > 0 {
		size = int64(d.Size())
	}
	return max(0, values*size-int64(proto.Size(t)))
}

// unfoldedBeyond reports a constant that, with those before it, unfolds to more than
// [mostUnfolded]. One of less than what any operation takes is counted, and not reported.
func (s *scanner) unfoldedBeyond(def *nodepb.NodeDef) []scanHuge {
	n := unfoldedBytes(def)
	const perNode = 1 << 10
	if s.unfolded += n; n < perNode || s.unfolded <= mostUnfolded {
		return nil
	}
	return []scanHuge{{kind: LargeConstant, node: def.GetName(), op: def.GetOp(), detail: fmt.Sprintf("takes %d bytes beside those in the file; constants may take %d in all", n, mostUnfolded)}}
}
