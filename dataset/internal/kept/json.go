package kept

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tfrun/tfrun/dataset/internal/jsontext"
	"github.com/tfrun/tfrun/tensor"
)

// AppendJSON appends a value as JSON. Integers and decimals have all their digits, floats the
// shortest text that reads back to the same value. Dates and times are strings in the form of ISO
// 8601. Bytes that are not UTF-8 are {"b64": "…"}. A map with keys of strings is an object, any
// other map a list of objects with "key" and "value".
func (t *Type) AppendJSON(dst, value []byte) []byte {
	if value == nil {
		return append(dst, "null"...)
	}
	switch t.form {
	case null:
		return append(dst, "null"...)
	case list, vector:
		return append(t.appendItems(append(dst, '['), value), ']')
	case pairs:
		if t.parts[0].form == text {
			return append(t.appendPairs(append(dst, '{'), value, "", ":", ""), '}')
		}
		return append(t.appendPairs(append(dst, '['), value, `{"key":`, `,"value":`, "}"), ']')
	case group:
		return append(t.appendFields(append(dst, '{'), value), '}')
	}
	return t.leaf(dst, value)
}

func (t *Type) appendItems(dst, value []byte) []byte {
	for i := 0; len(value) > 0; i++ {
		if i > 0 {
			dst = append(dst, ',')
		}
		var item []byte
		item, value = Next(value)
		dst = t.parts[0].AppendJSON(dst, item)
	}
	return dst
}

// appendPairs appends the entries of a map, with the given texts before a key, between key and
// value, and after the value.
func (t *Type) appendPairs(dst, value []byte, before, between, behind string) []byte {
	for i := 0; len(value) > 0; i++ {
		if i > 0 {
			dst = append(dst, ',')
		}
		var key, item []byte
		key, value = Next(value)
		item, value = Next(value)
		dst = append(t.parts[0].AppendJSON(append(dst, before...), key), between...)
		dst = append(t.parts[1].AppendJSON(dst, item), behind...)
	}
	return dst
}

func (t *Type) appendFields(dst, value []byte) []byte {
	for i, p := range t.parts {
		if i > 0 {
			dst = append(dst, ',')
		}
		var item []byte
		item, value = Next(value)
		dst = append(jsontext.AppendString(dst, p.field.Name), ':')
		dst = p.AppendJSON(dst, item)
	}
	return dst
}

// putLeaf returns the function that appends values of type d, which have no parts; nil for the type
// of nulls.
func (t *Type) putLeaf(d arrow.DataType) putString {
	switch d := d.(type) {
	case *arrow.BooleanType:
		return func(dst, v []byte) []byte { return strconv.AppendBool(dst, v[0] != 0) }
	case arrow.DecimalType:
		scale := int(d.GetScale())
		return func(dst, v []byte) []byte { return AppendDecimal(dst, v, scale) }
	case *arrow.Date32Type:
		return func(dst, v []byte) []byte { return appendDate(dst, Signed(v)) }
	case *arrow.Date64Type:
		return moment(time.Millisecond, isoMoment)
	case *arrow.Time32Type:
		return moment(d.Unit.Multiplier(), isoTime)
	case *arrow.Time64Type:
		return moment(d.Unit.Multiplier(), isoTime)
	case *arrow.TimestampType:
		if d.TimeZone != "" {
			return moment(d.Unit.Multiplier(), isoMoment+"Z")
		}
		return moment(d.Unit.Multiplier(), isoMoment)
	}
	switch d.ID() {
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.DURATION, arrow.INTERVAL_MONTHS:
		return func(dst, v []byte) []byte { return strconv.AppendInt(dst, Signed(v), 10) }
	case arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64:
		return func(dst, v []byte) []byte { return strconv.AppendUint(dst, unsigned(v), 10) }
	case arrow.FLOAT16, arrow.FLOAT32, arrow.FLOAT64:
		return appendFloat
	case arrow.INTERVAL_DAY_TIME, arrow.INTERVAL_MONTH_DAY_NANO:
		return appendInterval
	case arrow.FIXED_SIZE_BINARY:
		switch {
		case t.IsUUID():
			return appendUUID
		case t.IsInterval():
			return appendParquetInterval
		}
		return appendText
	}
	if t.form == text {
		return appendText
	}
	return nil
}

func appendText(dst, v []byte) []byte { return jsontext.AppendString(dst, string(v)) }

// unsigned returns the value of an unsigned integer of at most eight bytes.
func unsigned(v []byte) uint64 {
	var all [8]byte
	copy(all[:], v)
	return binary.LittleEndian.Uint64(all[:])
}

// Signed returns the value of an integer of at most eight bytes, in two's complement.
func Signed(v []byte) int64 {
	shift := 64 - 8*len(v)
	return int64(unsigned(v)<<shift) >> shift //nolint:gosec // the bits are meant
}

func appendFloat(dst, v []byte) []byte {
	switch u := unsigned(v); len(v) {
	case 2:
		return jsontext.AppendFloat(dst, float64(tensor.F16(u).Float32()), 32) //nolint:gosec // two bytes
	case 4:
		return jsontext.AppendFloat(dst, float64(math.Float32frombits(uint32(u))), 32) //nolint:gosec // four bytes
	default:
		return jsontext.AppendFloat(dst, math.Float64frombits(u), 64)
	}
}

