package tfrecord

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// Kind says what the records of a file are.
type Kind string

// The kinds of records.
const (
	// Examples are tf.train.Examples or tf.train.SequenceExamples: rows are read from their
	// features.
	Examples Kind = "tf.train.Examples"
	// Whole records are strings of bytes, a row each.
	Whole Kind = "whole records"
)

// kindOf tells the kind of a file by its first records: they are Examples where one of them is. So
// a record that is empty, or damaged, does not decide.
func kindOf(j *job) Kind {
	from := 0
	for _, end := range j.ends {
		if isExample(j.buf[from:end]) {
			return Examples
		}
		from = end
	}
	return Whole
}

// isExample reports whether a record is a tf.train.Example or SequenceExample, and nothing but what
// these messages have: a text, or another message, hardly ever is one. One without a feature is two
// bytes, "\n\x00", as Python writes it. No bytes at all are as good as an empty text.
func isExample(record []byte) bool {
	return len(record) > 0 && submessages(record, 2, func(number uint64, data []byte) error {
		return submessages(data, 1, func(_ uint64, data []byte) error {
			key, value, err := entry(data)
			switch {
			case err != nil || value == nil || !utf8.Valid(key):
				return errWire
			case number == 1:
				return checkFeature(0, value)
			}
			return submessages(value, 1, checkFeature)
		})
	}) == nil
}

// checkFeature returns an error where a message has other fields than a Feature.
func checkFeature(_ uint64, b []byte) error {
	return submessages(b, 3, func(uint64, []byte) error { return nil })
}

// submessages calls f with the fields of a message, which are all messages numbered from 1 to last.
func submessages(b []byte, last uint64, f func(number uint64, data []byte) error) error {
	return eachField(b, func(number uint64, wire byte, data []byte) error {
		if number > last || wire != wireBytes {
			return errWire
		}
		return f(number, data)
	})
}

// newWhole returns the plan of a file whose records are no Examples: each is the string that the
// only component is.
func newWhole(file string, spec dataset.Spec, o Options) (*plan, error) {
	if len(o.Columns) > 0 || len(o.Keep) > 0 {
		names := slices.Clone(o.Keep)
		for _, list := range o.Columns {
			names = append(names, list...)
		}
		slices.Sort(names)
		return nil, &dataset.ColumnError{File: file, Msg: fmt.Sprintf("its records are no tf.train.Examples, and have no feature %q", names[0])}
	}
	comps, paths := spec.Flatten(), spec.Paths()
	if len(comps) != 1 {
		msg := fmt.Sprintf("records that are no tf.train.Examples feed one input of strings, and there are %d: %s", len(comps), strings.Join(paths, ", "))
		return nil, &dataset.ColumnError{File: file, Msg: msg}
	}
	c := comps[0]
	dims := slices.Repeat([]int64{1}, len(c.Shape.Dims()))
	if c.DType != tensor.String || c.Ragged || !c.Shape.Admits(dims) {
		msg := fmt.Sprintf("records that are no tf.train.Examples are strings, and it takes %s %v", c.DType, c.Shape)
		return nil, &dataset.ColumnError{File: file, Component: paths[0], Msg: msg}
	}
	return &plan{file: file, comps: []component{{Component: c, path: paths[0]}}, whole: dims}, nil
}

// putWhole stores a record as the row's string.
func (j *job) putWhole(record []byte) (path, msg string) {
	if isExample(record) {
		return "", "a tf.train.Example among records that are none"
	}
	s := &j.stores[0]
	s.seen = true
	s.putString(record)
	s.dims = append(s.dims, j.p.whole...)
	return "", ""
}
