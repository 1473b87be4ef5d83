package parquet

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/tfrun/tfrun/dataset/internal/nested"
)

// scatter reads n rows of a column without lists, and writes row i of them to place at+i·k of dst.
// It appends to nulls the rows that are null, counted from from.
func (r *reader) scatter(dst []byte, n, k, at int, nulls []int, from int) ([]int, error) {
	size := r.width
	for row := 0; row < n; {
		if err := r.more(); err != nil {
			return nulls, r.early(err)
		}
		part := min(r.left(), n-row)
		here := part
		if r.def != nil {
			here = run(r.def[:part], byte(r.maxDef()))
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

// run returns how many levels at the beginning equal want.
func run(levels []byte, want byte) int {
	for i, d := range levels {
		if d != want {
			return i
		}
	}
	return len(levels)
}

// early turns the end of a chunk into an error, since its row group promises more rows.
func (r *reader) early(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("column %q: the row group promises more rows than there are", r.name)
	}
	return err
}

// read reads n rows into out, and uses its memory again.
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
			r.moveValues(part)
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

// moveValues moves n values from the page to the result.
func (r *reader) moveValues(n int) {
	if r.width == 0 {
		r.out.Strings = append(r.out.Strings, r.strs[:n]...)
		r.strs = r.strs[n:]
		return
	}
	n *= r.width
	r.out.Data = append(r.out.Data, r.data[:n]...)
	r.data = r.data[n:]
}

// slot moves a value to the result, or adds a null, as the entry's definition level says.
func (r *reader) slot(def int) {
	if def == r.maxDef() {
		r.moveValues(1)
		return
	}
	r.out.NullSlots = append(r.out.NullSlots, r.out.Len())
	if r.width == 0 {
		r.out.Strings = append(r.out.Strings, "")
		return
	}
	for range r.width {
		r.out.Data = append(r.out.Data, 0)
	}
}

// readLists reads n rows of lists. The repetition level of an entry says which list it continues,
// and its definition level which lists begin with it.
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

// begin starts the lists below level rep that begin with an entry. If the entry has a value, begin
// adds it.
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

// listRun moves the entries at the front of a page that all have values, as most pages of simple
// lists have. It reports whether the n rows are complete.
func (r *reader) listRun(n int, rows *int, count *int64) bool {
	here := run(r.def, byte(r.maxDef()))
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
	r.moveValues(n)
	r.def, r.rep = r.def[n:], r.rep[n:]
	*count += int64(n)
}

// finish sets the ends of the last lists.
func (r *reader) finish(counts []int64) {
	for l := range counts {
		r.out.Offsets[l] = append(r.out.Offsets[l], counts[l])
	}
}
