package modeltest

import (
	"os/exec"
	"path/filepath"
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"
)

// TwiceLibrary compiles the library of the custom operation "TfrunTest>Twice", which doubles
// floats. first is a C statement that its kernel begins with, or "". Without a C compiler the test
// is skipped.
func TwiceLibrary(tb testing.TB, first string) string {
	tb.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		tb.Skip("NOT TRIED: there is no C compiler")
	}
	file := filepath.Join(tb.TempDir(), "twice.so")
	args := []string{"-shared", "-fPIC", "-O1", "-o", file, filepath.Join(Models(), "../../runner/testdata/oplibrary/twice.c")}
	if first != "" {
		args = append(args, "-DFIRST="+first)
	}
	if out, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		tb.Fatalf("%v: %s", err, out)
	}
	return file
}

// Twice returns the file of a model that doubles its input, floats, with that operation.
func Twice(tb testing.TB) []byte {
	tb.Helper()
	def := Library([]*nodepb.NodeDef{Op("out", "TfrunTest>Twice", "in")})
	def.SaverDef = nil
	float := &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: typespb.DataType_DT_FLOAT}}
	for _, n := range def.GetGraphDef().GetNode() {
		if n.GetOp() == "Placeholder" {
			n.Attr["dtype"] = float
		}
	}
	for _, infos := range []map[string]*pb.TensorInfo{def.SignatureDef["run"].Inputs, def.SignatureDef["run"].Outputs} {
		for _, info := range infos {
			info.Dtype, info.TensorShape = typespb.DataType_DT_FLOAT, Shape(-1)
		}
	}
	data, err := proto.Marshal(&pb.SavedModel{SavedModelSchemaVersion: 1, MetaGraphs: []*pb.MetaGraphDef{def}})
	if err != nil {
		tb.Fatal(err)
	}
	return data
}
