package partfile

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"

	"github.com/tfrun/tfrun/dataset"
)

// GroupedWriter is a writer of a format whose rows are written in groups: Parquet's row groups,
// Arrow's record batches.
type GroupedWriter interface {
	Write(e dataset.Element) error
	Close() error
	// Grouped returns how many rows the groups hold that are written.
	Grouped() int64
}

// Groups writes a format of groups into a [File]. Where a group ends depends on its rows alone, so
// an interrupted run can only go on from the end of one; the rows of a group that is not full yet
// are kept in a side file, the tail, from which they are written again.
type Groups struct {
	w     GroupedWriter
	file  *File
	tail  *Spool
	codec rowCodec
	rows  int64 // written, by the runs before too
	state groupState
	buf   []byte
}

// groupState is what the journal keeps: how many rows the groups held, and the number of the tail's
// first row, which is a lower one where the last group has ended among the rows that were held back
// to find out the columns' types.
type groupState struct {
	Grouped int64 `json:"grouped"`
	Tail    int64 `json:"tail"`
}

// NewGroups takes the next side file for the tail, and goes on where the file's run has stopped.
// The rows that w takes have the components of spec and the extra columns named in keep.
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

// replayTail writes the rows of the tail that no group holds.
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
	if now := g.w.Grouped(); now == before || now < g.rows {
		return nil
	}
	return g.endTail()
}

// endTail begins a new tail when groups hold all rows. The journal has to know first.
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

// State returns what another writer has to know of the rows so far to go on with the next.
func (g *Groups) State() ([]byte, error) {
	g.state.Grouped = g.w.Grouped()
	return json.Marshal(g.state)
}

// Close writes the rows of the last group and makes the file whole, without closing it.
func (g *Groups) Close() error { return g.w.Close() }
