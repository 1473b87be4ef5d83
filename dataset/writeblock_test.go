package dataset_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	ar "github.com/apache/arrow-go/v18/arrow"
	"pgregory.net/rapid"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/arrow"
	"github.com/tfrun/tfrun/dataset/internal/kept"
	"github.com/tfrun/tfrun/dataset/internal/rowtest"
	"github.com/tfrun/tfrun/dataset/npy"
	"github.com/tfrun/tfrun/dataset/parquet"
	"github.com/tfrun/tfrun/tensor"
)

// blockWriter is a writer of a format that takes rows by the block too.
type blockWriter interface {
	Write(e dataset.Element) error
	WriteBlock(b dataset.RowBlock) (int, error)
	Close() error
}

// blockFormats open writers whose groups hold so many rows.
var blockFormats = map[string]func(w io.Writer, spec dataset.Spec, keep []string, group int) (blockWriter, error){
	"arrow": func(w io.Writer, spec dataset.Spec, keep []string, group int) (blockWriter, error) {
		return arrow.NewWriter(w, spec, arrow.WriterOptions{Keep: keep, BatchRows: group})
	},
	"parquet": func(w io.Writer, spec dataset.Spec, keep []string, group int) (blockWriter, error) {
		return parquet.NewWriter(w, spec, parquet.WriterOptions{Keep: keep, GroupRows: group, GroupBytes: 40 * group})
	},
	"npz": func(w io.Writer, spec dataset.Spec, keep []string, _ int) (blockWriter, error) {
		return npy.NewZipWriter(w, spec, npy.WriterOptions{Keep: keep})
	},
}

// writtenBlocks returns what a file holds after the blocks, and the error that ended it. With byRow
// their rows are written one by one.
func writtenBlocks(t interface{ Fatal(...any) }, open func(w io.Writer) (blockWriter, error), blocks []dataset.RowBlock, byRow bool) ([]byte, error) {
	var b bytes.Buffer
	w, err := open(&b)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range blocks {
		if err := writeBlock(w, block, byRow); err != nil {
			return nil, err
		}
	}
	err = w.Close()
	return b.Bytes(), err
}

// writeBlock writes a block; one without tensors is a row without values.
func writeBlock(w blockWriter, b dataset.RowBlock, byRow bool) error {
	if b.Tensors == nil {
		return w.Write(dataset.Element{Row: b.Row, Extra: b.Extra[0]})
	}
	for n := 0; n < b.Len(); {
		if byRow {
			var e dataset.Element
			b.Get(n, &e)
			if err := w.Write(e); err != nil {
				return err
			}
			n++
			continue
		}
		took, err := w.WriteBlock(b.From(n))
		if err != nil {
			return err
		}
		n += took
	}
	return nil
}

// TestWriteBlock: rows make the same file, or the same error, whether they are written one by one
// or by the block: of all dtypes, of any rank, sizes of zero too, with kept columns of any type,
// some rows without them, beside rows without values, across the ends of groups.
func TestWriteBlock(t *testing.T) {
	t.Parallel()
	for name, open := range blockFormats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				spec, blocks := drawBlocks(t)
				group := rapid.IntRange(1, 12).Draw(t, "group")
				both := func(byRow bool) ([]byte, error) {
					return writtenBlocks(t, func(w io.Writer) (blockWriter, error) { return open(w, spec, []string{"k"}, group) }, blocks, byRow)
				}
				want, wantErr := both(true)
				got, gotErr := both(false)
				if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
					t.Fatalf("by the block: %v\nrow by row: %v", gotErr, wantErr)
				}
				if !bytes.Equal(got, want) {
					t.Fatalf("by the block there are %d bytes, other than the %d row by row", len(got), len(want))
				}
			})
		})
	}
}

