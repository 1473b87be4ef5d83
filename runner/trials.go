package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/padding"
	"github.com/tfrun/tfrun/tensor"
)

// Bounds of the work that trials make: the rows of the data that are tried, the rows and beginnings
// of rows that are run, the rows and the values of a batch, the values of a row that is padded
// beyond the longest, and the time. The first batch of each kind is run however long it takes, with
// few rows.
const (
	trialRows     = 8
	trialSubjects = 96
	trialBatch    = 16
	trialValues   = 4 << 20
	beyondValues  = 1 << 18
	trialTime     = 2 * time.Second
)

// subject is a row, or the beginning of one, with the answer that it gets alone.
type subject struct {
	trial
	row   dataset.Element
	alone []Value
}

// trials runs rows among several sets of other rows, and padded to several lengths.
type trials struct {
	p        *Predictor // that runs them
	rng      *rand.Rand
	until    time.Time
	most     int       // rows of a batch
	subjects []subject // by their steps
	verdict  Verdict
}

// Try finds out what the answers of a signature depend on beside the row. It runs rows, and the
// beginnings of 1, 2, 4, … steps of each, alone, among other rows, and padded to several lengths,
// and compares the answers. Rows are padded with the values of [PredictOptions].Pad: Try says
// nothing of other values. A batch that the model refuses is left out of the comparison. For a
// signature that keeps state, or runs row by row, the error is an *[OptionError].
func (p *Predictor) Try(ctx context.Context, rows []dataset.Element) (Verdict, error) {
	if p.f.state.Stateful() {
		return Verdict{}, p.refuse("Batching", "answers for one row twice cannot be compared")
	}
	if p.o.NoBatch {
		return Verdict{}, p.refuse("Batching", "one row at a time has neither company nor padding")
	}
	return p.find(ctx, rows, wanted{padding: true, trials: true})
}

// wanted says what [Predictor.find] looks for: whether padding matters, whether what is proven is
// tried as well, and whether a twin that keeps padding out may be used.
type wanted struct{ padding, trials, twin bool }

// find looks for proofs, and tries rows where it finds none.
func (p *Predictor) find(ctx context.Context, rows []dataset.Element, want wanted) (Verdict, error) {
	v := Verdict{Fixed: !p.padsRows(rows)}
	v.Company.Proof, v.Padding.Proof = p.proofs()
	if v.Twin = want.twin && p.twin != nil && !v.Fixed && v.Padding.Proof.Answer != padding.Independent; v.Twin {
		return v, nil
	}
	company := want.trials || v.Company.Proof.Answer == padding.Unknown
	padded := want.padding && !v.Fixed && v.Company.Proof.Answer != padding.Depends && (want.trials || v.Padding.Proof.Answer == padding.Unknown)
	if !company && !padded {
		return v, nil
	}
	if !padded && !want.trials {
		if f, ok := p.proven.found(len(rows)); ok {
			v.Company = f
			return v, nil
		}
	}
	q := p.quiet()
	t := &trials{p: q, rng: rand.New(rand.NewPCG(3, 5)), until: time.Now().Add(trialTime)} //nolint:gosec // the same trials every time
	t.verdict = v
	for _, f := range []*Finding{&t.verdict.Company, &t.verdict.Padding} {
		f.Effects = p.noEffects()
		f.Rows = min(len(rows), trialRows)
	}
	err := t.runAlone(ctx, q.spread(rows))
	if err == nil && company {
		if err = t.company(ctx); err == nil {
			p.proven.keep(t.verdict.Company)
		}
	}
	if err == nil && padded && !t.verdict.Company.Depends() {
		err = t.padding(ctx)
	}
	return t.verdict, err
}

// quiet returns a copy of p for trial rows: no callback is told of them, no option leaves one out,
// and nothing is compiled for them.
func (p *Predictor) quiet() *Predictor {
	q := p.with(func(o *PredictOptions) {
		o.Batching, o.SkipBadRows, o.Stats, o.Batch, o.Split, o.MaxTokens = Arrival, false, nil, nil, nil, 0
		o.From, o.Shard, o.Shards, o.Workers = 0, 0, 0, 1
	})
	f := *p.f
	f.compiler = nil
	q.f, q.counters = &f, &counters{}
	return q
}

// padsRows reports whether rows can have different shapes, so that some are padded. rows show the
// rank of inputs whose rank the signature leaves open.
func (p *Predictor) padsRows(rows []dataset.Element) bool {
	for c := range p.components {
		if len(rows) > 0 && len(p.openAxes(c, rows[0].Tensors[c])) > 0 {
			return true
		}
	}
	return false
}

