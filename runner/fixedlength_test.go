package runner

import (
	"fmt"
	"strings"
	"testing"

	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/internal/modeltest"
)

// TestFixedLength gives lengths, in every way there is, to rows whose length the signature fixes at
// 4: each pads them, or is refused before the run, and none is passed over.
func TestFixedLength(t *testing.T) {
	t.Parallel()
	def := modeltest.Library([]*nodepb.NodeDef{modeltest.Op("out", "Identity", "in")})
	sig := def.GetSignatureDef()["run"]
	for _, info := range []*pb.TensorInfo{sig.Inputs["x"], sig.Outputs["y"]} {
		info.Dtype, info.TensorShape = typespb.DataType_DT_INT64, modeltest.Shape(-1, 4)
	}
	data, err := proto.Marshal(&pb.SavedModel{SavedModelSchemaVersion: 1, MetaGraphs: []*pb.MetaGraphDef{def}})
	if err != nil {
		t.Fatal(err)
	}
	m := modeltest.OpenBytes(t, data)
	const short, fits, long = "[1,2]", "[1,2,3,4]", "[1,2,3,4,5]"
	post, pre := []string{"[1,2,0,0]", fits, ""}, []string{"[0,0,1,2]", fits, ""}
	max4, max5 := Sequences{MaxLen: map[string]int64{"": 4}}, Sequences{MaxLen: map[string]int64{"": 5}}
	for name, tt := range map[string]struct {
		o    PredictOptions
		want []string // of each row, "" where it is refused; nil: the options are
	}{
		"nothing":                 {PredictOptions{}, []string{"", fits, ""}},
		"max-len 4":               {PredictOptions{Sequences: max4}, post},
		"max-len x=4":             {PredictOptions{Sequences: Sequences{MaxLen: map[string]int64{"x": 4}}}, post},
		"max-len 5":               {PredictOptions{Sequences: max5}, nil},
		"max-len x=5":             {PredictOptions{Sequences: Sequences{MaxLen: map[string]int64{"x": 5}}}, nil},
		"max-len x=3":             {PredictOptions{Sequences: Sequences{MaxLen: map[string]int64{"x": 3}}}, nil},
		"max-len 5, pre":          {PredictOptions{Sequences: Sequences{MaxLen: map[string]int64{"": 5}, PadSide: Pre}}, nil},
		"pad-side pre":            {PredictOptions{Sequences: Sequences{PadSide: Pre}}, pre},
		"truncate post":           {PredictOptions{Sequences: Sequences{Truncate: Post}}, []string{"[1,2,0,0]", fits, "[1,2,3,4]"}},
		"pad-sequences":           {PredictOptions{Sequences: Sequences{PadSide: Pre, Truncate: Pre}}, []string{"[0,0,1,2]", fits, "[2,3,4,5]"}},
		"max-len 4, truncate pre": {PredictOptions{Sequences: Sequences{MaxLen: map[string]int64{"": 4}, Truncate: Pre}}, []string{"[1,2,0,0]", fits, "[2,3,4,5]"}},
		"pad-to x=4":              {PredictOptions{PadTo: map[string]int64{"x": 4}}, post},
		"pad-to x=3":              {PredictOptions{PadTo: map[string]int64{"x": 3}}, []string{"", fits, ""}},
		"pad-to x=5":              {PredictOptions{PadTo: map[string]int64{"x": 5}}, nil},
		"padded-shape x=[4]":      {PredictOptions{PaddedShapes: map[string]dataset.Dims{"x": {4}}}, post},
		"padded-shape x=[null]":   {PredictOptions{PaddedShapes: map[string]dataset.Dims{"x": {dataset.None}}}, []string{"", fits, ""}},
		"padded-shape x=[3]":      {PredictOptions{PaddedShapes: map[string]dataset.Dims{"x": {3}}}, nil},
		"padded-shape x=[5]":      {PredictOptions{PaddedShapes: map[string]dataset.Dims{"x": {5}}}, nil},
	} {
		p, err := DryPredictor(m, Options{}, tt.o)
		if tt.want == nil {
			if err == nil || !strings.Contains(err.Error(), "the signature fixes") {
				t.Errorf("%s: %v, want it refused", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := make([]string, 3)
		for e, err := range jsonRows(p, fmt.Sprintf("%s\n%s\n%s\n", short, fits, long)).All(t.Context()) {
			if err != nil {
				continue
			}
			text, err := Value{Tensor: e.Tensors[0]}.AppendJSON(nil)
			if err != nil {
				t.Fatal(err)
			}
			got[e.Row] = string(text)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
