//go:build cgo && !notf && !race

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/tfrun/tfrun/internal/modeltest"
)

// formula finds a cell of CSV that a spreadsheet would compute.
var formula = regexp.MustCompile(`(?m)(^|,)"?[=+@-]`)

// TestNamesSteerNothing gives a signature, its input and output, a tag and the model's folder names
// that would steer a terminal or run a script on a page, and looks for them in what every command
// prints.
func TestNamesSteerNothing(t *testing.T) {
	t.Parallel()
	for i, evil := range []string{"a\x1b]0;b\a", "a\u202eb", "a\u2028b", "a\nb", "a\x7fb\u009bc", `"><script>alert(1)</script>`, "a]]>b", "a'b;`c`$(d)", "=1+1", "@x"} {
		dir := filepath.Join(t.TempDir(), strings.ReplaceAll(evil, "/", ""))
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		x, y := modeltest.Op("x", "Placeholder"), modeltest.Op("y", "Identity", "x")
		float := &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: typespb.DataType_DT_FLOAT}}
		x.Attr["dtype"], y.Attr["T"] = float, float
		mg := &pb.MetaGraphDef{
			MetaInfoDef: &pb.MetaGraphDef_MetaInfoDef{Tags: []string{evil}, TensorflowVersion: evil},
			GraphDef:    &graphpb.GraphDef{Node: []*nodepb.NodeDef{x, y}},
		}
		tensor := func(name string) *pb.TensorInfo {
			return &pb.TensorInfo{Encoding: &pb.TensorInfo_Name{Name: name}, Dtype: typespb.DataType_DT_FLOAT, TensorShape: modeltest.Shape(-1)}
		}
		mg.SignatureDef = map[string]*pb.SignatureDef{evil: {
			Inputs: map[string]*pb.TensorInfo{evil: tensor("x:0")}, Outputs: map[string]*pb.TensorInfo{"o" + evil: tensor("y:0")},
			MethodName: "tensorflow/serving/predict",
		}}
		data, err := proto.Marshal(&pb.SavedModel{SavedModelSchemaVersion: 1, MetaGraphs: []*pb.MetaGraphDef{mg}})
		if err != nil {
			t.Fatal(err)
		}
		rows := filepath.Join(dir, "rows.jsonl")
		for name, b := range map[string][]byte{filepath.Join(dir, "saved_model.pb"): data, rows: []byte("1\n2\n")} {
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		commands := [][]string{
			{"scan", dir},
			{"scan", dir, "--format", "json"},
			{"shapes", dir, "--explain"},
			{"shapes", dir, "--at", evil + "=3"},
			{"shapes", dir, modeltest.Dir("k3_autoencoder")},
			{"shapes", dir, modeltest.Dir("k3_autoencoder"), "--format", "json"},
			{"doctor", dir},
			{"doctor", dir, "--format", "json"},
			{"predict", dir, rows},
			{"predict", dir, rows, "--dry-run", "--format", "json"},
			{"doctor", dir, rows},
			{"predict", dir, rows, "--dry-run"},
			{"predict", dir, rows, "--batching", "auto"},
			{"predict", dir, rows, "-s", "nowhere" + evil},
			{"predict", dir, rows, "--outputs", "nowhere" + evil},
			{"predict", dir, rows, "--keep", "nowhere" + evil},
			{"predict", dir, rows + "nowhere"},
			{"predict", dir, rows, "--format", "csv"},
		}
		for _, format := range []string{"json", "markdown", "csv", "html", "mermaid", "dot", "svg"} {
			commands = append(commands, []string{"shapes", dir, "--format", format})
		}
		if i == 4 { // they take their time, and all names go the same ways
			commands = append(commands, []string{"doctor", dir, rows, "--format", "json"}, []string{"predict", dir, rows, "-o", os.DevNull, "--format", "jsonl", "--summary", "-"})
		}
		for _, args := range commands {
			code, stdout, stderr := command(args...)
			said := stdout + stderr
			if code == exitDone && args[0] == "predict" && !slices.Contains(args, "--dry-run") {
				if said = stderr; !slices.Contains(args, "csv") { // cells are data
					said += stdout
				}
			}
			bad := strings.IndexFunc(said, func(r rune) bool { return r != '\n' && r != '\t' && !strconv.IsPrint(r) })
			if bad >= 0 || said == "" ||
				strings.Contains(said, "<script>alert(1)") && (slices.Contains(args, "html") || slices.Contains(args, "svg")) ||
				args[0] == "shapes" && slices.Contains(args, "csv") && formula.MatchString(said) {
				t.Errorf("name %d, tfrun %q: exit code %d, byte %d: %q", i, args[:1], code, bad, said[max(bad-60, 0):min(bad+60, len(said))])
			}
		}
	}
}
