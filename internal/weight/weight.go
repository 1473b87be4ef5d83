// Package weight estimates how much memory a serialized protobuf message takes once it is decoded.
//
// An empty message takes two bytes in a file and some hundreds in memory, so a file of 20 MB can
// ask for gigabytes. [Of] adds up what Go takes for each message, text and number without decoding
// any, so that such a file can be refused beforehand.
package weight

import (
	"reflect"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// The bytes that Go takes for a value beside the value itself.
const (
	perElement = 16 // a pointer to a message in a slice that grows
	perText    = 32 // the header of a string or of bytes in a slice that grows
	perEntry   = 96 // a place in a map, of which half are empty
	perMessage = 64 // a message of a type that is not linked in
)

// mapValue is the field number of the value in a map's entry.
const mapValue = 2

// mostNested bounds how deep messages are followed: decoders refuse deeper ones.
const mostNested = 200

// Weight is the estimate for a message.
type Weight struct {
	Bytes int64 // size of the decoded message
	// Entries is the largest number of map entries in one of the messages. A map of millions takes
	// several times as long as a million small maps.
	Entries int
	// Parts counts what the nodes of graphs list: inputs, values of attributes and the like.
	// TensorFlow copies each some ten times while it loads a graph. A function or a tensor in a
	// list counts as perFunction parts, a text of an attribute as perString, a shape as perShape;
	// of a tensor's own values textsPart texts, or numbersPart bytes of memory for numbers of a
	// varying length, count as one: others take no more memory than they do in the file.
	Parts int64
	// Body is the largest number of nodes in one function, whose nodes are decoded all at once.
	Body int
}

// How parts are counted.
const (
	perFunction = 16
	perString   = 4
	perShape    = 3
	textsPart   = 4
	numbersPart = 20
)

// Of returns the estimate for a message of the given type. A damaged message is weighed up to the
// damage. The time taken is linear in the message's size.
func Of(message []byte, d protoreflect.MessageDescriptor) Weight {
	var w Weight
	w.Bytes = w.weigh(typeOf(d), message, 0, false)
	return w
}

// messageType is what weighing a message has to know about its type.
type messageType struct {
	size   int64 // of the struct
	value  int64 // of a map's entry: size of the value's struct, which is made even if absent
	fields []field
	node   bool // a NodeDef: what is in it counts as Parts
	values bool // a TensorProto, whose values count less
	body   bool // a FunctionDef, whose nodes are its Body
}

// field is what each value of a field takes.
type field struct {
	each    int64        // beside the message, if it is one
	packed  int64        // most bytes that a byte of a packed list of numbers takes
	message *messageType // nil for other values than messages
	isMap   bool
	parts   int64 // that a value counts; 0: it stands once, or in a map
	width   int   // of a number in a packed list, in bytes; 0: a varint
}

var types struct {
	sync.Mutex
	by map[protoreflect.FullName]*messageType
}

func typeOf(d protoreflect.MessageDescriptor) *messageType {
	types.Lock()
	defer types.Unlock()
	if types.by == nil {
		types.by = map[protoreflect.FullName]*messageType{}
	}
	return makeType(d)
}

// makeType makes the type of a message and of the messages in it. Types that contain themselves are
// found in the map.
func makeType(d protoreflect.MessageDescriptor) *messageType {
	if t := types.by[d.FullName()]; t != nil {
		return t
	}
	t := &messageType{size: structSize(d)}
	switch d.FullName() {
	case "tensorflow.NodeDef":
		t.node = true
	case "tensorflow.TensorProto":
		t.values = true
	case "tensorflow.FunctionDef":
		t.body = true
	}
	types.by[d.FullName()] = t
	if d.IsMapEntry() && d.Fields().ByNumber(mapValue).Message() != nil {
		t.value = structSize(d.Fields().ByNumber(mapValue).Message())
	}
	for i := range d.Fields().Len() {
		fd := d.Fields().Get(i)
		f := field{}
		switch {
		case fd.IsMap():
			f.each, f.isMap = perEntry, true
		case fd.Message() != nil && fd.IsList():
			f.each = perElement
		case fd.Kind() == protoreflect.StringKind, fd.Kind() == protoreflect.BytesKind:
			f.each = perText
		case fd.IsList():
			f.each, f.packed = perElement, packedSize(fd.Kind())
		}
		if fd.Message() != nil {
			f.message = makeType(fd.Message())
		}
		if fd.IsList() {
			f.parts, f.width = partsOf(fd), packedWidth(fd.Kind())
		}
		for int(fd.Number()) >= len(t.fields) {
			t.fields = append(t.fields, field{})
		}
		t.fields[fd.Number()] = f
	}
	return t
}

// structSize returns the size of the Go struct of a message; 0 for an entry of a map, which has no
// struct.
func structSize(d protoreflect.MessageDescriptor) int64 {
	if d.IsMapEntry() {
		return 0
	}
	t, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		return perMessage
	}
	return int64(reflect.TypeOf(t.Zero().Interface()).Elem().Size()) //nolint:gosec // the size of a struct
}

