package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/cmd/tfrun/internal/plot"

	"github.com/tfrun/tfrun/internal/partfile"
)

// output is what a report or a picture is written to: stdout, or a file that appears only when it
// is whole.
type output struct {
	*bufio.Writer
	file *partfile.Whole // nil for stdout
}

// outputName is the value of -o. Names that stand for standard output become "-", since descriptor
// 1 receives what TensorFlow and the model print, see newProcess.
type outputName string

func (o *outputName) String() string { return string(*o) }
func (o *outputName) Type() string   { return "string" }

func (o *outputName) Set(name string) error {
	if *o = outputName(name); slices.Contains([]string{"/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"}, name) {
		*o = "-"
	}
	return nil
}

// createOutput opens the output: "" and "-" are stdout.
func createOutput(path string, stdout io.Writer) (*output, error) {
	if path == "" || path == "-" {
		return &output{Writer: bufio.NewWriterSize(stdout, 64<<10)}, nil
	}
	partfile.Sweep(path)
	file, err := partfile.Create(path)
	if err != nil {
		return nil, err
	}
	return &output{Writer: file.Writer, file: file}, nil
}

// commit writes what is buffered, and gives a file its name.
func (o *output) commit() error {
	if o.file == nil {
		return o.Flush()
	}
	return o.file.Commit()
}

// abandon removes an unfinished file. After commit it does nothing.
func (o *output) abandon() {
	if o.file != nil {
		o.file.Abandon()
	}
}

// checkPlot returns an error if the name of --plot shows no format.
func checkPlot(command, name string) error {
	if name != "" && plot.Format(name) == "" {
		return usagef(command, "--plot %q: want a name that ends in .%s", name, strings.Join(plot.Formats, " or ."))
	}
	return nil
}

// collect makes the run collect data for a plot, if --plot asks for one. The returned function
// draws what has run so far, also for an interrupted run.
func (o *predictOptions) collect(std stdio) func() error {
	if o.plot == "" {
		return func() error { return nil }
	}
	c := plot.NewCollector()
	o.predict.Batch = c.Add
	title := fmt.Sprintf("tfrun predict %s, batching %s", o.model, o.batching)
	return func() error {
		if c.Batches() == 0 {
			std.note("no batch has run: there is nothing to plot")
			return nil
		}
		figure, err := c.Figure(title)
		if err != nil {
			return err
		}
		return writeFigure(o.plot, figure)
	}
}

// writeFigure writes a figure to a file that appears when it is whole.
func writeFigure(name string, figure *plot.Figure) error {
	out, err := createOutput(name, nil)
	if err != nil {
		return err
	}
	defer out.abandon()
	if err := figure.Write(out, plot.Format(name)); err != nil {
		return fmt.Errorf("plot %q: %w", name, err)
	}
	return out.commit()
}
