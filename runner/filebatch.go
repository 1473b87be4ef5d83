package runner

import (
	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/savedmodel"
)

// Batches of files are made so large, in rows of a power of two, that what is computed for one
// comes to manyValues at most, which the caches of a core hold about.
const (
	manyValues  = 1 << 21
	maxFileRows = 1 << 13
)

// FileBatchSize returns how many rows of files should make a batch where nobody says:
// [DefaultBatchSize], or more of a signature that computes little for a row, and that from the row
// alone ([savedmodel.MetaGraph.RowValues]). Each run has a cost of its own: of a million rows of 32
// numbers, through two small dense layers, 64 at a time took 6 times as long as 4,096.
func FileBatchSize(mg *savedmodel.MetaGraph, sig *savedmodel.Signature, l dataset.Limits) (int, error) {
	values, ok, err := mg.RowValues(sig)
	if err != nil || !ok {
		return DefaultBatchSize, err
	}
	const widest = 16 // bytes of a value
	most := min(manyValues, l.OrDefaults().BatchBytes/widest)
	rows := int64(DefaultBatchSize)
	for rows < maxFileRows && 2*rows*values <= most {
		rows *= 2
	}
	return int(rows), nil
}
