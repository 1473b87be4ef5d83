package npy

import (
	"archive/zip"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/dataset/internal/columns"
	"github.com/tfrun/tfrun/dataset/internal/files"
	"github.com/tfrun/tfrun/tensor"
)

const (
	defaultBlock  = 1 << 20
	defaultMaxRow = 1 << 30
)

// Rows returns a dataset of the entries along the first axis of the arrays in npy files, one file
// after the other. The spec must have one component. The first file is looked at right away, if it
// can be read twice: an array that does not fit is then an error of the dataset.
func Rows(spec dataset.Spec, o Options, names ...string) *dataset.Dataset {
	return rows(spec, o, openNpy, names)
}

// ZipRows is [Rows] for npz archives. An archive holds an array for each component, and all arrays
// have the same number of entries.
func ZipRows(spec dataset.Spec, o Options, names ...string) *dataset.Dataset {
	return rows(spec, o, openZip, names)
}

// opener opens the arrays of a file.
type opener func(spec dataset.Spec, o Options, name string) (*arrays, error)

// arrays are the open arrays of one file.
type arrays struct {
	name  string
	rows  int64
	done  int64
	comps []component
	keep  []*array
	close func()

	members []member // of an archive
}

// member is the entry of an array in an archive.
type member struct {
	name string
	r    io.Reader
}

// whole checks, once all rows are read, that the arrays end where the archive says, with the right
// checksums.
func (out *arrays) whole() error {
	for _, m := range out.members {
		var rest [512]byte
		if _, err := m.r.Read(rest[:]); err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("%s: array %q: %w", out.name, m.name, err)
		}
	}
	out.members = nil
	return nil
}

func rows(spec dataset.Spec, o Options, open opener, names []string) *dataset.Dataset {
	if o.BlockBytes <= 0 {
		o.BlockBytes = defaultBlock
	}
	if o.MaxRow <= 0 {
		o.MaxRow = defaultMaxRow
	}
	card, err := count(spec, o, open, names)
	if err != nil {
		return dataset.Failed(err)
	}
	return dataset.FromReader(spec, card, func(ro dataset.ReadOptions) (dataset.RowReader, error) {
		return block.NewReader(&source{spec: spec, o: o, open: open, names: names, keep: ro.Keep}, spec, ro.Keep), nil
	})
}

// maxCounted bounds the files that are opened beforehand to count their rows.
const maxCounted = 1000

// count returns the number of rows where the files can be read twice, otherwise
// [dataset.UnknownCardinality].
func count(spec dataset.Spec, o Options, open opener, names []string) (int64, error) {
	var sum int64
	for i, name := range names {
		if i == maxCounted {
			return dataset.UnknownCardinality, nil
		}
		f, ok, err := files.Peek(o.Open, name)
		if err != nil && i == 0 {
			return 0, err
		}
		if !ok || err != nil {
			return dataset.UnknownCardinality, nil //nolint:nilerr // the iteration comes upon it
		}
		at := o
		at.Open = func(string) (io.ReadCloser, error) { return seekable{io.NewSectionReader(f, 0, f.Size)}, nil }
		a, err := open(spec, at, name)
		if err == nil {
			sum += a.rows
			a.close()
		}
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			if i == 0 {
				return 0, err
			}
			return dataset.UnknownCardinality, nil
		}
	}
	return sum, nil
}

// seekable is a part of a file, without the file's Close.
type seekable struct{ *io.SectionReader }

func (seekable) Close() error { return nil }

