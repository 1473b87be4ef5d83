package escape

import (
	"fmt"

	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	versionspb "github.com/galeone/tensorflow/tensorflow/go/core/framework/versions_go_proto"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// payload is an operation that touches the canary.
type payload struct {
	op   string
	path string // the operation's path; "" if an attribute has it
	// add adds the operation. It returns a string: what was read, or any string after writing.
	add func(b *body, path ref) ref
}

// payloads lists operations that reach the canary when they run. A test runs each of them with
// permission.
func payloads(c Canary) []payload {
	secret := c.File("secret.txt")
	ok := func(b *body, done ref) ref { return b.identity(b.text("done"), after(done)) }
	element := func(b *body, dataset ref, t typespb.DataType) ref {
		return b.add("DatasetToSingleElement", "components", attrs{"output_types": []typespb.DataType{t}, "output_shapes": shapes(1)}, dataset)
	}
	take := func(b *body, dataset ref) ref {
		return element(b, b.add("TakeDataset", "handle", attrs{"output_types": []typespb.DataType{dtString}, "output_shapes": shapes(1)}, dataset, b.long(1)), dtString)
	}
	numbers := func(b *body) ref {
		return b.add("TensorDataset", "handle", attrs{"Toutput_types": []typespb.DataType{dtInt64}, "output_shapes": shapes(1)}, b.long(1))
	}
	one := attrs{"output_types": []typespb.DataType{dtInt64}, "output_shapes": shapes(1)}
	return []payload{
		{"ReadFile", secret, func(b *body, path ref) ref { return b.add("ReadFile", "contents", nil, path) }},
		{"WriteFile", c.Out("writefile"), func(b *body, path ref) ref { return ok(b, b.add("WriteFile", "", nil, path, b.text("x"))) }},
		{"MatchingFiles", c.File("*.name"), func(b *body, path ref) ref {
			return b.add("ReduceJoin", "output", attrs{"keep_dims": false}, b.add("MatchingFiles", "filenames", nil, path), b.number(0))
		}},
		{"ImmutableConst", "", func(b *body, _ ref) ref {
			bytes := b.add("ImmutableConst", "tensor", attrs{"dtype": dtUint8, "shape": []int64{int64(len(Secret))}, "memory_region_name": secret})
			codes := b.add("Cast", "y", attrs{"SrcT": dtUint8, "DstT": dtInt32}, bytes)
			return b.add("UnicodeEncode", "output", attrs{"output_encoding": "UTF-8", "Tsplits": dtInt64}, codes, b.range2(len(Secret))).first(b)
		}},
		{"DatasetFromGraph", "", func(b *body, _ ref) ref {
			return element(b, b.add("DatasetFromGraph", "handle", nil, b.text(datasetGraph(c))), dtString)
		}},
		{"DecodeProtoV2", "", func(b *body, _ ref) ref {
			decoded := b.add("DecodeProtoV2", "sizes", attrs{
				"message_type": "Secret", "field_names": []string{"a"}, "output_types": []typespb.DataType{dtString}, "descriptor_source": c.File("desc.pb"),
				"message_format": "binary", "sanitize": false,
			}, b.text(""))
			values := ref{decoded.node, "values", 0}
			if !b.inside {
				values.index = 1
			}
			return b.add("ReduceJoin", "output", attrs{"keep_dims": false}, values, b.number(0))
		}},
		{"PrintV2", "", func(b *body, _ ref) ref {
			return ok(b, b.add("PrintV2", "", attrs{"output_stream": "file://" + c.Out("print"), "end": "\n"}, b.text("x")))
		}},
		{"TextLineDataset", secret, func(b *body, path ref) ref {
			return take(b, b.add("TextLineDataset", "handle", nil, path, b.text(""), b.long(0)))
		}},
		{"FixedLengthRecordDatasetV2", secret, func(b *body, path ref) ref {
			return take(b, b.add("FixedLengthRecordDatasetV2", "handle", nil, path, b.long(0), b.long(int64(len(Secret)+1)), b.long(0), b.long(0), b.text("")))
		}},
		{"CacheDataset", c.Out("cache"), func(b *body, path ref) ref {
			return b.asText(element(b, b.add("CacheDataset", "handle", one, numbers(b), path), dtInt64), dtInt64)
		}},
		{"DatasetToTFRecord", c.Out("tfrecord"), func(b *body, path ref) ref {
			texts := b.add("TensorDataset", "handle", attrs{"Toutput_types": []typespb.DataType{dtString}, "output_shapes": shapes(1)}, b.text("x"))
			return ok(b, b.add("DatasetToTFRecord", "", nil, texts, path, b.text("")))
		}},
		{"SaveV2", c.Out("save"), func(b *body, path ref) ref {
			return ok(b, b.add("SaveV2", "", attrs{"dtypes": []typespb.DataType{dtString}}, path, b.texts("v"), b.texts(""), b.text("x")))
		}},
		{"RestoreV2", c.File("checkpoint/variables"), func(b *body, path ref) ref {
			return b.add("RestoreV2", "tensors", attrs{"dtypes": []typespb.DataType{dtString}}, path, b.texts("v"), b.texts(""))
		}},
		{"InitializeTableFromTextFileV2", secret, func(b *body, path ref) ref {
			table := b.add("HashTableV2", "table_handle", attrs{"key_dtype": dtString, "value_dtype": dtInt64, "shared_name": "escape", "container": "", "use_node_name_sharing": false})
			filled := b.add("InitializeTableFromTextFileV2", "", attrs{"key_index": -2, "value_index": -1, "vocab_size": -1, "delimiter": "\t", "offset": 0}, table, path)
			export := b.add("LookupTableExportV2", "keys", attrs{"Tkeys": dtString, "Tvalues": dtInt64}, table, after(filled))
			return b.add("ReduceJoin", "output", attrs{"keep_dims": false}, export, b.number(0))
		}},
		{"CreateSummaryFileWriter", c.Out("summary"), func(b *body, path ref) ref {
			writer := b.add("SummaryWriter", "writer", attrs{"shared_name": "escape", "container": ""})
			made := b.add("CreateSummaryFileWriter", "", nil, writer, path, b.number(1), b.number(1), b.text(".x"))
			return ok(b, b.add("FlushSummaryWriter", "", nil, writer, after(made)))
		}},
		{"WholeFileReaderV2", secret, func(b *body, path ref) ref {
			reader := b.add("WholeFileReaderV2", "reader_handle", attrs{"container": "", "shared_name": ""})
			queue := b.add("FIFOQueueV2", "handle", attrs{"component_types": []typespb.DataType{dtString}, "shapes": shapes(1), "capacity": 9, "container": "", "shared_name": ""})
			put := b.add("QueueEnqueueV2", "", attrs{"Tcomponents": []typespb.DataType{dtString}, "timeout_ms": -1}, queue, path)
			read := b.add("ReaderReadV2", "value", nil, reader, queue, after(put))
			if !b.inside {
				read.index = 1
			}
			return read
		}},
		{"DebugIdentityV3", "", func(b *body, _ ref) ref {
			return b.add("DebugIdentityV3", "output", attrs{
				"T": dtString, "device_name": "cpu", "tensor_name": "t:0", "debug_urls": []string{"file://" + c.Out("debug")}, "gated_grpc": false,
				"io_of_node": "", "is_input": false, "io_index": -1,
			}, b.text("x"))
		}},
	}
}

// range2 adds row splits of one row with n values.
func (b *body) range2(n int) ref {
	return b.add("Pack", "output", attrs{"T": dtInt64, "N": 2, "axis": 0}, b.long(0), b.long(int64(n)))
}

// first returns the first string of a vector as a scalar.
func (r ref) first(b *body) ref {
	return b.add("ReduceJoin", "output", attrs{"keep_dims": false}, r, b.number(0))
}

// datasetGraph returns a serialized graph whose dataset reads the secret and writes a file, as the
// operation DatasetFromGraph takes it.
func datasetGraph(c Canary) string {
	b := &body{}
	written := b.add("WriteFile", "", nil, b.text(c.Out("datasetfromgraph")), b.text("x"))
	read := b.add("ReadFile", "contents", nil, b.text(c.File("secret.txt")), after(written))
	set := b.add("TensorDataset", "handle", attrs{"Toutput_types": []typespb.DataType{dtString}, "output_shapes": shapes(1)}, read)
	b.nodes = append(b.nodes, &nodepb.NodeDef{Name: "dataset", Op: "_Retval", Input: []string{set.node}, Attr: attrs{"T": dtVariant, "index": 0}.proto()})
	data, err := proto.Marshal(&graphpb.GraphDef{Node: b.nodes, Versions: &versionspb.VersionDef{Producer: producer}})
	if err != nil {
		panic(fmt.Sprintf("a graph of constants: %v", err))
	}
	return string(data)
}

// descriptors returns a FileDescriptorSet (descriptor.proto) of a message with a field whose
// default is the secret.
func descriptors() []byte {
	number := func(to []byte, n protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(to, n, protowire.VarintType), v)
	}
	a := field(number(number(number(field(nil, 1, []byte("a")), 3, 1), 4, 1), 5, 9), 7, []byte(Secret))
	message := field(field(nil, 1, []byte("Secret")), 2, a)
	file := field(field(nil, 1, []byte("secret.proto")), 4, message)
	return field(nil, 1, file)
}
