package savedmodel_test

import (
	"errors"
	"strings"
	"testing"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
)

// TestTextOfLaterReleases reads names that the program's own message definitions do not have: what
// TensorFlow 2.21 writes must not be left out, since a constant without its values is another one.
func TestTextOfLaterReleases(t *testing.T) {
	const text = `saved_model_schema_version: 1
meta_graphs {
  meta_info_def { tags: "serve" }
  graph_def {
    node {
      name: "s" op: "Shape"
      experimental_type { type_id: TFT_PRODUCT args { type_id: TFT_SHAPE_TENSOR args { type_id: TFT_INT32 } } }
    }
    node {
      name: "c" op: "Const"
      attr { key: "dtype" value { type: DT_FLOAT8_E5M2 } }
      attr { key: "value" value { tensor { dtype: DT_FLOAT8_E5M2 tensor_shape { } float8_val: "\001" } } }
    }
    debug_info { files: "a.py" }
  }
  signature_def { key: "s" value { inputs { key: "x" value { name: "x:0" dtype: DT_INT4 tensor_shape { } } } } }
  collection_def { key: "saved_model_assets" value { any_list { value {
    [type.googleapis.com/tensorflow.AssetFileDef] { filename: "vocab.txt" }
  } } } }
}`
	data, err := savedmodel.TextToBinary(savedmodel.FileText, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	model := &pb.SavedModel{}
	if err := proto.Unmarshal(data, model); err != nil {
		t.Fatal(err)
	}
	nodes := model.GetMetaGraphs()[0].GetGraphDef().GetNode()
	const shapeTensor, float8, int4 = 1005, 24, 29
	if got := nodes[0].GetExperimentalType().GetArgs()[0].GetTypeId(); got != shapeTensor {
		t.Errorf("TFT_SHAPE_TENSOR is %d, want %d", got, shapeTensor)
	}
	if got := nodes[1].GetAttr()["dtype"].GetType(); got != float8 {
		t.Errorf("DT_FLOAT8_E5M2 is %d, want %d", got, float8)
	}
	if got := string(nodes[1].GetAttr()["value"].GetTensor().ProtoReflect().GetUnknown()); !strings.HasSuffix(got, "\x01\x01") {
		t.Errorf("the value of a constant is %q", got)
	}
	m, err := savedmodel.NewModel("none", savedmodel.FileText, "", data)
	if err != nil {
		t.Fatal(err)
	}
	mg := m.MetaGraphs[0]
	if got := mg.Signatures["s"].Inputs["x"].DType; got != int4 {
		t.Errorf("DT_INT4 is %d, want %d", got, int4)
	}
	if len(mg.Assets) != 1 || mg.Assets[0].Filename != "vocab.txt" {
		t.Errorf("assets: %v", mg.Assets)
	}
	var doubts []graph.Doubt
	err = mg.Graph().Doubts(func(d graph.Doubt) error { doubts = append(doubts, d); return nil })
	if err != nil || len(doubts) > 0 {
		t.Errorf("doubts: %v, %v", doubts, err)
	}
}

// TestTextRefused has texts that are no SavedModel, and such as would take much more memory than
// others of their size.
func TestTextRefused(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`meta_graphs { graph_def { nodes { } } }`, "unknown field: nodes"},
		{`meta_graphs { signature_def { key: "s" value { inputs { key: "x" value { dtype: DT_FLOAT7 } } } } }`, "DT_FLOAT7"},
		{`meta_graphs { graph_def { node: [` + strings.Repeat("{},", 1_000_000) + `{}] } }`, "would take 256000768 bytes of memory to read"},
		{strings.Repeat("meta_graphs { ", graph.MaxMessageDepth+1), "nest too deeply"},
	} {
		_, err := savedmodel.TextToBinary(savedmodel.FileText, []byte(c.text))
		var format *savedmodel.FormatError
		if !errors.As(err, &format) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60s: %v, want %q", c.text, err, c.want)
		}
	}
}
