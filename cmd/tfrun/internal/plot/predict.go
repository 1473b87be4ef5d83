package plot

import (
	"fmt"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/tfrun/tfrun/cmd/tfrun/internal/progress"
	"github.com/tfrun/tfrun/internal/words"
)

// Figure returns the figure of the run so far: the lengths of rows, the padding of batches, and how
// long batches took, over time and by their size.
func (c *Collector) Figure(title string) (*Figure, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := &Figure{title: title, subtitle: c.subtitle()}
	panels := make([]*plot.Plot, 0, 4)
	for _, draw := range []func() (*plot.Plot, error){c.lengthPanel, c.wastePanel, c.timePanel, c.sizePanel} {
		p, err := draw()
		if err != nil {
			return nil, err
		}
		panels = append(panels, p)
	}
	f.panels = [][]*plot.Plot{panels[:2], panels[2:]}
	return f, nil
}

func (c *Collector) subtitle() string {
	took := c.last.Sub(c.start)
	s := fmt.Sprintf("%s in %s, %s, %s rows/s", many(c.rows, "row", "rows"), many(c.batches, "batch", "batches"), took.Round(time.Millisecond), progress.Rate(c.rows, took))
	if c.padded > 0 {
		s += fmt.Sprintf(", padding %.0f %% of what was fed", 100*(1-float64(c.real)/float64(c.padded)))
	}
	return s
}

// many returns a number with a noun.
func many(n int64, one, more string) string {
	if n == 1 {
		more = one
	}
	return words.Thousands(n) + " " + more
}

// lengthPanel returns the histogram of the rows' lengths.
func (c *Collector) lengthPanel() (*plot.Plot, error) {
	p := panel("Lengths of the rows", "entries of a row", "rows")
	low, high := firstAndLast(c.lengths.counts)
	// Few bins are easier to read. They are whole multiples of the collector's.
	step := max((high-low+40)/40, 1)
	h := &plotter.Histogram{Width: float64(c.lengths.width * int64(step)), FillColor: accent}
	h.LineStyle = draw.LineStyle{Color: paper, Width: 0.5}
	for at := low; at <= high; at += step {
		sum := int64(0)
		for _, n := range c.lengths.counts[at:min(at+step, len(c.lengths.counts))] {
			sum += n
		}
		from := float64(int64(at) * c.lengths.width)
		h.Bins = append(h.Bins, plotter.HistogramBin{Min: from, Max: from + h.Width, Weight: float64(sum)})
	}
	p.Add(h)
	p.Y.Min = 0
	return p, nil
}

// firstAndLast returns the indices of the first and the last count that is not 0.
func firstAndLast(counts []int64) (first, last int) {
	for i, n := range counts {
		if n > 0 {
			last = i
		}
	}
	for first < last && counts[first] == 0 {
		first++
	}
	return first, last
}

// wastePanel returns the share of padding from batch to batch.
func (c *Collector) wastePanel() (*plot.Plot, error) {
	p := panel("Padding by batch: mean and range", "batch", "padding, % of what was fed")
	if err := addSeries(p, c.waste); err != nil {
		return nil, err
	}
	p.Y.Min, p.Y.Max = 0, max(p.Y.Max*1.05, 5)
	p.X.Min = 0
	return p, nil
}

// timePanel returns how long batches took, over the time of the run.
func (c *Collector) timePanel() (*plot.Plot, error) {
	p := panel("Latency of batches over time: mean and range", "seconds since the start", "ms of TensorFlow's run")
	if err := addSeries(p, c.latency); err != nil {
		return nil, err
	}
	p.Y.Min, p.X.Min = 0, 0
	p.Y.Max *= 1.05
	return p, nil
}

// addSeries adds the means of a series as a line, inside a band from the least to the largest value
// of each bin.
func addSeries(p *plot.Plot, s series) error {
	var mean, low, high plotter.XYs
	for i, b := range s.bins {
		if b.n == 0 {
			continue
		}
		x := (float64(i) + 0.5) * s.width
		mean = append(mean, plotter.XY{X: x, Y: b.sum / float64(b.n)})
		low, high = append(low, plotter.XY{X: x, Y: b.low}), append(high, plotter.XY{X: x, Y: b.high})
	}
	if len(mean) == 1 { // a line of one point cannot be seen
		dot, err := plotter.NewScatter(mean)
		if err != nil {
			return err
		}
		dot.GlyphStyle = draw.GlyphStyle{Color: accent, Radius: 3, Shape: draw.CircleGlyph{}}
		p.Add(dot)
		return nil
	}
	for i := len(low) - 1; i >= 0; i-- {
		high = append(high, low[i])
	}
	band, err := plotter.NewPolygon(high)
	if err != nil {
		return err
	}
	band.Color, band.LineStyle = veil, draw.LineStyle{}
	line, err := plotter.NewLine(mean)
	if err != nil {
		return err
	}
	line.LineStyle = draw.LineStyle{Color: accent, Width: 1.5}
	p.Add(band, line)
	return nil
}

// sizePanel returns how long batches took, by the size of what was fed: rows times entries.
func (c *Collector) sizePanel() (*plot.Plot, error) {
	p := panel("Latency by size of the batch", "entries fed: rows × padded length", "ms of TensorFlow's run")
	xys := make(plotter.XYs, len(c.sample))
	for i, s := range c.sample {
		xys[i] = plotter.XY{X: s.entries, Y: s.ms}
	}
	dots, err := plotter.NewScatter(xys)
	if err != nil {
		return nil, err
	}
	dots.GlyphStyle = draw.GlyphStyle{Color: accent, Radius: vg.Points(1.6), Shape: draw.CircleGlyph{}}
	p.Add(dots)
	p.Y.Min, p.X.Min = 0, 0
	p.Y.Max *= 1.05
	return p, nil
}
