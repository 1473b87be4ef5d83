package bench

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job"
	"github.com/tfrun/tfrun/savedmodel"
)

// Run measures a model. An error of a single measurement, such as too little memory, or a batch
// that the model refuses, is part of the report. An error is returned if nothing could be measured:
// one of [runner.LoadModel], [runner.Session.NewPredictor] or [job.MakeUpRows], or the context's. m
// is the model whose files are loaded.
func Run(ctx context.Context, m *savedmodel.Model, o Options) (*Report, error) {
	if o.Duration <= 0 {
		o.Duration = time.Minute
	}
	b := &bench{o: o, report: &Report{Model: m.Dir, Machine: thisMachine(), Reading: Number(math.NaN()), Latency: []Latency{}, Throughput: []Throughput{}, Choices: []Choice{}, Problems: []string{}}}
	if err := b.load(ctx, m); err != nil {
		return nil, err
	}
	err := b.run(ctx)
	if b.plain != nil {
		b.report.XLA = xlaOf(b.o.Load.XLA, b.session.XLA())
		err = errors.Join(err, b.plain.Close())
	}
	return b.report, errors.Join(err, b.session.Close())
}

// run measures the loaded model.
func (b *bench) run(ctx context.Context) error {
	p, err := b.predictor()
	if err != nil {
		return err
	}
	b.report.Signature, b.report.NoBatch, b.fixed = p.Function().Signature().Name, b.o.Predict.NoBatch, int(p.FixedBatchSize())
	free, err := job.FileBatchSize(p)
	if err != nil {
		return err
	}
	b.free = free.Rows
	err = b.takeRows(ctx, p)
	var output *runner.OutputError
	if errors.As(err, &output) && len(b.o.Source.Files) == 0 && !b.o.Predict.NoBatch {
		// The outputs belong to the whole batch, without one entry for each row.
		b.o.Predict.NoBatch = true
		if p, err = b.predictor(); err == nil {
			err = b.takeRows(ctx, p)
		}
		b.report.NoBatch, b.fixed = true, 0
	}
	if err != nil {
		return err
	}
	if err := b.probe(ctx, p); err != nil {
		return err
	}
	row, err := p.AppendRowJSON(nil, b.rows[b.sorted[len(b.sorted)/2]]) // the median
	if err != nil {
		return err
	}
	if err := b.coldStarts(ctx, row); err != nil {
		return err
	}
	before := usageNow()
	b.schedule()
	if err := b.latencies(ctx); err != nil {
		return err
	}
	b.until = time.Now().Add(b.o.Duration * 3 / 5)
	b.sample = b.rows[:min(max(int(b.rate()*b.window.Seconds()), leastSample), len(b.rows))]
	if err := b.search(ctx); err != nil {
		return err
	}
	b.report.Noise = usageNow().since(before)
	b.choose()
	b.report.Memory.End, b.report.Memory.Peak = resident()
	return nil
}
