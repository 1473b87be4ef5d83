package message

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	ar "github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	flatbuffers "github.com/google/flatbuffers/go"
)

// schemaOf makes a message with a schema of fields that share all they can: as many fields as are
// asked for, which are one table, with as many properties, which are one too, of one text.
func schemaOf(fields, properties, text int) []byte {
	b := flatbuffers.NewBuilder(0)
	name := b.CreateByteString(bytes.Repeat([]byte("x"), text))
	repeat := func(table flatbuffers.UOffsetT, n int) flatbuffers.UOffsetT {
		b.StartVector(4, n, 4)
		for range n {
			b.PrependUOffsetT(table)
		}
		return b.EndVector(n)
	}
	table := func(slots int, refs map[int]flatbuffers.UOffsetT) flatbuffers.UOffsetT {
		b.StartObject(slots)
		for slot, to := range refs {
			b.PrependUOffsetTSlot(slot, to, 0)
		}
		return b.EndObject()
	}
	property := table(2, map[int]flatbuffers.UOffsetT{0: name, 1: name})
	field := table(7, map[int]flatbuffers.UOffsetT{0: name, 6: repeat(property, properties)})
	header := table(4, map[int]flatbuffers.UOffsetT{1: repeat(field, fields)})
	return finished(b, header)
}

// TestShared holds that what stands in many places is not walked over, or copied, many times.
func TestShared(t *testing.T) {
	for _, c := range []struct {
		name                     string
		fields, properties, text int
		want                     error
	}{
		{"as others write it", 1, 1, 10, nil},
		{"one field in many places", 100_000, 0, 10, errShared},
		{"properties of fields, each the same", 5_000, 5_000, 10, errShared},
		{"a text in several places", 10, 1, 10_000, nil},
		{"a long text in many places", 10_000, 1, 1 << 20, errShared},
	} {
		if _, err := verify(schemaOf(c.fields, c.properties, c.text)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// TestManyFields has an honest schema of more fields than most have, and one of too many.
func TestManyFields(t *testing.T) {
	fields := make([]ar.Field, 100_000)
	for i := range fields {
		fields[i] = ar.Field{Name: fmt.Sprint("c", i), Type: ar.PrimitiveTypes.Float32}
	}
	var out bytes.Buffer
	if err := ipc.NewWriter(&out, ipc.WithSchema(ar.NewSchema(fields, nil))).Close(); err != nil {
		t.Fatal(err)
	}
	const frame = 8 // a mark, and the metadata's length
	if _, err := verify(out.Bytes()[frame:]); err != nil {
		t.Errorf("%d fields: %v", len(fields), err)
	}
	b := flatbuffers.NewBuilder(0)
	many := make([]flatbuffers.UOffsetT, maxFields+1)
	for i := range many {
		b.StartObject(7)
		many[i] = b.EndObject()
	}
	b.StartVector(4, len(many), 4)
	for _, field := range many {
		b.PrependUOffsetT(field)
	}
	list := b.EndVector(len(many))
	b.StartObject(4)
	b.PrependUOffsetTSlot(1, list, 0)
	if _, err := verify(finished(b, b.EndObject())); !errors.Is(err, errFields) {
		t.Errorf("%d fields: %v, want %v", len(many), err, errFields)
	}
}

// finished ends a message with a schema.
func finished(b *flatbuffers.Builder, header flatbuffers.UOffsetT) []byte {
	b.StartObject(5)
	b.PrependByteSlot(1, headerSchema, 0)
	b.PrependUOffsetTSlot(2, header, 0)
	b.Finish(b.EndObject())
	return b.FinishedBytes()
}
