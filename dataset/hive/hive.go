// Package hive reads the columns that the paths of a partitioned folder hold, as Hive, Spark and
// DuckDB write them: a file year=2024/month=01/part-0.parquet has a year, 2024, and a month, 01, in
// each of its rows.
//
// The type of a column is that which DuckDB gives it (hive_types_autocast): int64 where all values
// are integers without leading zeros, date32 where all are dates, else text. Other engines read
// month=01 as the number 1 and lose the zero, with which keys no longer match.
package hive

import (
	"encoding/binary"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/kept"
)

// NullPartition is the name that stands for null in a path.
const NullPartition = "__HIVE_DEFAULT_PARTITION__"

// Partitions are the columns that the paths of files hold.
type Partitions struct {
	names []string
	types map[string]*kept.Type
}

// date is the type of columns of dates; the other types are those of text and of int64.
var date = must(kept.Of(arrow.Field{Type: arrow.FixedWidthTypes.Date32, Nullable: true}))

func must(t *kept.Type, err error) *kept.Type {
	if err != nil {
		panic(err) // unreachable: dates can be kept
	}
	return t
}

// Of finds the columns in the paths of files. The paths are separated by slashes and begin below
// the partitioned folder.
func Of(files []string) Partitions {
	p := Partitions{types: map[string]*kept.Type{}}
	values := map[string][]string{}
	for _, file := range files {
		for _, part := range parts(file) {
			if values[part.name] == nil {
				p.names = append(p.names, part.name)
			}
			values[part.name] = append(values[part.name], part.value)
		}
	}
	for name, all := range values {
		p.types[name] = typeOf(all)
	}
	return p
}

// Names returns the names of the columns, in the order in which the paths have them.
func (p Partitions) Names() []string { return slices.Clone(p.names) }

// Type returns the type of a column.
func (p Partitions) Type(name string) dataset.FieldType { return p.types[name] }

// Fields returns the values that the path of a file gives to the named columns. A path without one
// of the columns is an error.
func (p Partitions) Fields(file string, names []string) ([]dataset.Field, error) {
	own := parts(file)
	fields := make([]dataset.Field, len(names))
	for i, name := range names {
		at := slices.IndexFunc(own, func(part partition) bool { return part.name == name })
		if at < 0 {
			return nil, fmt.Errorf("%s: its path has no folder %q, as those of other files have", file, name+"=…")
		}
		fields[i] = p.field(own[at])
	}
	return fields, nil
}

// field returns the value of a partition, encoded in its column's type.
func (p Partitions) field(part partition) dataset.Field {
	f := dataset.Field{Key: part.name, Type: p.types[part.name]}
	switch {
	case part.value == NullPartition:
	case f.Type == kept.Text:
		f.Value = []byte(part.value)
	case isNull(part.value):
	case f.Type == kept.Int64:
		n, _ := integer(part.value)
		f.Value = binary.LittleEndian.AppendUint64([]byte{}, uint64(n)) //nolint:gosec // the bits are meant
	default:
		day, _ := days(part.value)
		f.Value = binary.LittleEndian.AppendUint32([]byte{}, uint32(day)) //nolint:gosec // the bits are meant
	}
	return f
}

// partition is a folder NAME=VALUE of a path.
type partition struct{ name, value string }

// parts lists the partitions of a file's path. Of a name that the path has twice the first one
// counts.
func parts(file string) (list []partition) {
	folders := strings.Split(path.Dir(path.Clean(file)), "/")
	for _, folder := range folders {
		name, value, ok := strings.Cut(folder, "=")
		if !ok || name == "" || strings.Contains(value, "=") {
			continue
		}
		name, value = unescape(name), unescape(value)
		if !slices.ContainsFunc(list, func(p partition) bool { return p.name == name }) {
			list = append(list, partition{name, value})
		}
	}
	return list
}

// unescape resolves %2F and the like. A text with a wrong escape stays as it is.
func unescape(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}

// typeOf returns the type that holds all values of a column.
func typeOf(values []string) *kept.Type {
	integers, dates, some := true, true, false
	for _, v := range values {
		if isNull(v) {
			continue
		}
		some = true
		if integers {
			_, integers = integer(v)
		}
		if dates {
			_, dates = days(v)
		}
	}
	switch {
	case some && integers:
		return kept.Int64
	case some && dates:
		return date
	}
	return kept.Text
}

// isNull reports whether a value is null in a column of numbers or dates. In a column of text NULL
// is text.
func isNull(value string) bool { return value == NullPartition || strings.EqualFold(value, "null") }

// integer reads an integer that would be written back with the same text: without a plus or leading
// zeros.
func integer(value string) (int64, bool) {
	value = strings.Trim(value, " ")
	n, err := strconv.ParseInt(value, 10, 64)
	return n, err == nil && (value == "-0" || strconv.FormatInt(n, 10) == value)
}

// days reads a date, as days since 1970.
func days(value string) (int32, bool) {
	t, err := time.Parse("2006-1-2", value)
	return int32(t.Unix() / (24 * 60 * 60)), err == nil //nolint:gosec // years have four digits
}
