package csv

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/dataset"
)

// String describes the dialect: "separated by commas, 4 columns, named by the first row".
func (d Dialect) String() string {
	columns := fmt.Sprintf("%d columns", d.Columns)
	if d.Columns == 1 {
		columns = "1 column"
	}
	names := "without a row of names"
	if d.Header {
		names = "named by the first row"
	}
	quotes := ""
	switch d.Quote {
	case '"':
	case 0:
		quotes = ", quotes are text"
	default:
		quotes = fmt.Sprintf(", quoted by %q", d.Quote)
	}
	return fmt.Sprintf("separated by %s, %s, %s%s", commaName(d.Comma), columns, names, quotes)
}

func commaName(c byte) string {
	switch c {
	case ',':
		return "commas"
	case '\t':
		return "tabs"
	case ';':
		return "semicolons"
	case ' ':
		return "spaces"
	}
	return strconv.QuoteRune(rune(c))
}

// commas are the separators that are tried. Of two that a row has equally often the first one is
// taken.
var commas = []byte(",\t;|")

// headSize is how many bytes of a file are looked at before its first row is read. A longer first
// row is looked at whole.
const headSize = 64 << 10

// begin looks at the beginning of the file and finds out what the options leave open. It returns
// the names of the columns, nil where the file has no row at all. The rows after the names are
// still to be read.
func (c *chunks) begin(o Options) (names []string, d Dialect, err error) {
	head, from, end, err := c.head()
	if err != nil || end < 0 {
		return nil, d, err
	}
	row := head[from:end]
	if c.d.comma == 0 {
		c.d.comma = mostly(c.d.count(row))
	}
	names, _ = c.d.split(row)
	if len(names) > maxColumns {
		return nil, d, fmt.Errorf("%s:1: more than %d columns", c.name, maxColumns)
	}
	d = Dialect{Comma: c.d.comma, Quote: c.d.quote, Columns: len(names), Header: o.Header == WithHeader}
	if o.Header == DetectHeader {
		rows := head[end:]
		d.Header, d.Unsure = c.d.isHeader(names, rows[:c.d.lastEnd(rows, c.eof)])
	}
	if d.Header {
		from = end
	} else {
		names = numbered(len(names))
	}
	c.line += int64(countEnds(head[:from]))
	if rest := bytes.NewReader(head[from:]); c.eof {
		c.r = rest
	} else {
		c.r = io.MultiReader(rest, c.r)
	}
	c.eof = false
	return names, d, nil
}

// head reads the beginning of the file, up to the end of the first row at least. That row is
// head[from:end]; end is -1 where the file has none.
func (c *chunks) head() (head []byte, from, end int, err error) {
	for size := headSize; ; size *= 2 {
		if head, err = c.fill(head, size); err != nil {
			return nil, 0, 0, err
		}
		if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
			return nil, 0, 0, fmt.Errorf("%s: the file is in UTF-16; save it as UTF-8", c.name)
		}
		text := bytes.TrimPrefix(head, []byte("\ufeff"))
		if c.eof && len(text) > 0 && !isEnd(text[len(text)-1]) {
			text = append(text, '\n')
		}
		from, lines := c.d.skip(text, 0)
		if comma, n := separatorLine(text[from:]); n > 0 {
			c.d.comma = cmp.Or(c.d.comma, comma)
			from, lines = c.d.skip(text, from+n)
		}
		end := c.d.firstEnd(text[from:], c.eof)
		switch {
		case end > 0:
			return text, from, from + end, nil
		case c.eof && from == len(text):
			return nil, 0, -1, nil
		case c.eof:
			return nil, 0, 0, c.noEnd(int64(lines) + 1)
		case len(text)-from > c.max:
			return nil, 0, 0, c.tooLong(int64(lines) + 1)
		}
	}
}

// separatorLine reads the line "sep=;", in quotes or without, with which a file tells Excel its
// separator before the row of names. n is the length of the line, 0 where b begins with something
// else.
func separatorLine(b []byte) (comma byte, n int) {
	line, _, found := bytes.Cut(b[:min(len(b), 16)], []byte("\n"))
	if !found {
		line, _, found = bytes.Cut(line, []byte("\r"))
	}
	line = bytes.TrimSuffix(line, []byte("\r"))
	if unquoted, ok := bytes.CutPrefix(line, []byte(`"`)); ok {
		line = bytes.TrimSuffix(unquoted, []byte(`"`))
	}
	if text, ok := bytes.CutPrefix(line, []byte("sep=")); ok && found && len(text) == 1 && text[0] < 0x80 {
		return text[0], afterEnd(b, bytes.IndexAny(b, "\r\n"))
	}
	return 0, 0
}

