package job

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	shapepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/tfrecord"
	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/tensor"
)

// takes is an input of a model that [dryModel] makes.
type takes struct {
	dtype  typespb.DataType
	shape  *shapepb.TensorShapeProto
	value  *tensorpb.TensorProto // its default, or nil
	parsed bool                  // as tf.Examples
}

// dryModel returns a predictor, which does not run, of a signature with the inputs.
func dryModel(t *testing.T, inputs map[string]takes, o runner.PredictOptions) *runner.Predictor {
	t.Helper()
	def := modeltest.Library(nil)
	sig := def.GetSignatureDef()["run"]
	sig.Inputs, sig.Outputs = map[string]*pb.TensorInfo{}, map[string]*pb.TensorInfo{}
	tensorInfo := func(name string, in takes) *pb.TensorInfo {
		return &pb.TensorInfo{Encoding: &pb.TensorInfo_Name{Name: name}, Dtype: in.dtype, TensorShape: in.shape}
	}
	for name, in := range inputs {
		def.GraphDef.Node = append(def.GraphDef.Node, modeltest.Op("in_"+name, "Placeholder"))
		out := modeltest.Op("out_"+name, "Identity", "in_"+name)
		if in.parsed {
			out = modeltest.Op("out_"+name, "ParseSingleExample", "in_"+name)
		}
		def.GraphDef.Node = append(def.GraphDef.Node, out)
		sig.Inputs[name] = tensorInfo("in_"+name+":0", in)
		if in.value == nil {
			sig.Outputs[name] = tensorInfo("out_"+name+":0", in)
		}
		if in.value != nil {
			value, err := proto.Marshal(in.value)
			if err != nil {
				t.Fatal(err)
			}
			entry := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), name)
			entry = protowire.AppendBytes(protowire.AppendTag(entry, 2, protowire.BytesType), value)
			r := sig.ProtoReflect()
			r.SetUnknown(protowire.AppendBytes(protowire.AppendTag(r.GetUnknown(), 4, protowire.BytesType), entry))
		}
	}
	data, err := proto.Marshal(&pb.SavedModel{SavedModelSchemaVersion: 1, MetaGraphs: []*pb.MetaGraphDef{def}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := runner.DryPredictor(modeltest.OpenBytes(t, data), runner.Options{}, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// recordFile writes a TFRecord file.
func recordFile(t *testing.T, records ...string) string {
	t.Helper()
	var b bytes.Buffer
	sum := func(data []byte) []byte {
		c := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
		return binary.LittleEndian.AppendUint32(nil, (c>>15|c<<17)+0xa282ead8)
	}
	for _, r := range records {
		size := binary.LittleEndian.AppendUint64(nil, uint64(len(r)))
		for _, part := range [][]byte{size, sum(size), []byte(r), sum([]byte(r))} {
			b.Write(part)
		}
	}
	name := filepath.Join(t.TempDir(), "rows.tfrecord")
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// example is a serialized tf.Example with features, given by names and values in turn.
func example(t *testing.T, features ...any) string {
	t.Helper()
	var names []string
	var values []tensor.Tensor
	for i := 0; i < len(features); i += 2 {
		names, values = append(names, features[i].(string)), append(values, features[i+1].(tensor.Tensor))
	}
	e, err := tfrecord.AppendExample(nil, names, values)
	if err != nil {
		t.Fatal(err)
	}
	return string(e)
}

// sequence is a tf.SequenceExample with the context of an Example, and a list of one feature,
// "steps".
func sequence(t *testing.T, features ...any) string {
	t.Helper()
	sevens := []byte{0x0a, 1, 7} // Int64List{7}
	step := protowire.AppendBytes(protowire.AppendTag(nil, 3, protowire.BytesType), sevens)
	list := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), step)
	entry := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "steps")
	entry = protowire.AppendBytes(protowire.AppendTag(entry, 2, protowire.BytesType), list)
	lists := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), entry)
	return example(t, features...) + string(protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), lists))
}

