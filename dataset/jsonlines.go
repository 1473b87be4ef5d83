package dataset

import (
	"bytes"
	"context"
	"io"

	"github.com/tfrun/tfrun/dataset/internal/ahead"
	"github.com/tfrun/tfrun/tensor"
)

// jsonlRows is the reader of [JSONLFiles]: one goroutine reads lines, several decode many lines
// each, and the rows come out in the order of their lines.
type jsonlRows struct {
	l lineReader // of the reading goroutine
	// ended is the error that the reading ended with. It belongs to the reading goroutine, and
	// waits there until the lines before it are handed on.
	ended error
	spec  Spec
	opts  JSONLOptions
	fixed []int // bytes of a row by component, where all rows have one shape; otherwise nil

	blocks bool // rows are given out by the block; a block is valid until the next

	pipe *ahead.Pipe[jsonJob]
	job  *jsonJob // the job whose rows are given out
	i    int      // index of its next row
	row  int64    // the number of that row

	large chan struct{} // holds a token while a large job is being decoded or given out
	quit  chan struct{}

	parts []tensor.Tensor
	lists [][]Field
	nums  []int64
}

// A job ends when its lines have jobBytes. A job beyond largeJob is large: only one large job is
// decoded or given out at a time.
const (
	jobBytes = 256 << 10
	largeJob = 4 << 20
)

// jsonJob is a run of lines, and the rows that they hold.
type jsonJob struct {
	text  []byte
	lines []jsonLine
	large bool

	dec     *rowDecoder
	data    [][]byte  // by component: the values of all rows, where all have one shape
	rows    []Element // the rows, where shapes differ
	tensors []tensor.Tensor
	err     error // of making dec
}

// jsonLine is one line of a job: a row, or what is wrong with it.
type jsonLine struct {
	lo, hi int // where the line is in the job's text
	name   string
	line   int64
	long   bool   // longer than allowed, and left out
	field  string // path of the component at fault; only with bad
	bad    error
	extra  []Field // kept keys of a bad row, or of any row where all have one shape
}

// place returns the file and line number.
func (l *jsonLine) place() Place { return Place{File: l.name, Line: l.line} }

func newJSONLRows(l lineReader, spec Spec, opts JSONLOptions) *jsonlRows {
	it := &jsonlRows{l: l, spec: spec, opts: opts, large: make(chan struct{}, 1), quit: make(chan struct{})}
	for _, c := range spec.Flatten() {
		n, ok := tensor.NumElements(c.Shape.Dims())
		if !ok || !c.Shape.FullyKnown() || c.Ragged || c.DType == tensor.String || n == 0 || n > jobBytes {
			it.fixed = nil
			break
		}
		it.fixed = append(it.fixed, int(n)*c.DType.Size())
	}
	return it
}

// read fills a job with lines: at least one, then those that can be read without waiting. A writer
// who writes slowly gets results for each line so.
func (it *jsonlRows) read(j *jsonJob) error {
	if it.ended != nil {
		return it.ended
	}
	j.text, j.lines, j.large = j.text[:0], j.lines[:0], false
	for {
		line, err := it.l.read()
		switch {
		case err == errLineTooLong: //nolint:errorlint // read returns it bare
			j.lines = append(j.lines, jsonLine{name: it.l.name, line: it.l.line, long: true})
		case err != nil && len(j.lines) == 0:
			return err
		case err != nil:
			it.ended = err
			return nil
		case !blank(line):
			at := len(j.text)
			j.text = append(j.text, line...)
			j.lines = append(j.lines, jsonLine{lo: at, hi: len(j.text), name: it.l.name, line: it.l.line})
		}
		if len(j.lines) > 0 && (len(j.text) >= jobBytes || !it.l.more()) {
			return it.waitIfLarge(j)
		}
	}
}

// waitIfLarge makes a large job wait until the large job before it is released.
func (it *jsonlRows) waitIfLarge(j *jsonJob) error {
	if j.large = len(j.text) > largeJob; !j.large {
		return nil
	}
	select {
	case it.large <- struct{}{}:
		return nil
	case <-it.quit:
		return io.EOF
	}
}

// more reports whether a whole line can be read without waiting. For a document the answer is a
// guess: yes where a value or an array seems to end in the buffer.
func (l *lineReader) more() bool {
	if l.file == nil || l.skip {
		return false
	}
	b, _ := l.buf.Peek(l.buf.Buffered())
	if l.doc != nil {
		return l.doc.Holds() || bytes.IndexByte(b, '}') >= 0 || bytes.IndexByte(b, ']') >= 0
	}
	return bytes.IndexByte(b, '\n') >= 0
}