// openAxes lists the axes of a row's component that can be longer in another row, and are padded
// then. A sparse or ragged value is not padded.
func (p *Predictor) openAxes(c int, t tensor.Tensor) []int {
	var axes []int
	for i := range t.Dims() {
		if p.open(c, i) {
			axes = append(axes, i)
		}
	}
	return axes
}

// open reports whether rows may differ in the size of an axis of component c, so that they are
// padded along it.
func (p *Predictor) open(c, axis int) bool {
	spec := p.components[c]
	return !spec.Ragged && !p.composite(c) && (!spec.Shape.Ranked() || spec.Shape.Dim(axis) == tensor.Unknown)
}

// composite reports whether a component is a ragged value, or one of several that make a sparse
// one: rows of it are put one after the other in a batch, and not padded.
func (p *Predictor) composite(c int) bool {
	info, whole := p.f.signature.Inputs[p.paths[c]]
	return !whole || info.Encoding != savedmodel.Dense
}

// spread picks some of the rows: the shortest, the longest, and others between these.
func (p *Predictor) spread(rows []dataset.Element) []dataset.Element {
	sorted := slices.Clone(rows)
	slices.SortStableFunc(sorted, func(a, b dataset.Element) int { return cmp.Compare(p.trialLength(a), p.trialLength(b)) })
	if len(sorted) <= trialRows {
		return sorted
	}
	picked := make([]dataset.Element, trialRows)
	for i := range picked {
		picked[i] = sorted[i*(len(sorted)-1)/(trialRows-1)]
	}
	return picked
}

// trialLength is the number of steps of a row's longest open axis, or of words of its longest text.
func (p *Predictor) trialLength(row dataset.Element) int64 {
	n := int64(0)
	for c, t := range row.Tensors {
		for _, axis := range p.openAxes(c, t) {
			n = max(n, t.Dims()[axis])
		}
		for _, s := range t.Strings() {
			if !p.records {
				n = max(n, int64(len(strings.Fields(s))))
			}
		}
	}
	return n
}

// beginning returns the first steps of a row along all its open axes, and the first words of its
// texts.
func (p *Predictor) beginning(row dataset.Element, steps int64) (dataset.Element, error) {
	short := row.Clone()
	for c, t := range short.Tensors {
		open := p.openAxes(c, t)
		if len(open) > 0 {
			dims := slices.Clone(t.Dims())
			for _, axis := range open {
				dims[axis] = min(dims[axis], steps)
			}
			dims[open[0]] = max(dims[open[0]], min(t.Dims()[open[0]], p.o.PadTo[p.spec.Paths()[c]]))
			cut, err := corner(t, dims)
			if err != nil {
				return short, err
			}
			short.Tensors[c] = cut
			continue
		}
		for i, s := range t.Strings() {
			if words := strings.Fields(s); int64(len(words)) > steps && !p.records {
				t.Strings()[i] = strings.Join(words[:steps], " ")
			}
		}
	}
	return short, nil
}

// runAlone makes the subjects, and gets the answer of each alone. Rows of the data come first, then
// their beginnings from the shortest up.
func (t *trials) runAlone(ctx context.Context, rows []dataset.Element) error {
	var list []subject
	most := int64(0)
	for _, row := range rows {
		n := t.p.trialLength(row)
		list = append(list, subject{trial: trial{row: row.Row, steps: n, whole: n}, row: row})
		most = max(most, n)
	}
	for steps := int64(1); steps < most; steps *= 2 {
		for _, row := range rows {
			if n := t.p.trialLength(row); steps < n {
				short, err := t.p.beginning(row, steps)
				if err != nil {
					return err
				}
				list = append(list, subject{trial: trial{row: row.Row, steps: steps, whole: n}, row: short})
			}
		}
	}
	slowest, largest := time.Duration(1), 1
	for i, s := range list[:min(len(list), trialSubjects)] {
		if i >= trialRows && time.Now().After(t.until) {
			break
		}
		start := time.Now()
		found, err := t.p.collect(ctx, dataset.FromElements(t.p.spec, s.row))
		if i > 0 { // the first run takes TensorFlow's preparations
			slowest = max(slowest, time.Since(start))
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			t.verdict.Company.refused(1, err)
			t.verdict.Padding.refused(1, err)
			continue
		}
		s.alone = found[0].Values
		for _, x := range s.row.Tensors {
			largest = max(largest, x.Len())
		}
		t.subjects = append(t.subjects, s)
	}
	slices.SortStableFunc(t.subjects, func(a, b subject) int { return cmp.Compare(a.steps, b.steps) })
	t.until = time.Now().Add(trialTime)
	t.most = max(min(trialBatch, trialValues/largest, int(trialTime/slowest)), 3)
	if t.p.fixed > 0 {
		t.most = int(min(int64(t.most), t.p.fixed))
	}
	return nil
}

