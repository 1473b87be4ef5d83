package kept_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"pgregory.net/rapid"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/jsontext"
	"github.com/tfrun/tfrun/dataset/internal/kept"
	"github.com/tfrun/tfrun/dataset/internal/rowtest"
)

// value returns value i of a reader.
func value(t interface{ Fatal(args ...any) }, r *kept.Reader, i int) []byte {
	v, err := r.Value(i)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// A value of an array becomes JSON with all that it holds.
func TestJSON(t *testing.T) {
	t.Parallel()
	scaled := func(scale int32) arrow.DataType { return &arrow.Decimal128Type{Precision: 38, Scale: scale} }
	moment := func(u arrow.TimeUnit, zone string) arrow.DataType {
		return &arrow.TimestampType{Unit: u, TimeZone: zone}
	}
	type1, type2 := arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int8, Nullable: true}, arrow.Field{Name: `b"`, Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true}
	for _, tt := range []struct {
		d        arrow.DataType
		in, want string
	}{
		{arrow.FixedWidthTypes.Boolean, `[true, null]`, `true null`},
		{arrow.PrimitiveTypes.Int8, `[-128]`, `-128`},
		{arrow.PrimitiveTypes.Int64, `[-9223372036854775808]`, `-9223372036854775808`},
		{arrow.PrimitiveTypes.Uint64, `[18446744073709551615]`, `18446744073709551615`},
		{arrow.PrimitiveTypes.Float32, `[0.1, 16777216]`, `0.1 16777216`},
		{arrow.PrimitiveTypes.Float64, `[0.1]`, `0.1`},
		{scaled(2), `["1.50", "-0.01", "0.00"]`, `1.50 -0.01 0.00`},
		{scaled(0), `["-12345678901234567890123456789012345678"]`, `-12345678901234567890123456789012345678`},
		{scaled(-3), `["5000"]`, `5000`},
		{&arrow.Decimal32Type{Precision: 5, Scale: 4}, `["-1.2345"]`, `-1.2345`},
		{arrow.BinaryTypes.String, `["é\"\n", ""]`, `"é\"\n" ""`},
		{arrow.BinaryTypes.Binary, `["/wA=", "YQ=="]`, `{"b64":"/wA="} "a"`},
		{arrow.FixedWidthTypes.Date32, `["2020-02-29", "0001-01-01"]`, `"2020-02-29" "0001-01-01"`},
		{moment(arrow.Second, ""), `["1969-12-31 23:59:59"]`, `"1969-12-31T23:59:59"`},
		{moment(arrow.Nanosecond, "Europe/Berlin"), `[1000000000000000001]`, `"2001-09-09T01:46:40.000000001Z"`},
		{arrow.FixedWidthTypes.Time64ns, `["23:59:59.000000001"]`, `"23:59:59.000000001"`},
		{arrow.FixedWidthTypes.Duration_s, `["5s"]`, `5`},
		{arrow.Null, `[null]`, `null`},
		{arrow.ListOf(arrow.PrimitiveTypes.Int64), `[[1, null], [], null]`, `[1,null] [] null`},
		{arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Int64), `[[1, null]]`, `[1,null]`},
		{arrow.StructOf(type1, type2), `[{"a": 1, "b\"": ["x", null]}, {}, null]`, `{"a":1,"b\"":["x",null]} {"a":null,"b\"":null} null`},
		{arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64), `[[{"key": "k", "value": 1}, {"key": "l", "value": null}], []]`, `{"k":1,"l":null} {}`},
		{arrow.MapOf(arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int64), `[[{"key": 1, "value": 2}]]`, `[{"key":1,"value":2}]`},
		{&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}, `["a", null, "a"]`, `"a" null "a"`},
	} {
		own := rowtest.KeptType(t, arrow.Field{Type: tt.d, Nullable: true})
		arr := rowtest.Array(t, tt.d, tt.in)
		r, err := own.Read(arr, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range arr.Len() {
			got = append(got, string(own.AppendJSON(nil, value(t, r, i))))
		}
		if text := strings.Join(got, " "); text != tt.want {
			t.Errorf("%s of %s: %s, want %s", tt.d, tt.in, text, tt.want)
		}
	}
}

