package scan

import (
	"fmt"

	"github.com/tfrun/tfrun/internal/ops"
)

// kinds maps the classes of operations in package ops to kinds of findings.
var kinds = map[ops.Class]FindingKind{
	ops.Reads: ReadsFiles, ops.Writes: WritesFiles, ops.Network: UsesNetwork, ops.Process: UsesProcess, ops.Python: RunsPython,
	ops.Native: RunsNativeCode, ops.Graph: RunsGraph, ops.Memory: LooseMemory, ops.TPU: NeedsTPU, ops.Internal: Internal,
}

// kind says what the operation does.
func (h *scanHit) kind() FindingKind {
	switch {
	case h.fault != "":
		return Ambiguous
	case h.known == nil:
		return UnknownOp
	}
	return kinds[h.known.Class]
}

// ofSaver are the operations with which a SavedModel saves and restores its variables. Every model
// has some that nothing runs.
var ofSaver = map[string]bool{
	"Restore": true, "RestoreSlice": true, "RestoreV2": true, "DTensorRestoreV2": true,
	"Save": true, "SaveSlices": true, "SaveV2": true, "MergeV2Checkpoints": true,
}

// customOp describes an operation that is not in the table.
func customOp(op string) string {
	from := ""
	if f, ok := ops.FamilyOf(op); ok {
		from = fmt.Sprintf(", probably of %s", f)
	}
	return "custom operation, of no TensorFlow from 2.15 to 2.21" + from + ": needs --op-library"
}
