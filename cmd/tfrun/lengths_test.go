//go:build cgo && !notf

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	versionspb "github.com/galeone/tensorflow/tensorflow/go/core/framework/versions_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/tfrun/tfrun/internal/modeltest"
)

// writeEcho writes a model that gives back what it is fed: tokens, their number, and a mask, each
// an input and an output of its own.
func writeEcho(t *testing.T, dir string, length, mask typespb.DataType) {
	t.Helper()
	kind := func(d typespb.DataType) *attrpb.AttrValue {
		return &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: d}}
	}
	sig := &pb.SignatureDef{Inputs: map[string]*pb.TensorInfo{}, Outputs: map[string]*pb.TensorInfo{}}
	var nodes []*nodepb.NodeDef
	for name, d := range map[string]typespb.DataType{"tokens": typespb.DataType_DT_INT64, "n": length, "mask": mask} {
		shape := modeltest.Shape(-1, -1)
		if name == "n" {
			shape = modeltest.Shape(-1)
		}
		in, out := modeltest.Op(name, "Placeholder"), modeltest.Op(name+"_out", "Identity", name)
		in.Attr["dtype"], out.Attr["T"] = kind(d), kind(d)
		in.Attr["shape"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_Shape{Shape: shape}}
		nodes = append(nodes, in, out)
		info := func(tensor string) *pb.TensorInfo {
			return &pb.TensorInfo{Encoding: &pb.TensorInfo_Name{Name: tensor + ":0"}, Dtype: d, TensorShape: shape}
		}
		sig.Inputs[name], sig.Outputs[name+"_out"] = info(name), info(name+"_out")
	}
	def := modeltest.Library(nodes)
	def.GraphDef.Node = nodes
	def.GraphDef.Versions = &versionspb.VersionDef{Producer: 1994}
	def.SaverDef, def.SignatureDef = nil, map[string]*pb.SignatureDef{"run": sig}
	data, err := proto.Marshal(&pb.SavedModel{SavedModelSchemaVersion: 1, MetaGraphs: []*pb.MetaGraphDef{def}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "saved_model.pb"), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestLengthsAndMasks feeds the lengths of rows, and masks of them, to inputs of several types, and
// compares what TensorFlow was given: of rows as they are, padded before and behind, and cut.
func TestLengthsAndMasks(t *testing.T) {
	const rows = "[5,6,7]\n[8]\n[]\n"
	for _, tt := range []struct {
		length, mask typespb.DataType
		flags, want  string
	}{
		{typespb.DataType_DT_INT32, typespb.DataType_DT_FLOAT, "", `[1,1,1] 3 [5,6,7]|[1,0,0] 1 [8,0,0]|[0,0,0] 0 [0,0,0]`},
		{typespb.DataType_DT_INT64, typespb.DataType_DT_BOOL, "", `[true,true,true] 3 [5,6,7]|[true,false,false] 1 [8,0,0]|[false,false,false] 0 [0,0,0]`},
		{typespb.DataType_DT_INT64, typespb.DataType_DT_INT32, "--pad-side pre", `[1,1,1] 3 [5,6,7]|[0,0,1] 1 [0,0,8]|[0,0,0] 0 [0,0,0]`},
		{typespb.DataType_DT_INT32, typespb.DataType_DT_INT64, "--max-len 4", `[1,1,1,0] 3 [5,6,7,0]|[1,0,0,0] 1 [8,0,0,0]|[0,0,0,0] 0 [0,0,0,0]`},
		{typespb.DataType_DT_FLOAT, typespb.DataType_DT_INT32, "--max-len 2 --truncate post", `[1,1] 2 [5,6]|[1,0] 1 [8,0]|[0,0] 0 [0,0]`},
		{typespb.DataType_DT_INT32, typespb.DataType_DT_INT32, "--max-len 2 --truncate pre --pad-side pre", `[1,1] 2 [6,7]|[0,1] 1 [0,8]|[0,0] 0 [0,0]`},
	} {
		dir := t.TempDir()
		writeEcho(t, dir, tt.length, tt.mask)
		var out, errs bytes.Buffer
		args := strings.Fields("predict " + dir + " - --quiet --length n=tokens --mask mask=tokens " + tt.flags)
		if code := run(t.Context(), args, stdio{strings.NewReader(strings.NewReplacer("[", `{"tokens":[`, "]", "]}").Replace(rows)), &out, &errs}); code != exitDone {
			t.Errorf("%s: exit code %d: %s", tt.flags, code, errs.String())
			continue
		}
		got := strings.NewReplacer(`{"mask_out":`, "", `,"n_out":`, " ", `,"tokens_out":`, " ", "}\n", "|").Replace(out.String())
		if got != tt.want+"|" {
			t.Errorf("lengths of type %v, masks of type %v, %q:\n%s, want\n%s", tt.length, tt.mask, tt.flags, got, tt.want)
		}
	}
}