// Times beyond the years of four digits, and bytes that are a UUID.
func TestJSONOfOthers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		f     arrow.Field
		value []byte
		want  string
	}{
		{arrow.Field{Type: arrow.FixedWidthTypes.Date32}, []byte{0, 0, 0, 0x40}, `1073741824`},
		{arrow.Field{Type: arrow.FixedWidthTypes.Timestamp_s}, []byte{0, 0, 0, 0, 0, 0, 0, 0x40}, `4611686018427387904`},
		{arrow.Field{Type: &arrow.FixedSizeBinaryType{ByteWidth: 16}, Metadata: kept.Extension(kept.UUID, "")}, []byte("\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"), `"00112233-4455-6677-8899-aabbccddeeff"`},
		{arrow.Field{Type: &arrow.FixedSizeBinaryType{ByteWidth: 12}, Metadata: kept.Extension(kept.Interval, "")}, []byte("\x0d\x00\x00\x00\x02\x00\x00\x00\xff\xff\xff\xff"), `"1 year 1 month 2 days 1193:02:47.295"`},
		{arrow.Field{Type: &arrow.FixedSizeBinaryType{ByteWidth: 2}}, []byte("ab"), `"ab"`},
		{arrow.Field{Type: arrow.FixedWidthTypes.MonthDayNanoInterval}, []byte("\x01\x00\x00\x00\xff\xff\xff\xff\x02\x00\x00\x00\x00\x00\x00\x00"), `{"months":1,"days":-1,"nanoseconds":2}`},
		{arrow.Field{Type: arrow.FixedWidthTypes.DayTimeInterval}, []byte("\x01\x00\x00\x00\xff\xff\xff\xff"), `{"days":1,"milliseconds":-1}`},
	} {
		if got := string(rowtest.KeptType(t, tt.f).AppendJSON(nil, tt.value)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.f.Type, got, tt.want)
		}
	}
}

// TestNotKept: types that nest too deeply, and unions, are not kept.
func TestNotKept(t *testing.T) {
	t.Parallel()
	deep := arrow.DataType(arrow.PrimitiveTypes.Int8)
	for range 200 {
		deep = arrow.ListOf(deep)
	}
	union := arrow.SparseUnionOf([]arrow.Field{{Name: "a", Type: arrow.PrimitiveTypes.Int8}}, []arrow.UnionTypeCode{0})
	for _, d := range []arrow.DataType{deep, union, arrow.ListOf(union)} {
		if _, err := kept.Of(arrow.Field{Type: d}); err == nil {
			t.Errorf("%.40s: no error", d)
		}
	}
}

// What is read from an array and built again is the array.
func TestBuild(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		arr := rowtest.DrawArray(t, 20)
		d := arr.DataType()
		from := rapid.IntRange(0, arr.Len()).Draw(t, "from")
		part := array.NewSlice(arr, int64(from), int64(arr.Len()))
		own := rowtest.KeptType(t, arrow.Field{Type: d, Nullable: true})
		r, err := own.Read(part, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		b := kept.NewBuilder(own)
		for range 2 { // it begins anew
			for i := range part.Len() {
				b.Append(value(t, r, i))
			}
			if got := b.Array(); !array.Equal(part, got) {
				t.Fatalf("%s built of %s: %s", d, part, got)
			}
		}
	})
}

// A type survives the form in which it is stored, and equals itself alone.
func TestStored(t *testing.T) {
	t.Parallel()
	uuid := rowtest.KeptType(t, arrow.Field{Type: &arrow.FixedSizeBinaryType{ByteWidth: 16}, Metadata: kept.Extension(kept.UUID, ""), Nullable: true})
	plain := rowtest.KeptType(t, arrow.Field{Type: &arrow.FixedSizeBinaryType{ByteWidth: 16}})
	text, err := uuid.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	var back kept.Type
	if err := back.UnmarshalText(text); err != nil || !back.Equal(uuid) || !back.IsUUID() || back.Equal(plain) {
		t.Errorf("stored: %v, %v", &back, err)
	}
	for _, bad := range []string{"", "AAAA", "!"} {
		if err := new(kept.Type).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("UnmarshalText(%q): no error", bad)
		}
	}
}

