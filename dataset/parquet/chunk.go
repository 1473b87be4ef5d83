package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"slices"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"

	"github.com/tfrun/tfrun/dataset/internal/nested"
	"github.com/tfrun/tfrun/tensor"
)

// reader reads the values of one column of one row group after the other.
type reader struct {
	leaf
	pages pq.Pages
	page  pq.Page
	// What is left of the page: definition and repetition levels, where the column has them, and the values that are there.
	def, rep []byte
	data     []byte
	strs     []string
	dict     pq.Dictionary // the one that dictData and dictStrs are of
	dictData []byte
	dictStrs []string
	scratch  []byte
	strings  []string
	ended    bool  // the chunk has no more pages
	limit    int64 // of the bytes of lists that are read at once

	out *nested.Values // of this read
}

// open begins a row group's chunk.
func (r *reader) open(chunk pq.ColumnChunk) {
	r.close()
	r.pages, r.ended, r.dict = chunk.Pages(), false, nil
}

func (r *reader) close() {
	r.release()
	if r.pages != nil {
		_ = r.pages.Close() // nothing was written
		r.pages = nil
	}
}

func (r *reader) release() {
	if r.page != nil {
		pq.Release(r.page)
		r.page = nil
	}
	r.def, r.rep, r.data, r.strs = nil, nil, nil, nil
}

// left returns the number of entries, null or not, that are left of the page.
func (r *reader) left() int {
	if r.max > 0 {
		return len(r.def)
	}
	return r.count()
}

// count returns the number of values that are left of the page.
func (r *reader) count() int {
	if r.DType == tensor.String {
		return len(r.strs)
	}
	return len(r.data) / r.DType.Size()
}

// more makes sure that entries are left, reading pages as needed. It returns io.EOF at the end of the chunk.
func (r *reader) more() error {
	for r.left() == 0 {
		r.release()
		if r.ended {
			return io.EOF
		}
		page, err := r.pages.ReadPage()
		if errors.Is(err, io.EOF) {
			r.ended = true
			return io.EOF
		}
		if err != nil {
			return fmt.Errorf("column %q: %w", r.name, err)
		}
		r.page = page
		if err := r.decode(); err != nil {
			return fmt.Errorf("column %q: %w", r.name, err)
		}
	}
	return nil
}

// decode makes values of the page.
func (r *reader) decode() error {
	if r.code == none {
		return r.levels()
	}
	values := r.page.Data()
	dict := r.page.Dictionary()
	if dict != nil {
		if dict != r.dict {
			page := dict.Page()
			if err := r.values(page.Data(), int(page.NumValues())); err != nil {
				return fmt.Errorf("dictionary: %w", err)
			}
			r.dict, r.dictData, r.dictStrs = dict, r.data, slices.Clone(r.strs)
			if r.code == bitmap {
				r.dictData = slices.Clone(r.data) // the others are the dictionary's own memory, or new
			}
		}
		if err := r.lookup(values.Int32()); err != nil {
			return err
		}
	} else {
		n := int(r.page.NumValues())
		if def := r.page.DefinitionLevels(); len(def) > 0 {
			n = 0
			for _, d := range def {
				if int(d) == r.max {
					n++
				}
			}
		}
		if err := r.values(values, n); err != nil {
			return err
		}
	}
	return r.levels()
}

// levels takes the page's levels, which must agree with its values.
func (r *reader) levels() error {
	r.def, r.rep = r.page.DefinitionLevels(), r.page.RepetitionLevels()
	if r.max == 0 {
		r.def, r.rep = nil, nil
		return nil
	}
	if len(r.def) == 0 && r.count() > 0 {
		return errors.New("a page without definition levels")
	}
	n := 0
	for _, d := range r.def {
		if int(d) == r.max {
			n++
		}
	}
	if n != r.count() || len(r.lists) > 0 && len(r.rep) != len(r.def) {
		return fmt.Errorf("a page of %d values has %d of them, and %d and %d levels", n, r.count(), len(r.def), len(r.rep))
	}
	return nil
}

