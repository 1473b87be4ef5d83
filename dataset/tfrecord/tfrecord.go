package tfrecord

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/ahead"
	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/dataset/internal/columns"
	"github.com/tfrun/tfrun/dataset/internal/dtypes"
	"github.com/tfrun/tfrun/tensor"
)

// Options says how files are read. The zero value is right for most.
type Options struct {
	// Open opens a file. nil: [dataset.OpenFile].
	Open dataset.Opener
	// Columns maps a component, by its path in the spec, to the feature that it is read from, where
	// that has another name. Several features of single values give the component several values,
	// side by side. Without an entry the only component is read from the only feature.
	Columns map[string][]string
	// Nulls holds the values that take the place of features that a record lacks, or that hold no
	// value, for components that cannot be an empty list.
	Nulls dataset.Nulls
	// Keep lists features whose values go to [dataset.Element.Extra]. Their types are int64,
	// float32 and string, or binary where a value is not UTF-8. A single value is kept alone,
	// several as a list.
	Keep []string
	// MaxRecord bounds a record's bytes, and a quarter of it those of the features that a row
	// keeps. 0: [dataset.DefaultRowBytes].
	MaxRecord int64
	// MaxValues bounds the values of one component of a row. 0: the only bound is MaxRecord.
	MaxValues int64
	// Workers is the number of goroutines that parse. 0: one for each processor, up to 4.
	Workers int
	// Found, if not nil, is told what the records of each file are, before its first row, maybe
	// several times and from several goroutines.
	Found func(file string, kind Kind)
}

// runBytes is about how many bytes of a file are parsed at a time.
const runBytes = 256 << 10

// Rows returns a dataset of the Examples in the files, read one after the other. Where the first
// records of a file are none, and the spec is one component of strings, a row of which may be one,
// each record is the string as it is. Row numbers go on from file to file. The features of the
// first file are looked at right away, if the file can be read twice: a feature that is missing or
// does not fit is then an error of the dataset, a *[dataset.ColumnError].
func Rows(spec dataset.Spec, o Options, names ...string) *dataset.Dataset {
	if o.MaxRecord <= 0 {
		o.MaxRecord = dataset.DefaultRowBytes
	}
	if o.MaxValues <= 0 {
		o.MaxValues = math.MaxInt64
	}
	if o.Workers <= 0 {
		o.Workers = ahead.Workers()
	}
	if len(names) > 0 {
		if err := check(spec, o, names[0]); err != nil {
			return dataset.Failed(err)
		}
	}
	return block.Rows(spec, dataset.UnknownCardinality, func() *block.Files[job] {
		return &block.Files[job]{
			Names: names, Open: func(name string) (block.File[job], error) { return open(name, spec, o) },
			Workers: o.Workers, Work: (*job).parse, Block: (*job).result,
			// The memory of a job holds its rows, so a new job takes over only these buffers.
			Spare: func(j *job) *job { return &job{buf: j.buf[:0], ends: j.ends[:0]} },
		}
	})
}

// check matches the features of a file that can be read twice, and returns what is wrong with them.
func check(spec dataset.Spec, o Options, name string) error {
	return block.Look(o.Open, name, func(again dataset.Opener) (block.File[job], error) {
		o.Open = again
		return open(name, spec, o)
	})
}

// file is an open file.
type file struct {
	*records
	spec dataset.Spec
	o    Options
	plan *plan // nil before the first records
	err  error // error after the records that were read
}

func open(name string, spec dataset.Spec, o Options) (*file, error) {
	r, err := openRecords(o.Open, name, o.MaxRecord)
	if err != nil {
		return nil, err
	}
	return &file{records: r, spec: spec, o: o}, nil
}

// Close closes the file.
func (f *file) Close() error { return f.close() }

// Read fills a job with the next records.
func (f *file) Read(j *job) error {
	j.buf, j.ends, j.corrupt = j.buf[:0], j.ends[:0], nil
	if f.err == nil {
		f.fill(j)
	}
	if len(j.ends) == 0 {
		return f.err
	}
	if f.plan == nil {
		p, err := newPlan(f.records, f.spec, f.o, j)
		switch {
		case err != nil && len(j.corrupt) > 0:
			return fmt.Errorf("%s: record %d: %w", f.name, j.first+int64(j.corrupt[0]), errChecksum)
		case err != nil:
			return err
		}
		f.plan = p
	}
	j.p = f.plan
	return nil
}

// fill reads records up to about [runBytes], or up to an error, which it keeps for the next call.
func (f *file) fill(j *job) {
	j.first = f.n + 1
	for len(j.buf) < runBytes && len(j.ends) < runBytes {
		var err error
		j.buf, err = f.next(j.buf)
		switch {
		case errors.Is(err, errChecksum):
			j.corrupt = append(j.corrupt, len(j.ends))
		case err != nil:
			f.err = err
			return
		}
		j.ends = append(j.ends, len(j.buf))
	}
}