// readAll says what rows hold: the values of each, as JSON, or its error; and at last the error
// that ends them.
func readAll(t *testing.T, p *runner.Predictor, src Source) []string {
	t.Helper()
	rows, err := src.Rows(p)
	if err != nil {
		return []string{"end: " + err.Error()}
	}
	var got []string
	for e, err := range rows.All(t.Context()) {
		switch syntax := (*dataset.SyntaxError)(nil); {
		case errors.As(err, &syntax):
			got = append(got, "error: "+err.Error())
		case err != nil:
			got = append(got, "end: "+err.Error())
		default:
			var line []byte
			for i, v := range e.Tensors {
				if i > 0 {
					line = append(line, ' ')
				}
				if line, err = (runner.Value{Tensor: v}).AppendJSON(line); err != nil {
					t.Fatal(err)
				}
			}
			got = append(got, string(line))
		}
	}
	return got
}

// What records feed, by what they are and by what the model takes: features by their names; of
// records that are no Examples the only input, where it is of one string; else one line that names
// the file.
func TestRecordsByInput(t *testing.T) {
	t.Parallel()
	text, one, two := tensor.Vector("hello"), tensor.Vector[float32](1.5), tensor.Vector[int64](1)
	raw := func(records ...string) (list []string) { return append(list, records...) }
	kinds := []struct {
		name    string
		records []string
		// rows are the strings that an input "x" of strings gets, where it gets any; else an error
		// has the text
		rows []string
		err  string
	}{
		{"Examples with the feature", raw(example(t, "x", text, "id", two), example(t, "x", tensor.Vector("\xff\xfe"), "id", two)), raw("hello", "\xff\xfe"), ""},
		{"Examples with the feature, of numbers", raw(example(t, "x", one, "id", two)), nil, "want strings, got a list of floats"},
		{"Examples with one other feature", raw(example(t, "t", text)), raw("hello"), ""},
		{"Examples with other features", raw(example(t, "t", text, "id", two)), nil, `no column "x"; the columns are "id", "t"`},
		{"Examples without features", raw("\n\x00", "\n\x00"), nil, "tf.train.Examples without features"},
		{"an empty record, then Examples", raw("", example(t, "x", text, "id", two)), nil, `the row has no feature "x"`},
		{"a damaged record, then Examples", raw("\n\xff", example(t, "x", text, "id", two)), nil, "row 1: not a tf.train.Example"},
		{"SequenceExamples with the feature", raw(sequence(t, "x", text), sequence(t, "x", tensor.Vector("you"))), raw("hello", "you"), ""},
		{"SequenceExamples without it", raw(sequence(t, "id", two)), nil, `no column "x"; the columns are "id", "steps"`},
		{"texts", raw("hello", "grüße, 世界", "", "a\nb", "\n\x05text!"), raw("hello", "grüße, 世界", "", "a\nb", "\n\x05text!"), ""},
		{"bytes", raw("\xff\xd8\xff\xe0", "\x00", "\n\x02\n\x00"), raw("\xff\xd8\xff\xe0", "\x00", "\n\x02\n\x00"), ""},
		{"an empty record, then texts", raw("", "hello"), raw("", "hello"), ""},
		{"empty records", raw("", ""), raw("", ""), ""},
		{"a text, then an Example", raw("hello", example(t, "x", text)), nil, "row 1: not a tf.train.Example"},
		{"no records", nil, []string{}, ""},
	}
	whole := []string{"texts", "bytes", "an empty record, then texts", "empty records"}
	str, shape := typespb.DataType_DT_STRING, modeltest.Shape
	unranked := &shapepb.TensorShapeProto{UnknownRank: true}
	for _, m := range []struct {
		name   string
		inputs map[string]takes
		format string // of a row of one string; "" where the input takes no single string
	}{
		{"string (None,)", map[string]takes{"x": {dtype: str, shape: shape(-1)}}, "%s"},
		{"string (None, 1)", map[string]takes{"x": {dtype: str, shape: shape(-1, 1)}}, "[%s]"},
		{"string (None, 1, 1)", map[string]takes{"x": {dtype: str, shape: shape(-1, 1, 1)}}, "[[%s]]"},
		{"string of any rank", map[string]takes{"x": {dtype: str, shape: unranked}}, "%s"},
		{"string and a default", map[string]takes{"x": {dtype: str, shape: shape(-1)}, "y": {dtype: typespb.DataType_DT_FLOAT, shape: shape(), value: &tensorpb.TensorProto{Dtype: typespb.DataType_DT_FLOAT, TensorShape: shape(), FloatVal: []float32{2}}}}, "%s 2"},
		{"string (None, 2)", map[string]takes{"x": {dtype: str, shape: shape(-1, 2)}}, ""},
		{"float (None, 3)", map[string]takes{"x": {dtype: typespb.DataType_DT_FLOAT, shape: shape(-1, 3)}}, ""},
		{"int64 (None, None)", map[string]takes{"x": {dtype: typespb.DataType_DT_INT64, shape: shape(-1, -1)}}, ""},
		{"bool (None,)", map[string]takes{"x": {dtype: typespb.DataType_DT_BOOL, shape: shape(-1)}}, ""},
		{"two strings", map[string]takes{"x": {dtype: str, shape: shape(-1)}, "z": {dtype: str, shape: shape(-1)}}, ""},
	} {
		p := dryModel(t, m.inputs, runner.PredictOptions{})
		for _, k := range kinds {
			name := recordFile(t, k.records...)
			got := readAll(t, p, Source{Files: []string{name}})
			where := fmt.Sprintf("%s of %s", k.name, m.name)
			switch {
			case slices.Contains([]string{"string of any rank", "int64 (None, None)"}, m.name) && k.name == "an empty record, then Examples":
				continue // a row without values is one there
			case m.format != "" && k.rows != nil || len(k.records) == 0:
				var want []string
				for _, s := range k.rows {
					text, err := runner.Value{Tensor: tensor.Scalar(s)}.AppendJSON(nil)
					if err != nil {
						t.Fatal(err)
					}
					want = append(want, fmt.Sprintf(m.format, text))
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", where, diff)
				}
				continue
			case len(got) == 0 || !strings.Contains(got[0], name) || strings.Contains(got[0], "\n"):
				t.Errorf("%s: %q, want one line that names the file", where, got)
			case m.format != "" && !strings.Contains(got[0], k.err):
				t.Errorf("%s: %q, want %q", where, got[0], k.err)
			case m.format == "" && slices.Contains(whole, k.name) && !strings.Contains(got[0], "records that are no tf.train.Examples"):
				t.Errorf("%s: %q, want it to say what records feed", where, got[0])
			}
		}
	}
}

