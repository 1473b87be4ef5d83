package dataset

// Padder makes batches of rows that a program holds already, as [Dataset.Batches] makes them of a
// dataset. It may be used from many goroutines.
type Padder struct {
	plan  *padPlan
	comps []Component
	opts  BatchOptions
}

// NewPadder plans batches of rows of a spec. Of the options, those count that say how a batch is
// padded and what it may take: which rows share one is the caller's choice. Errors are *[Error].
func NewPadder(spec Spec, opts BatchOptions) (*Padder, error) {
	plan, _, err := (&Dataset{spec: spec}).planBatches("batches", opts)
	if err != nil {
		return nil, err
	}
	return &Padder{plan: plan, comps: spec.Flatten(), opts: opts}, nil
}

// Batch returns the rows as one batch, which keeps the slice. ok is false where the rows, at least
// one, make no batch: they do not fit the spec or the padded shapes, or would take more than Budget
// or MaxBytes. [Dataset.Batches] splits such rows, or says what is wrong with them.
func (p *Padder) Batch(rows []*Element) (b *Batch, ok bool) {
	for _, e := range rows {
		if checkElement("batches", p.comps, e) != nil {
			return nil, false
		}
	}
	b = newBatch("batches", p.plan, p.opts)
	if b.set(rows) != nil || p.opts.Budget > 0 && len(rows) > 1 && b.memory() > p.opts.Budget {
		return nil, false
	}
	return b, true
}