// drawBlocks draws rows by the block, with a kept column "k" of one type, or of none.
func drawBlocks(t *rapid.T) (dataset.Spec, []dataset.RowBlock) {
	values := rowtest.DrawArray(t, 12)
	own := rowtest.KeptType(t, ar.Field{Type: values.DataType(), Nullable: true})
	r, err := own.Read(values, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	typed := rapid.Bool().Draw(t, "typed")
	extra := func(i int) []dataset.Field {
		switch n := values.Len(); {
		case i%5 == 4:
			return nil
		case !typed:
			return []dataset.Field{{Key: "k", Value: fmt.Appendf(nil, `"%d"`, i)}}
		case i >= n || values.IsNull(i):
			return []dataset.Field{{Key: "k", Type: own}}
		default:
			v, err := r.Value(i)
			if err != nil {
				t.Fatal(err)
			}
			return []dataset.Field{{Key: "k", Type: own, Value: bytes.Clone(v)}}
		}
	}
	var comps []dataset.Spec
	var shapes [][]int64
	for range rapid.IntRange(1, 3).Draw(t, "components") {
		dims := rapid.SliceOfN(rapid.Int64Range(0, 3), 0, 3).Draw(t, "shape")
		d := rapid.SampledFrom(writtenDTypes).Draw(t, "dtype")
		shapes = append(shapes, dims)
		open := make([]int64, len(dims))
		for i, n := range dims {
			open[i] = rapid.SampledFrom([]int64{n, tensor.Unknown}).Draw(t, "size")
		}
		comps = append(comps, rapid.SampledFrom([]dataset.Spec{dataset.TensorSpec(d, open...), dataset.UnknownRankSpec(d)}).Draw(t, "spec"))
	}
	spec := dataset.Tuple(comps...)
	var blocks []dataset.RowBlock
	row := 0
	for range rapid.IntRange(0, 4).Draw(t, "blocks") {
		b := dataset.RowBlock{Row: int64(row)}
		n := rapid.IntRange(0, 9).Draw(t, "rows")
		for i := range max(n, 1) {
			b.Extra = append(b.Extra, extra(row+i))
		}
		row += max(n, 1)
		for c, comp := range spec.Flatten() {
			if n > 0 {
				b.Tensors = append(b.Tensors, drawTensor(t, comp.DType, append([]int64{int64(n)}, shapes[c]...)))
			}
		}
		blocks = append(blocks, b)
	}
	return spec, blocks
}

// writtenDTypes are the dtypes that files hold.
var writtenDTypes = []tensor.DType{
	tensor.Bool, tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64, tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64,
	tensor.Float16, tensor.Bfloat16, tensor.Float32, tensor.Float64, tensor.Complex64, tensor.Complex128, tensor.Qint8, tensor.Quint8, tensor.String,
}

func drawTensor(t *rapid.T, d tensor.DType, dims []int64) tensor.Tensor {
	n, _ := tensor.NumElements(dims)
	var out tensor.Tensor
	var err error
	if d == tensor.String {
		text := rapid.SampledFrom([]string{"", "a", "größer", "\xff"})
		out, err = tensor.FromSlice(rapid.SliceOfN(text, int(n), int(n)).Draw(t, "strings"), dims...)
	} else {
		size := int(n) * d.Size()
		bytes := rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "bytes")
		for i := range bytes {
			if d == tensor.Bool {
				bytes[i] %= 2
			}
		}
		out, err = tensor.FromBytes(d, bytes, dims...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestWriteBlockPages is [TestWriteBlock] for rows that fill pages of Parquet files and batches of
// Arrow files, which end by bytes.
func TestWriteBlockPages(t *testing.T) {
	t.Parallel()
	const rows = 60_000
	names := make([]string, rows)
	extra := make([][]dataset.Field, rows)
	for i := range rows {
		names[i] = fmt.Sprint("name ", i*i)
		extra[i] = []dataset.Field{{Key: "k", Type: kept.Text, Value: fmt.Append(nil, i)}}
	}
	wide, err := tensor.New(tensor.Float64, rows, 2, 5)
	if err != nil {
		t.Fatal(err)
	}
	for i, b := 0, wide.Bytes(); i < len(b); i++ {
		b[i] = byte(i*i) >> 1
	}
	thin, err := tensor.New(tensor.Int8, rows, 0)
	if err != nil {
		t.Fatal(err)
	}
	spec := dataset.Tuple(dataset.TensorSpec(tensor.String), dataset.TensorSpec(tensor.Float64, 2, 5), dataset.TensorSpec(tensor.Int8, tensor.Unknown))
	block := dataset.RowBlock{Tensors: []tensor.Tensor{tensor.Vector(names...), wide, thin}, Extra: extra}
	for name, open := range blockFormats {
		both := func(byRow bool) []byte {
			b, err := writtenBlocks(t, func(w io.Writer) (blockWriter, error) { return open(w, spec, []string{"k"}, 1<<20) }, []dataset.RowBlock{block}, byRow)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		if !bytes.Equal(both(false), both(true)) {
			t.Errorf("%s: the file is another one by the block", name)
		}
	}
}

// TestWriteBlockMisfit: a block that does not fit is an error, and no part of it is written.
func TestWriteBlockMisfit(t *testing.T) {
	t.Parallel()
	spec := dataset.Tuple(dataset.TensorSpec(tensor.Float32, 2), dataset.TensorSpec(tensor.Int64))
	pair := func(rows int64, other ...int64) []tensor.Tensor {
		a, _ := tensor.New(tensor.Float32, rows, 2)
		return []tensor.Tensor{a, tensor.Vector(other...)}
	}
	for name, b := range map[string]dataset.RowBlock{
		"no components":       {},
		"no rows":             {Tensors: pair(0)},
		"rows of one only":    {Tensors: pair(2, 1)},
		"a component missing": {Tensors: pair(1, 1)[:1]},
		"another shape":       {Tensors: []tensor.Tensor{tensor.Vector[float32](1), tensor.Vector[int64](1)}},
		"another dtype":       {Tensors: []tensor.Tensor{pair(1, 1)[0], tensor.Vector[int32](1)}},
		"a scalar":            {Tensors: []tensor.Tensor{pair(1, 1)[0], tensor.Scalar[int64](1)}},
		"kept of one only":    {Tensors: pair(2, 1, 2), Extra: make([][]dataset.Field, 1)},
	} {
		for format, open := range blockFormats {
			w, err := open(io.Discard, spec, []string{"k"}, 8)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := w.WriteBlock(b); err == nil || n != 0 {
				t.Errorf("%s: %s: %d rows, %v", format, name, n, err)
			}
			if n, err := w.WriteBlock(dataset.RowBlock{Tensors: pair(2, 1, 2)}); err != nil || n < 1 {
				t.Errorf("%s: after %s: %d rows, %v", format, name, n, err)
			}
			if err := w.Close(); err != nil {
				t.Errorf("%s: %s: %v", format, name, err)
			}
		}
	}
}
