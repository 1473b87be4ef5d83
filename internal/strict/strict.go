// Package strict finds protobuf messages that two readers may read differently.
//
// There are three kinds. A field that occurs twice is merged by one reader and overwritten by
// another. A key that a map has twice gets its first value in one reader and its last in another. A
// field that this program does not know may have a meaning for others. TensorFlow writes none of
// these. [Check] refuses them, so that any other reader sees what was looked at here.
package strict

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Error says where a message can be read in two ways, or not at all.
type Error struct {
	Path string // the fields from the message inwards: `attr["value"].tensor.dtype`
	Msg  string
}

// Error returns the place and what is wrong there.
func (e *Error) Error() string {
	if e.Path == "" {
		return e.Msg
	}
	return e.Path + ": " + e.Msg
}

// mostNested bounds how deep messages nest, as TensorFlow's own parsers do.
const mostNested = 100

// Check returns the first thing in a serialized message of the given type that readers may differ
// about: a field, a member of a oneof, or a key of a map that occurs twice; a field that the type
// does not have; a number that is encoded longer than necessary; text that is not UTF-8. nil means
// that all readers see the same. Time and memory are linear in the message's size.
func Check(message []byte, d protoreflect.MessageDescriptor) error {
	return result(checker{}.check(message, typeOf(d), 0))
}

// CheckKnown is [Check] for a message that no other program reads. It allows fields that the type
// does not have.
func CheckKnown(message []byte, d protoreflect.MessageDescriptor) error {
	return result(checker{unknown: true}.check(message, typeOf(d), 0))
}

// result makes an error of e, which may be a nil pointer.
func result(e *Error) error {
	if e == nil {
		return nil
	}
	return e
}

// checker checks messages, as Check or as CheckKnown does.
type checker struct {
	unknown bool // allow fields that a message's type does not have
}

// messageType is what checking a message has to know about its type.
type messageType struct {
	name   string
	fields []fieldType // indexed by number; a number without a field has no name
	key    int         // of a map's entry: number of the field that is the key
}

type fieldType struct {
	name     string
	kind     protowire.Type
	repeated bool
	packable bool // a list of numbers, which may be packed into one value
	text     bool
	oneof    uint64       // a bit for the oneof that the field belongs to; 0: none
	message  *messageType // type of a field that is a message
	isMap    bool
}

// newerFields lists fields, by message, that later releases have and the message definitions here
// lack. Their contents are not checked.
var newerFields = map[protoreflect.FullName]map[protowire.Number]string{
	"tensorflow.GraphDef":    {5: "debug_info"},
	"tensorflow.TensorProto": {18: "float8_val"},
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
	t := &messageType{name: string(d.FullName())}
	types.by[d.FullName()] = t
	put := func(n protowire.Number, f fieldType) {
		for int(n) >= len(t.fields) {
			t.fields = append(t.fields, fieldType{})
		}
		t.fields[n] = f
	}
	for i := range d.Fields().Len() {
		fd := d.Fields().Get(i)
		f := fieldType{
			name: string(fd.Name()), kind: wireTypes[fd.Kind()], repeated: fd.IsList() || fd.IsMap(), isMap: fd.IsMap(),
			text: fd.Kind() == protoreflect.StringKind,
		}
		f.packable = fd.IsList() && f.kind != protowire.BytesType
		if o := fd.ContainingOneof(); o != nil {
			f.oneof = 1 << o.Index()
		}
		if fd.Message() != nil {
			f.message = makeType(fd.Message())
		}
		put(fd.Number(), f)
	}
	for n, name := range newerFields[d.FullName()] {
		put(n, fieldType{name: name, kind: protowire.BytesType})
	}
	if d.IsMapEntry() {
		t.key = int(d.Fields().ByName("key").Number())
	}
	return t
}

var wireTypes = map[protoreflect.Kind]protowire.Type{
	protoreflect.BoolKind: protowire.VarintType, protoreflect.EnumKind: protowire.VarintType,
	protoreflect.Int32Kind: protowire.VarintType, protoreflect.Int64Kind: protowire.VarintType,
	protoreflect.Uint32Kind: protowire.VarintType, protoreflect.Uint64Kind: protowire.VarintType,
	protoreflect.Sint32Kind: protowire.VarintType, protoreflect.Sint64Kind: protowire.VarintType,
	protoreflect.Fixed32Kind: protowire.Fixed32Type, protoreflect.Sfixed32Kind: protowire.Fixed32Type, protoreflect.FloatKind: protowire.Fixed32Type,
	protoreflect.Fixed64Kind: protowire.Fixed64Type, protoreflect.Sfixed64Kind: protowire.Fixed64Type, protoreflect.DoubleKind: protowire.Fixed64Type,
	protoreflect.StringKind: protowire.BytesType, protoreflect.BytesKind: protowire.BytesType, protoreflect.MessageKind: protowire.BytesType,
	protoreflect.GroupKind: protowire.StartGroupType,
}

