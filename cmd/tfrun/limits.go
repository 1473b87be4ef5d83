package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/text"
)

// limitFlags maps the names of limits in errors to the flags that raise them.
var limitFlags = map[string]string{
	dataset.LimitRowBytes:   "max-row-bytes",
	dataset.LimitDepth:      "max-depth",
	dataset.LimitElements:   "max-elements",
	dataset.LimitLength:     "max-length",
	dataset.LimitBatchBytes: "max-batch-memory",
	dataset.LimitRatio:      "max-ratio",
}

// addLimitFlags adds the flags for [dataset.Limits].
func addLimitFlags(f *pflag.FlagSet, l *dataset.Limits) {
	*l = dataset.Limits{
		RowBytes: dataset.DefaultRowBytes, Depth: dataset.DefaultDepth, Elements: dataset.DefaultElements, Length: dataset.DefaultLength,
		BatchBytes: dataset.DefaultBatchBytes, Ratio: dataset.DefaultRatio,
	}
	f.Var((*byteSize)(&l.RowBytes), limitFlags[dataset.LimitRowBytes], "`SIZE` of a row in its file (128MiB)")
	f.IntVar(&l.Depth, limitFlags[dataset.LimitDepth], l.Depth, "`N`: how deep JSON may nest (64)")
	f.Int64Var(&l.Elements, limitFlags[dataset.LimitElements], l.Elements, "`N` values of one tensor of a row (134217728)")
	f.Int64Var(&l.Length, limitFlags[dataset.LimitLength], l.Length, "`N` steps of the longest sequence (1048576)")
	f.Var((*byteSize)(&l.BatchBytes), limitFlags[dataset.LimitBatchBytes], "`SIZE` of a batch, beyond which it is split (512MiB)")
	f.Int64Var(&l.Ratio, limitFlags[dataset.LimitRatio], l.Ratio, "`N` bytes that a compressed byte may become (1000)")
}

// checkLimits refuses limits that would allow nothing. That 0 means the default is for programs,
// not for people.
func checkLimits(l dataset.Limits) error {
	if min(l.RowBytes, int64(l.Depth), l.Elements, l.Length, l.BatchBytes, l.Ratio) < 1 {
		return usagef("tfrun predict", "--max-…: want limits of at least 1")
	}
	return nil
}

// maxLabels bounds a file of labels, in bytes.
const maxLabels = 64 << 20

// readLabels reads a file of labels, one a line.
func readLabels(ctx context.Context, name string) ([]string, error) {
	f, err := openNamed(ctx, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxLabels+1))
	if err == nil && len(data) > maxLabels {
		err = fmt.Errorf("more than %d bytes", maxLabels)
	}
	if err == nil {
		data, err = text.Unmarked(data)
	}
	if err != nil {
		return nil, err
	}
	all := strings.TrimRight(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
	if err := text.Check(all); err != nil || all == "" {
		return nil, cmp.Or(err, errors.New("no labels: want one a line"))
	}
	return strings.Split(all, "\n"), nil
}

// splitNote returns a function that says, once, that batches are split.
func splitNote(quiet bool, std stdio) func(rows, first int) {
	var once sync.Once
	return func(rows, first int) {
		if !quiet {
			once.Do(func() {
				std.note("batch memory: a batch of %d rows became one of %d and the rest, to keep within --max-batch-memory; rows are padded to the longest of their part", rows, first)
			})
		}
	}
}

// halvedNote returns a function that says that batches are too large for the device's memory.
func halvedNote(quiet bool, std stdio) func(rows int64, err error) {
	return func(rows int64, _ error) {
		if !quiet {
			std.note("device memory: a batch of %d rows does not fit, and is run in halves, as later ones are; --batch-size %d saves the tries", rows, rows/2)
		}
	}
}

// byteSize is a number of bytes, typed with a unit.
type byteSize int64

var byteUnits = []struct {
	name string
	size float64
}{
	{"kib", 1 << 10},
	{"mib", 1 << 20},
	{"gib", 1 << 30},
	{"tib", 1 << 40},
	{"kb", 1e3},
	{"mb", 1e6},
	{"gb", 1e9},
	{"tb", 1e12},
	{"k", 1e3},
	{"m", 1e6},
	{"g", 1e9},
	{"t", 1e12},
	{"b", 1},
	{"", 1},
}

// Set reads a size: 500000, 64MB, 1.5GiB.
func (b *byteSize) Set(s string) error {
	text := strings.ToLower(strings.ReplaceAll(s, " ", ""))
	for _, u := range byteUnits {
		number, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(number, 64)
		if n *= u.size; err != nil || !(n >= 1 && n < math.MaxInt64) {
			break
		}
		*b = byteSize(n)
		return nil
	}
	return fmt.Errorf("want a size such as 64MB or 1GiB")
}

// String returns the size in the largest unit of which it is a whole number.
func (b *byteSize) String() string {
	for i := 3; i >= 0; i-- {
		if u := byteUnits[i]; *b > 0 && int64(*b)%int64(u.size) == 0 {
			return strconv.FormatInt(int64(*b)/int64(u.size), 10) + [...]string{"KiB", "MiB", "GiB", "TiB"}[i]
		}
	}
	return strconv.FormatInt(int64(*b), 10)
}

// Type returns the name of the value in help.
func (b *byteSize) Type() string { return "size" }