// appendInterval appends the parts of an interval: days and milliseconds, or months, days and
// nanoseconds.
func appendInterval(dst, v []byte) []byte {
	if len(v) == 8 {
		dst = strconv.AppendInt(append(dst, `{"days":`...), Signed(v[:4]), 10)
		return append(strconv.AppendInt(append(dst, `,"milliseconds":`...), Signed(v[4:]), 10), '}')
	}
	dst = strconv.AppendInt(append(dst, `{"months":`...), Signed(v[:4]), 10)
	dst = strconv.AppendInt(append(dst, `,"days":`...), Signed(v[4:8]), 10)
	return append(strconv.AppendInt(append(dst, `,"nanoseconds":`...), Signed(v[8:]), 10), '}')
}

// appendParquetInterval appends months, days and milliseconds as DuckDB and PostgreSQL write them:
// "1 year 2 months 3 days 01:02:03.456".
func appendParquetInterval(dst, v []byte) []byte {
	months, days, millis := unsigned(v[:4]), unsigned(v[4:8]), unsigned(v[8:])
	var parts []string
	for _, part := range []struct {
		n    uint64
		unit string
	}{{months / 12, "year"}, {months % 12, "month"}, {days, "day"}} {
		switch part.n {
		case 0:
		case 1:
			parts = append(parts, "1 "+part.unit)
		default:
			parts = append(parts, fmt.Sprintf("%d %ss", part.n, part.unit))
		}
	}
	if millis > 0 || len(parts) == 0 {
		clock := fmt.Sprintf("%02d:%02d:%02d", millis/3_600_000, millis/60_000%60, millis/1000%60)
		if ms := millis % 1000; ms > 0 {
			clock += strings.TrimRight(fmt.Sprintf(".%03d", ms), "0")
		}
		parts = append(parts, clock)
	}
	return jsontext.AppendString(dst, strings.Join(parts, " "))
}

// appendUUID appends 16 bytes as UUIDs are written: 8-4-4-4-12 hexadecimal digits.
func appendUUID(dst, v []byte) []byte {
	dst = append(dst, '"')
	for i, end := range []int{4, 6, 8, 10, 16} {
		if i > 0 {
			dst = append(dst, '-')
		}
		from := []int{0, 4, 6, 8, 10}[i]
		dst = hex.AppendEncode(dst, v[from:end])
	}
	return append(dst, '"')
}

// AppendDecimal appends all digits of a decimal, an unscaled integer in two's complement, with the
// point in its place.
func AppendDecimal(dst, v []byte, scale int) []byte {
	digits := Unscaled(v).Append(nil, 10)
	if digits[0] == '-' {
		dst, digits = append(dst, '-'), digits[1:]
	}
	switch {
	case scale < 0 && string(digits) != "0":
		return append(append(dst, digits...), slices.Repeat([]byte("0"), -scale)...)
	case scale <= 0:
		return append(dst, digits...)
	case len(digits) <= scale:
		digits = append(slices.Repeat([]byte("0"), scale+1-len(digits)), digits...)
	}
	point := len(digits) - scale
	dst = append(append(dst, digits[:point]...), '.')
	return append(dst, digits[point:]...)
}

// Unscaled returns a decimal without its scale, as an integer.
func Unscaled(v []byte) *big.Int {
	if len(v) <= 8 {
		return big.NewInt(Signed(v))
	}
	be := slices.Clone(v)
	slices.Reverse(be)
	n := new(big.Int).SetBytes(be)
	if be[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(be))))
	}
	return n
}

// Fixed returns an integer in two's complement, in the given number of bytes, as decimals are
// stored.
func Fixed(n *big.Int, size int) []byte {
	if n.Sign() < 0 {
		n = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), uint(8*size)))
	}
	b := n.FillBytes(make([]byte, size))
	slices.Reverse(b)
	return b
}

const (
	isoDate   = "2006-01-02"
	isoTime   = "15:04:05.999999999"
	isoMoment = isoDate + "T" + isoTime
	day       = 86400
	firstDay  = -719162 // 0001-01-01, counted from 1970
	lastDay   = 2932896 // 9999-12-31
)

// appendDate appends days since 1970 as a date, or as a number where its year does not have four
// digits.
func appendDate(dst []byte, days int64) []byte {
	if days < firstDay || days > lastDay {
		return strconv.AppendInt(dst, days, 10)
	}
	return append(time.Unix(days*day, 0).UTC().AppendFormat(append(dst, '"'), isoDate), '"')
}

// moment returns the function that appends a time: units since 1970, or since midnight. A time
// whose year does not have four digits is appended as a number.
func moment(unit time.Duration, layout string) putString {
	per := int64(time.Second / unit)
	return func(dst, v []byte) []byte {
		n := Signed(v)
		sec, rest := n/per, n%per
		if rest < 0 {
			sec, rest = sec-1, rest+per
		}
		if sec < firstDay*day || sec >= (lastDay+1)*day {
			return strconv.AppendInt(dst, n, 10)
		}
		return append(time.Unix(sec, rest*int64(unit)).UTC().AppendFormat(append(dst, '"'), layout), '"')
	}
}