// newPlan matches the components with the features that the first records have.
func newPlan(file *records, spec dataset.Spec, o Options, j *job) (*plan, error) {
	kind := kindOf(j)
	if kind == Whole && len(j.buf) == 0 && len(j.corrupt) > 0 {
		return nil, errChecksum // nothing tells what the records are
	}
	if o.Found != nil {
		o.Found(file.name, kind)
	}
	if kind == Whole {
		return newWhole(file.name, spec, o)
	}
	found := features(j)
	names := slices.Sorted(maps.Keys(found))
	if len(names) == 0 {
		return nil, &dataset.ColumnError{File: file.name, Msg: "its records are tf.train.Examples without features"}
	}
	// A kept feature need not be in every record, nor in the first ones.
	there := slices.DeleteFunc(slices.Clone(o.Keep), func(name string) bool { _, ok := found[name]; return !ok })
	pick, err := columns.Match(file.name, spec, names, columns.Options{Map: o.Columns, Keep: there})
	if err != nil {
		return nil, err
	}
	fill, err := o.Nulls.For(spec)
	if err != nil {
		return nil, err
	}
	p := &plan{file: file.name, keep: o.Keep, mostKept: dataset.Limits{RowBytes: o.MaxRecord}.KeptBytes(), targets: map[string][]target{}, max: o.MaxValues}
	for c, comp := range spec.Flatten() {
		cols, path := pick.Components[c], spec.Paths()[c]
		d := comp.DType
		if d != tensor.String && !dtypes.Can(d, tensor.Float32) {
			return nil, &dataset.ColumnError{File: file.name, Component: path, Msg: fmt.Sprintf("values of type %s are not read from features", d)}
		}
		out := component{Component: comp, path: path, fill: fill[c]}
		for slot, col := range cols {
			out.names = append(out.names, names[col])
			if len(cols) == 1 {
				slot = -1
			}
			p.targets[names[col]] = append(p.targets[names[col]], target{c, slot})
		}
		if len(cols) > 1 {
			if len(cols) != len(o.Columns[path]) {
				return nil, &dataset.ColumnError{File: file.name, Component: path, Msg: fmt.Sprintf("the features of a record have no order: name each of the %d", len(cols))}
			}
			if _, err := columns.CheckSide(file.name, path, comp, len(cols)); err != nil {
				return nil, err
			}
		}
		p.comps = append(p.comps, out)
	}
	for k, name := range o.Keep {
		p.targets[name] = append(p.targets[name], target{len(p.comps) + k, -1})
	}
	return p, nil
}

// found describes a feature of the records.
type found struct {
	kind kind
	list bool
}

// features lists the features of the job's records, as far as they can be read.
func features(j *job) map[string]found {
	out := map[string]found{}
	from := 0
	for _, end := range j.ends {
		// A bad record is reported when it is parsed.
		_ = eachField(j.buf[from:end], func(number uint64, wire byte, data []byte) error {
			if number > 2 || wire != wireBytes {
				return nil
			}
			return eachField(data, func(inner uint64, wire byte, data []byte) error {
				if inner != 1 || wire != wireBytes {
					return nil
				}
				key, value, err := entry(data)
				if err != nil {
					return err
				}
				f := found{list: number == 2}
				if f.list {
					err = eachField(value, func(_ uint64, _ byte, step []byte) (err error) {
						f.kind, _, err = feature(step)
						return err
					})
				} else {
					f.kind, _, err = feature(value)
				}
				if old, ok := out[string(key)]; err == nil && (!ok || old.kind == noValues) {
					out[string(key)] = f
				}
				return err
			})
		})
		from = end
	}
	return out
}

// Names returns the names of all features of a file, sorted. Of a damaged file it returns the names
// before the damage. More than 16,384 names are an error: each would be looked for in every row. Of
// the options it uses Open and MaxRecord.
func Names(o Options, name string) ([]string, error) {
	if o.MaxRecord <= 0 {
		o.MaxRecord = dataset.DefaultRowBytes
	}
	r, err := openRecords(o.Open, name, o.MaxRecord)
	if err != nil {
		return nil, err
	}
	defer r.close() //nolint:errcheck // nothing was written
	all := map[string]found{}
	for f := (&file{records: r}); f.err == nil; {
		var j job
		f.fill(&j)
		maps.Copy(all, features(&j))
		if len(all) > dataset.MostKeys {
			return nil, fmt.Errorf("%s: the records have more than %d different features: name those that are wanted", name, dataset.MostKeys)
		}
	}
	return slices.Sorted(maps.Keys(all)), nil
}

// Columns lists the features of a file's first records, none where these are no Examples. Of the
// options it uses Open and MaxRecord.
func Columns(o Options, name string) ([]dataset.Column, error) {
	if o.MaxRecord <= 0 {
		o.MaxRecord = dataset.DefaultRowBytes
	}
	r, err := openRecords(o.Open, name, o.MaxRecord)
	if err != nil {
		return nil, err
	}
	defer r.close() //nolint:errcheck // nothing was written
	f := &file{records: r}
	var j job
	f.fill(&j)
	switch {
	case len(j.ends) > 0 && kindOf(&j) == Examples:
	case len(j.ends) > 0, errors.Is(f.err, io.EOF):
		return nil, nil
	default:
		return nil, f.err
	}
	all := features(&j)
	var out []dataset.Column
	for _, key := range slices.Sorted(maps.Keys(all)) {
		f := all[key]
		c := dataset.Column{Name: key, Type: typeName(f.kind, f.list), Shape: tensor.MakeShape(tensor.Unknown)}
		if f.list {
			c.Shape = tensor.MakeShape(tensor.Unknown, tensor.Unknown)
		}
		c.DType = [...]tensor.DType{tensor.Invalid, tensor.String, tensor.Float32, tensor.Int64}[f.kind]
		out = append(out, c)
	}
	return out, nil
}

// typeName describes a feature for [Columns].
func typeName(k kind, list bool) string {
	name := strings.TrimPrefix(k.String(), "a list of ")
	if list {
		return "feature list of " + name
	}
	return name
}
