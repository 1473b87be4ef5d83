package tfrecord

import (
	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/tensor"
)

// plan says where features go.
type plan struct {
	file    string
	comps   []component
	keep    []string
	targets map[string][]target // by feature
	max     int64               // values of a component
}

// component is a component with the features that it is read from.
type component struct {
	dataset.Component
	path  string
	names []string      // of its features; of several, the single values stand side by side
	fill  tensor.Tensor // stands in for what a row lacks; the zero Tensor: nothing does
}

// target is where a feature goes.
type target struct {
	to    int // a component, or len(comps) + a kept column
	place int // of the feature among those of the component; -1: it is the only one
}

// job is a run of records, then the block of their rows.
type job struct {
	p       *plan
	buf     []byte
	ends    []int // of each record, in buf
	corrupt []int // records whose checksum is wrong; they have no bytes
	first   int64 // the first record's number in the file, from 1
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
