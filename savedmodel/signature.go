package savedmodel

import (
	"fmt"
	"maps"
	"slices"

	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/wire"
	"github.com/tfrun/tfrun/tensor"
)

// newSignature converts a SignatureDef.
func newSignature(name string, def *pb.SignatureDef) (*Signature, error) {
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
	err := wire.Each(def.ProtoReflect().GetUnknown(), func(f wire.Field) error {
		if f.Num != fieldDefaults || f.Type != protowire.BytesType {
			return nil
		}
		return s.readDefault(f.Data)
	})
	if err != nil {
		return nil, fmt.Errorf("signature %q: its defaults: %w", name, err)
	}
	return s, nil
}

// fieldDefaults is SignatureDef.defaults, which the binding does not know yet.
const fieldDefaults = 4

// readDefault reads an entry of the map of defaults.
func (s *Signature) readDefault(entry []byte) error {
	name, err := wire.String(entry, wire.FieldMapKey)
	if err != nil {
		return err
	}
	value := &tensorpb.TensorProto{}
	err = wire.Each(entry, func(f wire.Field) error {
		if f.Num == wire.FieldMapValue && f.Type == protowire.BytesType {
			return proto.Unmarshal(f.Data, value)
		}
		return nil
	})
	if err != nil {
		return err
	}
	t, err := graph.Tensor(value)
	if err != nil {
		return fmt.Errorf("input %q: %w", name, err)
	}
	in, ok := s.Inputs[name]
	if !ok || in.Encoding != Dense || in.DType != t.DType() || !in.Shape.Admits(t.Dims()) {
		return fmt.Errorf("input %q: there is none that a %v %v fits", name, t.DType(), t.Shape())
	}
	if s.Defaults == nil {
		s.Defaults = map[string]tensor.Tensor{}
	}
	s.Defaults[name] = t
	return nil
}

// newTensorInfo converts a TensorInfo.
func newTensorInfo(info *pb.TensorInfo) TensorInfo {
	t := TensorInfo{DType: graph.DType(info.GetDtype()), Shape: graph.Shape(info.GetTensorShape()), Tensor: info.GetName()}
	t.unshaped = info.GetTensorShape() == nil
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
		var components []Component
		for _, info := range enc.CompositeTensor.GetComponents() {
			components = append(components, Component{
				DType: graph.DType(info.GetDtype()), Shape: graph.Shape(info.GetTensorShape()), Tensor: info.GetName(),
			})
		}
		t.setComposite(enc.CompositeTensor.GetTypeSpec(), components)
	}
	return t
}

// setComposite makes t a composite tensor of the components, and fills in what its type spec says
// of how they belong together.
func (t *TensorInfo) setComposite(spec *pb.TypeSpecProto, components []Component) {
	t.Encoding, t.Class, t.Components = Composite, specClass(spec), components
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

// specClass is the Python class of a type spec.
func specClass(spec *pb.TypeSpecProto) string {
	if name := spec.GetTypeSpecClassName(); name != "" {
		return name
	}
	return specClasses[spec.GetTypeSpecClass()]
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

// Signature is a function of the model that can be run by name.
type Signature struct {
	Name       string
	MethodName string // "tensorflow/serving/predict" for most
	Inputs     map[string]TensorInfo
	Outputs    map[string]TensorInfo
	// Defaults are the values of inputs that need not be given, as the Python function has them:
	// whole tensors, batch axis included. It is nil for most signatures.
	Defaults map[string]tensor.Tensor
	// InitOp marks an entry that names the operation that a loader runs ("__saved_model_init_op",
	// "__saved_model_train_op"): it has no tensors.
	InitOp bool
}

// InputNames returns the names of the inputs, sorted.
func (s *Signature) InputNames() []string { return slices.Sorted(maps.Keys(s.Inputs)) }

// OutputNames returns the names of the outputs, sorted.
func (s *Signature) OutputNames() []string { return slices.Sorted(maps.Keys(s.Outputs)) }

// Tensors lists the graph's tensors of inputs or outputs, those of composite values included.
func (s *Signature) Tensors(infos map[string]TensorInfo) []string {
	var names []string
	for _, t := range infos {
		if t.Tensor != "" {
			names = append(names, t.Tensor)
		}
		for _, c := range t.Components {
			names = append(names, c.Tensor)
		}
	}
	return names
}

// DefaultSignature is the name of the signature that is run when none is named.
const DefaultSignature = "serving_default"

// initOpNames are the entries of the signature map that are not signatures (constants.py of
// TensorFlow's saved_model).
var initOpNames = map[string]bool{"__saved_model_init_op": true, "__saved_model_train_op": true}

// Encoding says how the value of a [TensorInfo] is held by tensors.
type Encoding string

// The encodings of TensorInfo's oneof.
const (
	Dense Encoding = "" // one tensor
	// values, indices and dense_shape: a tf.SparseTensor of TensorFlow 1
	CooSparse Encoding = "coo_sparse"
	Composite Encoding = "composite" // the components of a tf.CompositeTensor, ragged for most
)

// TensorInfo describes an input or an output of a signature.
type TensorInfo struct {
	DType  tensor.DType // of a composite as the file has it: [tensor.Invalid] for most; see Ragged
	Shape  tensor.Shape
	Tensor string // the graph's tensor, "serving_default_x:0"; "" when the value has Components

	Encoding Encoding
	// Class is the Python class of a composite's spec: "RaggedTensorSpec", "SparseTensorSpec".
	Class string
	// Components are the tensors that make up the value, in the order that TensorFlow packs them:
	// values, indices, dense_shape of a coo_sparse; of a ragged the flat values, then the row
	// splits from the outermost axis inwards.
	Components []Component
	// Ragged is set for a RaggedTensorSpec whose layout the file gives.
	Ragged *Ragged

	// Key is the signature's own name for the value, or for its first component, where
	// [MetaGraph.ByRows] has found that the model has another: "args_0" of an input "tokens".
	Key string

	unshaped bool // the signature names no shape, see [MetaGraph.shapeByGraph]
}

// Sparse reports whether the value is a coo_sparse or a SparseTensorSpec.
func (t *TensorInfo) Sparse() bool {
	return t.Encoding == CooSparse || t.Encoding == Composite && t.Class == "SparseTensorSpec"
}

// Component is one tensor of a composite value.
type Component struct {
	// "values", "indices", "dense_shape", "row_splits", or "" when the layout is not known
	Role   string
	DType  tensor.DType
	Shape  tensor.Shape
	Tensor string
}

// Ragged says how the components of a ragged value belong together.
type Ragged struct {
	DType          tensor.DType // of the values
	Shape          tensor.Shape // of the whole value: ragged axes are unknown
	RaggedRank     int          // the number of row-splits components
	RowSplitsDType tensor.DType
}