// lookup makes values of indices of the dictionary.
func (r *reader) lookup(indices []int32) error {
	if r.DType == tensor.String {
		r.strings = slices.Grow(r.strings[:0], len(indices))[:len(indices)]
		for i, k := range indices {
			if uint32(k) >= uint32(len(r.dictStrs)) { //nolint:gosec // a negative index is a large one
				return errIndex
			}
			r.strings[i] = r.dictStrs[k]
		}
		r.strs = r.strings
		return nil
	}
	size := r.DType.Size()
	n := uint32(len(r.dictData) / size) //nolint:gosec // pages hold fewer
	r.scratch = slices.Grow(r.scratch[:0], len(indices)*size)[:len(indices)*size]
	r.data = r.scratch
	switch size {
	case 4:
		for i, k := range indices {
			if uint32(k) >= n { //nolint:gosec // a negative index is a large one
				return errIndex
			}
			binary.LittleEndian.PutUint32(r.scratch[4*i:], binary.LittleEndian.Uint32(r.dictData[4*k:]))
		}
	case 8:
		for i, k := range indices {
			if uint32(k) >= n { //nolint:gosec // see above
				return errIndex
			}
			binary.LittleEndian.PutUint64(r.scratch[8*i:], binary.LittleEndian.Uint64(r.dictData[8*k:]))
		}
	default:
		for i, k := range indices {
			if uint32(k) >= n { //nolint:gosec // see above
				return errIndex
			}
			copy(r.scratch[i*size:(i+1)*size], r.dictData[int(k)*size:])
		}
	}
	return nil
}

var errIndex = errors.New("an index beyond the dictionary")

// values makes the first n values of a page, or of a dictionary, what tensors hold.
func (r *reader) values(v encoding.Values, n int) error {
	var err error
	switch r.code {
	case bitmap:
		bits := v.Boolean()
		if n > 8*len(bits) {
			return errShort
		}
		r.scratch = slices.Grow(r.scratch[:0], n)[:n]
		for i := range n {
			r.scratch[i] = bits[i/8] >> (i % 8) & 1
		}
		r.data = r.scratch
	case text:
		r.strings, err = byteArrays(v, n, r.strings[:0])
		r.strs = r.strings
	case fixed:
		data, size := v.FixedLenByteArray()
		if size <= 0 || n > len(data)/size {
			return errShort
		}
		all := string(data[:n*size])
		r.strings = r.strings[:0]
		for i := range n {
			r.strings = append(r.strings, all[i*size:(i+1)*size])
		}
		r.strs = r.strings
	case decimal:
		err = r.decimals(v, n)
	default:
		r.data, err = numbers(v, n)
	}
	return err
}

var errShort = errors.New("a page with fewer values than it says")

// numbers returns the memory of n values of a plain type.
func numbers(v encoding.Values, n int) ([]byte, error) {
	var b []byte
	size := 4
	switch v.Kind() {
	case encoding.Int32:
		b = tensor.Vector(v.Int32()...).Bytes()
	case encoding.Int64:
		b, size = tensor.Vector(v.Int64()...).Bytes(), 8
	case encoding.Float:
		b = tensor.Vector(v.Float()...).Bytes()
	case encoding.Double:
		b, size = tensor.Vector(v.Double()...).Bytes(), 8
	case encoding.FixedLenByteArray:
		b, size = v.FixedLenByteArray()
	default:
		return nil, fmt.Errorf("values of kind %v", v.Kind())
	}
	if n*size > len(b) {
		return nil, errShort
	}
	return b[:n*size], nil
}

// byteArrays appends n strings. They share the memory of one.
func byteArrays(v encoding.Values, n int, dst []string) ([]string, error) {
	data, offsets := v.ByteArray()
	if n == 0 {
		return dst, nil
	}
	if len(offsets) < n+1 {
		return nil, errShort
	}
	all := string(data)
	for i := range n {
		lo, hi := offsets[i], offsets[i+1]
		if lo > hi || int64(hi) > int64(len(all)) {
			return nil, errShort
		}
		dst = append(dst, all[lo:hi])
	}
	return dst, nil
}

