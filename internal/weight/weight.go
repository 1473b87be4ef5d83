// Package weight estimates how much memory a serialized protobuf message takes once it is decoded.
//
// An empty message takes two bytes in a file and some hundreds in memory, so a file of 20 MB can
// ask for gigabytes. [Of] adds up what Go takes for each message, text and number, without decoding
// any, so that a file which asks for too much is refused before.
package weight

import (
	"reflect"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// What Go takes beside the values themselves, in bytes.
const (
	perElement = 16 // a pointer to a message in a slice that grows
	perText    = 32 // the header of a string or of bytes in a slice that grows
	perEntry   = 96 // a place in a map, which is half empty
	perMessage = 64 // of a type that is not linked in
)

// mapValue is the number of the value in a map's entry.
const mapValue = 2

// mostNested is how deep messages are followed: decoders refuse what nests deeper.
const mostNested = 200

// Weight is the estimate for a message.
type Weight struct {
	Bytes int64 // once it is decoded
	// Entries is the most entries that the maps of one message in it have: a map of millions takes
	// several times as long as a million maps of a few.
	Entries int
}

// Of returns the estimate for a message of the given type. What is damaged counts up to the damage.
// Time is linear in the message's size.
func Of(message []byte, d protoreflect.MessageDescriptor) Weight {
	var w Weight
	w.Bytes = w.weigh(typeOf(d), message, 0)
	return w
}

// messageType is what weighing a message needs of its type.
type messageType struct {
	size   int64 // of the struct
	value  int64 // of a map's entry: of the value's struct, which is made where there is none
	fields []field
}

// field says what each value of a field takes.
type field struct {
	each    int64        // beside the message that it is
	packed  int64        // of a list of numbers: what each byte of it may take
	message *messageType // nil where it is none
	isMap   bool
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

// makeType makes the type of a message and of those that it holds. Types that hold themselves, by
// whatever detour, are found in the map.
func makeType(d protoreflect.MessageDescriptor) *messageType {
	if t := types.by[d.FullName()]; t != nil {
		return t
	}
	t := &messageType{size: structSize(d)}
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
		for int(fd.Number()) >= len(t.fields) {
			t.fields = append(t.fields, field{})
		}
		t.fields[fd.Number()] = f
	}
	return t
}

// structSize returns the size of the Go struct of a message; 0 for the entry of a map, which is
// none.
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

// packedSize returns what a byte of a packed list of numbers takes: a number may be one byte long.
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

// weigh adds up what a message takes.
func (w *Weight) weigh(t *messageType, b []byte, depth int) int64 {
	sum, entries, value := t.size, 0, t.value
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
			sum += w.weigh(f.message, data, depth+1)
		case f.packed > 0:
			sum += f.packed * int64(len(data))
		default:
			sum += int64(len(data))
		}
	}
	w.Entries = max(w.Entries, entries)
	return sum + value
}