// decode reads the values of a job's lines.
func (it *jsonlRows) decode(j *jsonJob) {
	if j.dec == nil {
		if j.dec, j.err = newRowDecoder(it.spec, it.opts); j.err != nil {
			return
		}
		j.dec.arena.Keep = it.fixed == nil
		j.data = make([][]byte, len(it.fixed))
	}
	n := len(j.dec.cols)
	for c := range j.data {
		if size := it.fixed[c] * len(j.lines); !it.blocks || cap(j.data[c]) < size {
			// Single rows share this memory, and may be kept.
			j.data[c] = make([]byte, 0, size)
		}
		j.data[c] = j.data[c][:0]
	}
	if it.fixed == nil {
		j.rows = append(j.rows[:0], make([]Element, len(j.lines))...)
		j.tensors = make([]tensor.Tensor, n*len(j.lines))
	}
	var e Element
	for i := range j.lines {
		l := &j.lines[i]
		if it.fixed == nil {
			e.Tensors = j.tensors[i*n : i*n : (i+1)*n]
		}
		e.reset(0)
		if !l.long {
			if l.bad = j.dec.decode(j.text[l.lo:l.hi], &e); l.bad != nil {
				l.field = j.dec.field
				l.extra = j.dec.salvage(j.text[l.lo:l.hi])
			}
		}
		if it.fixed == nil {
			j.rows[i] = e
			continue
		}
		if l.bad == nil {
			l.extra = e.Extra
		}
		for c := range j.data {
			if l.long || l.bad != nil {
				// A bad row takes room too: a row's place in data is its number times its size.
				j.data[c] = j.data[c][:len(j.data[c])+it.fixed[c]]
			} else {
				j.data[c] = append(j.data[c], e.Tensors[c].Bytes()...)
			}
		}
	}
}

// fill waits for a job with a row that has not been given out.
func (it *jsonlRows) fill(ctx context.Context) error {
	if it.pipe == nil {
		it.pipe = ahead.Start(ahead.Workers(), it.read, it.decode, it.l.close)
	}
	for it.job == nil || it.i == len(it.job.lines) {
		it.release()
		j, err := it.pipe.Next(ctx)
		if err != nil {
			return err
		}
		it.job, it.i = j, 0
		if j.err != nil {
			return j.err
		}
	}
	return nil
}

// release hands the finished job back to be filled again.
func (it *jsonlRows) release() {
	if it.job == nil {
		return
	}
	if it.job.large {
		<-it.large
		it.job.text, it.job.data, it.job.rows = nil, nil, nil
		// The decoder keeps values of the last rows, which may be as large.
		it.job.dec = nil
	}
	it.pipe.Release(it.job)
	it.job = nil
}

// next sets e to the next row.
func (it *jsonlRows) next(ctx context.Context, e *Element) error {
	if err := it.fill(ctx); err != nil {
		return err
	}
	i := it.i
	if err := it.badRow(); err != nil {
		return err
	}
	it.i++
	it.row++
	if it.fixed == nil {
		e.set(&it.job.rows[i])
		e.Row, e.Place = it.row-1, it.job.lines[i].place()
		return nil
	}
	e.reset(it.row - 1)
	for c, size := range it.fixed {
		comp := &it.job.dec.cols[c].Component
		e.Tensors = append(e.Tensors, must(tensor.Share(comp.DType, it.job.data[c][i*size:(i+1)*size:(i+1)*size], comp.Shape.Dims())))
	}
	e.Extra, e.Place = it.job.lines[i].extra, it.job.lines[i].place()
	return nil
}

// badRow returns the error of the next row and passes over the row, if it is bad.
func (it *jsonlRows) badRow() error {
	l := &it.job.lines[it.i]
	if !l.long && l.bad == nil {
		return nil
	}
	row := it.row
	it.i++
	it.row++
	if l.long {
		return tooLongLine(l.name, l.line, it.l.max, row)
	}
	return &SyntaxError{File: l.name, Line: l.line, Row: row, Field: l.field, Msg: l.bad.Error(), Err: causeOf(l.bad), Extra: l.extra}
}

// nextBlock gives out the next rows as one block; all rows must have one shape.
func (it *jsonlRows) nextBlock(ctx context.Context, limit int) (RowBlock, error) {
	if err := it.fill(ctx); err != nil {
		return RowBlock{}, err
	}
	if err := it.badRow(); err != nil {
		return RowBlock{}, err
	}
	j, lo, hi := it.job, it.i, it.i
	it.nums = it.nums[:0]
	for hi < len(j.lines) && (limit <= 0 || hi-lo < limit) && !j.lines[hi].long && j.lines[hi].bad == nil && j.lines[hi].name == j.lines[lo].name {
		it.nums = append(it.nums, j.lines[hi].line)
		hi++
	}
	b := RowBlock{Row: it.row, Places: Places{File: j.lines[lo].name, Lines: it.nums}}
	it.parts = it.parts[:0]
	for c, size := range it.fixed {
		comp := &j.dec.cols[c].Component
		dims := append([]int64{int64(hi - lo)}, comp.Shape.Dims()...)
		it.parts = append(it.parts, must(tensor.Share(comp.DType, j.data[c][lo*size:hi*size:hi*size], dims)))
	}
	b.Tensors = it.parts
	if len(it.opts.Keep) > 0 {
		it.lists = it.lists[:0]
		for _, l := range j.lines[lo:hi] {
			it.lists = append(it.lists, l.extra)
		}
		b.Extra = it.lists
	}
	it.i = hi
	it.row += int64(hi - lo)
	return b, nil
}

func (it *jsonlRows) close() {
	close(it.quit)
	if it.pipe != nil {
		it.pipe.Close()
	}
}

// jsonlBlocks is the [BlockReader] of rows that have one shape.
type jsonlBlocks struct{ *jsonlRows }

// NextBlock returns the next rows.
func (b jsonlBlocks) NextBlock(ctx context.Context, limit int) (RowBlock, error) {
	return b.nextBlock(ctx, limit)
}

// Close ends the reading.
func (b jsonlBlocks) Close() { b.close() }