// decimals makes floats of unscaled integers, rounded once.
func (r *reader) decimals(v encoding.Values, n int) error {
	out := make([]float64, n)
	r.data = tensor.Vector(out...).Bytes()
	switch v.Kind() {
	case encoding.Int32:
		values := v.Int32()
		if len(values) < n {
			return errShort
		}
		for i := range out {
			out[i] = scaled(int64(values[i]), r.scale)
		}
	case encoding.Int64:
		values := v.Int64()
		if len(values) < n {
			return errShort
		}
		for i := range out {
			out[i] = scaled(values[i], r.scale)
		}
	case encoding.FixedLenByteArray:
		data, size := v.FixedLenByteArray()
		if size <= 0 || len(data)/size < n {
			return errShort
		}
		for i := range out {
			out[i] = bigScaled(data[i*size:(i+1)*size], r.scale)
		}
	case encoding.ByteArray:
		strs, err := byteArrays(v, n, nil)
		if err != nil {
			return err
		}
		for i := range out {
			out[i] = bigScaled([]byte(strs[i]), r.scale)
		}
	default:
		return fmt.Errorf("decimals of kind %v", v.Kind())
	}
	return nil
}

// scaled returns v · 10^-scale, rounded once: both are exact up to 2^53 and 10^22.
func scaled(v int64, scale int) float64 {
	if v > -1<<53 && v < 1<<53 && scale >= 0 && scale <= 22 {
		return float64(v) / math.Pow10(scale)
	}
	return ratio(big.NewInt(v), scale)
}

// bigScaled reads a big-endian integer in two's complement.
func bigScaled(b []byte, scale int) float64 {
	v := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	if v.IsInt64() {
		if i := v.Int64(); i > -1<<53 && i < 1<<53 {
			return scaled(i, scale)
		}
	}
	return ratio(v, scale)
}

// maxScale is what any of the format's decimals can have.
const maxScale = 1000

func ratio(v *big.Int, scale int) float64 {
	scale = min(max(scale, 0), maxScale)
	f, _ := new(big.Rat).SetFrac(v, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)).Float64()
	return f
}

// scatter reads n rows of a column without lists to the places at, at+k, … of dst. It returns the rows that are null.
func (r *reader) scatter(dst []byte, n, k, at int, nulls []int, from int) ([]int, error) {
	size := r.DType.Size()
	for row := 0; row < n; {
		if err := r.more(); err != nil {
			return nulls, r.early(err)
		}
		part := min(r.left(), n-row)
		here := part
		if r.def != nil {
			here = run(r.def[:part], byte(r.max))
			if here == 0 {
				nulls = append(nulls, from+row)
				r.def = r.def[1:]
				row++
				continue
			}
			r.def = r.def[here:]
		}
		nested.Scatter(dst[row*k*size:], r.data[:here*size], size, k, at)
		r.data = r.data[here*size:]
		row += here
	}
	return nulls, nil
}

// run returns how many levels from the first on are the wanted one.
func run(levels []byte, want byte) int {
	for i, d := range levels {
		if d != want {
			return i
		}
	}
	return len(levels)
}

// early says that a chunk ends before its row group.
func (r *reader) early(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("column %q: the row group promises more rows than there are", r.name)
	}
	return err
}

// read reads n rows into out, whose memory it uses again.
func (r *reader) read(n int, out *nested.Values) error {
	r.out = out
	o := out
	o.Type, o.Rows = r.Type, n
	o.Data, o.Strings, o.NullSlots = o.Data[:0], o.Strings[:0], o.NullSlots[:0]
	if len(r.lists) > 0 {
		return r.readLists(n)
	}
	for row := 0; row < n; {
		if err := r.more(); err != nil {
			return r.early(err)
		}
		part := min(r.left(), n-row)
		if r.def == nil {
			r.take(part)
			row += part
			continue
		}
		for _, d := range r.def[:part] {
			r.slot(int(d))
		}
		r.def = r.def[part:]
		row += part
	}
	return nil
}

