package source

import (
	"context"
	"fmt"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/arrow"
	"github.com/tfrun/tfrun/dataset/csv"
	"github.com/tfrun/tfrun/dataset/npy"
	"github.com/tfrun/tfrun/dataset/parquet"
	"github.com/tfrun/tfrun/dataset/tfrecord"
	"github.com/tfrun/tfrun/runner/internal/option"
)

// Format is a kind of files of rows.
type Format struct {
	Name string
	// Lines says that a file is a sequence of rows, so that the first rows can be read before later
	// ones come.
	Lines bool
	// Head is the number of bytes at a file's beginning that can only be written at the end.
	Head int64

	// read returns the rows of a spec; nil for lines of text.
	read func(spec dataset.Spec, src Source) *dataset.Dataset
	// columns lists the columns of a file; nil if each row has keys of its own.
	columns func(src Source, name string) ([]dataset.Column, error)
	// names lists the keys of all rows of the source's files, read by spec, for formats whose rows
	// have keys of their own.
	names func(ctx context.Context, src Source, spec dataset.Spec) ([]string, error)
	// kept returns the types of the kept columns of a file; nil for formats without types.
	kept func(src Source, name string) ([]dataset.FieldType, error)
}

// formats are the formats that rows are read from.
var formats = []Format{
	{Name: "jsonl", read: readJSONL, names: jsonNames, Lines: true},
	{Name: Text},
	{Name: "csv", read: readCSV(','), columns: csvColumns(','), Lines: true},
	{Name: "tsv", read: readCSV('\t'), columns: csvColumns('\t'), Lines: true},
	{Name: "npy", read: readNPY(npy.Rows), Head: npy.HeaderSize},
	{Name: "npz", read: readNPY(npy.ZipRows), columns: npzColumns, kept: npzKept},
	{Name: "tfrecord", read: readTFRecord, names: featureNames, Lines: true},
	{Name: "parquet", read: readParquet, columns: parquetColumns, kept: parquetKept},
	{Name: "arrow", read: readArrow, columns: arrowColumns, kept: arrowKept},
}

// HasColumns reports whether the columns of a file can be listed before its rows are read.
func (f Format) HasColumns() bool { return f.columns != nil }

// Names lists the keys of all rows of the source's files. The format has no columns, and the files
// can be read again.
func (f Format) Names(ctx context.Context, src Source, spec dataset.Spec) ([]string, error) {
	if f.names == nil {
		return nil, &option.Error{Option: "Keep", Msg: fmt.Sprintf("%s has no columns to keep", f.Name)}
	}
	src.Read, src.Envelope = nil, nil // these are for reading the rows themselves
	return f.names(ctx, src, spec)
}

// Columns lists the columns of a file of a format that has them.
func (f Format) Columns(src Source, name string) ([]dataset.Column, error) {
	return f.columns(src, name)
}

// FindFormat returns the format of the given name, or, if that is "", the format that a file's name
// shows, among those that are usable. An error is an *[option.Error].
func FindFormat(name, file string, usable func(Format) bool) (Format, error) {
	if name != "" {
		for _, f := range formats {
			if f.Name == name && usable(f) {
				return f, nil
			}
		}
		return Format{}, &option.Error{Option: "Format", Msg: fmt.Sprintf("format %q: want one of %s", name, names(usable))}
	}
	told := byExtension[extension(file)]
	for _, f := range formats {
		if f.Name == told && usable(f) {
			return f, nil
		}
	}
	return Format{}, &option.Error{Option: "Format", Msg: fmt.Sprintf("%q: the name does not tell the format; name it one of %s", file, names(usable))}
}

// names lists the names of the usable formats.
func names(usable func(Format) bool) string {
	var list []string
	for _, f := range formats {
		if usable(f) {
			list = append(list, f.Name)
		}
	}
	return strings.Join(list, ", ")
}

// ColumnLists returns the columns of each input. Several columns are separated by commas in
// Columns.
func (src Source) ColumnLists() map[string][]string {
	lists := map[string][]string{}
	for input, column := range src.Columns {
		lists[input] = strings.Split(column, ",")
	}
	return lists
}

func readJSONL(spec dataset.Spec, src Source) *dataset.Dataset {
	return dataset.JSONLFiles(spec, src.jsonOptions(), src.Files...)
}

func jsonNames(ctx context.Context, src Source, spec dataset.Spec) ([]string, error) {
	return dataset.JSONLKeys(ctx, spec, src.jsonOptions(), src.Files...)
}

func (src Source) jsonOptions() dataset.JSONLOptions {
	l := src.Limits
	return dataset.JSONLOptions{
		Open: src.Open, Keep: src.Keep, Keys: src.ColumnLists(), Nulls: src.Nulls, Envelope: src.Envelope,
		MaxLine: int(l.RowBytes), MaxDepth: l.Depth, MaxValues: l.Elements, MaxLength: l.Length,
	}
}