// refused notes that a batch of so many rows could not be run, and why.
func (f *Finding) refused(rows int, err error) {
	f.Refused += rows
	f.Err = reasonOf(err)
}

// reasonOf returns an error without the numbers of rows, which mean nothing outside a trial.
func reasonOf(err error) error {
	var batch *BatchError
	var row *RowError
	switch {
	case errors.As(err, &batch):
		return batch.Err
	case errors.As(err, &row):
		return row.Err
	}
	return err
}

// compare runs a batch, and compares the rows' answers with those that they get alone. Rows that
// have no such answer are there for company. A batch that is refused is tried in halves.
func (t *trials) compare(ctx context.Context, p *Predictor, f *Finding, batch []subject) error {
	if !slices.ContainsFunc(batch, func(s subject) bool { return s.alone != nil }) {
		return nil
	}
	q := p
	if p.fixed == 0 {
		q = p.with(func(o *PredictOptions) { o.BatchSize = len(batch) })
	}
	elements, longest := make([]dataset.Element, len(batch)), p.widest()
	for i, s := range batch {
		elements[i] = s.row
		if f == &t.verdict.Padding && p.widest() == 0 {
			longest = max(longest, s.steps)
		}
	}
	found, err := q.collectInOrder(ctx, elements)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && len(batch) > 1:
		half := len(batch) / 2
		return errors.Join(t.compare(ctx, p, f, batch[:half]), t.compare(ctx, p, f, batch[half:]))
	case err != nil:
		f.refused(1, err)
		return nil
	}
	for i, s := range batch {
		if s.alone == nil {
			continue
		}
		s.paddedTo = longest
		compareAll(f.Effects, s.trial, s.alone, found[i].Values)
		f.Trials++
		f.PaddedTo = max(f.PaddedTo, longest)
	}
	return nil
}

// collectInOrder runs rows as one batch and returns their results by their places.
func (p *Predictor) collectInOrder(ctx context.Context, rows []dataset.Element) ([]Result, error) {
	numbered := slices.Clone(rows)
	for i := range numbered {
		numbered[i].Row = int64(i)
	}
	results, err := p.collect(ctx, dataset.FromElements(p.spec, numbered...))
	if err == nil && len(results) != len(rows) {
		return nil, fmt.Errorf("%d results for %d rows", len(results), len(rows))
	}
	return results, err
}

