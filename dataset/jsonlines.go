package dataset

import (
	"bytes"
	"context"
	"io"

	"github.com/tfrun/tfrun/dataset/internal/ahead"
	"github.com/tfrun/tfrun/tensor"
)

// jsonlRows reads lines in one goroutine, decodes them in several, many at a time, and gives the
// rows in their order.
type jsonlRows struct {
	l lineReader // of the reading goroutine
	// likewise: what the reading ended with, when lines before it were still to be handed on
	ended error
	spec  Spec
	opts  JSONLOptions
	fixed []int // bytes of a row by component, where all rows are alike; otherwise nil

	blocks bool // rows are given out by the block, which is valid until the next

	pipe *ahead.Pipe[jsonJob]
	job  *jsonJob // whose rows are given out
	i    int      // the next of its rows
	row  int64    // the number of that row

	large chan struct{} // holds a token while a large job is on its way
	quit  chan struct{}

	parts []tensor.Tensor
	lists [][]Field
	nums  []int64
}

// A job ends when its lines have jobBytes, and is large beyond largeJob: of such ones only one is
// on its way.
const (
	jobBytes = 256 << 10
	largeJob = 4 << 20
)

// jsonJob is a run of lines, and what they hold.
type jsonJob struct {
	text  []byte
	lines []jsonLine
	large bool

	dec     *rowDecoder
	data    [][]byte  // by component: the values of all rows that are alike
	rows    []Element // of rows that differ
	tensors []tensor.Tensor
	err     error // of making dec
}

// jsonLine is a row of a job.
type jsonLine struct {
	lo, hi int // in the text
	name   string
	line   int64
	long   bool   // longer than allowed, and left out
	field  string // with bad
	bad    error
	extra  []Field // of rows that are alike, and of bad ones
}

// place says where the line stands.
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

// read fills a job with lines: as many as there are at hand, so that nobody who writes them slowly
// waits for more.
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
			return it.admit(j)
		}
	}
}

// admit lets a large job wait until the one before it is done with.
func (it *jsonlRows) admit(j *jsonJob) error {
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

// more reports whether a whole line can be read without waiting; of a document, whether that is
// likely.
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
			j.data[c] = make([]byte, 0, size) // single rows live on in it
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
				// a row's place is its number times its size
				j.data[c] = j.data[c][:len(j.data[c])+it.fixed[c]]
			} else {
				j.data[c] = append(j.data[c], e.Tensors[c].Bytes()...)
			}
		}
	}
}

// fill makes sure that there is a next row.
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

// release is done with a job.
func (it *jsonlRows) release() {
	if it.job == nil {
		return
	}
	if it.job.large {
		<-it.large
		it.job.text, it.job.data, it.job.rows = nil, nil, nil
		it.job.dec = nil // whose values may be as large
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

// badRow passes over the next row if it is bad, and returns its error.
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

// nextBlock gives the next rows at once, where all are alike.
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

// jsonlBlocks is the BlockReader of rows that are alike.
type jsonlBlocks struct{ *jsonlRows }

// NextBlock returns the next rows.
func (b jsonlBlocks) NextBlock(ctx context.Context, limit int) (RowBlock, error) {
	return b.nextBlock(ctx, limit)
}

// Close ends the reading.
func (b jsonlBlocks) Close() { b.close() }