func readCSV(comma byte) func(dataset.Spec, Source) *dataset.Dataset {
	return func(spec dataset.Spec, src Source) *dataset.Dataset {
		o := src.csvOptions(comma)
		o.Keep, o.Columns, o.Nulls, o.MaxRow = src.Keep, src.ColumnLists(), src.Nulls, int(src.Limits.RowBytes)
		return csv.Rows(spec, o, src.Files...)
	}
}

// csvOptions returns how files of cells are read: as the source's options say, but with the
// separator of the format, if it has one.
func (src Source) csvOptions(comma byte) csv.Options {
	o := src.CSV
	o.Open = src.Open
	if comma == '\t' && o.Comma == 0 {
		o.Comma = comma
	}
	return o
}

func readNPY(rows func(dataset.Spec, npy.Options, ...string) *dataset.Dataset) func(dataset.Spec, Source) *dataset.Dataset {
	return func(spec dataset.Spec, src Source) *dataset.Dataset {
		return rows(spec, npy.Options{Open: src.Open, Keep: src.Keep, Columns: src.ColumnLists(), Nulls: src.Nulls, MaxRow: src.Limits.RowBytes, MaxRatio: src.Limits.Ratio, BlockBytes: src.BlockBytes}, src.Files...)
	}
}

func readTFRecord(spec dataset.Spec, src Source) *dataset.Dataset {
	o := tfrecord.Options{Open: src.OpenRecords, Keep: src.Keep, Columns: src.ColumnLists(), Nulls: src.Nulls, MaxRecord: src.Limits.RowBytes, MaxValues: src.Limits.MostValues(spec), Found: src.Records}
	return tfrecord.Rows(spec, o, src.Files...)
}

func featureNames(_ context.Context, src Source, _ dataset.Spec) ([]string, error) {
	var all []string
	seen := map[string]bool{}
	for _, file := range src.Files {
		names, err := tfrecord.Names(tfrecord.Options{Open: src.OpenRecords, MaxRecord: src.Limits.RowBytes}, file)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if !seen[name] {
				seen[name] = true
				all = append(all, name)
			}
		}
	}
	return all, nil
}

func readParquet(spec dataset.Spec, src Source) *dataset.Dataset {
	return parquet.Rows(spec, parquet.Options{Open: src.Open, Keep: src.Keep, Columns: src.ColumnLists(), Nulls: src.Nulls, MaxKept: src.Limits.KeptBytes(), BlockBytes: int64(src.BlockBytes), Part: src.Part, Parts: src.Parts}, src.Files...)
}

func readArrow(spec dataset.Spec, src Source) *dataset.Dataset {
	return arrow.Rows(spec, arrow.Options{Open: src.Open, Keep: src.Keep, Columns: src.ColumnLists(), Nulls: src.Nulls, MaxKept: src.Limits.KeptBytes(), Room: src.Room}, src.Files...)
}

func csvColumns(comma byte) func(Source, string) ([]dataset.Column, error) {
	return func(src Source, name string) ([]dataset.Column, error) {
		return csv.Columns(src.csvOptions(comma), name)
	}
}

func npzColumns(src Source, name string) ([]dataset.Column, error) {
	return npy.ZipColumns(npy.Options{Open: src.Open}, name)
}

func parquetColumns(src Source, name string) ([]dataset.Column, error) {
	return parquet.Columns(parquet.Options{Open: src.Open}, name)
}

func arrowColumns(src Source, name string) ([]dataset.Column, error) {
	return arrow.Columns(arrow.Options{Open: src.Open}, name)
}

func npzKept(src Source, name string) ([]dataset.FieldType, error) {
	return npy.ZipKeptTypes(npy.Options{Open: src.Open, Keep: src.Keep}, name)
}

func parquetKept(src Source, name string) ([]dataset.FieldType, error) {
	return parquet.KeptTypes(parquet.Options{Open: src.Open, Keep: src.Keep}, name)
}

func arrowKept(src Source, name string) ([]dataset.FieldType, error) {
	return arrow.KeptTypes(arrow.Options{Open: src.Open, Keep: src.Keep}, name)
}

// Find returns the format that all files have. An error is an *[option.Error].
func (src Source) Find() (Format, error) {
	if len(src.Files) == 0 {
		return Format{}, &option.Error{Option: "Files", Msg: "name at least one file of rows"}
	}
	var first Format
	for i, name := range src.Files {
		wanted := src.Format
		if wanted == "" && name == "-" {
			wanted = stdinFormat
		}
		f, err := FindFormat(wanted, name, func(Format) bool { return true })
		switch {
		case err != nil && wanted == "":
			return Format{}, unnamed(name, err)
		case err != nil:
			return Format{}, err
		case i > 0 && f.Name != first.Name:
			return Format{}, &option.Error{Option: "Format", Msg: fmt.Sprintf("the files are of different types, %s and %s; run them one after the other", first.Name, f.Name)}
		}
		first = f
	}
	return first, nil
}

// Rows returns the rows of the files, read by spec, in any format but [Text].
func (src Source) Rows(f Format, spec dataset.Spec) *dataset.Dataset { return f.read(spec, src) }
