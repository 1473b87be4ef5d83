package runner

import (
	"math"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// BatchInfo is what [PredictOptions.Batch] is told of a batch that has run.
type BatchInfo struct {
	// Rows is the number of rows of the batch; Lengths has the length of each, its number of steps:
	// the values of its longest input, divided by the sizes that the signature fixes. A row of 7
	// ids has 7 steps, as has one of 7 vectors of 64 numbers; a row whose shape is fixed has 1. The
	// slice is the receiver's own.
	Rows    int
	Lengths []int64
	// PaddedTo is the number of steps that every row was padded to.
	PaddedTo int64
	// Real values of the rows were padded to Padded ones.
	Real, Padded int64
	// Duration is that of TensorFlow's run, from fed tensors to outputs in Go's memory; Ended is
	// when it was over.
	Duration time.Duration
	Ended    time.Time
}

// batchInfo measures a batch before it runs; it returns nil where nobody asked.
func (p *Predictor) batchInfo(b *dataset.Batch) *BatchInfo {
	if p.o.Batch == nil {
		return nil
	}
	info := &BatchInfo{Rows: b.Len(), Lengths: make([]int64, b.Len())}
	for c := range p.components {
		static, own := p.staticSize(c), int64(0)
		for i := range b.Len() {
			n := int64(b.Row(i).Tensors[c].Len())
			own += n
			info.Lengths[i] = max(info.Lengths[i], n/static)
		}
		fed := own
		if dims := b.Dims(c); !p.composite(c) {
			fed, _ = tensor.NumElements(dims)
			info.PaddedTo = max(info.PaddedTo, fed/int64(b.Len())/static)
		}
		info.Real, info.Padded = info.Real+own, info.Padded+fed
	}
	return info
}

// rowInfo is batchInfo for a row of whole tensors, which nothing is padded of.
func (p *Predictor) rowInfo(row dataset.Element) *BatchInfo {
	if p.o.Batch == nil {
		return nil
	}
	info := &BatchInfo{Rows: 1, Lengths: []int64{0}}
	for _, t := range row.Tensors {
		info.Real += int64(t.Len())
	}
	info.Padded, info.PaddedTo = info.Real, p.RowLength(row)
	info.Lengths[0] = info.PaddedTo
	return info
}

// RowLength is the length of a row as [BatchInfo] counts it.
func (p *Predictor) RowLength(row dataset.Element) int64 {
	length := int64(0)
	for c, t := range row.Tensors {
		length = max(length, int64(t.Len())/p.staticSize(c))
	}
	return length
}

// staticSize is the product of the sizes that the spec of component c knows: the values of a step.
func (p *Predictor) staticSize(c int) int64 {
	n := int64(1)
	for _, d := range p.components[c].Shape.Dims() {
		if d > 0 && d <= math.MaxInt64/n {
			n *= d
		}
	}
	return n
}

// reportBatch hands the measured batch to who asked for it.
func (p *Predictor) reportBatch(info *BatchInfo, started time.Time) {
	if info == nil {
		return
	}
	info.Ended = time.Now()
	info.Duration = info.Ended.Sub(started)
	p.o.Batch(*info)
}
