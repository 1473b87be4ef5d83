package rewrite

import (
	"testing"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
	"google.golang.org/protobuf/proto"
)

// Every call that carries a ConfigProto asks for no optimizer, and keeps what else the ConfigProto
// says.
func TestReducedNoOptimizer(t *testing.T) {
	t.Parallel()
	m, err := savedmodel.Open("../../testdata/models/full_seed/k2/model")
	if err != nil {
		t.Fatal(err)
	}
	data, err := Reduced(m.MetaGraphs[0], Reduction{NoOptimizer: true})
	if err != nil {
		t.Fatal(err)
	}
	small := modeltest.OpenBytes(t, data)
	seen := 0
	for f, err := range small.MetaGraphs[0].Graph().Functions() {
		if err != nil {
			t.Fatal(err)
		}
		before, err := m.MetaGraphs[0].Graph().Function(f.Signature.Name)
		if err != nil {
			t.Fatal(err)
		}
		for i, n := range f.NodeDef {
			want := before.NodeDef[i]
			if attr := want.Attr["config_proto"]; attr != nil {
				seen++
				var was, is pb.ConfigProto
				if err := proto.Unmarshal(attr.GetS(), &was); err != nil {
					t.Fatal(err)
				}
				if err := proto.Unmarshal(n.Attr["config_proto"].GetS(), &is); err != nil {
					t.Fatal(err)
				}
				proto.Merge(&was, &pb.ConfigProto{GraphOptions: &pb.GraphOptions{RewriteOptions: &pb.RewriterConfig{DisableMetaOptimizer: true}}})
				if !proto.Equal(&was, &is) {
					t.Errorf("%s: %v, want %v", n.Name, &is, &was)
				}
				delete(n.Attr, "config_proto")
				delete(want.Attr, "config_proto")
			}
			if !proto.Equal(n, want) {
				t.Errorf("node %s changed: %v, want %v", n.Name, n, want)
			}
		}
	}
	if seen == 0 {
		t.Error("no call was seen")
	}
}
