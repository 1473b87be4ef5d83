package admit

import (
	"regexp"
	"strings"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// cleanConfig replaces the configuration that a call of a function carries by a harmless one. A
// ConfigProto can name optimizers, and programs of passes as their parameters; only numbers and
// switches are kept. The older attribute "config", which holds an optimizer's configuration, is
// dropped.
func cleanConfig(n *nodepb.NodeDef) {
	n.ExperimentalDebugInfo = nil // names of nodes that this one was made of
	attrs := n.GetAttr()
	if op := n.GetOp(); op == "PartitionedCall" || op == "StatefulPartitionedCall" {
		delete(attrs, "config")
	}
	if v := attrs["config_proto"]; v != nil {
		attrs["config_proto"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_S{S: cleanedConfig(v.GetS())}}
	}
}

// localDevice is the part of a device's name that says which one of its machine it is.
var localDevice = regexp.MustCompile(`/(?:device:[A-Za-z_]\w*|cpu|CPU|gpu|GPU):(?:[0-9]{1,6}|\*)(?:/|$)`)

// cleanDevice leaves of a node's device which one of its machine it is. Models that were trained on
// several machines may name those ("/job:ps/task:1/device:CPU:0"): TensorFlow runs such a node
// there or not at all, whereas it takes another device for one that the machine lacks.
func cleanDevice(n *nodepb.NodeDef) {
	if n.Device != "" {
		n.Device = strings.TrimSuffix(localDevice.FindString(n.Device), "/")
	}
}

// cleanedConfig returns the harmless part of a serialized ConfigProto; nothing if it cannot be
// read.
func cleanedConfig(config []byte) []byte {
	if len(config) == 0 {
		return nil
	}
	in := &pb.ConfigProto{}
	if proto.Unmarshal(config, in) != nil {
		return nil
	}
	out := &pb.ConfigProto{
		DeviceCount:               in.GetDeviceCount(),
		IntraOpParallelismThreads: in.GetIntraOpParallelismThreads(),
		InterOpParallelismThreads: in.GetInterOpParallelismThreads(),
		AllowSoftPlacement:        in.GetAllowSoftPlacement(),
	}
	if r := in.GetGraphOptions().GetRewriteOptions(); r != nil {
		out.GraphOptions = &pb.GraphOptions{RewriteOptions: switches(r)}
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(out)
	if err != nil {
		return nil
	}
	return data
}

// switches returns the numbers and switches of an optimizer's configuration: which of TensorFlow's
// own passes run, and how often.
func switches(in *pb.RewriterConfig) *pb.RewriterConfig {
	out := &pb.RewriterConfig{}
	in.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsList() || fd.IsMap():
		case fd.Kind() == protoreflect.BoolKind, fd.Kind() == protoreflect.EnumKind, fd.Kind() == protoreflect.Int32Kind, fd.Kind() == protoreflect.Int64Kind:
			out.ProtoReflect().Set(fd, v)
		}
		return true
	})
	return out
}