// take moves values from the page to the result.
func (r *reader) take(n int) {
	if r.DType == tensor.String {
		r.out.Strings = append(r.out.Strings, r.strs[:n]...)
		r.strs = r.strs[n:]
		return
	}
	n *= r.DType.Size()
	r.out.Data = append(r.out.Data, r.data[:n]...)
	r.data = r.data[n:]
}

// slot adds a value, or a null, by its definition level.
func (r *reader) slot(def int) {
	if def == r.max {
		r.take(1)
		return
	}
	r.out.NullSlots = append(r.out.NullSlots, r.out.Len())
	if r.DType == tensor.String {
		r.out.Strings = append(r.out.Strings, "")
		return
	}
	for range r.DType.Size() {
		r.out.Data = append(r.out.Data, 0)
	}
}

// readLists reads n rows of lists. The repetition level of an entry says in which list it goes on, its definition level which lists it begins.
func (r *reader) readLists(n int) error {
	o, depth := r.out, len(r.lists)
	o.Offsets = slices.Grow(o.Offsets[:0], depth)[:depth]
	o.NullLists = slices.Grow(o.NullLists[:0], depth)[:depth]
	counts := make([]int64, depth) // entries of all lists of a level
	for l := range depth {
		o.Offsets[l], o.NullLists[l] = o.Offsets[l][:0], o.NullLists[l][:0]
	}
	rows := 0
	for {
		err := r.more()
		if errors.Is(err, io.EOF) && rows == n {
			break
		}
		if err != nil {
			return r.early(err)
		}
		if depth == 1 {
			if done := r.listRun(n, &rows, &counts[0]); done {
				break
			}
		}
		if r.left() == 0 {
			continue
		}
		rep, def := int(r.rep[0]), int(r.def[0])
		switch {
		case rep == 0 && rows == n:
			r.finish(counts)
			return nil
		case rep == 0:
			rows++
		case rows == 0 || rep > depth || def < r.lists[rep-1]:
			return fmt.Errorf("column %q: levels that make no lists", r.name)
		default:
			counts[rep-1]++
		}
		r.def, r.rep = r.def[1:], r.rep[1:]
		r.begin(rep, def, counts)
		if int64(len(o.Data))+int64(len(o.Strings)) > r.limit {
			return fmt.Errorf("column %q: the lists of %d rows are larger than the limit of %d bytes", r.name, rows, r.limit)
		}
	}
	r.finish(counts)
	return nil
}

// begin begins the lists inside the one that an entry goes on in, and adds its value where it reaches one.
func (r *reader) begin(rep, def int, counts []int64) {
	o := r.out
	for l := rep; l < len(r.lists); l++ {
		o.Offsets[l] = append(o.Offsets[l], counts[l])
		if def < r.lists[l] {
			if def < r.lists[l]-1 {
				o.NullLists[l] = append(o.NullLists[l], len(o.Offsets[l])-1)
			}
			return
		}
		counts[l]++
	}
	r.slot(def)
}

// listRun takes what most pages of simple lists hold: entries that are all there. It reports whether the rows are complete.
func (r *reader) listRun(n int, rows *int, count *int64) bool {
	here := run(r.def, byte(r.max))
	rep := r.rep[:here]
	i := 0
	for ; i < len(rep); i++ {
		switch rep[i] {
		case 0:
			if *rows == n {
				r.advance(i, count)
				return true
			}
			*rows++
			r.out.Offsets[0] = append(r.out.Offsets[0], *count+int64(i))
			continue
		case 1:
			if *rows > 0 {
				continue
			}
		}
		break
	}
	r.advance(min(i, len(rep)), count)
	return false
}

func (r *reader) advance(n int, count *int64) {
	r.take(n)
	r.def, r.rep = r.def[n:], r.rep[n:]
	*count += int64(n)
}

// finish ends the last lists.
func (r *reader) finish(counts []int64) {
	for l := range counts {
		r.out.Offsets[l] = append(r.out.Offsets[l], counts[l])
	}
}