// company runs subjects of equal shapes together, in a random order, and then a subject of each
// shape among rows that are made of it.
func (t *trials) company(ctx context.Context) error {
	groups, order := map[string][]subject{}, []string{}
	for _, s := range t.subjects {
		key := t.p.shapesOf(s.row)
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], s)
	}
	for i, key := range order {
		if i > 1 && time.Now().After(t.until) {
			break
		}
		group := groups[key]
		t.shuffle(group)
		var batches [][]subject
		for chunk := range slices.Chunk(group, t.most) {
			batches = append(batches, chunk)
		}
		for _, made := range t.changed(group[0]) {
			batches = append(batches, []subject{made, group[0], made}, []subject{group[len(group)-1], made})
		}
		for _, b := range batches {
			b = b[:min(len(b), t.most)]
			if len(b) < 2 {
				continue
			}
			if err := t.compare(ctx, t.p, &t.verdict.Company, b); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *trials) shuffle(list []subject) {
	t.rng.Shuffle(len(list), func(i, k int) { list[i], list[k] = list[k], list[i] })
}

// changed returns two rows of a subject's shapes to run beside it: the subject's values in reverse
// order, and zeros. They have no answers to compare.
func (t *trials) changed(s subject) []subject {
	backwards, zeros := s.row.Clone(), s.row.Clone()
	for c, x := range backwards.Tensors {
		if t.p.composite(c) || t.p.components[c].Ragged {
			continue
		}
		slices.Reverse(x.Strings())
		size := x.DType().Size()
		for i, k := 0, x.Len()-1; i < k && size > 0; i, k = i+1, k-1 {
			for b := range size {
				x.Bytes()[i*size+b], x.Bytes()[k*size+b] = x.Bytes()[k*size+b], x.Bytes()[i*size+b]
			}
		}
		clear(zeros.Tensors[c].Bytes())
		clear(zeros.Tensors[c].Strings())
	}
	return []subject{{trial: s.trial, row: backwards}, {trial: s.trial, row: zeros}}
}

// padding runs subjects of unequal lengths together: for each length, the subjects up to it. Then
// it pads some to twice and four times the longest.
func (t *trials) padding(ctx context.Context) error {
	for i, longest := range t.lengths() {
		if i > 1 && time.Now().After(t.until) {
			break
		}
		n := 0
		for n < len(t.subjects) && t.subjects[n].steps <= longest {
			n++
		}
		// the last ones have that length
		batch := []subject{t.subjects[n-1]}
		rest := slices.Clone(t.subjects[:n-1])
		t.shuffle(rest)
		batch = append(batch, rest[:min(len(rest), t.most-1)]...)
		t.shuffle(batch)
		if len(batch) < 2 {
			continue
		}
		if err := t.compare(ctx, t.p, &t.verdict.Padding, batch); err != nil {
			return err
		}
	}
	for _, times := range []int64{2, 4} {
		if err := t.beyond(ctx, times); err != nil {
			return err
		}
	}
	return nil
}

// lengths lists the numbers of steps that subjects have, the longest first, then the others from
// the shortest up.
func (t *trials) lengths() []int64 {
	var list []int64
	for _, s := range t.subjects {
		if len(list) == 0 || s.steps > list[len(list)-1] {
			list = append(list, s.steps)
		}
	}
	if len(list) > 1 {
		list = append(list[len(list)-1:], list[:len(list)-1]...)
	}
	return list
}

// beyond pads the shortest and the longest subjects to several times the longest, as later rows may
// be longer than those that were looked at.
func (t *trials) beyond(ctx context.Context, times int64) error {
	if len(t.subjects) == 0 || time.Now().After(t.until) {
		return nil
	}
	batch := slices.Clone(t.subjects[:min(len(t.subjects), 4)])
	if last := t.subjects[len(t.subjects)-1]; len(batch) < len(t.subjects) {
		batch = append(batch, last)
	}
	batch = batch[:min(len(batch), t.most)]
	q := t.p.paddedBeyond(batch, times)
	if q == nil {
		return nil
	}
	for _, s := range batch { // one by one: where one length is refused, another may run
		if err := t.compare(ctx, q, &t.verdict.Padding, []subject{s}); err != nil {
			return err
		}
	}
	return nil
}

// paddedBeyond returns a predictor that pads the open axes to several times the longest of the
// batch, or nil where that would be too much.
func (p *Predictor) paddedBeyond(batch []subject, times int64) *Predictor {
	shapes := map[string]dataset.Dims{}
	for c, name := range p.spec.Paths() {
		if given := p.o.PaddedShapes[name]; given != nil {
			shapes[name] = given
			continue
		}
		open := p.openAxes(c, batch[0].row.Tensors[c])
		if len(open) == 0 {
			continue
		}
		dims := make(dataset.Dims, batch[0].row.Tensors[c].Rank())
		values := int64(1)
		for i := range dims {
			for _, s := range batch {
				dims[i] = max(dims[i], s.row.Tensors[c].Dims()[i])
			}
			if slices.Contains(open, i) {
				dims[i] = max(dims[i], 1) * times
			}
			if values *= max(dims[i], 1); values > beyondValues {
				return nil
			}
		}
		shapes[name] = dims
	}
	return p.with(func(o *PredictOptions) { o.PaddedShapes = shapes })
}

// widest is the longest axis that options pad batches to; 0 where the rows decide.
func (p *Predictor) widest() int64 {
	n := int64(0)
	for c, spec := range p.components {
		for i, d := range p.o.PaddedShapes[p.spec.Paths()[c]] {
			if i < spec.Shape.Rank() && spec.Shape.Dim(i) == tensor.Unknown {
				n = max(n, d)
			}
		}
	}
	return n
}

// collect runs rows and returns their results.
func (p *Predictor) collect(ctx context.Context, rows *dataset.Dataset) ([]Result, error) {
	var all []Result
	for r, err := range p.Predict(ctx, rows) {
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	if len(all) == 0 {
		return nil, errors.New("no results")
	}
	return all, nil
}
