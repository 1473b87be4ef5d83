package runner

import (
	"fmt"
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
)

// State says which operations of the signature change what a later run sees. Where there are some,
// batches run one after the other in the rows' order ([Auto] is [Arrival] then), and a resumed run
// begins with the first row, without delivering what an earlier run has delivered.
func (p *Predictor) State() savedmodel.State { return p.f.state }

// checkState refuses options under which rows would not meet the state that the model's author had
// in mind.
func (p *Predictor) checkState() error {
	switch {
	case !p.f.state.Stateful():
	case p.o.Workers > 1:
		return p.refuse("Workers", "%d workers, want 1", p.o.Workers)
	case p.o.Batching == Exact || p.o.Batching == Bucket:
		return p.refuse("Batching", "batching %s changes the order of rows, want arrival", p.o.Batching)
	case p.o.Shards > 1:
		return p.refuse("Shard", "a shard leaves out rows that later ones depend on")
	}
	return nil
}

// refuse says that an option does not go with a signature that keeps state.
func (p *Predictor) refuse(option, format string, args ...any) error {
	return &OptionError{Option: option, Msg: fmt.Sprintf(format+": the model keeps state from batch to batch (%s)", append(args, strings.Join(p.f.state.Changes, ", "))...)}
}
