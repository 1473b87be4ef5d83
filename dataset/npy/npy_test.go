package npy_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/rowtest"
	"github.com/tfrun/tfrun/dataset/npy"
	"github.com/tfrun/tfrun/tensor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func rowsOf(t *testing.T, c rowtest.Case, o npy.Options) *dataset.Dataset {
	o.Columns, o.Keep, o.Nulls = c.Columns, c.Keep, c.NullValues(t)
	if strings.HasSuffix(c.File, ".npz") {
		return npy.ZipRows(c.RowSpec(), o, c.File)
	}
	return npy.Rows(c.RowSpec(), o, c.File)
}

// What NumPy writes is read as it says, from files and from streams, in blocks of any size.
func TestFiles(t *testing.T) {
	for _, c := range rowtest.Load(t, "testdata") {
		t.Run(c.Name, func(t *testing.T) {
			for _, o := range []npy.Options{{}, {Open: rowtest.Pipe}, {BlockBytes: 1}, {BlockBytes: 30}} {
				c.Check(t, rowsOf(t, c, o))
			}
		})
	}
}

// TestWhole: a file is one row that holds the whole array, whichever order it is stored in.
func TestWhole(t *testing.T) {
	spec := dataset.TensorSpec(tensor.Int32, 2, 3, 4, 5)
	for _, file := range []string{"testdata/rank4.npy", "testdata/rank4_fortran.npy"} {
		e, err := npy.Rows(spec, npy.Options{Whole: true}, file, file).Collect(t.Context())
		if err != nil || len(e) != 2 {
			t.Fatalf("%s: %d rows, %v", file, len(e), err)
		}
		values, _ := tensor.Values[int32](e[1].Tensors[0])
		for i, v := range values {
			if int(v) != i {
				t.Fatalf("%s: value %d is %d", file, i, v)
			}
		}
	}
}

func TestColumns(t *testing.T) {
	cols, err := npy.Columns(npy.Options{}, "testdata/rank4.npy")
	if err != nil || len(cols) != 1 || cols[0].Type != "<i4 (2, 3, 4, 5)" || cols[0].DType != tensor.Int32 || !cols[0].Shape.Equal(tensor.MakeShape(3, 4, 5)) {
		t.Errorf("Columns = %+v, %v", cols, err)
	}
	cols, err = npy.ZipColumns(npy.Options{}, "testdata/named.npz")
	var got []string
	for _, c := range cols {
		got = append(got, c.Name+" "+c.Type)
	}
	if diff := cmp.Diff([]string{"a <f4 (4, 3)", "b <i8 (4,)", "words <U1 (4,)", "f <f4 (4, 3)"}, got); diff != "" || err != nil {
		t.Errorf("ZipColumns %v (-want +got):\n%s", err, diff)
	}
}

func file(dict string, data string) []byte {
	b := append([]byte("\x93NUMPY"), 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(dict)))
	return append(append(b, dict...), data...)
}

