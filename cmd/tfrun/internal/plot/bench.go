package plot

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/runner/bench"
)

// Bench draws a report: rows per second by batch size, and latency by length.
func Bench(r *bench.Report, title string) (*Figure, error) {
	f := &Figure{title: title, subtitle: benchSubtitle(r)}
	rates, err := ratePanel(r)
	if err != nil {
		return nil, err
	}
	latencies, err := latencyPanel(r)
	if err != nil {
		return nil, err
	}
	f.panels = [][]*plot.Plot{{rates, latencies}}
	return f, nil
}

func benchSubtitle(r *bench.Report) string {
	s := fmt.Sprintf("signature %s, %s rows", r.Signature, words.Thousands(int64(r.Rows.Count)))
	if r.Rows.Lengths.Most > 1 {
		s += fmt.Sprintf(" of %s to %s entries", words.Thousands(r.Rows.Lengths.Least), words.Thousands(r.Rows.Lengths.Most))
	}
	if len(r.Choices) > 0 {
		c := r.Choices[0]
		s += fmt.Sprintf("; best: %s rows/s with batches of %d, workers %d, %s", number(math.Round(float64(c.Rate))), c.BatchSize, c.Workers, c.Batching)
	}
	return s
}

// curve is a line with its name at its end.
type curve struct {
	name string
	xys  plotter.XYs
	best bool
}

// ratePanel returns a panel with a line for each batching and number of workers. The one with the
// best point is coloured.
func ratePanel(r *bench.Report) (*plot.Plot, error) {
	p := panel("Throughput", "rows of a batch", "rows per second")
	curves := map[string]*curve{}
	for _, t := range r.Throughput {
		if t.Problem != "" || !(t.Rate > 0) {
			continue
		}
		name := fmt.Sprintf("%s, %d workers", t.Batching, t.Workers)
		if t.Workers == 1 {
			name = fmt.Sprintf("%s, 1 worker", t.Batching)
		}
		c := curves[name]
		if c == nil {
			c = &curve{name: name}
			curves[name] = c
		}
		c.xys = append(c.xys, plotter.XY{X: float64(t.BatchSize), Y: float64(t.Rate)})
		c.best = c.best || len(r.Choices) > 0 && t == r.Choices[0].Throughput
	}
	if err := addCurves(p, curves); err != nil {
		return nil, err
	}
	p.X.Scale = plot.LogScale{}
	p.X.Tick.Marker = given(placesOf(curves))
	p.Y.Min, p.Y.Max = 0, p.Y.Max*1.08
	return p, nil
}

// latencyPanel returns a panel with a line for each batch size: the median by length, and the 95th
// percentile above it.
func latencyPanel(r *bench.Report) (*plot.Plot, error) {
	p := panel("Latency of one batch: median, and 95th percentile above it", "entries that rows are padded to", "ms")
	curves := map[string]*curve{}
	for _, l := range r.Latency {
		if !(l.P50 > 0) {
			continue
		}
		name := fmt.Sprintf("%d rows", l.BatchSize)
		if l.BatchSize == 1 {
			name = "1 row"
		}
		if l.XLA {
			name += ", XLA"
		}
		c := curves[name]
		if c == nil {
			c = &curve{name: name, best: l.BatchSize == 1}
			curves[name] = c
		}
		c.xys = append(c.xys, plotter.XY{X: float64(max(l.Length, 1)), Y: float64(l.P50)})
		if l.P95 > l.P50 {
			whisker, err := plotter.NewLine(plotter.XYs{{X: float64(max(l.Length, 1)), Y: float64(l.P50)}, {X: float64(max(l.Length, 1)), Y: float64(l.P95)}})
			if err != nil {
				return nil, err
			}
			whisker.LineStyle = draw.LineStyle{Color: grey, Width: 0.8}
			p.Add(whisker)
		}
	}
	if err := addCurves(p, curves); err != nil {
		return nil, err
	}
	if len(curves) == 0 {
		return p, nil
	}
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = given(placesOf(curves)), powers{}
	p.Y.Min, p.Y.Max = p.Y.Min*0.8, p.Y.Max*1.25
	return p, nil
}

// placesOf returns the places of marks along the x axis, without those that would overlap.
func placesOf(curves map[string]*curve) []float64 {
	var all []float64
	for _, c := range curves {
		for _, xy := range c.xys {
			all = append(all, xy.X)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	var places []float64
	for i, x := range all {
		if i == 0 || x/places[len(places)-1] > math.Pow(all[len(all)-1]/all[0], 0.09) {
			places = append(places, x)
		}
	}
	return places
}

// addCurves adds lines with dots, and their names at the right ends. Names are moved apart where
// they would overlap.
func addCurves(p *plot.Plot, curves map[string]*curve) error {
	list := make([]*curve, 0, len(curves))
	for _, c := range curves {
		slices.SortFunc(c.xys, func(a, b plotter.XY) int { return cmp.Compare(a.X, b.X) })
		list = append(list, c)
	}
	// The best one is last, so that it is drawn over the others.
	slices.SortFunc(list, func(a, b *curve) int {
		if a.best != b.best {
			if a.best {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.name, b.name)
	})
	for _, c := range list {
		hue := color.Color(grey)
		if c.best {
			hue = accent
		}
		line, dots, err := plotter.NewLinePoints(c.xys)
		if err != nil {
			return err
		}
		line.LineStyle = draw.LineStyle{Color: hue, Width: 1.2}
		dots.GlyphStyle = draw.GlyphStyle{Color: hue, Radius: 2.2, Shape: draw.CircleGlyph{}}
		p.Add(line, dots)
	}
	p.Add(endNames(list))
	return nil
}

// endNames draws the names of curves beside their ends.
type endNames []*curve

// Plot draws the names. Names that would overlap are moved apart.
func (names endNames) Plot(c draw.Canvas, p *plot.Plot) {
	trX, trY := p.Transforms(&c)
	type label struct {
		*curve
		at vg.Point
	}
	labels := make([]label, len(names))
	for i, n := range names {
		end := n.xys[len(n.xys)-1]
		labels[i] = label{n, vg.Point{X: trX(end.X) + 5, Y: trY(end.Y)}}
	}
	slices.SortFunc(labels, func(a, b label) int { return cmp.Compare(a.at.Y, b.at.Y) })
	const gap = vg.Length(10)
	for i := 1; i < len(labels); i++ {
		if low := labels[i-1].at.Y + gap; labels[i].at.Y < low {
			labels[i].at.Y = low
		}
	}
	for _, l := range labels {
		s := style(8.5, faint)
		if l.best {
			s.Color = accent
		}
		s.XAlign = text.XLeft
		// A line behind a name must not cross out the letters.
		back := vg.Rectangle{Min: vg.Point{X: l.at.X - 1, Y: l.at.Y - 5}, Max: vg.Point{X: l.at.X + s.Width(l.name) + 1, Y: l.at.Y + 5}}
		c.SetColor(paper)
		c.Fill(back.Path())
		c.FillText(s, l.at, l.name)
	}
}

// GlyphBoxes reserves the room that the names take to the right of the last point.
func (names endNames) GlyphBoxes(p *plot.Plot) []plot.GlyphBox {
	var boxes []plot.GlyphBox
	for _, n := range names {
		end := n.xys[len(n.xys)-1]
		s := style(8.5, faint)
		boxes = append(boxes, plot.GlyphBox{
			X: p.X.Norm(end.X), Y: 0.5,
			Rectangle: vg.Rectangle{Min: vg.Point{X: 0, Y: -3}, Max: vg.Point{X: 6 + s.Width(n.name), Y: 3}},
		})
	}
	return boxes
}
