package savedmodel

import (
	_ "embed" // the messages of the newest TensorFlow
	"sync"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/tfrun/tfrun/internal/graph"
)

// What a message, and a text, of a .pbtxt may take in memory, in bytes: as a Go struct, and as a
// message whose type is known at run time alone.
const (
	structBytes  = 256
	dynamicBytes = 512
	stringBytes  = 48
)

// textToBinary turns a saved_model.pbtxt into the binary form, so that all else reads one form
// only. Names that came with later releases than the message definitions that the program is built
// with, such as a new type of tensors, are those of TensorFlow 2.21.
func textToBinary(path string, text []byte) ([]byte, error) {
	size, err := measureText(path, text)
	if err == nil {
		err = size.check(path, structBytes)
	}
	if err != nil {
		return nil, err
	}
	data, err := convertText(text, &pb.SavedModel{}, prototext.UnmarshalOptions{AllowPartial: true})
	if err == nil {
		return data, nil
	}
	if err := size.check(path, dynamicBytes); err != nil {
		return nil, err
	}
	newest, err := newestSchema()
	if err == nil {
		data, err = convertText(text, dynamicpb.NewMessage(newest.model), prototext.UnmarshalOptions{AllowPartial: true, Resolver: newest.types})
	}
	if err != nil {
		return nil, formatError(path, "is not a SavedModel in protobuf's text form: %s", protoCause(err))
	}
	return data, nil
}

// convertText reads text into a message, and writes that in the binary form.
func convertText(text []byte, model proto.Message, o prototext.UnmarshalOptions) ([]byte, error) {
	if err := o.Unmarshal(text, model); err != nil {
		return nil, err
	}
	return proto.MarshalOptions{Deterministic: true, AllowPartial: true}.Marshal(model)
}

//go:embed saved_model.protoset
var protoset []byte

// schema is saved_model.proto with all that it imports. scripts/schema.py writes the file.
type schema struct {
	model protoreflect.MessageDescriptor
	types *dynamicpb.Types
}

// newestSchema reads the message definitions of the newest TensorFlow.
var newestSchema = sync.OnceValues(func() (schema, error) {
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(protoset, set); err != nil {
		return schema{}, err
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		return schema{}, err
	}
	model, err := files.FindDescriptorByName("tensorflow.SavedModel")
	if err != nil {
		return schema{}, err
	}
	return schema{model.(protoreflect.MessageDescriptor), dynamicpb.NewTypes(files)}, nil
})

// textSize is how much there is in a text.
type textSize struct{ bytes, messages, strings int64 }

// check refuses a text of many more messages than such texts have.
func (s textSize) check(path string, perMessage int64) error {
	need, limit := s.messages*perMessage+s.strings*stringBytes, weightFree+weightPerByte*s.bytes
	if need > limit {
		return tooHeavy(path, need, s.bytes, limit)
	}
	return nil
}

// measureText counts the messages and strings of a text. It refuses one whose messages nest too
// deeply, to which prototext sets no limit of its own. It skips strings and comments as the text
// format writes them.
func measureText(path string, text []byte) (textSize, error) {
	size := textSize{bytes: int64(len(text))}
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '{', '<', '[':
			if c != '[' {
				size.messages++
			}
			if depth++; depth > graph.MaxMessageDepth {
				return size, &FormatError{File: path, Msg: "messages nest too deeply", Offset: int64(i)}
			}
		case '}', '>', ']':
			depth--
		case '#':
			for i < len(text) && text[i] != '\n' {
				i++
			}
		case '"', '\'':
			size.strings++
			for i++; i < len(text) && text[i] != c; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		}
	}
	return size, nil
}