// A field of another type, or of none, goes by its text where that can be.
func TestTake(t *testing.T) {
	t.Parallel()
	int8s := rowtest.KeptType(t, arrow.Field{Type: arrow.PrimitiveTypes.Int8, Nullable: true})
	for _, tt := range []struct {
		t    *kept.Type
		f    dataset.Field
		want string // as JSON; "": an error
	}{
		{kept.Int64, dataset.Field{Value: []byte("9007199254740993")}, "9007199254740993"},
		{kept.Int64, dataset.Field{Value: []byte("1.5")}, ""},
		{kept.Int64, dataset.Field{Value: []byte("null")}, "null"},
		{kept.Int64, dataset.Field{}, "null"},
		{kept.Int64, dataset.Field{Type: int8s, Value: []byte{5}}, "5"},
		{kept.Int64, dataset.Field{Type: int8s}, "null"},
		{int8s, dataset.Field{Type: int8s, Value: []byte{5}}, "5"},
		{int8s, dataset.Field{Value: []byte("5")}, "5"},
		{int8s, dataset.Field{Value: []byte("128")}, ""},
		{kept.Float32, dataset.Field{Value: []byte("0.5")}, "0.5"},
		{kept.Float32, dataset.Field{Value: []byte("0.1")}, ""},
		{kept.Uint64, dataset.Field{Value: []byte("18446744073709551615")}, "18446744073709551615"},
		{kept.Uint64, dataset.Field{Value: []byte("-1")}, ""},
		{kept.Float64, dataset.Field{Value: []byte("-0.0")}, "-0.0"},
		{kept.Float64, dataset.Field{Value: []byte("NaN")}, "NaN"},
		{kept.Bool, dataset.Field{Value: []byte("true")}, "true"},
		{kept.Bool, dataset.Field{Value: []byte("1")}, ""},
		{kept.Text, dataset.Field{Value: []byte(`"a\n"`)}, `"a\n"`},
		{kept.Text, dataset.Field{Value: []byte(`{"a": 1}`)}, `"{\"a\": 1}"`},
		{kept.Text, dataset.Field{Type: int8s, Value: []byte{5}}, `"5"`},
	} {
		v, err := tt.t.Take(tt.f)
		if got := string(tt.t.AppendJSON(nil, v)); (err == nil) != (tt.want != "") || err == nil && got != tt.want {
			t.Errorf("%s takes %s: %s, %v; want %s", tt.t, tt.f.AppendJSON(nil), got, err, tt.want)
		}
	}
}

// A column of values of two types holds all of them, and shows them as they were.
func TestJoin(t *testing.T) {
	t.Parallel()
	typed := map[string]*kept.Type{"null": rowtest.KeptType(t, arrow.Field{Type: arrow.Null, Nullable: true})}
	for _, d := range []arrow.DataType{
		arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint64,
		arrow.FixedWidthTypes.Float16, arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64, arrow.BinaryTypes.String, arrow.BinaryTypes.Binary, arrow.FixedWidthTypes.Date32,
		arrow.FixedWidthTypes.Boolean, arrow.ListOf(arrow.PrimitiveTypes.Int64), arrow.ListOf(arrow.PrimitiveTypes.Int8), arrow.ListOf(arrow.BinaryTypes.String),
	} {
		typed[d.String()] = rowtest.KeptType(t, arrow.Field{Type: d, Nullable: true})
	}
	const long, lists = "int64", "list<item: int64, nullable>"
	for _, tt := range []struct{ a, b, want string }{
		{"int8", "int32", "int32"},
		{"uint8", "uint64", "uint64"},
		{"int8", "uint8", long},
		{"int32", "uint32", long},
		{long, "uint64", "utf8"},
		{"int8", "float32", "float32"},
		{"int32", "float32", "float64"},
		{long, "float64", "utf8"},
		{"float16", "float64", "float64"},
		{"int8", "float16", "float16"},
		{"utf8", "binary", "binary"},
		{"utf8", long, "utf8"},
		{"date32", "utf8", "utf8"},
		{"date32", "int32", "utf8"},
		{"bool", "int8", "utf8"},
		{"null", long, long},
		{long, lists, lists},
		{"int8", lists, lists},
		{lists, "list<item: int8, nullable>", lists},
		{"utf8", "list<item: utf8, nullable>", "list<item: utf8, nullable>"},
		{"utf8", lists, "utf8"},
		{lists, "list<item: utf8, nullable>", "list<item: utf8, nullable>"},
	} {
		a, b := typed[tt.a], typed[tt.b]
		if got, back := kept.Join(a, b), kept.Join(b, a); got.String() != tt.want || back.String() != tt.want {
			t.Errorf("%s with %s is %s, the other way round %s, want %s", tt.a, tt.b, got, back, tt.want)
		}
	}
	if got := kept.Join(nil, typed["int8"]); got != typed["int8"] {
		t.Errorf("int8 alone is %s", got)
	}
}

