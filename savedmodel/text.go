package savedmodel

import (
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

// textToBinary turns a saved_model.pbtxt into the binary form, so that all else reads one form
// only. Fields that came with later releases than the message definitions here are dropped.
func textToBinary(path string, text []byte) ([]byte, error) {
	if err := boundTextDepth(path, text); err != nil {
		return nil, err
	}
	model := &pb.SavedModel{}
	if err := (prototext.UnmarshalOptions{DiscardUnknown: true, AllowPartial: true}).Unmarshal(text, model); err != nil {
		return nil, formatError(path, "is not a SavedModel in protobuf's text form: %s", protoCause(err))
	}
	data, err := (proto.MarshalOptions{Deterministic: true}).Marshal(model)
	if err != nil {
		return nil, formatError(path, "is not a SavedModel in protobuf's text form: %s", protoCause(err))
	}
	return data, nil
}

// boundTextDepth refuses text whose messages nest too deeply: prototext sets no limit of its own.
// It skips strings and comments as the text format writes them.
func boundTextDepth(path string, text []byte) error {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '{', '<', '[':
			if depth++; depth > graph.MaxMessageDepth {
				return &FormatError{File: path, Msg: "messages nest too deeply", Offset: int64(i)}
			}
		case '}', '>', ']':
			depth--
		case '#':
			for i < len(text) && text[i] != '\n' {
				i++
			}
		case '"', '\'':
			for i++; i < len(text) && text[i] != c; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		}
	}
	return nil
}
