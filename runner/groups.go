package runner

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"

	"github.com/tfrun/tfrun/dataset/arrow"
	"github.com/tfrun/tfrun/dataset/parquet"
)

// groupedWriter is a writer of a format whose rows are written in groups.
type groupedWriter interface {
	elementWriter
	// Grouped returns how many rows the groups hold that are written.
	Grouped() int64
}

// groupWriter writes a format of groups into a part. Where a group ends depends on its rows alone,
// so an interrupted run can only go on from the end of one; the rows of a group that is not full
// yet are kept in a file of their own, the tail, from which they are written again.
type groupWriter struct {
	table   *tableWriter
	grouped groupedWriter
	part    *part
	tail    *spool
	codec   rowCodec
	rows    int64 // written, by the runs before too
	state   groupState
	buf     []byte
}

// groupState is what the journal keeps: how many rows the groups held, and the number of the tail's
// first row, which is a lower one where the last group has ended among the rows that were held back
// to find out the columns' types.
type groupState struct {
	Grouped int64 `json:"grouped"`
	Tail    int64 `json:"tail"`
}

// newGroupWriter takes the next side of the part for the tail, and goes on where the part's run has
// stopped.
func newGroupWriter(t table, open func() (groupedWriter, error)) (rowWriter, error) {
	g := &groupWriter{part: t.part, rows: t.part.rows, codec: newRowCodec(t)}
	w, err := newTableWriter(t, func() (elementWriter, error) {
		var err error
		g.grouped, err = open()
		return g.grouped, err
	})
	if err != nil {
		return nil, err
	}
	g.table = w
	if g.tail, err = t.part.side(); err != nil {
		return nil, err
	}
	if len(t.part.state) > 0 {
		if err := json.Unmarshal(t.part.state, &g.state); err != nil {
			return nil, &ResumeError{Output: t.part.path, Msg: damaged}
		}
	}
	return g, g.again()
}

// again writes the rows of the tail that no group holds.
func (g *groupWriter) again() error {
	if g.grouped.Grouped() != g.state.Grouped {
		return &ResumeError{Output: g.part.path, Msg: damaged}
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
			return &ResumeError{Output: g.part.path, Msg: damaged}
		}
		if row < g.state.Grouped {
			continue
		}
		if err := g.table.w.Write(e); err != nil {
			return err
		}
	}
	if row != g.rows {
		return &ResumeError{Output: g.part.path, Msg: damaged}
	}
	return nil
}

func (g *groupWriter) write(r Result) (err error) {
	e := g.table.element(r)
	if g.buf, err = g.codec.append(g.buf[:0], e); err != nil {
		return err
	}
	if _, err := g.tail.Write(g.buf); err != nil {
		return err
	}
	g.rows++
	before := g.grouped.Grouped()
	if err := g.table.w.Write(e); err != nil {
		return err
	}
	if now := g.grouped.Grouped(); now == before || now < g.rows {
		return nil
	}
	return g.endTail()
}

// endTail begins a new tail when groups hold all rows. The journal has to know first.
func (g *groupWriter) endTail() error {
	g.tail.forget()
	g.state.Tail = g.rows
	state, err := g.checkpoint()
	if err != nil {
		return err
	}
	if err := g.part.wrote(g.rows, state); err != nil {
		return err
	}
	return g.tail.cut(spoolNote{})
}

func (g *groupWriter) checkpoint() ([]byte, error) {
	g.state.Grouped = g.grouped.Grouped()
	return json.Marshal(g.state)
}

func (g *groupWriter) close() error { return g.table.close() }

func writeParquet(w io.Writer, t table) (rowWriter, error) {
	o := parquet.WriterOptions{Names: t.names, Keep: t.keep, GroupRows: t.group}
	if t.part == nil {
		return newTableWriter(t, func() (elementWriter, error) { return parquet.NewWriter(w, t.spec, o) })
	}
	log, err := t.part.side()
	if err != nil {
		return nil, err
	}
	r, err := log.Reader()
	if err != nil {
		return nil, err
	}
	if o.Resume, err = io.ReadAll(r); err != nil {
		return nil, outputError(t.part.path, err)
	}
	o.Log = log
	return newGroupWriter(t, func() (groupedWriter, error) { return parquet.NewWriter(w, t.spec, o) })
}

func writeArrow(w io.Writer, t table) (rowWriter, error) {
	o := arrow.WriterOptions{Names: t.names, Keep: t.keep, BatchRows: t.group}
	if t.part == nil {
		return newTableWriter(t, func() (elementWriter, error) { return arrow.NewWriter(w, t.spec, o) })
	}
	var err error
	if o.Resume, err = t.part.section(); err != nil {
		return nil, err
	}
	return newGroupWriter(t, func() (groupedWriter, error) { return arrow.NewWriter(w, t.spec, o) })
}
