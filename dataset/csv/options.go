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
	// Columns maps a component, by its path in the spec, to the column that it is read from.
	// Several columns give the component several values, side by side; a name with * stands for all
	// columns that match. A component without an entry is read from the column of its name. Where
	// there is no such column, the only component is read from the only column, or from all columns
	// that are left if a row of it has as many values.
	Columns map[string][]string
	// Keep lists columns whose cells go to [dataset.Element.Extra] as JSON, in this order: as a
	// number where the cell is one, as a boolean where it is true or false (True, TRUE), as null
	// where it is missing, see Null, otherwise as a string.
	Keep []string
	// Header says whether the file's first row holds the names of the columns.
	Header Header
	// Comma separates the fields. 0: a tab in files named .tsv or .tab; in others whichever of
	// comma, tab, semicolon and bar the first row has most of.
	Comma byte
	// Quote encloses fields that hold separators or line ends; it is doubled within them. 0: ".
	Quote byte
	// NoQuotes takes quotes as text: every line is a row, and its separators separate.
	NoQuotes bool
	// Comment begins a line that is passed over, where it is the line's first byte. 0: no line is.
	Comment byte
	// Null lists texts that stand for no value, such as NA, beside the empty text. A cell in quotes
	// that holds one of them is that text, unless a number is wanted.
	Null []string
	// Nulls holds the values that take the place of missing cells.
	Nulls dataset.Nulls
	// Sniffed, if not nil, is called with how each file is read, before its first row, maybe
	// several times and on any goroutine.
	Sniffed func(file string, d Dialect)
	// MaxRow bounds a row's bytes, and a quarter of it those of its kept cells. 0:
	// [dataset.DefaultRowBytes].
	MaxRow int
	// Workers is the number of goroutines that parse. 0: one for each processor, up to 4.
	Workers int

	chunk int // bytes that are parsed at a time; 0: chunkSize
}

// dialect returns what the options say about a file's dialect, and what its name says.
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

// Check returns an error for options that contradict each other.
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

// inNumbers are the characters that numbers, and words such as NaN, are made of: no separators.
const inNumbers = "0123456789+-.ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Dialect says how a file is read. What the [Options] leave open was found out by the file's first
// rows.
type Dialect struct {
	Comma byte
	Quote byte // 0: quotes are text
	// Header says that the first row holds the names of the columns.
	Header bool
	// Columns is the number of columns.
	Columns int
	// Unsure says that Header may be wrong: the first row counts 0, 1, 2, … as the names of columns
	// without names do, and the rows after it hold whole numbers too.
	Unsure bool
}