// A record that is an Example is no string, wherever it stands; and what needs features is said
// where there are none.
func TestWholeRecords(t *testing.T) {
	t.Parallel()
	p := dryModel(t, map[string]takes{"x": {dtype: typespb.DataType_DT_STRING, shape: modeltest.Shape(-1)}}, runner.PredictOptions{})
	long := strings.Repeat("text ", 60_000) // more than is looked at before
	name := recordFile(t, long, example(t, "x", tensor.Vector("hello")), "end")
	got := readAll(t, p, Source{Files: []string{name}})
	want := []string{`"` + long + `"`, "error: " + name + ": row 2: a tf.train.Example among records that are none", `"end"`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	texts, examples := recordFile(t, "one", "two"), recordFile(t, example(t, "x", tensor.Vector("hello")))
	if diff := cmp.Diff([]string{`"one"`, `"two"`, `"hello"`}, readAll(t, p, Source{Files: []string{texts, examples}})); diff != "" {
		t.Errorf("a file of each kind (-want +got):\n%s", diff)
	}
	for want, src := range map[string]Source{
		`have no feature "id"`: {Keep: []string{"id"}}, `have no feature "t"`: {Columns: map[string]string{"x": "t"}},
	} {
		src.Files = []string{texts}
		if got := readAll(t, p, src); len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("%+v: %q, want %q", src, got, want)
		}
	}
}

// What a model parses by itself it gets as it is, with a row of whichever shape.
func TestParsedRecords(t *testing.T) {
	t.Parallel()
	record := example(t, "a", tensor.Vector[float32](1))
	name := recordFile(t, record)
	text, err := runner.Value{Tensor: tensor.Scalar(record)}.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	for format, shape := range map[string]*shapepb.TensorShapeProto{"%s": modeltest.Shape(-1), "[%s]": modeltest.Shape(-1, 1)} {
		p := dryModel(t, map[string]takes{"x": {dtype: typespb.DataType_DT_STRING, shape: shape, parsed: true}}, runner.PredictOptions{})
		if diff := cmp.Diff([]string{fmt.Sprintf(format, text)}, readAll(t, p, Source{Files: []string{name}})); diff != "" {
			t.Errorf("%v (-want +got):\n%s", shape, diff)
		}
	}
}
