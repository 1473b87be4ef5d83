package tfrecord

import (
	"fmt"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/block"
)

// parse reads the records.
func (j *job) parse() {
	j.bad, j.kept, j.text = nil, j.kept[:0], j.text[:0]
	if len(j.stores) != len(j.p.comps) {
		j.stores = make([]store, len(j.p.comps))
	}
	for c := range j.stores {
		s := &j.stores[c]
		s.data, s.text, s.spans, s.starts, s.dims, s.dimsAt, s.splits = s.data[:0], s.text[:0], s.spans[:0], s.starts[:0], s.dims[:0], s.dimsAt[:0], s.splits[:0]
	}
	corrupt := j.corrupt
	from := 0
	for i, end := range j.ends {
		var path, msg string
		stored := len(j.text)
		j.begin()
		switch {
		case len(corrupt) > 0 && corrupt[0] == i:
			corrupt, msg = corrupt[1:], errChecksum.Error()
		case j.p.whole != nil:
			path, msg = j.putWhole(j.buf[from:end])
		default:
			path, msg = j.record(j.buf[from:end])
		}
		if msg == "" {
			path, msg = j.complete()
		}
		var err error
		if int64(len(j.text)-stored) > j.p.mostKept {
			clear(j.kept[len(j.kept)-len(j.p.keep):])
			if msg == "" {
				err = dataset.KeptError(j.p.mostKept)
				path, msg = "", err.Error()
			}
		}
		if msg != "" {
			j.bad = append(j.bad, block.Bad{Index: i, Field: path, Msg: msg, Err: err})
			j.drop(i)
		}
		from = end
	}
	j.finish()
}

// begin starts a row.
func (j *job) begin() {
	for c := range j.stores {
		s := &j.stores[c]
		s.seen, s.slots = false, s.slots[:0]
		s.starts = append(s.starts, s.len(j.p.comps[c].DType.Size()))
		s.dimsAt = append(s.dimsAt, len(s.dims))
	}
	j.kept = append(j.kept, make([]keptField, len(j.p.keep))...)
}

// drop removes what row i, the last one, has stored, and leaves an empty row in its place.
func (j *job) drop(i int) {
	for c := range j.stores {
		s, comp := &j.stores[c], &j.p.comps[c]
		s.truncate(s.starts[i], comp.DType.Size())
		s.dims = append(s.dims[:s.dimsAt[i]], 0)
		if comp.Ragged {
			s.splits = append(s.splits[:i], nil)
		}
	}
}

// record reads the features of a serialized Example or SequenceExample.
func (j *job) record(b []byte) (path, msg string) {
	err := eachField(b, func(number uint64, wire byte, data []byte) error {
		if wire != wireBytes && number <= 2 {
			return errWire
		}
		if number > 2 {
			return nil
		}
		return eachField(data, func(inner uint64, wire byte, data []byte) error {
			if inner != 1 {
				return nil
			}
			if wire != wireBytes {
				return errWire
			}
			key, value, err := entry(data)
			if err != nil {
				return err
			}
			for _, t := range j.p.targets[string(key)] {
				if msg != "" && t.to < len(j.p.comps) {
					// The kept values of a bad row count, so reading goes on.
					continue
				}
				where, what := j.set(t, value, number == 2)
				if msg == "" {
					path, msg = where, what
				}
			}
			return nil
		})
	})
	if err != nil && msg == "" {
		return "", err.Error()
	}
	return path, msg
}

// errRow ends the reading of a row. Its path and message are set already.
var errRow = fmt.Errorf("row")

// set stores a feature, or a list of features, in a component or a kept column.
func (j *job) set(t target, value []byte, list bool) (path, msg string) {
	if k := t.to - len(j.p.comps); k >= 0 {
		return j.setKept(k, value, list)
	}
	comp := &j.p.comps[t.to]
	if t.slot >= 0 {
		return comp.names[t.slot], j.beside(t, value, list)
	}
	s := &j.stores[t.to]
	if s.seen {
		return comp.path, "the feature stands twice in the row"
	}
	s.seen = true
	if list {
		return comp.path, j.steps(t.to, value)
	}
	before := s.len(comp.DType.Size())
	if msg := j.append(t.to, value); msg != "" {
		return comp.path, msg
	}
	msg = j.shape(t.to, nil)
	if msg != "" && s.len(comp.DType.Size()) == before && s.putFill(comp) {
		msg = j.shape(t.to, nil)
	}
	return comp.path, msg
}

// steps stores a list of features in a component.
func (j *job) steps(target int, value []byte) (msg string) {
	s, size := &j.stores[target], j.p.comps[target].DType.Size()
	steps := []int64{}
	err := eachField(value, func(number uint64, wire byte, data []byte) error {
		if number != 1 || wire != wireBytes {
			return errWire
		}
		before := s.len(size)
		if msg = j.append(target, data); msg != "" {
			return errRow
		}
		steps = append(steps, int64(s.len(size)-before))
		return nil
	})
	if err != nil && msg == "" {
		msg = err.Error()
	}
	if msg != "" {
		return msg
	}
	return j.shape(target, steps)
}

// beside stores the single value of a feature whose component is read from several features.
func (j *job) beside(t target, value []byte, list bool) (msg string) {
	s, size := &j.stores[t.to], j.p.comps[t.to].DType.Size()
	if slices.Contains(s.slots, t.slot) {
		return "the feature stands twice in the row"
	}
	if list {
		return "want a single value to stand beside the others, got a feature list"
	}
	before := s.len(size)
	if msg := j.append(t.to, value); msg != "" {
		return msg
	}
	switch n := s.len(size) - before; n {
	case 0: // no value counts as no feature
	case 1:
		s.slots = append(s.slots, t.slot)
	default:
		return fmt.Sprintf("want a single value to stand beside the others, got %d", n)
	}
	return ""
}

// finish makes the block.
func (j *job) finish() {
	j.block = block.Block{File: j.p.file, Rows: len(j.ends), FileRow: j.first, Bad: j.bad, Columns: j.block.Columns[:0]}
	for c := range j.stores {
		j.block.Columns = append(j.block.Columns, j.stores[c].column(&j.p.comps[c].Component))
	}
	if len(j.p.keep) > 0 {
		j.block.Extra = func(i int, dst []dataset.Field) []dataset.Field {
			for k, key := range j.p.keep {
				if f := j.kept[i*len(j.p.keep)+k]; f.has {
					dst = append(dst, f.field(key, j.text))
				}
			}
			return dst
		}
	}
}