// openNpy opens a file that holds one array.
func openNpy(spec dataset.Spec, o Options, name string) (_ *arrays, err error) {
	r, err := files.Open(o.Open, name)
	if err != nil {
		return nil, err
	}
	out := &arrays{name: name, close: func() { _ = r.Close() }} // nothing was written
	defer func() {
		if err != nil {
			out.close()
		}
	}()
	comps, paths := spec.Flatten(), spec.Paths()
	if len(comps) != 1 {
		return nil, &dataset.ColumnError{File: name, Msg: fmt.Sprintf("an npy file holds one array, for one input; there are %d: %s; use npz", len(comps), strings.Join(paths, ", "))}
	}
	if len(o.Keep) > 0 {
		return nil, &dataset.ColumnError{File: name, Column: o.Keep[0], Msg: "an npy file has no columns to keep"}
	}
	at, size, ok := files.RandomAccess(r)
	if !ok {
		at, size = nil, -1
	}
	a, err := openArray(r, size, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	fill, err := o.Nulls.For(spec)
	if err != nil {
		return nil, err
	}
	if err := a.bind(name, paths[0], "", comps[0], fill[0]); err != nil {
		return nil, err
	}
	if err := a.prepare(at, a.h.length); err != nil {
		a.close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	out.rows, out.comps = a.rows, []component{{arrays: []*array{a}}}
	out.close = func() {
		a.close()
		_ = r.Close() // nothing was written
	}
	return out, nil
}

// members lists the arrays of an archive.
func members(z *zip.Reader) (byName map[string]*zip.File, names []string) {
	byName = map[string]*zip.File{}
	for _, f := range z.File {
		name, ok := strings.CutSuffix(f.Name, ".npy")
		if !ok {
			continue
		}
		byName[name] = f
		names = append(names, name)
	}
	return byName, names
}

// zipFormat recognises an archive, also an empty one.
var zipFormat = files.Format{Name: "npz", Magic: "PK"}

// openZip opens the arrays of an archive that are needed.
func openZip(spec dataset.Spec, o Options, name string) (_ *arrays, err error) {
	f, err := files.OpenAt(o.Open, name, zipFormat)
	if err != nil {
		return nil, err
	}
	out := &arrays{name: name}
	var opened []func()
	out.close = func() {
		for _, c := range opened {
			c()
		}
		_ = f.Close() // nothing was written
	}
	defer func() {
		if err != nil {
			out.close()
		}
	}()
	z, err := zip.NewReader(f, f.Size)
	if err != nil {
		return nil, fmt.Errorf("%s: not an npz file: %w", name, err)
	}
	byName, names := members(z)
	pick, err := columns.Match(name, spec, names, columns.Options{Map: o.Columns, Keep: o.Keep})
	if err != nil {
		return nil, err
	}
	open := func(column string) (*array, error) {
		entry := byName[column]
		r, err := entry.Open()
		if err != nil {
			return nil, fmt.Errorf("%s: array %q: %w", name, column, err)
		}
		opened = append(opened, func() { _ = r.Close() }) // nothing was written
		r = &inflated{ReadCloser: r, where: fmt.Sprintf("%s: array %q", name, column), stored: int64(min(entry.CompressedSize64, 1<<62)), maxRatio: o.MaxRatio}
		out.members = append(out.members, member{column, r})
		a, err := openArray(r, int64(min(entry.UncompressedSize64, 1<<62)), o)
		if err != nil {
			return nil, fmt.Errorf("%s: array %q: %w", name, column, err)
		}
		opened = append(opened, a.close)
		if err := a.prepare(nil, 0); err != nil {
			return nil, fmt.Errorf("%s: array %q: %w", name, column, err)
		}
		return a, nil
	}
	if err := out.pick(spec, pick, names, o.Nulls, open); err != nil {
		return nil, err
	}
	return out, nil
}

// inflated decompresses an array of an archive, and stops where it grows beyond the ratio.
type inflated struct {
	io.ReadCloser
	where    string
	stored   int64 // bytes in the archive
	out      int64 // bytes read so far
	maxRatio int64 // most bytes for a stored one, from dataset.RatioFrom on; 0: the default
}

// Read decompresses.
func (r *inflated) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.out += int64(n)
	most := cmp.Or(r.maxRatio, dataset.DefaultRatio)
	if r.out > dataset.RatioFrom && r.out/most > r.stored {
		return 0, &dataset.LimitError{
			Limit: dataset.LimitRatio,
			Msg:   fmt.Sprintf("%s: %d bytes became %d, more than %d times as many", r.where, r.stored, r.out, most),
		}
	}
	return n, err
}

// pick opens the arrays of the components and those to keep. All must have the same number of rows.
func (out *arrays) pick(spec dataset.Spec, pick columns.Pick, names []string, nulls dataset.Nulls, open func(string) (*array, error)) error {
	fill, err := nulls.For(spec)
	if err != nil {
		return err
	}
	out.rows = -1
	first := ""
	add := func(column string) (*array, error) {
		a, err := open(column)
		if err != nil {
			return nil, err
		}
		if out.rows >= 0 && a.rows != out.rows {
			return nil, &dataset.ColumnError{File: out.name, Msg: fmt.Sprintf("the arrays %q and %q have %d and %d rows", first, column, out.rows, a.rows)}
		}
		out.rows, first = a.rows, column
		return a, nil
	}
	for c, comp := range spec.Flatten() {
		path := spec.Paths()[c]
		part := comp // the part of comp that one array is read for
		var own component
		if n := len(pick.Components[c]); n > 1 {
			if own.dims, err = columns.CheckSide(out.name, path, comp, n); err != nil {
				return err
			}
			part = dataset.Component{DType: comp.DType, Shape: tensor.MakeShape()}
		}
		for _, i := range pick.Components[c] {
			a, err := add(names[i])
			if err != nil {
				return err
			}
			if err := a.bind(out.name, path, names[i], part, fill[c]); err != nil {
				return err
			}
			own.arrays = append(own.arrays, a)
		}
		out.comps = append(out.comps, own)
	}
	for _, k := range pick.Keep {
		a, err := add(names[k])
		if err != nil {
			return err
		}
		held, err := a.h.dtype(tensor.Invalid)
		if err != nil {
			return &dataset.ColumnError{File: out.name, Column: names[k], Msg: err.Error()}
		}
		a.comp, a.held = dataset.Component{DType: held}, held
		out.keep = append(out.keep, a)
	}
	out.rows = max(out.rows, 0)
	return nil
}

// source reads the blocks of the files, one file after the other.
type source struct {
	spec  dataset.Spec
	o     Options
	open  opener
	names []string
	keep  bool
	file  *arrays
	block block.Block
}

// Next returns the next block. It is what a source of package block must have.
func (s *source) Next(ctx context.Context) (*block.Block, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for s.file == nil || s.file.done == s.file.rows {
		if s.file != nil {
			if err := s.file.whole(); err != nil {
				return nil, err
			}
		}
		s.Close()
		if len(s.names) == 0 {
			return nil, io.EOF
		}
		name := s.names[0]
		s.names = s.names[1:]
		f, err := s.open(s.spec, s.o, name)
		if err != nil {
			return nil, err
		}
		s.file = f
	}
	if s.keep {
		s.block = block.Block{}
	}
	if err := s.fill(); err != nil {
		return nil, fmt.Errorf("%s: %w", s.file.name, err)
	}
	return &s.block, nil
}

// fill reads the next rows of the file.
func (s *source) fill() error {
	f := s.file
	largest := int64(1)
	for _, c := range f.comps {
		largest = max(largest, c.row())
	}
	n := int(min(max(int64(s.o.BlockBytes)/largest, 1), f.rows-f.done, 1<<20))
	s.block = block.Block{File: f.name, Rows: n, FileRow: f.done + 1, Columns: s.block.Columns[:0]}
	for i := range f.comps {
		col, bad, err := f.comps[i].next(n, s.keep)
		if err != nil {
			return err
		}
		s.block.Columns = append(s.block.Columns, col)
		s.block.Bad = block.MergeBad(s.block.Bad, bad)
	}
	if len(f.keep) > 0 {
		kept := make([]func(int) dataset.Field, len(f.keep))
		for k, a := range f.keep {
			var err error
			if kept[k], err = a.kept(n); err != nil {
				return err
			}
		}
		keys := s.o.Keep
		s.block.Extra = func(i int, dst []dataset.Field) []dataset.Field {
			for k, row := range kept {
				f := row(i)
				f.Key = keys[k]
				dst = append(dst, f)
			}
			return dst
		}
	}
	f.done += int64(n)
	return nil
}

// Close closes the file that is being read.
func (s *source) Close() {
	if s.file != nil {
		s.file.close()
		s.file = nil
	}
}

// Columns describes the array of an npy file; its name is "". Of the options it uses Open.
func Columns(o Options, name string) ([]dataset.Column, error) {
	r, err := files.Open(o.Open, name)
	if err != nil {
		return nil, err
	}
	h, err := readHeader(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return []dataset.Column{h.column("")}, nil
}

// ZipColumns describes the arrays of an npz archive. Of the options it uses Open.
func ZipColumns(o Options, name string) ([]dataset.Column, error) {
	f, err := files.OpenAt(o.Open, name, zipFormat)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	z, err := zip.NewReader(f, f.Size)
	if err != nil {
		return nil, fmt.Errorf("%s: not an npz file: %w", name, err)
	}
	byName, names := members(z)
	var out []dataset.Column
	for _, column := range names {
		r, err := byName[column].Open()
		if err != nil {
			return nil, fmt.Errorf("%s: array %q: %w", name, column, err)
		}
		h, err := readHeader(r)
		_ = r.Close() // nothing was written
		if err != nil {
			return nil, fmt.Errorf("%s: array %q: %w", name, column, err)
		}
		out = append(out, h.column(column))
	}
	return out, nil
}

// ZipKeptTypes returns the types of the arrays of an archive that o keeps, nil for an array whose
// values are kept as JSON. Of the options it uses Open and Keep.
func ZipKeptTypes(o Options, name string) ([]dataset.FieldType, error) {
	o.Columns, o.Nulls, o.MaxRow = nil, nil, defaultMaxRow
	a, err := openZip(dataset.Dict(map[string]dataset.Spec{}), o, name)
	if err != nil {
		return nil, err
	}
	defer a.close()
	types := make([]dataset.FieldType, len(a.keep))
	for i, k := range a.keep {
		if own := k.keptType(); own != nil {
			types[i] = own
		}
	}
	return types, nil
}
