//go:build cgo && !notf

package runner

import (
	"errors"
	"fmt"
	"testing"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/tensor"
)

// untaken is a model whose function "f" has no value for rows of more than 1: it stands in the
// branch of a Switch that is not taken. The function is called by an operation: kind, with the
// attributes that it needs, turned into a float by the operation Cast.
const untaken = `
saved_model_schema_version: 1
meta_graphs {
  meta_info_def { tags: "serve" }
  graph_def {
    versions { producer: 1482 }
    node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } attr { key: "shape" value { shape { dim { size: -1 } } } } }
    node { name: "yes" op: "Const" attr { key: "dtype" value { type: DT_BOOL } } attr { key: "value" value { tensor { dtype: DT_BOOL tensor_shape {} bool_val: true } } } }
    node { name: "zero" op: "Const" attr { key: "dtype" value { type: DT_INT32 } } attr { key: "value" value { tensor { dtype: DT_INT32 tensor_shape {} int_val: 0 } } } }
    node { name: "call" %s attr { key: "Tin" value { list { type: DT_FLOAT } } } attr { key: "Tout" value { list { type: %[2]s } } } %[3]s }
    node { name: "y" op: "Cast" input: "call" attr { key: "SrcT" value { type: %[2]s } } attr { key: "DstT" value { type: DT_FLOAT } } }
    library { function {
      signature { name: "f" input_arg { name: "a" type: DT_FLOAT } output_arg { name: "r" type: %[2]s } }
      node_def { name: "axis" op: "Const" attr { key: "dtype" value { type: DT_INT32 } } attr { key: "value" value { tensor { dtype: DT_INT32 tensor_shape { dim { size: 1 } } int_val: 0 } } } }
      node_def { name: "most" op: "Max" input: "a" input: "axis:output:0" attr { key: "T" value { type: DT_FLOAT } } }
      node_def { name: "one" op: "Const" attr { key: "dtype" value { type: DT_FLOAT } } attr { key: "value" value { tensor { dtype: DT_FLOAT tensor_shape {} float_val: 1 } } } }
      node_def { name: "more" op: "Greater" input: "most:output:0" input: "one:output:0" attr { key: "T" value { type: DT_FLOAT } } }
      node_def { name: "whole" op: "Cast" input: "a" attr { key: "SrcT" value { type: DT_FLOAT } } attr { key: "DstT" value { type: %[2]s } } }
      node_def { name: "switch" op: "Switch" input: "whole:y:0" input: "more:z:0" attr { key: "T" value { type: %[2]s } } }
      ret { key: "r" value: "switch:output_false:0" }
      %[4]s
    } }
  }
  signature_def { key: "serving_default" value {
    inputs { key: "x" value { name: "x:0" dtype: DT_FLOAT tensor_shape { dim { size: -1 } } } }
    outputs { key: "y" value { name: "y:0" dtype: DT_FLOAT tensor_shape { dim { size: -1 } } } }
  } }
}`

// TestUntaken runs rows of which one has no value, as control flow does not take the branch that
// makes it. That is this row's fault, whether functions are made a part of the graph or called.
func TestUntaken(t *testing.T) {
	t.Parallel()
	function := func(key string) string {
		return fmt.Sprintf(`attr { key: %q value { func { name: "f" } } }`, key)
	}
	lowered := `attr { key: "_lower_using_switch_merge" value { b: true } }`
	branches := function("then_branch") + function("else_branch") + `attr { key: "Tcond" value { type: DT_BOOL } }`
	cases := `attr { key: "branches" value { list { func { name: "f" } } } }`
	for op, attrs := range map[string]string{
		`op: "PartitionedCall" input: "x"`:             function("f"),
		`op: "StatefulPartitionedCall" input: "x"`:     function("f"),
		`op: "If" input: "yes" input: "x"`:             branches,
		`op: "StatelessIf" input: "yes" input: "x"`:    branches,
		`op: "StatelessIf" input: "yes" input: "x" `:   branches + lowered,
		`op: "StatelessCase" input: "zero" input: "x"`: cases,
		`op: "Case" input: "zero" input: "x"`:          cases + lowered,
	} {
		for _, inline := range []string{"", `attr { key: "_noinline" value { b: true } }`} {
			for _, optimizer := range []Optimizer{OptimizerNone, OptimizerFunctions, OptimizerAll} {
				m := &pb.SavedModel{}
				if err := prototext.Unmarshal(fmt.Appendf(nil, untaken, op, "DT_INT64", attrs, inline), m); err != nil {
					t.Fatal(err)
				}
				if err := runUntaken(t, m, optimizer); err != nil {
					t.Errorf("%s, %s, optimizer %s: %v", op, inline, optimizer, err)
				}
			}
		}
	}
}

// runUntaken runs rows of 1, 2 and 3, of which 2 and 3 have no value.
func runUntaken(t *testing.T, def *pb.SavedModel, optimizer Optimizer) error {
	t.Helper()
	data, err := proto.Marshal(def)
	if err != nil {
		return err
	}
	m := modeltest.OpenBytes(t, data)
	s, err := LoadModel(t.Context(), m, Options{Optimizer: optimizer})
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // it is only read
	p, err := s.NewPredictor(PredictOptions{SkipBadRows: true})
	if err != nil {
		return err
	}
	var rows []dataset.Element
	for i := range 3 {
		rows = append(rows, dataset.Element{Row: int64(i), Tensors: []tensor.Tensor{tensor.Scalar(float32(i + 1))}})
	}
	n := 0
	for r, err := range p.Predict(t.Context(), dataset.FromElements(p.RowSpec(), rows...)) {
		if err != nil {
			return err
		}
		var refused *RowError
		if bad := errors.As(r.Err, &refused); bad != (n > 0) {
			return fmt.Errorf("row %d: error %v", n+1, r.Err)
		}
		n++
	}
	if n != 3 {
		return fmt.Errorf("%d results of 3 rows", n)
	}
	return nil
}