// TestHostile: damaged files, and such as promise more than they hold, are refused in one line.
func TestHostile(t *testing.T) {
	const ok = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "not an npy file: the file is cut off"},
		{"other", []byte("PK\x03\x04 and so on"), "not an npy file: it begins with"},
		{"version", []byte("\x93NUMPY\x09\x00\x10\x00"), "version 9 of the npy format is not known"},
		{"header cut", file(ok, "")[:30], "header: the file is cut off"},
		{"header size", []byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"), "header: 4294967295 bytes are more"},
		{"negative", file("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 3)}", ""), `key "shape": want sizes of at least 0, got -1`},
		{"overflow", file("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4611686018427387904)}", ""), "want sizes whose product fits"},
		{"overflow behind zero", file("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4611686018427387904, 4)}", ""), "want sizes whose product fits"},
		{"not an integer", file("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", ""), "want integers that fit 63 bits"},
		{"enormous row", file("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1000000000)}", ""), "larger than the limit"},
		{"many empty rows", file("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 0)}", ""), "1000000000000 rows without values"},
		{"lying size", file("{'descr': '<f4', 'fortran_order': False, 'shape': (100000000, 3)}", "1234"), "cut off"},
		{"lying size, Fortran", file("{'descr': '<f4', 'fortran_order': True, 'shape': (100000000, 3)}", "1234"), "cut off"},
		{"cut off", file(ok, strings.Repeat("x", 23)), "cut off"},
		{"type", file("{'descr': '<f3', 'fortran_order': False, 'shape': (2,)}", "123456"), "values of type <f3 are not read"},
		{"type of no size", file("{'descr': '<f', 'fortran_order': False, 'shape': (2,)}", ""), `type "<f" is not known`},
		{"type too wide", file("{'descr': '<U99999999999', 'fortran_order': False, 'shape': (2,)}", ""), "is not known"},
		{"strings too wide", file("{'descr': '<U1000000000', 'fortran_order': False, 'shape': (2,)}", ""), "larger than the limit"},
		{"no key", file("{'descr': '<f4', 'shape': (2,)}", ""), `no key "fortran_order"`},
		{"unknown key", file("{'extra': 1}", ""), `key "extra": the key is not known`},
		{"key twice", file("{'descr': '<f4', 'descr': '<f4'}", ""), `key "descr": want it once`},
		{"no dictionary", file("[1]", ""), "want a dictionary"},
		{"code", file("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} + f()", ""), "text after the dictionary"},
		{"rank", file("{'descr': '<f4', 'fortran_order': False, 'shape': ("+strings.Repeat("1,", 100)+")}", ""), "more than 64 dimensions"},
		{"character", file("{'descr': '<U1', 'fortran_order': False, 'shape': (1,)}", "\xff\xff\xff\x7f"), "no character"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spec := dataset.Leaf(dataset.Component{DType: tensor.Float32})
			if tt.name == "character" || tt.name == "strings too wide" {
				spec = dataset.UnknownRankSpec(tensor.String)
			}
			for _, open := range []dataset.Opener{rowtest.Stream(tt.data), rowtest.Sized(tt.data)} {
				_, err := npy.Rows(spec, npy.Options{Open: open}, "f.npy").Collect(t.Context())
				if err == nil || !strings.HasPrefix(err.Error(), "f.npy: ") || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
			}
		})
	}
	two := dataset.Dict(map[string]dataset.Spec{"a": dataset.TensorSpec(tensor.Float32), "b": dataset.TensorSpec(tensor.Float32)})
	for want, ds := range map[string]*dataset.Dataset{
		"use npz":                   npy.Rows(two, npy.Options{}, "testdata/vector.npy"),
		"no columns to keep":        npy.Rows(dataset.TensorSpec(tensor.Float32), npy.Options{Keep: []string{"id"}}, "testdata/vector.npy"),
		"not an npz file":           npy.ZipRows(two, npy.Options{}, "testdata/vector.npy"),
		"2 values do not fill":      npy.ZipRows(dataset.TensorSpec(tensor.Float32), npy.Options{Columns: map[string][]string{".": {"a", "b"}}}, "testdata/named.npz"),
		"no such file or directory": npy.Rows(dataset.TensorSpec(tensor.Float32), npy.Options{}, "testdata/nothing.npy"),
	} {
		if err := ds.Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Err() = %v, want %q", err, want)
		}
	}
}

