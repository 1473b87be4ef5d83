package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/tfrun/tfrun/dataset/internal/files"
	"github.com/tfrun/tfrun/dataset/internal/thrift"
)

// The numbers of fields here are those of parquet.thrift, in the Parquet format.

// missing marks a required number that a file does not have. It is not 0, which might be a right
// value.
const missing = -1

// metadata is the contents of a file's footer.
type metadata struct {
	schema    []element
	groups    []rowGroup
	createdBy string
	arrow     []byte // the schema of Arrow's that the file was written from, in base64
}

// element is an entry of the schema: a node of a tree, listed from the root down.
type element struct {
	physical   physical
	length     int32 // of fixed byte arrays
	repetition repetition
	name       string
	children   int32
	converted  int64 // the old annotation of a type's meaning; -1: none
	scale      int32 // of decimals with the old annotation
	precision  int32
	logical    logical
	micros     bool // times of 12 bytes are read as microseconds
}

// physical is a type that values are stored in.
type physical int32

const (
	boolean physical = iota
	int32s
	int64s
	int96s
	floats
	doubles
	byteArrays
	fixedArrays
	noPhysical physical = -1
)

func (p physical) String() string {
	names := [...]string{"boolean", "int32", "int64", "int96", "float", "double", "byte_array", "fixed_len_byte_array"}
	if p < 0 || int(p) >= len(names) {
		return fmt.Sprintf("type %d", int32(p))
	}
	return names[p]
}

// repetition says whether a value is required, optional, or repeated.
type repetition int32

const (
	required repetition = iota
	optional
	repeated
)

// logical is the annotation of what values mean.
type logical struct {
	kind      int16 // number of the field in the union; 0: no annotation
	scale     int32
	precision int32
	utc       bool
	unit      int16 // number of the field in the union of units
	signed    bool
	width     int64 // of an integer, in bits
}

// Kinds of logical types, and units.
const (
	logicalString    = 1
	logicalMap       = 2
	logicalList      = 3
	logicalEnum      = 4
	logicalDecimal   = 5
	logicalDate      = 6
	logicalTime      = 7
	logicalTimestamp = 8
	logicalInteger   = 10
	logicalNull      = 11
	logicalJSON      = 12
	logicalUUID      = 14
	logicalFloat16   = 15

	unitMillis = 1
	unitMicros = 2
	unitNanos  = 3
)

// Converted types, the old annotation of what values mean.
const (
	convertedUTF8            = 0
	convertedMap             = 1
	convertedMapKeyValue     = 2
	convertedList            = 3
	convertedEnum            = 4
	convertedDecimal         = 5
	convertedDate            = 6
	convertedTimeMillis      = 7
	convertedTimeMicros      = 8
	convertedTimestampMillis = 9
	convertedTimestampMicros = 10
	convertedUint8           = 11
	convertedUint64          = 14
	convertedInt8            = 15
	convertedInt64           = 18
	convertedJSON            = 19
	convertedInterval        = 21
)

// rowGroup is a run of rows, with a chunk for each column.
type rowGroup struct {
	rows   int64
	chunks []chunk
}

// chunk says where the pages of a column of a row group are.
type chunk struct {
	elsewhere    bool // in another file
	encrypted    bool
	codec        codec
	values       int64 // entries of all pages, null or not
	uncompressed int64
	compressed   int64
	data         int64 // place of the first data page
	dictionary   int64 // place of the dictionary's page; 0: none, or before the data
}

const (
	magic      = "PAR1"
	footerTail = 4 + len(magic) // the footer's length and the magic bytes
	// maxFooter bounds a file's metadata.
	maxFooter = 32 << 20
)

// readFooter reads the metadata at the end of a file.
func readFooter(f *files.File) (*metadata, error) {
	var end [footerTail]byte
	const least = len(magic) + footerTail
	if f.Size < int64(least) {
		return nil, errors.New("not a Parquet file: it is too short")
	}
	if n, err := f.ReadAt(end[:], f.Size-int64(footerTail)); n < len(end) {
		return nil, err
	}
	size := int64(binary.LittleEndian.Uint32(end[:4]))
	switch {
	case string(end[4:]) == "PARE":
		return nil, errors.New("the file is encrypted; such files are not read")
	case string(end[4:]) != magic:
		return nil, errors.New("not a Parquet file, or one that is cut off: its last bytes are not PAR1")
	case size > f.Size-int64(least):
		return nil, errors.New("the file is damaged: its metadata is longer than itself")
	case size > maxFooter:
		return nil, fmt.Errorf("its metadata takes %d bytes; at most %d are read", size, maxFooter)
	}
	b := make([]byte, size)
	if n, err := f.ReadAt(b, f.Size-int64(footerTail)-size); n < len(b) {
		return nil, err
	}
	m := new(metadata)
	r := thrift.NewReader(b)
	m.read(r)
	if r.Err != nil {
		return nil, fmt.Errorf("the file is damaged: its metadata: %w", r.Err)
	}
	for i := range m.schema {
		// Spark and Hive write times of microseconds, in years that nanoseconds would not reach.
		m.schema[i].micros = strings.HasPrefix(m.createdBy, "parquet-mr")
	}
	return m, m.check()
}

