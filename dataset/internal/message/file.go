package message

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tfrun/tfrun/dataset"
)

// Magic are the bytes that a file begins and ends with.
const Magic = "ARROW1"

const (
	lengthBytes = 4
	blockBytes  = 24 // size of a footer's entry for a message
)

// File reads the messages of a file, as an ipc.MessageReader: the schema, dictionaries and record
// batches, from the places that the footer says. Bytes between them are not looked at, since some
// writers leave there a schema that is not the file's.
type File struct {
	r       io.ReaderAt
	size    int64
	maxBody int64
	schema  []byte
	blocks  []byte // the footer's entries: of dictionaries, then of record batches
	claims
}

// NewFile reads the footer of a file. The arguments are those of [NewStream].
func NewFile(r io.ReaderAt, size, maxBody int64, room dataset.Room) (*File, error) {
	const tail = lengthBytes + int64(len(Magic))
	if size < tail+int64(len(Magic)) {
		return nil, errors.New("the file is cut off: it ends before its footer")
	}
	var end [tail]byte
	if n, err := r.ReadAt(end[:], size-tail); n < len(end) {
		return nil, err
	}
	length := int64(binary.LittleEndian.Uint32(end[:]))
	switch {
	case string(end[lengthBytes:]) != Magic:
		return nil, errors.New("the file is cut off: its last bytes are not ARROW1")
	case length > size-tail:
		return nil, errors.New("the file is damaged: its footer is longer than itself")
	case length > maxMetadata:
		return nil, fmt.Errorf("a footer of %d bytes is more than the limit of %d", length, int64(maxMetadata))
	}
	if room != nil {
		if err := room.Take(metadataBytes * length); err != nil {
			return nil, err
		}
	}
	footer := make([]byte, length)
	if n, err := r.ReadAt(footer, size-tail-length); n < len(footer) {
		return nil, err
	}
	f := &File{r: r, size: size, maxBody: maxBody, claims: claims{room: room}}
	return f, f.footer(footer)
}

// footer reads the places of messages from a footer.
func (f *File) footer(b []byte) error {
	v := &flat{b: b}
	t := v.table(v.u32(0))
	t.scalar(0, 2)
	at, ok := t.ref(1)
	if !ok {
		return errMetadata
	}
	schema(v.table(at))
	for _, field := range []int{2, 3} {
		from, n := t.vector(field, blockBytes)
		f.blocks = append(f.blocks, v.bytes(from, blockBytes*n)...)
	}
	f.schema = schemaMessage(b, at)
	return v.err
}

// schemaMessage returns a message whose header is the schema at a place in a footer. It puts a
// table before a copy of the footer, which refers to the schema in the copy.
func schemaMessage(footer []byte, at uint64) []byte {
	const (
		table  = 16 // place of the table, after its vtable
		header = table + 4
		size   = 32 // size of both, which keeps the copy aligned
	)
	b := binary.LittleEndian.AppendUint32(nil, table)
	// The sizes of vtable and table; then the places of version, kind and header.
	for _, v := range []uint16{10, 12, 8, 10, 4} {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	b = append(b, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, table-lengthBytes) // back to the vtable
	b = binary.LittleEndian.AppendUint32(b, uint32(size+at-header))
	b = binary.LittleEndian.AppendUint16(b, 4) // version V5
	b = append(b, headerSchema)
	return append(append(b, make([]byte, size-len(b))...), footer...)
}

// Retain does nothing: the memory is Go's.
func (f *File) Retain() {}

// Release does nothing.
func (f *File) Release() {}

// Message returns the next message, or io.EOF.
func (f *File) Message() (*ipc.Message, error) {
	if f.schema != nil {
		meta := f.schema
		f.schema = nil
		return ipc.NewMessage(memory.NewBufferBytes(meta), memory.NewBufferBytes(nil)), nil
	}
	if len(f.blocks) == 0 {
		return nil, io.EOF
	}
	at := int64(binary.LittleEndian.Uint64(f.blocks))                //nolint:gosec // a negative one is refused
	length := int64(int32(binary.LittleEndian.Uint32(f.blocks[8:]))) //nolint:gosec // a negative one is refused
	f.blocks = f.blocks[blockBytes:]
	if at < 0 || length < lengthBytes || at > f.size-length {
		return nil, errors.New("a message that lies outside of the file")
	}
	if length > maxMetadata {
		return nil, fmt.Errorf("metadata of %d bytes is more than the limit of %d", length, int64(maxMetadata))
	}
	if err := f.take(metadataBytes * length); err != nil {
		return nil, err
	}
	meta, err := f.read(at, length)
	if err != nil {
		return nil, err
	}
	if meta = unwrap(meta); meta == nil {
		return nil, errors.New("a message that is longer than the footer says")
	}
	m, err := verify(meta)
	switch {
	case err != nil:
		return nil, err
	case m.body > f.size-at-length:
		return nil, errors.New("a message that lies outside of the file")
	case m.body > f.maxBody:
		return nil, tooLarge(m.body, f.maxBody)
	}
	if err := f.take(bodyBytes * m.body); err != nil {
		return nil, err
	}
	body, err := f.read(at+length, m.body)
	if err != nil {
		return nil, err
	}
	return f.message(m, meta, body)
}

// unwrap returns the metadata of a message, which follows its length in b; nil where b is too
// short.
func unwrap(b []byte) []byte {
	n := uint64(binary.LittleEndian.Uint32(b))
	b = b[lengthBytes:]
	if n == continuation {
		if len(b) < lengthBytes {
			return nil
		}
		n = uint64(binary.LittleEndian.Uint32(b))
		b = b[lengthBytes:]
	}
	if n > uint64(len(b)) {
		return nil
	}
	return slices.Clone(b[:n]) // aligned
}

// read reads n bytes that the file has, into memory that is aligned as buffers have to be.
func (f *File) read(at, n int64) ([]byte, error) {
	b := memory.NewGoAllocator().Allocate(int(n))
	if read, err := f.r.ReadAt(b, at); read < len(b) {
		return nil, err
	}
	return b, nil
}
