package tfrecord

import (
	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/tensor"
)

// plan says which components and kept columns the features go to.
type plan struct {
	file    string
	comps   []component
	keep    []string
	targets map[string][]target // by feature
	max     int64               // most values of a component
	// mostKept is how many bytes the kept features of a row may take.
	mostKept int64
	whole    []int64 // sizes of a row that is its record as it is; nil: it has features
}

// component is a component with the features that it is read from.
type component struct {
	dataset.Component
	path  string
	names []string      // of its features; several give one value each, side by side
	fill  tensor.Tensor // takes the place of a missing feature; the zero Tensor: nothing does
}

// target is a component or a kept column that a feature goes to.
type target struct {
	to   int // index of a component, or len(comps) + that of a kept column
	slot int // which of the component's features it is; -1: the only one
}

// job is a run of records, and then the block of their rows.
type job struct {
	p       *plan
	buf     []byte
	ends    []int // where each record ends in buf
	corrupt []int // records with a wrong checksum; buf has no bytes of them
	first   int64 // number of the first record in the file, from 1
	stores  []store
	kept    []keptField // by row and kept column
	text    []byte
	bad     []block.Bad
	floats  []float32
	ints    []int64
	bytes   [][]byte
	block   block.Block
}

// result returns the block.
func (j *job) result() (*block.Block, error) { return &j.block, nil }
