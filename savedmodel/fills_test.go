package savedmodel_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
	"google.golang.org/protobuf/proto"
)

// TestFills: of k3_tfsave, a Keras 3 model that tf.saved_model.save wrote, all variables have to be
// filled. Those whose entry is not known are named, whichever part of the file leaves them unknown;
// those of other kinds of export are none.
func TestFills(t *testing.T) {
	for _, c := range modeltest.Sample(modeltest.Cases(t)) {
		if c.Want.Load != nil {
			continue // broken on purpose
		}
		m, err := savedmodel.Open(c.Model())
		if err != nil {
			t.Fatal(err)
		}
		mg := m.MetaGraphs[0]
		fills, err := mg.Fills()
		if want := filepath.Base(c.Dir) == "k3_tfsave"; err != nil || (len(fills) > 0) != want {
			t.Errorf("%s: %d variables to fill, %v", c.Dir, len(fills), err)
		}
	}
	shape := func(v *pb.SavedVariable) { v.Shape = modeltest.Shape(1, 2, 3) }
	for name, tt := range map[string]struct {
		change func(m *pb.MetaGraphDef)
		filled int
	}{
		"whole":         {func(*pb.MetaGraphDef) {}, 6},
		"no objects":    {func(m *pb.MetaGraphDef) { m.ObjectGraphDef = nil }, 0},
		"nothing bound": {func(m *pb.MetaGraphDef) { eachFunction(m, func(f *pb.SavedConcreteFunction) { f.BoundInputs = nil }) }, 0},
		"more bound than fed": {func(m *pb.MetaGraphDef) {
			eachFunction(m, func(f *pb.SavedConcreteFunction) { f.BoundInputs = make([]int32, 100) })
		}, 0},
		"others bound": {func(m *pb.MetaGraphDef) { eachFunction(m, func(f *pb.SavedConcreteFunction) { clear(f.BoundInputs) }) }, 0},
		"objects' own shapes do not count": {func(m *pb.MetaGraphDef) {
			for _, n := range m.ObjectGraphDef.Nodes {
				if v := n.GetVariable(); v != nil {
					shape(v)
				}
			}
		}, 6},
		"handles of another shape": {func(m *pb.MetaGraphDef) {
			for _, n := range m.GraphDef.Node {
				if n.Op == "VarHandleOp" {
					n.Attr["shape"].GetShape().Dim = modeltest.Shape(1, 2, 3).Dim
				}
			}
		}, 0},
		"no restore op": {func(m *pb.MetaGraphDef) { m.SaverDef.RestoreOpName = "" }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := readProto(t, "k3_tfsave")
			tt.change(m.MetaGraphs[0])
			data, err := proto.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			dir := modeltest.Copy(t, "k3_tfsave")
			if err := os.WriteFile(filepath.Join(dir, savedmodel.FileBinary), data, 0o600); err != nil {
				t.Fatal(err)
			}
			opened, err := savedmodel.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			mg := opened.MetaGraphs[0]
			fills, err := mg.Fills()
			if err != nil || len(fills) != tt.filled {
				t.Errorf("%d variables to fill, %v; want %d", len(fills), err, tt.filled)
			}
			var empty *savedmodel.UninitializedError
			if err := mg.CheckSignature(mg.Signatures["serving_default"]); errors.As(err, &empty) != (tt.filled == 0) {
				t.Errorf("CheckSignature() = %v with %d variables to fill", err, tt.filled)
			}
		})
	}
}

// eachFunction calls change with what the object graph says of each function.
func eachFunction(m *pb.MetaGraphDef, change func(*pb.SavedConcreteFunction)) {
	for _, f := range m.ObjectGraphDef.ConcreteFunctions {
		change(f)
	}
}
