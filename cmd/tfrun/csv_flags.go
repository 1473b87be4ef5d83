package main

import (
	"strings"
	"sync"

	"github.com/spf13/pflag"
	"github.com/tfrun/tfrun/dataset/csv"
)

// csvFlags are the flags that say how files of cells are read.
type csvFlags struct {
	header, delimiter, quote, comment string
	null                              []string
}

func (c *csvFlags) addFlags(f *pflag.FlagSet) {
	f.StringVar(&c.header, "csv-header", "auto", "`WHETHER` the first row names columns: yes, no (auto)")
	f.StringVar(&c.delimiter, "csv-delimiter", "", "`CHAR` between cells, or tab (of , ; | tab, by the file)")
	f.StringVar(&c.quote, "csv-quote", "\"", "`CHAR` around cells, or none (\")")
	f.StringVar(&c.comment, "csv-comment", "", "`CHAR` that begins lines to pass over (none)")
	f.StringSliceVar(&c.null, "csv-null", nil, "`TEXT` of a cell without a value, beside the empty one")
}

// options returns what the flags say.
func (c *csvFlags) options() (o csv.Options, err error) {
	const command = "tfrun predict"
	switch c.header {
	case "auto":
	case "yes":
		o.Header = csv.WithHeader
	case "no":
		o.Header = csv.WithoutHeader
	default:
		return o, usagef(command, "--csv-header %q: want yes, no or auto", c.header)
	}
	for _, f := range []struct {
		flag, value string
		to          *byte
	}{{"csv-delimiter", c.delimiter, &o.Comma}, {"csv-quote", c.quote, &o.Quote}, {"csv-comment", c.comment, &o.Comment}} {
		switch {
		case f.value == "tab" || f.value == `\t`:
			*f.to = '\t'
		case f.value == "none" && f.flag == "csv-quote":
			o.NoQuotes = true
		case len(f.value) > 1:
			return o, usagef(command, "--%s %q: want one character", f.flag, f.value)
		case f.value != "":
			*f.to = f.value[0]
		}
	}
	o.Null = c.null
	if err := o.Check(); err != nil {
		return o, usagef(command, "%s", strings.TrimPrefix(err.Error(), "csv: "))
	}
	return o, nil
}

// unsureNote returns a function that says, once for each file, that its first row was taken for
// data and may be names.
func unsureNote(std stdio) func(string, csv.Dialect) {
	var said sync.Map
	return func(file string, d csv.Dialect) {
		if _, again := said.LoadOrStore(file, true); d.Unsure && !again {
			std.note("%s: the first row, 0, 1, 2, …, is read as data; --csv-header yes if it names the columns", file)
		}
	}
}
