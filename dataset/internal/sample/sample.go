// Package sample finds out what the columns of a file with types hold, from the first rows that are
// written: the depth of lists where the spec leaves it open, whether strings are text, and the
// types of kept columns. It checks the later rows, and finds the entries of their lists.
package sample

import (
	"fmt"
	"unicode/utf8"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/columns"
	"github.com/tfrun/tfrun/dataset/internal/jsontext"
	"github.com/tfrun/tfrun/dataset/internal/kept"
	"github.com/tfrun/tfrun/tensor"
)

// The most rows and bytes of a sample.
const (
	maxRows  = 1 << 10
	maxBytes = 16 << 20
)

// Sample collects the first rows.
type Sample struct {
	Comps []dataset.Component
	Names []string // of the components, then of the kept columns
	Keep  []string
	Types map[string]dataset.FieldType // of kept columns, as far as they are known
	Rows  []dataset.Element
	bytes int
	known bool // what the columns hold, before any row
}

// New returns an empty sample. given are the names of the components, nil for their paths; types
// are the types of kept columns, as far as they are known.
func New(spec dataset.Spec, given, keep []string, types map[string]dataset.FieldType) (*Sample, error) {
	names, err := columns.Names(spec, given, keep)
	if err != nil {
		return nil, err
	}
	s := &Sample{Comps: spec.Flatten(), Names: names, Keep: keep, Types: types, known: true}
	for i, c := range s.Comps {
		if err := jsontext.Check(c.DType); err != nil {
			return nil, fmt.Errorf("column %q: %w", names[i], err)
		}
		s.known = s.known && c.Shape.Ranked() && c.DType != tensor.String
	}
	for _, name := range keep {
		_, typed := types[name].(*kept.Type)
		s.known = s.known && typed
	}
	return s, nil
}

// Add adds a row and reports whether the sample is complete: a single row is enough where the spec
// and the types say it all.
func (s *Sample) Add(e dataset.Element) (full bool) {
	c := e.Clone()
	if e.Tensors == nil {
		c.Tensors = nil
	}
	s.Rows = append(s.Rows, c)
	s.bytes += e.Size()
	return s.known || len(s.Rows) >= maxRows || s.bytes >= maxBytes
}

// Take returns the rows, and drops them from the sample.
func (s *Sample) Take() []dataset.Element {
	rows := s.Rows
	s.Rows = nil
	return rows
}

// Columns describes the columns that hold the sample.
func (s *Sample) Columns() []Column {
	out := make([]Column, len(s.Names))
	for i, name := range s.Names {
		if k := i - len(s.Comps); k >= 0 {
			out[i] = Column{Name: name, Type: s.keptType(k)}
		} else {
			out[i] = Column{Name: name, DType: s.Comps[i].DType, Depth: s.depth(i), Text: s.text(i)}
		}
	}
	return out
}

// depth returns the number of lists around the values of component c; complex numbers count as
// lists of two.
func (s *Sample) depth(c int) int {
	comp := s.Comps[c]
	rank := comp.Shape.Rank()
	for i := 0; rank < 0 && i < len(s.Rows); i++ {
		if e := s.Rows[i]; e.Tensors != nil {
			rank = e.Tensors[c].Rank()
			if comp.Ragged {
				rank += comp.RaggedRank
			}
		}
	}
	rank = max(rank, 0)
	if comp.DType.IsComplex() {
		rank++
	}
	return rank
}

// text reports whether all strings of component c are UTF-8.
func (s *Sample) text(c int) bool {
	for _, e := range s.Rows {
		if e.Tensors == nil {
			continue
		}
		for _, v := range e.Tensors[c].Strings() {
			if !utf8.ValidString(v) {
				return false
			}
		}
	}
	return true
}

// keptType returns the type of kept column k: the known one, else the type in the source of the
// rows. Where the source has no types, as JSON and CSV, the column is text, since later rows may
// hold anything.
func (s *Sample) keptType(k int) *kept.Type {
	if own, ok := s.Types[s.Keep[k]].(*kept.Type); ok {
		return own
	}
	for _, e := range s.Rows {
		if own, ok := columns.Extra(e, k, s.Keep[k]).Type.(*kept.Type); ok {
			return own
		}
	}
	return kept.Text
}
