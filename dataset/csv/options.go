package csv

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/tfrun/tfrun/dataset"
)

// Header says whether a file's first line holds the names of its columns.
type Header uint8

// The choices of [Options.Header].
const (
	DetectHeader Header = iota // see the package's section on the format
	WithHeader
	WithoutHeader
)

// Options says how files are read. The zero value is right for most.
type Options struct {
	// Open opens a file. nil: [dataset.OpenFile].
	Open dataset.Opener
	// Columns gives a component, by its path in the spec, the column that it is read from, or
	// several, whose values stand side by side in it; a name with * stands for all columns that
	// match. A component without an entry is read from the column of its name. Failing that, the
	// only component is read from the only column, or, where a row of it has as many values as
	// columns are left, from all of them.
	Columns map[string][]string
	// Keep lists columns whose cells go to [dataset.Element.Extra] as JSON, in this order: as a
	// number where the cell is one, as a boolean where it is true or false (True, TRUE), as null
	// where it is missing, see Null, otherwise as a string.
	Keep []string
	// Header: whether there is one.
	Header Header
	// Comma separates the fields. 0: a tab in files named .tsv or .tab, otherwise what the first
	// row has most of: commas, tabs, semicolons or bars.
	Comma byte
	// Quote encloses fields that hold separators or line ends; it is doubled within them. 0: ".
	Quote byte
	// NoQuotes takes quotes as text: every line is a row, and its separators separate.
	NoQuotes bool
	// Comment begins a line that is passed over, where it is the line's first byte. 0: no line is.
	Comment byte
	// Null lists texts of cells without a value, such as NA, beside the empty text: a cell that is
	// one of them and stands without quotes. In quotes they are texts, unless a number is wanted.
	Null []string
	// Nulls holds what stands in for missing cells.
	Nulls dataset.Nulls
	// Sniffed, if not nil, is told how each file is read, before its first row, maybe several times
	// and on any goroutine.
	Sniffed func(file string, d Dialect)
	// MaxRow bounds a row's bytes. 0: [dataset.DefaultMaxLine].
	MaxRow int
	// Workers is the number of goroutines that parse. 0: one for each processor, up to 4.
	Workers int

	chunk int // bytes that are parsed at a time; 0: chunkSize
}

// dialect returns what the options say of a file's dialect, and its name.
func (o Options) dialect(name string) dialect {
	d := dialect{comma: o.Comma, quote: o.Quote, comment: o.Comment}
	if d.quote == 0 && !o.NoQuotes {
		d.quote = '"'
	}
	plain := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(name), ".gz"), ".zst")
	if ext := filepath.Ext(plain); d.comma == 0 && (ext == ".tsv" || ext == ".tab") {
		d.comma = '\t'
	}
	return d
}

// Check says which options do not go together.
func (o Options) Check() error {
	d := o.dialect("")
	for _, c := range []struct {
		name string
		byte byte
	}{{"separator", d.comma}, {"quote", d.quote}, {"comment sign", d.comment}} {
		if c.byte == 0 {
			continue
		}
		if c.byte > '~' || c.byte < ' ' && c.byte != '\t' || strings.IndexByte(inNumbers, c.byte) >= 0 {
			return fmt.Errorf("csv: the %s %q: want a tab, a space or a sign that no number or word has", c.name, c.byte)
		}
	}
	if d.comma == d.quote && d.comma != 0 || d.comment != 0 && (d.comment == d.comma || d.comment == d.quote) {
		return errors.New("csv: the separator, the quote and the comment sign must differ")
	}
	return nil
}

// inNumbers are signs that numbers and words are made of.
const inNumbers = "0123456789+-.ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Dialect says how a file is read: by the [Options], or, where these leave it open, by its first
// rows.
type Dialect struct {
	Comma byte
	Quote byte // 0: quotes are text
	// Header says that the first row holds the names of the columns.
	Header bool
	// Columns is how many there are.
	Columns int
	// Unsure says that the first row might as well be the other: it counts 0, 1, 2, … as the names
	// of columns without names do, and the rows after it hold whole numbers too.
	Unsure bool
}