// packedSize returns the memory for one byte of a packed list of numbers: a number may be one byte
// long.
func packedSize(kind protoreflect.Kind) int64 {
	switch kind {
	case protoreflect.FloatKind, protoreflect.DoubleKind, protoreflect.Fixed32Kind, protoreflect.Fixed64Kind,
		protoreflect.Sfixed32Kind, protoreflect.Sfixed64Kind, protoreflect.BoolKind:
		return 1
	case protoreflect.Int64Kind, protoreflect.Uint64Kind, protoreflect.Sint64Kind:
		return 8
	}
	return 4
}

// partsOf returns how many parts a value of a list counts.
func partsOf(fd protoreflect.FieldDescriptor) int64 {
	switch m := fd.Message(); {
	case m == nil && fd.FullName() == "tensorflow.AttrValue.ListValue.s":
		return perString
	case m == nil:
		return 1
	case m.Fields().Len() > 2, m.FullName() == "tensorflow.NameAttrList":
		return perFunction
	case m.FullName() == "tensorflow.TensorShapeProto":
		return perShape
	}
	return 1
}

// packedWidth returns the bytes of a number in a packed list; 0 where it is a varint.
func packedWidth(kind protoreflect.Kind) int {
	switch kind {
	case protoreflect.FloatKind, protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind:
		return 4
	case protoreflect.DoubleKind, protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		return 8
	}
	return 0
}

// packedCount returns how many numbers a packed list holds.
func packedCount(b []byte, width int) (n int64) {
	if width > 0 {
		return int64(len(b) / width)
	}
	for _, c := range b {
		if c < 0x80 { // the last byte of a varint
			n++
		}
	}
	return n
}

func (w *Weight) count(inNode bool, parts int64) {
	if inNode {
		w.Parts += parts
	}
}

// weigh returns the memory that a message takes. inNode says that the message is in a node, where
// what stands in lists counts.
func (w *Weight) weigh(t *messageType, b []byte, depth int, inNode bool) int64 {
	sum, entries, nodes, texts, value := t.size, 0, 0, int64(0), t.value
	inNode = (inNode || t.node) && !t.values
	for len(b) > 0 && depth < mostNested {
		num, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			break
		}
		b = b[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(num, kind, b); n < 0 {
				break
			}
			b = b[n:]
			if int(num) < len(t.fields) {
				sum += t.fields[num].each
				w.count(inNode, t.fields[num].parts)
			}
			continue
		}
		data, n := protowire.ConsumeBytes(b)
		if n < 0 {
			break
		}
		b = b[n:]
		if int(num) >= len(t.fields) {
			sum += int64(n) // kept as it is
			continue
		}
		if num == mapValue {
			value = 0
		}
		f := &t.fields[num]
		sum += f.each
		if f.isMap {
			entries++
		}
		switch {
		case f.message != nil:
			if t.body && f.message.node {
				nodes++
			}
			w.count(inNode, f.parts)
			sum += w.weigh(f.message, data, depth+1, inNode)
		case f.packed > 0 && t.values:
			if f.width == 0 {
				w.Parts += packedCount(data, 0) * f.packed / numbersPart
			}
			sum += f.packed * int64(len(data))
		case f.packed > 0:
			w.count(inNode, packedCount(data, f.width))
			sum += f.packed * int64(len(data))
		default:
			texts += f.parts
			sum += int64(len(data))
		}
	}
	if t.values {
		w.Parts += texts / textsPart
	}
	w.count(inNode, texts)
	w.Entries, w.Body = max(w.Entries, entries), max(w.Body, nodes)
	return sum + value
}