// check checks a message at a depth.
func (c checker) check(b []byte, t *messageType, depth int) *Error {
	if depth > mostNested {
		return &Error{Msg: "messages nest too deeply"}
	}
	var seen set
	var oneofs uint64
	var keys *keySets
	for len(b) > 0 {
		num, kind, n := consumeTag(b)
		if n < 0 {
			return &Error{Msg: "is damaged, or written in no usual way"}
		}
		b = b[n:]
		if num >= len(t.fields) || t.fields[num].name == "" {
			if size, _ := consumeValue(b, kind); c.unknown && size >= 0 {
				b = b[size:]
				continue
			}
			return &Error{Msg: fmt.Sprintf("has a field %d, which %s does not have", num, t.name)}
		}
		f := &t.fields[num]
		size, data := consumeValue(b, kind)
		if size < 0 {
			return f.at(nil, &Error{Msg: "is damaged, or written in no usual way"})
		}
		b = b[size:]
		switch {
		case kind != f.kind && !(f.packable && kind == protowire.BytesType):
			return f.at(nil, &Error{Msg: "is of another type than it should be"})
		case !f.repeated && seen.has(num):
			return f.at(nil, &Error{Msg: "stands twice"})
		case f.oneof&oneofs != 0:
			return f.at(nil, &Error{Msg: "stands beside another value of its place"})
		case f.text && !utf8.Valid(data):
			return f.at(nil, &Error{Msg: "is not UTF-8"})
		case kind != f.kind && !isPacked(data, f.kind):
			return f.at(nil, &Error{Msg: "is damaged, or written in no usual way"})
		}
		seen.add(num)
		oneofs |= f.oneof
		if f.message == nil {
			continue
		}
		if f.isMap && keys == nil {
			keys = &keySets{}
		}
		if err := c.checkMessage(f, data, num, keys, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// checkMessage checks a message in a field. For an entry of a map it also checks that the key is
// new.
func (c checker) checkMessage(f *fieldType, data []byte, num int, keys *keySets, depth int) *Error {
	err := c.check(data, f.message, depth)
	if !f.isMap {
		return f.at(nil, err)
	}
	key := keyOf(data, f.message)
	if err == nil && !keys.add(num, key) {
		err = &Error{Msg: "stands twice"}
	}
	return f.at(key, err)
}

// at puts the field, and the key of a map's entry, before the path of an error. nil stays nil.
func (f *fieldType) at(key []byte, e *Error) *Error {
	if e == nil {
		return nil
	}
	name := f.name
	if f.isMap {
		name = fmt.Sprintf("%s[%q]", f.name, key)
	}
	switch path := e.Path; {
	case path == "":
		e.Path = name
	case f.isMap:
		e.Path = name + strings.TrimPrefix(path, "value")
	default:
		e.Path = name + "." + path
	}
	return e
}

// keyOf returns the key of a map's entry as bytes: the text, or the encoded number.
func keyOf(entry []byte, t *messageType) []byte {
	for len(entry) > 0 {
		num, kind, n := consumeTag(entry)
		if n < 0 {
			return nil
		}
		size, data := consumeValue(entry[n:], kind)
		if size < 0 {
			return nil
		}
		if num == t.key {
			if kind == protowire.BytesType {
				return data
			}
			return entry[n : n+size]
		}
		entry = entry[n+size:]
	}
	return nil
}

// consumeTag reads a field's number and wire type, and returns how many bytes they take. n is
// negative where there is no tag, or one that is encoded longer than necessary.
func consumeTag(b []byte) (num int, kind protowire.Type, n int) {
	v, n := protowire.ConsumeVarint(b)
	if n < 0 || n != protowire.SizeVarint(v) || v>>3 == 0 || v>>3 > uint64(protowire.MaxValidNumber) {
		return 0, 0, -1
	}
	return int(v >> 3), protowire.Type(v & 7), n
}

// consumeValue returns the size of a field's value, and the contents of a length-delimited one. The
// size is negative where the message ends before the value does.
func consumeValue(b []byte, kind protowire.Type) (size int, data []byte) {
	switch kind {
	case protowire.VarintType:
		var v uint64
		if v, size = protowire.ConsumeVarint(b); size != protowire.SizeVarint(v) {
			return -1, nil
		}
	case protowire.Fixed32Type:
		_, size = protowire.ConsumeFixed32(b)
	case protowire.Fixed64Type:
		_, size = protowire.ConsumeFixed64(b)
	case protowire.BytesType:
		data, size = protowire.ConsumeBytes(b)
		if size-len(data) != protowire.SizeVarint(uint64(len(data))) {
			return -1, nil
		}
	default:
		return -1, nil
	}
	return size, data
}

// isPacked reports whether the bytes are a sequence of numbers of a wire type.
func isPacked(b []byte, kind protowire.Type) bool {
	switch kind {
	case protowire.Fixed32Type:
		return len(b)%4 == 0
	case protowire.Fixed64Type:
		return len(b)%8 == 0
	}
	for len(b) > 0 {
		size, _ := consumeValue(b, kind)
		if size < 0 {
			return false
		}
		b = b[size:]
	}
	return true
}

// set holds small numbers.
type set struct {
	low  uint64
	rest map[int]bool
}

func (s *set) has(n int) bool { return n < 64 && s.low&(1<<n) != 0 || s.rest[n] }

func (s *set) add(n int) {
	if n < 64 {
		s.low |= 1 << n
		return
	}
	if s.rest == nil {
		s.rest = map[int]bool{}
	}
	s.rest[n] = true
}

// keySets holds the keys of a message's maps, together with the number of the map. Most maps are
// small.
type keySets struct {
	few  [10]mapKey
	n    int
	many map[string]bool
}

type mapKey struct {
	num int
	key []byte
}

// add adds a key, and reports false if the map has it already.
func (s *keySets) add(num int, key []byte) bool {
	for _, k := range s.few[:s.n] {
		if k.num == num && bytes.Equal(k.key, key) {
			return false
		}
	}
	if s.n < len(s.few) {
		s.few[s.n] = mapKey{num, key}
		s.n++
		return true
	}
	name := fmt.Sprintf("%d %s", num, key)
	if s.many == nil {
		s.many = map[string]bool{}
	}
	if s.many[name] {
		return false
	}
	s.many[name] = true
	return true
}