// firstEnd returns the index after the row that begins b, or 0 where the row does not end in b; for
// whole see lastEnd. Where the separator is not known yet, a quote after any possible separator
// begins a quoted field.
func (d dialect) firstEnd(b []byte, whole bool) int {
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\n' || c == '\r' && (whole || i+1 < len(b)):
			return afterEnd(b, i)
		case c == d.quote && c != 0 && (i == 0 || d.separates(b[i-1])):
			if i = d.closing(b, i+1) - 1; i < 0 {
				return 0
			}
		}
	}
	return 0
}

// separates reports whether c is the separator, or one of the possible ones where it is not known.
func (d dialect) separates(c byte) bool {
	return c == d.comma || d.comma == 0 && bytes.IndexByte(commas, c) >= 0
}

// count returns how often each of commas stands in a row outside of quotes.
func (d dialect) count(row []byte) (n [4]int) {
	for i := 0; i < len(row); i++ {
		if row[i] == d.quote && d.quote != 0 && (i == 0 || d.separates(row[i-1])) {
			if i = d.closing(row, i+1) - 1; i < 0 {
				return n
			}
		} else if k := bytes.IndexByte(commas, row[i]); k >= 0 {
			n[k]++
		}
	}
	return n
}

// mostly returns the separator with the highest count.
func mostly(n [4]int) byte { return commas[slices.Index(n[:], slices.Max(n[:]))] }

// isHeader reports whether a file's first row holds names, which it does unless it is all numbers.
// A row that counts 0, 1, 2, … may be the names that pandas gives to columns without names. It is
// taken for names if the rows after it have a column without whole numbers, as pandas writes a
// column of floats. Otherwise it is taken for data, so that no data is lost, and unsure is set.
func (d dialect) isHeader(cells []string, rows []byte) (header, unsure bool) {
	first := 0
	if cells[0] == "" && len(cells) > 1 {
		first = 1 // pandas' index has an empty name
	}
	counting := len(cells) > 1
	for i, c := range cells[first:] {
		if _, err := strconv.ParseFloat(strings.TrimSpace(c), 64); err != nil && !errors.Is(err, strconv.ErrRange) {
			return true, false
		}
		counting = counting && c == strconv.Itoa(i)
	}
	if !counting || first > 0 {
		return counting, false
	}
	whole := make([]bool, len(cells)) // by column: a row has a whole number there
	n := 0
	for i := 0; n < sampleRows; n++ {
		i, _ = d.skip(rows, i)
		if i == len(rows) {
			break
		}
		row, size := d.split(rows[i:])
		i += size
		for k := range min(len(whole), len(row)) {
			_, err := strconv.ParseInt(row[k], 10, 64)
			whole[k] = whole[k] || err == nil
		}
	}
	header = n > 0 && slices.Contains(whole, false)
	return header, !header
}

func numbered(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = strconv.Itoa(i)
	}
	return out
}

// Sniff returns how a file would be read.
func Sniff(o Options, name string) (d Dialect, err error) {
	c, err := openChunks(name, o)
	if err != nil {
		return d, err
	}
	_, d, err = c.begin(o)
	return d, errors.Join(err, c.Close())
}

// sampleRows is the number of rows that [Columns] looks at.
const sampleRows = 1000

// Columns lists the columns of a file, with the types that its first rows have. It uses the options
// that say how the file is read; those that choose columns make no difference.
func Columns(o Options, name string) ([]dataset.Column, error) {
	c, err := openChunks(name, o)
	if err != nil {
		return nil, err
	}
	defer c.Close() //nolint:errcheck // nothing was written
	names, _, err := c.begin(o)
	if err != nil || names == nil {
		return nil, err
	}
	b, _, err := c.next(nil)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	types := make([]cellType, len(names))
	for n, i := 0, 0; n < sampleRows; n++ {
		if i, _ = c.d.skip(b, i); i == len(b) {
			break
		}
		row, size := c.d.split(b[i:])
		i += size
		for k, cell := range row {
			if k < len(types) && !slices.Contains(o.Null, cell) {
				types[k] = types[k].with(typeOf(strings.TrimSpace(cell)))
			}
		}
	}
	out := make([]dataset.Column, len(names))
	for k, name := range names {
		out[k] = types[k].column(name)
	}
	return out, nil
}