// Values of any two types can be taken by the type that joins theirs.
func TestJoinTakes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var fields []dataset.Field
		var joined *kept.Type
		for range 2 {
			arr := rowtest.DrawArray(t, 5)
			own := rowtest.KeptType(t, arrow.Field{Type: arr.DataType(), Nullable: true})
			r, err := own.Read(arr, 1<<30)
			if err != nil {
				t.Fatal(err)
			}
			for i := range arr.Len() {
				fields = append(fields, dataset.Field{Type: own, Value: value(t, r, i)})
			}
			joined = kept.Join(joined, own)
		}
		for _, f := range fields {
			if v, err := joined.Take(f); err != nil || (v == nil) != (f.Value == nil) {
				t.Fatalf("%s takes %s of type %s: %v, %v", joined, f.AppendJSON(nil), f.Type, v, err)
			}
		}
	})
}

// The type of a column follows from all its values, and holds each of them exactly.
func TestSurvey(t *testing.T) {
	t.Parallel()
	for want, columns := range map[string][]string{
		"int64": {"1 2", "null 1", "-1 9223372036854775807"}, "uint64": {"1 18446744073709551615"}, "bool": {"true false null"},
		"float64": {"1 1.5", "0.1", "1e5", "-0", "NaN 1", "9007199254740992 0.5", "1.10", "0.000", "1e300", "5e-324", "100.0e-1"},
		"utf8":    {"", "null", `"a" 1`, "true 1", "-1 18446744073709551615", "18446744073709551616", "9007199254740993 0.5", "0.1000000000000000055", "1e400", "[1]", `{"a":1}`, `"01234" 5`},
	} {
		for _, column := range columns {
			var s kept.Survey
			for _, v := range strings.Fields(column) {
				s.Add(dataset.Field{Value: []byte(v)})
			}
			if got := s.Type(); got.String() != want {
				t.Errorf("%s: %s, want %s", column, got, want)
			}
		}
	}
}

// FuzzSurvey reads what a column of a surveyed type holds back: the numbers that were put in.
func FuzzSurvey(f *testing.F) {
	for _, s := range []string{"1 2.5", "0.1 -0.0", "1e22 3", "123456789012345678 1", "1e-7 0.30000000000000004"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, column string) {
		var s kept.Survey
		var fields []dataset.Field
		for _, v := range strings.Fields(column) {
			if jsontext.IsNumber(v) && len(v) < 30 {
				fields = append(fields, dataset.Field{Value: []byte(v)})
				s.Add(fields[len(fields)-1])
			}
		}
		for _, field := range fields {
			v, err := s.Type().Take(field)
			if err != nil {
				t.Fatalf("%s of %q: %v", s.Type(), column, err)
			}
			want, ok := new(big.Rat).SetString(string(field.Value))
			got, _ := new(big.Rat).SetString(strings.Trim(string(s.Type().AppendJSON(nil, v)), `"`))
			if ok && want.Cmp(got) != 0 {
				t.Fatalf("%s of %q: %s became %s", s.Type(), column, field.Value, s.Type().AppendJSON(nil, v))
			}
		}
	})
}