func TestReadersAndFiles(t *testing.T) {
	data, err := os.ReadFile("testdata/float32.npy")
	if err != nil {
		t.Fatal(err)
	}
	spec := dataset.TensorSpec(tensor.Float32, 3)
	want := rowtest.Rows(t, npy.Rows(spec, npy.Options{}, "testdata/float32.npy"))
	for name, wrap := range map[string]func(io.Reader) io.Reader{"one byte": iotest.OneByteReader, "half": iotest.HalfReader, "data and error": iotest.DataErrReader} {
		o := npy.Options{Open: func(string) (io.ReadCloser, error) { return io.NopCloser(wrap(bytes.NewReader(data))), nil }}
		if diff := cmp.Diff(want, rowtest.Rows(t, npy.Rows(spec, o, "f"))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	ds := npy.Rows(spec, npy.Options{}, "testdata/float32.npy", "testdata/float32_big.npy", "testdata/no_rows.npy", "testdata/float32_fortran.npy")
	if n := len(rowtest.Rows(t, ds)); n != 15 || ds.Cardinality() != 15 {
		t.Errorf("%d rows, cardinality %d; want 15", n, ds.Cardinality())
	}
}

// write writes elements to a file of its own and returns its name.
func write(t interface{ Fatal(...any) }, dir, format string, spec dataset.Spec, keep []string, elements []dataset.Element) string {
	name := filepath.Join(dir, "out."+format)
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	newWriter := npy.NewWriter
	if format == "npz" {
		newWriter = npy.NewZipWriter
	}
	w, err := newWriter(f, spec, npy.WriterOptions{Keep: keep})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range elements {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return name
}

// Files that the writers write, kept in testdata/written, are what check.py there finds right with
// NumPy.
func TestWritten(t *testing.T) {
	spec := dataset.Dict(map[string]dataset.Spec{
		"bf": dataset.TensorSpec(tensor.Bfloat16, 2), "c": dataset.TensorSpec(tensor.Complex64), "f": dataset.TensorSpec(tensor.Float32, -1, 2),
		"h": dataset.TensorSpec(tensor.Float16), "s": dataset.TensorSpec(tensor.String, 2), "t": dataset.TensorSpec(tensor.String), "u": dataset.TensorSpec(tensor.Uint64), "b": dataset.TensorSpec(tensor.Bool),
	})
	keep := []string{"id", "name", "score"}
	const text = `{"bf": [1.5, 0.1], "c": [1, -2], "f": [[1, 2], [3, 4]], "h": 0.5, "s": ["é", "two"], "t": {"b64": "/wA="}, "u": 18446744073709551615, "b": true, "id": 7, "name": "a", "score": null}
{"bf": [-1, "NaN"], "c": [0, 0.5], "f": [[5, 6], [7, "Infinity"]], "h": -1, "s": ["", "x"], "t": "plain", "u": 0, "b": false, "id": -1, "name": 5, "score": 0.25}
`
	in, err := dataset.JSONL(strings.NewReader(strings.ReplaceAll(text, `"/wA="`, `"/wE="`)), spec, dataset.JSONLOptions{Keep: keep}).Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var vectors []dataset.Element
	for _, e := range in {
		vectors = append(vectors, dataset.Element{Tensors: e.Tensors[3:4]})
	}
	got := map[string]string{
		"all.npz":    write(t, t.TempDir(), "npz", spec, keep, in),
		"matrix.npy": write(t, t.TempDir(), "npy", dataset.TensorSpec(tensor.Float32, -1, 2), nil, vectors),
		"none.npy":   write(t, t.TempDir(), "npy", dataset.TensorSpec(tensor.Float32, -1, 2), nil, nil),
	}
	for name, path := range got {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", "written", name)
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(golden, b, 0o644); err != nil { //nolint:gosec // a test file
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || !bytes.Equal(b, want) {
			t.Errorf("%s: what is written is not what testdata/written has (%v); write it with UPDATE=1 and run check.py", name, err)
		}
	}
}

// TestRoundTrip: rows that are written and read again are the same.
func TestRoundTrip(t *testing.T) {
	dtypes := []tensor.DType{tensor.Float32, tensor.Int8, tensor.Int64, tensor.Uint16, tensor.Bool, tensor.Float16, tensor.Complex128, tensor.String}
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dims := rapid.SliceOfN(rapid.Int64Range(0, 3), 0, 3).Draw(t, "dims")
		items := map[string]dataset.Spec{}
		for i := range rapid.IntRange(1, 3).Draw(t, "arrays") {
			items[fmt.Sprint("a", i)] = dataset.TensorSpec(rapid.SampledFrom(dtypes).Draw(t, "dtype"), dims...)
		}
		spec := dataset.Dict(items)
		var in []dataset.Element
		for range rapid.IntRange(0, 10).Draw(t, "rows") {
			var e dataset.Element
			for _, c := range spec.Flatten() {
				v, err := tensor.New(c.DType, dims...)
				if err != nil {
					t.Fatal(err)
				}
				for i := range v.Strings() {
					v.Strings()[i] = rapid.StringMatching(`[a-zé\x{1f600}]{0,5}`).Draw(t, "s")
				}
				for i := range v.Bytes() {
					v.Bytes()[i] = rapid.Byte().Draw(t, "b")
					if c.DType == tensor.Bool {
						v.Bytes()[i] &= 1
					}
				}
				e.Tensors = append(e.Tensors, v)
			}
			in = append(in, e)
		}
		check := func(ds *dataset.Dataset, in []dataset.Element) {
			out, err := ds.Collect(context.Background())
			if err != nil || len(out) != len(in) {
				t.Fatalf("%d rows, want %d: %v", len(out), len(in), err)
			}
			for i := range in {
				if diff := cmp.Diff(rowtest.RowOf(in[i]), rowtest.RowOf(out[i])); diff != "" {
					t.Fatalf("row %d (-want +got):\n%s", i, diff)
				}
			}
		}
		check(npy.ZipRows(spec, npy.Options{}, write(t, dir, "npz", spec, nil, in)), in)
		var first []dataset.Element
		for _, e := range in {
			first = append(first, dataset.Element{Tensors: e.Tensors[:1]})
		}
		one := dataset.Leaf(spec.Flatten()[0])
		check(npy.Rows(one, npy.Options{}, write(t, dir, "npy", one, nil, first)), first)
		var b bytes.Buffer // it cannot seek
		w, err := npy.NewWriter(&b, one, npy.WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range first {
			if err := w.Write(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		check(npy.Rows(one, npy.Options{Open: rowtest.Stream(b.Bytes())}, "f"), first)
	})
}

func TestWriterErrors(t *testing.T) {
	vector := dataset.TensorSpec(tensor.Float32, -1)
	w, err := npy.NewWriter(io.Discard, vector, npy.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close() //nolint:errcheck // it is the errors before that count
	if err := w.Write(dataset.Element{Tensors: []tensor.Tensor{tensor.Vector[float32](1, 2)}}); err != nil {
		t.Fatal(err)
	}
	for want, e := range map[string]dataset.Element{
		"an array cannot hold both": {Row: 1, Tensors: []tensor.Tensor{tensor.Vector[float32](1)}},
		"has no values":             {Row: 1},
		"want float32, got int32":   {Row: 1, Tensors: []tensor.Tensor{tensor.Vector[int32](1, 2)}},
	} {
		if err := w.Write(e); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "row 1") {
			t.Errorf("Write = %v, want %q", err, want)
		}
	}
	for want, open := range map[string]func() (*npy.Writer, error){
		"ragged values": func() (*npy.Writer, error) {
			return npy.NewZipWriter(io.Discard, dataset.RaggedSpec(tensor.Int32, 1, -1, -1), npy.WriterOptions{})
		},
		"the file holds one": func() (*npy.Writer, error) {
			return npy.NewWriter(io.Discard, dataset.Tuple(vector, vector), npy.WriterOptions{})
		},
		"no room for column": func() (*npy.Writer, error) {
			return npy.NewWriter(io.Discard, vector, npy.WriterOptions{Keep: []string{"id"}})
		},
		"type variant": func() (*npy.Writer, error) {
			return npy.NewWriter(io.Discard, dataset.TensorSpec(tensor.Variant), npy.WriterOptions{})
		},
		"columns are called": func() (*npy.Writer, error) {
			return npy.NewZipWriter(io.Discard, dataset.Tuple(vector), npy.WriterOptions{Keep: []string{"0"}})
		},
	} {
		if _, err := open(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	zeros, err := npy.NewWriter(io.Discard, dataset.TensorSpec(tensor.String), npy.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_ = zeros.Write(dataset.Element{Tensors: []tensor.Tensor{tensor.Scalar("a\x00")}})
	if err := zeros.Close(); err == nil || !strings.Contains(err.Error(), "ends in a zero") {
		t.Errorf("Close = %v, want an error", err)
	}
}

func FuzzRows(f *testing.F) {
	for _, name := range []string{"float32", "unicode", "bool_fortran", "complex64_big", "no_values"} {
		b, err := os.ReadFile("testdata/" + name + ".npy")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(file("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", strings.Repeat("x", 24)))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, d := range []tensor.DType{tensor.Float32, tensor.Int8, tensor.String, tensor.Complex64} {
			n := 0
			for _, err := range npy.Rows(dataset.UnknownRankSpec(d), npy.Options{Open: rowtest.Stream(data), MaxRow: 1 << 20}, "f").All(t.Context()) {
				if n++; err != nil || n > 1000 {
					break
				}
			}
		}
	})
}

func FuzzZip(f *testing.F) {
	for _, name := range []string{"named", "compressed", "unequal"} {
		b, err := os.ReadFile("testdata/" + name + ".npz")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, _ := z.Create("a.npy")
	_, _ = w.Write(file("{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}", "ab"))
	_ = z.Close()
	f.Add(b.Bytes())
	spec := dataset.Dict(map[string]dataset.Spec{"a": dataset.UnknownRankSpec(tensor.Float32)})
	f.Fuzz(func(t *testing.T, data []byte) {
		n := 0
		for _, err := range npy.ZipRows(spec, npy.Options{Open: rowtest.Stream(data), MaxRow: 1 << 20}, "f").All(t.Context()) {
			if n++; err != nil || n > 1000 {
				break
			}
		}
	})
}

// spool is a place for values that outlives a writer.
type spool struct{ bytes.Buffer }

func (s *spool) Section() (*io.SectionReader, error) {
	return io.NewSectionReader(bytes.NewReader(s.Bytes()), 0, int64(s.Len())), nil
}

func (s *spool) Close() error { return nil }

// A writer that goes on where another stopped makes the same archive.
func TestResume(t *testing.T) {
	spec := dataset.Dict(map[string]dataset.Spec{"f": dataset.TensorSpec(tensor.Float32, -1), "s": dataset.TensorSpec(tensor.String)})
	row := func(i int64) dataset.Element {
		e := dataset.Element{
			Row: i, Tensors: []tensor.Tensor{tensor.Vector(float32(i), 0.5), tensor.Scalar(strings.Repeat("é", int(i%5)))},
			Extra: []dataset.Field{{Key: "k", Value: []byte(strings.Repeat("1", int(1+i%3)))}},
		}
		if i < 3 || i == 7 {
			e.Tensors = nil
		}
		return e
	}
	const n = 20
	write := func(stop int64) []byte {
		var out bytes.Buffer
		var place spool
		var state []byte
		until := int64(0)
		for from := until; from < n; from = until {
			until = min(n, from+stop)
			w, err := npy.NewZipWriter(&out, spec, npy.WriterOptions{Keep: []string{"k"}, Resume: state, Spool: func() (npy.Spool, error) {
				return &place, nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			for i := from; i < until; i++ {
				if err := w.Write(row(i)); err != nil {
					t.Fatal(err)
				}
			}
			if until == n {
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				break
			}
			if state, err = w.State(); err != nil {
				t.Fatal(err)
			}
		}
		return out.Bytes()
	}
	want := write(n)
	for stop := int64(1); stop < n; stop += 4 {
		if got := write(stop); !bytes.Equal(got, want) {
			t.Errorf("stopped after %d rows: another archive", stop)
		}
	}
	damaged := npy.WriterOptions{Keep: []string{"k"}, Spool: func() (npy.Spool, error) { return &spool{*bytes.NewBufferString("\x05\x01x")}, nil }}
	if _, err := npy.NewZipWriter(io.Discard, spec, damaged); err == nil {
		t.Error("NewZipWriter with a spool that holds values of a sixth array: no error")
	}
	for _, bad := range []string{"{", "[]", `[{"Rows":1},{"Rows":1},{"Rows":1}]`} {
		if _, err := npy.NewZipWriter(io.Discard, spec, npy.WriterOptions{Keep: []string{"k"}, Resume: []byte(bad)}); err == nil {
			t.Errorf("NewZipWriter with the state %s: no error", bad)
		}
	}
}

// TestRatio reads archives of zeros, which become a thousand times as many bytes as they take.
func TestRatio(t *testing.T) {
	const columns = 1 << 20
	archive := func(rows int) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		w, err := z.Create("a.npy")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write(file(fmt.Sprintf("{'descr': '|u1', 'fortran_order': False, 'shape': (%d, %d)}", rows, columns), ""))
		_, _ = w.Write(make([]byte, rows*columns))
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	read := func(data []byte, ratio int64) (rows int, err error) {
		spec := dataset.Dict(map[string]dataset.Spec{"a": dataset.TensorSpec(tensor.Uint8, columns)})
		for _, err = range npy.ZipRows(spec, npy.Options{Open: rowtest.Sized(data), MaxRatio: ratio}, "f").All(t.Context()) {
			if err != nil {
				return rows, err
			}
			rows++
		}
		return rows, nil
	}
	from := dataset.RatioFrom / columns
	if rows, err := read(archive(from-1), 0); err != nil || rows != from-1 {
		t.Errorf("less than counts: %d rows, %v", rows, err)
	}
	large := archive(from + 8)
	var limit *dataset.LimitError
	if rows, err := read(large, 0); !errors.As(err, &limit) || limit.Limit != dataset.LimitRatio || rows < from {
		t.Errorf("zeros: %d rows, %v", rows, err)
	}
	if rows, err := read(large, 2000); err != nil || rows != from+8 {
		t.Errorf("zeros, a higher limit: %d rows, %v", rows, err)
	}
}