// check checks the numbers of rows. The rows of the groups are added up, since some writers leave
// the file's number wrong.
func (m *metadata) check() error {
	rows := int64(0)
	for i, g := range m.groups {
		if g.rows < 0 || rows+g.rows < rows {
			return fmt.Errorf("the file is damaged: row group %d promises %d rows", i+1, g.rows)
		}
		rows += g.rows
	}
	return nil
}

func (m *metadata) read(r *thrift.Reader) {
	r.Struct(func(id int16, t thrift.Type) {
		switch {
		case id == 2 && t == thrift.List:
			r.List(func(thrift.Type) { m.schema = append(m.schema, readElement(r)) })
		case id == 4 && t == thrift.List:
			r.List(func(thrift.Type) { m.groups = append(m.groups, readGroup(r)) })
		case id == 5 && t == thrift.List:
			r.List(func(thrift.Type) { m.keyValue(r) })
		case id == 6 && t == thrift.Binary:
			m.createdBy = r.String()
		default:
			r.Skip(t)
		}
	})
}

// arrowKey is the key of the schema of Arrow's that a file was written from.
const arrowKey = "ARROW:schema"

func (m *metadata) keyValue(r *thrift.Reader) {
	var key, value []byte
	r.Struct(func(id int16, t thrift.Type) {
		switch {
		case id == 1 && t == thrift.Binary:
			key = r.Binary()
		case id == 2 && t == thrift.Binary:
			value = r.Binary()
		default:
			r.Skip(t)
		}
	})
	if string(key) == arrowKey {
		m.arrow = value
	}
}

func readElement(r *thrift.Reader) element {
	e := element{physical: noPhysical, converted: -1}
	r.Struct(func(id int16, t thrift.Type) {
		switch {
		case t == thrift.I32 && id != 9:
			e.number(id, r.Int32())
		case id == 4 && t == thrift.Binary:
			e.name = r.String()
		case id == 10 && t == thrift.Struct:
			e.logical = readLogical(r)
		default:
			r.Skip(t)
		}
	})
	return e
}

// number sets a field that is a number.
func (e *element) number(id int16, v int32) {
	switch id {
	case 1:
		e.physical = physical(v)
	case 2:
		e.length = v
	case 3:
		e.repetition = repetition(v)
	case 5:
		e.children = v
	case 6:
		e.converted = int64(v)
	case 7:
		e.scale = v
	case 8:
		e.precision = v
	}
}

func readLogical(r *thrift.Reader) (l logical) {
	r.Struct(func(id int16, t thrift.Type) {
		if t != thrift.Struct {
			r.Skip(t)
			return
		}
		l.kind = id
		r.Struct(func(id int16, t thrift.Type) { l.parameter(r, id, t) })
	})
	return l
}

// parameter sets a field of a decimal, a time, a timestamp or an integer.
func (l *logical) parameter(r *thrift.Reader, id int16, t thrift.Type) {
	moment := l.kind == logicalTime || l.kind == logicalTimestamp
	switch {
	case l.kind == logicalDecimal && id == 1 && t == thrift.I32:
		l.scale = r.Int32()
	case l.kind == logicalDecimal && id == 2 && t == thrift.I32:
		l.precision = r.Int32()
	case moment && id == 1:
		l.utc = t == thrift.True
	case moment && id == 2 && t == thrift.Struct:
		r.Struct(func(id int16, t thrift.Type) {
			l.unit = id
			r.Skip(t)
		})
	case l.kind == logicalInteger && id == 1 && t == thrift.Byte:
		l.width = int64(r.Byte())
	case l.kind == logicalInteger && id == 2:
		l.signed = t == thrift.True
	default:
		r.Skip(t)
	}
}

func readGroup(r *thrift.Reader) (g rowGroup) {
	g.rows = missing
	r.Struct(func(id int16, t thrift.Type) {
		switch {
		case id == 1 && t == thrift.List:
			r.List(func(thrift.Type) { g.chunks = append(g.chunks, readChunk(r)) })
		case id == 3 && t == thrift.I64:
			g.rows = r.Int()
		default:
			r.Skip(t)
		}
	})
	return g
}

func readChunk(r *thrift.Reader) (c chunk) {
	c = chunk{codec: missing, values: missing, compressed: missing, data: missing}
	known := false
	r.Struct(func(id int16, t thrift.Type) {
		switch {
		case id == 1 && t == thrift.Binary:
			c.elsewhere = len(r.Binary()) > 0
		case id == 3 && t == thrift.Struct:
			known = true
			c.meta(r)
		default:
			r.Skip(t)
		}
	})
	c.encrypted = !known
	return c
}

// meta reads the metadata of a chunk.
func (c *chunk) meta(r *thrift.Reader) {
	r.Struct(func(id int16, t thrift.Type) {
		switch {
		case id == 4 && t == thrift.I32:
			c.codec = codec(r.Int32())
		case t == thrift.I64:
			c.number(id, r.Int())
		default:
			r.Skip(t)
		}
	})
}

// number sets a field that is a number.
func (c *chunk) number(id int16, v int64) {
	switch id {
	case 5:
		c.values = v
	case 6:
		c.uncompressed = v
	case 7:
		c.compressed = v
	case 9:
		c.data = v
	case 11:
		c.dictionary = v
	}
}
