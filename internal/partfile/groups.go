package partfile

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"

	"github.com/tfrun/tfrun/dataset"
)

// GroupedWriter is a writer of a format that writes rows in groups, such as Parquet's row groups
// and Arrow's record batches.
type GroupedWriter interface {
	Write(e dataset.Element) error
	// WriteBlock writes rows of a block, up to the end of a group, and returns how many.
	WriteBlock(b dataset.RowBlock) (int, error)
	Close() error
	// Grouped returns how many rows the groups written so far hold.
	Grouped() int64
}

// Groups writes a format with groups into a [File]. Where a group ends depends only on its rows, so
// an interrupted run can only go on at the end of a group. The rows of the group that is not full
// yet are therefore kept in a side file, the tail, and written once more by the next run.
type Groups struct {
	w     GroupedWriter
	file  *File
	tail  *Spool
	codec rowCodec
	rows  int64 // written so far, by earlier runs too
	state groupState
	buf   []byte
}

// groupState is what the journal keeps: how many rows the groups hold, and the number of the tail's
// first row. That one may be lower, if a group has ended among the rows that were held back to find
// out the columns' types.
type groupState struct {
	Grouped int64 `json:"grouped"`
	Tail    int64 `json:"tail"`
}

// NewGroups takes the next side file for the tail, and goes on where an interrupted run stopped.
// The rows for w have the components of spec and the kept columns named in keep.
func NewGroups(f *File, w GroupedWriter, spec dataset.Spec, keep []string) (_ *Groups, err error) {
	g := &Groups{w: w, file: f, rows: f.rows, codec: newRowCodec(spec, keep)}
	if g.tail, err = f.Side(); err != nil {
		return nil, err
	}
	if len(f.state) > 0 {
		if err := json.Unmarshal(f.state, &g.state); err != nil {
			return nil, &ResumeError{Output: f.path, Msg: damaged}
		}
	}
	return g, g.replayTail()
}

// replayTail writes the rows of the tail that are in no group.
func (g *Groups) replayTail() error {
	if g.w.Grouped() != g.state.Grouped {
		return &ResumeError{Output: g.file.path, Msg: damaged}
	}
	tail, err := g.tail.Reader()
	if err != nil {
		return err
	}
	r := bufio.NewReaderSize(tail, 256<<10)
	row := g.state.Tail
	for ; ; row++ {
		e, err := g.codec.read(r)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return &ResumeError{Output: g.file.path, Msg: damaged}
		}
		if row < g.state.Grouped {
			continue
		}
		if err := g.w.Write(e); err != nil {
			return err
		}
	}
	if row != g.rows {
		return &ResumeError{Output: g.file.path, Msg: damaged}
	}
	return nil
}

// Write adds a row.
func (g *Groups) Write(e dataset.Element) (err error) {
	if g.buf, err = g.codec.append(g.buf[:0], e); err != nil {
		return err
	}
	if _, err := g.tail.Write(g.buf); err != nil {
		return err
	}
	g.rows++
	before := g.w.Grouped()
	if err := g.w.Write(e); err != nil {
		return err
	}
	return g.written(before)
}

// WriteBlock adds rows of a block, up to the end of a group, and returns how many.
func (g *Groups) WriteBlock(b dataset.RowBlock) (n int, err error) {
	before := g.w.Grouped()
	if n, err = g.w.WriteBlock(b); err != nil {
		return n, err
	}
	g.buf = g.buf[:0]
	var e dataset.Element
	for i := range n {
		b.Get(i, &e)
		if g.buf, err = g.codec.append(g.buf, e); err != nil {
			return n, err
		}
	}
	if _, err := g.tail.Write(g.buf); err != nil {
		return n, err
	}
	g.rows += int64(n)
	return n, g.written(before)
}

// written begins a new tail if the groups, which held so many rows before, now hold all.
func (g *Groups) written(before int64) error {
	if now := g.w.Grouped(); now == before || now < g.rows {
		return nil
	}
	return g.endTail()
}

// endTail begins a new tail once the groups hold all rows. The journal gets a line before that.
func (g *Groups) endTail() error {
	g.tail.restart()
	g.state.Tail = g.rows
	state, err := g.State()
	if err != nil {
		return err
	}
	if err := g.file.Checkpoint(g.rows, state); err != nil {
		return err
	}
	g.codec.restart()
	return g.tail.truncate(spoolMark{})
}

// State returns what a later writer has to know to go on with the next row.
func (g *Groups) State() ([]byte, error) {
	g.state.Grouped = g.w.Grouped()
	return json.Marshal(g.state)
}

// Close writes the last group and completes the file's contents. It does not close the file.
func (g *Groups) Close() error { return g.w.Close() }
