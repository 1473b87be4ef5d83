package escape

import (
	"slices"

	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	versionspb "github.com/galeone/tensorflow/tensorflow/go/core/framework/versions_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"
)

// producer is a version of GraphDef that all supported TensorFlow versions read.
const producer = 1482

// model is a SavedModel that is being made: from a float "x" of any length to a string "y" of the
// same length.
type model struct {
	meta      *pb.MetaGraphDef
	main      *body
	x         ref
	functions []*functionpb.FunctionDef
	gradients []*functionpb.GradientDef
	assets    map[string][]byte
	fed       string // the tensor of the input "path" of every signature; "" for none
}

// quiet and quietText are nodes without effect that every model has, for its harmless double to
// name.
const (
	quiet         = "quiet"
	quietText     = "quiet_text"
	initSignature = "__saved_model_init_op"
)

func newModel() *model {
	m := &model{main: &body{}, assets: map[string][]byte{}}
	m.main.named(quiet, "NoOp", "", nil)
	m.main.named(quietText, "Const", "output", attrs{"dtype": dtString, "value": textTensor("nothing")})
	m.x = m.main.named("x", "Placeholder", "output", attrs{"dtype": dtFloat, "shape": []int64{-1}})
	m.meta = &pb.MetaGraphDef{
		MetaInfoDef:  &pb.MetaGraphDef_MetaInfoDef{Tags: []string{"serve"}, TensorflowVersion: "2.21.0"},
		SignatureDef: map[string]*pb.SignatureDef{},
	}
	return m
}

// output makes y the answer of a signature, once for each x, after other nodes have run.
func (m *model) output(signature string, y ref, first ...ref) {
	shape := m.main.add("Shape", "output", attrs{"T": dtFloat, "out_type": dtInt32}, m.x)
	out := m.main.named(signature+"_y", "Fill", "output", attrs{"T": dtString, "index_type": dtInt32}, append([]ref{shape, y}, first...)...)
	m.meta.SignatureDef[signature] = &pb.SignatureDef{
		MethodName: "tensorflow/serving/predict",
		Inputs:     map[string]*pb.TensorInfo{"x": tensorInfo(m.main.write(m.x), dtFloat)},
		Outputs:    map[string]*pb.TensorInfo{"y": tensorInfo(m.main.write(out), dtString)},
	}
}

// harmless gives the signature a harmless answer.
func (m *model) harmless() { m.output("serving_default", m.main.text("nothing")) }

func tensorInfo(name string, t typespb.DataType) *pb.TensorInfo {
	return &pb.TensorInfo{Encoding: &pb.TensorInfo_Name{Name: name}, Dtype: t, TensorShape: shapeOf([]int64{-1})}
}

// initOp makes loaders run a node, in the way of TensorFlow 2.
func (m *model) initOp(node string) {
	m.meta.SignatureDef[initSignature] = &pb.SignatureDef{Outputs: map[string]*pb.TensorInfo{
		initSignature: {Encoding: &pb.TensorInfo_Name{Name: node}},
	}}
}

// collection makes loaders run a node, in the way of TensorFlow 1.
func (m *model) collection(name, node string) {
	m.meta.CollectionDef = map[string]*pb.CollectionDef{
		name: {Kind: &pb.CollectionDef_NodeList_{NodeList: &pb.CollectionDef_NodeList{Value: []string{node}}}},
	}
}

// asset declares a tensor to be the path of an asset.
func (m *model) asset(tensor, file string) {
	m.assets[file] = []byte("an honest line\n")
	m.meta.AssetFileDef = append(m.meta.AssetFileDef, &pb.AssetFileDef{TensorInfo: tensorInfo(tensor, dtString), Filename: file})
}

// graph returns the GraphDef.
func (m *model) graph() *graphpb.GraphDef {
	return &graphpb.GraphDef{
		Node: m.main.nodes, Versions: &versionspb.VersionDef{Producer: producer},
		Library: &functionpb.FunctionDefLibrary{Function: m.functions, Gradient: m.gradients},
	}
}

// done returns the model with its graph.
func (m *model) done() *pb.MetaGraphDef {
	m.meta.GraphDef = m.graph()
	for name, sig := range m.meta.GetSignatureDef() {
		if m.fed != "" && name != initSignature {
			sig.Inputs["path"] = tensorInfo(m.fed, dtString)
			sig.Inputs["path"].TensorShape = shapeOf(nil)
		}
	}
	return m.meta
}

func marshal(msg proto.Message) []byte {
	data, err := (proto.MarshalOptions{Deterministic: true}).Marshal(msg)
	if err != nil {
		panic(err) // of names that are constants
	}
	return data
}

// stringTypes is a list of n strings.
func stringTypes(n int) []typespb.DataType {
	return slices.Repeat([]typespb.DataType{dtString}, n)
}
