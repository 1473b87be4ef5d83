package savedmodel

import (
	"fmt"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/tensor"
)

// newSignature converts a SignatureDef.
func newSignature(name string, def *pb.SignatureDef) *Signature {
	s := &Signature{
		Name:       name,
		MethodName: def.GetMethodName(),
		Inputs:     make(map[string]TensorInfo, len(def.GetInputs())),
		Outputs:    make(map[string]TensorInfo, len(def.GetOutputs())),
		InitOp:     initOpNames[name],
	}
	for key, info := range def.GetInputs() {
		s.Inputs[key] = newTensorInfo(info)
	}
	for key, info := range def.GetOutputs() {
		s.Outputs[key] = newTensorInfo(info)
	}
	return s
}

// newTensorInfo converts a TensorInfo.
func newTensorInfo(info *pb.TensorInfo) TensorInfo {
	t := TensorInfo{DType: graph.DType(info.GetDtype()), Shape: graph.Shape(info.GetTensorShape()), Tensor: info.GetName()}
	switch enc := info.GetEncoding().(type) {
	case *pb.TensorInfo_CooSparse_:
		t.Encoding = CooSparse
		rank := int64(tensor.Unknown)
		if t.Shape.Ranked() {
			rank = int64(t.Shape.Rank())
		}
		t.Components = []Component{
			{"values", t.DType, tensor.MakeShape(tensor.Unknown), enc.CooSparse.GetValuesTensorName()},
			{"indices", tensor.Int64, tensor.MakeShape(tensor.Unknown, rank), enc.CooSparse.GetIndicesTensorName()},
			{"dense_shape", tensor.Int64, tensor.MakeShape(rank), enc.CooSparse.GetDenseShapeTensorName()},
		}
	case *pb.TensorInfo_CompositeTensor_:
		t.Encoding = Composite
		t.setComposite(enc.CompositeTensor)
	}
	return t
}

// setComposite fills in the components of a composite tensor, and what its type spec says of how
// they belong together.
func (t *TensorInfo) setComposite(c *pb.TensorInfo_CompositeTensor) {
	spec := c.GetTypeSpec()
	t.Class = spec.GetTypeSpecClassName()
	if t.Class == "" {
		t.Class = specClasses[spec.GetTypeSpecClass()]
	}
	for _, info := range c.GetComponents() {
		t.Components = append(t.Components, Component{
			DType: graph.DType(info.GetDtype()), Shape: graph.Shape(info.GetTensorShape()), Tensor: info.GetName(),
		})
	}
	switch t.Class {
	case "RaggedTensorSpec":
		t.setRagged(spec.GetTypeState())
	case "SparseTensorSpec": // tf.SparseTensorSpec._to_components: indices, values, dense_shape
		if len(t.Components) == 3 {
			for i, role := range []string{"indices", "values", "dense_shape"} {
				t.Components[i].Role = role
			}
		}
	}
}

// specClasses names TypeSpecProto's enum as Python names the classes, for files that give the
// number alone.
var specClasses = map[pb.TypeSpecProto_TypeSpecClass]string{
	pb.TypeSpecProto_SPARSE_TENSOR_SPEC:  "SparseTensorSpec",
	pb.TypeSpecProto_INDEXED_SLICES_SPEC: "IndexedSlicesSpec",
	pb.TypeSpecProto_RAGGED_TENSOR_SPEC:  "RaggedTensorSpec",
	pb.TypeSpecProto_TENSOR_ARRAY_SPEC:   "TensorArraySpec",
	pb.TypeSpecProto_OPTIONAL_SPEC:       "OptionalSpec",
	pb.TypeSpecProto_VARIABLE_SPEC:       "VariableSpec",
}

// setRagged reads RaggedTensorSpec._serialize: the tuple (shape, dtype, ragged_rank,
// row_splits_dtype, …). _to_components flattens a ragged tensor to its flat values, then one
// row-splits vector for each ragged axis, outermost first.
func (t *TensorInfo) setRagged(state *pb.StructuredValue) {
	values := state.GetTupleValue().GetValues()
	if len(values) < 4 {
		return
	}
	r := &Ragged{
		Shape:          graph.Shape(values[0].GetTensorShapeValue()),
		DType:          graph.DType(values[1].GetTensorDtypeValue()),
		RaggedRank:     int(values[2].GetInt64Value()),
		RowSplitsDType: graph.DType(values[3].GetTensorDtypeValue()),
	}
	if r.RaggedRank < 0 || r.RaggedRank+1 != len(t.Components) {
		return
	}
	t.Ragged = r
	for i := range t.Components {
		t.Components[i].Role = "row_splits"
		if i == 0 {
			t.Components[i].Role = "values"
		}
	}
}

// String describes the tensor as "float32 (None, 64)".
func (t TensorInfo) String() string {
	switch {
	case t.Ragged != nil:
		return fmt.Sprintf("ragged %v %v", t.Ragged.DType, t.Ragged.Shape)
	case t.Encoding == CooSparse:
		return fmt.Sprintf("sparse %v %v", t.DType, t.Shape)
	case t.Encoding == Composite:
		return fmt.Sprintf("%s of %d tensors", t.Class, len(t.Components))
	}
	return fmt.Sprintf("%v %v", t.DType, t.Shape)
}
