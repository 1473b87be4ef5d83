// Package plot draws what tfrun predict and tfrun bench have measured, as SVG or PNG.
package plot

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/tfrun/tfrun/internal/words"
)

// Formats are the extensions of files that a figure can be written to.
var Formats = []string{"svg", "png"}

// Format returns the format that a file's name shows, or "".
func Format(name string) string {
	switch ext := strings.ToLower(strings.TrimPrefix(filepath.Ext(name), ".")); ext {
	case "svg", "png":
		return ext
	}
	return ""
}

var (
	paper  = color.RGBA{0xff, 0xff, 0xff, 0xff}
	ink    = color.RGBA{0x24, 0x29, 0x2f, 0xff}
	faint  = color.RGBA{0x57, 0x60, 0x6a, 0xff}
	rule   = color.RGBA{0xe4, 0xe7, 0xeb, 0xff}
	grey   = color.RGBA{0x9a, 0xa3, 0xad, 0xff}
	accent = color.RGBA{0x0b, 0x6b, 0xcb, 0xff}
	veil   = color.RGBA{0xc9, 0xdf, 0xf5, 0xff} // the accent, lighter
)

const (
	panelWidth  = 13.5 * vg.Centimeter
	panelHeight = 8.4 * vg.Centimeter
	headHeight  = 1.7 * vg.Centimeter
	margin      = 0.6 * vg.Centimeter
)

// Figure is a page of panels under a title.
type Figure struct {
	title, subtitle string
	panels          [][]*plot.Plot // rows of panels
}

func sans(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

func style(size vg.Length, c color.Color) text.Style {
	return text.Style{Font: sans(size), Color: c, Handler: plot.DefaultTextHandler, YAlign: text.YCenter}
}

// panel returns an empty plot in the figure's style: a title, and axes with their names.
func panel(title, x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = paper
	p.Title.Text = title
	p.Title.TextStyle = style(11, ink)
	p.Title.TextStyle.XAlign = text.XCenter
	p.Title.TextStyle.YAlign = text.YTop
	p.Title.Padding = 8
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.LineStyle.Color, a.Tick.LineStyle.Color = grey, grey
		a.LineStyle.Width, a.Tick.LineStyle.Width = 0.5, 0.5
		a.Tick.Length = 3
		a.Tick.Marker = ticks{}
		a.Padding = 4
		a.Label.TextStyle.Font, a.Label.TextStyle.Color = sans(9), faint
		a.Tick.Label.Font, a.Tick.Label.Color = sans(8.5), faint
		a.Label.Padding = 4
	}
	p.X.Label.Text, p.Y.Label.Text = x, y
	grid := plotter.NewGrid()
	grid.Vertical.Color = nil
	grid.Horizontal = draw.LineStyle{Color: rule, Width: 0.5}
	p.Add(grid)
	return p
}

// ticks are gonum's marks, labelled with commas between thousands, without minor marks.
type ticks struct{}

// Ticks returns the marks between two values.
func (ticks) Ticks(low, high float64) []plot.Tick {
	var list []plot.Tick
	for _, t := range (plot.DefaultTicks{}).Ticks(low, high) {
		if t.IsMinor() {
			continue
		}
		t.Label = number(t.Value)
		list = append(list, t)
	}
	return list
}

// number returns the label of a value on an axis.
func number(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return words.Thousands(int64(v))
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// powers are marks at 1, 2 and 5 times the powers of ten, for a logarithmic axis.
type powers struct{}

// Ticks returns the marks between two values.
func (powers) Ticks(low, high float64) []plot.Tick {
	var list []plot.Tick
	wide := high/low > 2000
	for e := math.Floor(math.Log10(low)); e <= math.Ceil(math.Log10(high)); e++ {
		for _, m := range []float64{1, 2, 5} {
			v := m * math.Pow(10, e)
			if v < low*0.999 || v > high*1.001 || wide && m != 1 {
				continue
			}
			list = append(list, plot.Tick{Value: v, Label: number(math.Round(v*1e6) / 1e6)})
		}
	}
	return list
}

// given are marks at the given values.
type given []float64

// Ticks returns the marks.
func (g given) Ticks(float64, float64) []plot.Tick {
	list := make([]plot.Tick, len(g))
	for i, v := range g {
		list[i] = plot.Tick{Value: v, Label: number(v)}
	}
	return list
}

// size returns the size of the page.
func (f *Figure) size() (w, h vg.Length) {
	columns := 0
	for _, row := range f.panels {
		columns = max(columns, len(row))
	}
	return panelWidth * vg.Length(columns), panelHeight*vg.Length(len(f.panels)) + headHeight
}

// Write writes the figure as "svg" or "png".
func (f *Figure) Write(w io.Writer, format string) error {
	width, height := f.size()
	switch format {
	case "svg":
		c := vgsvg.New(width, height)
		if err := f.draw(draw.New(c)); err != nil {
			return err
		}
		_, err := c.WriteTo(w)
		return err
	case "png":
		c := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(144), vgimg.UseBackgroundColor(paper))}
		if err := f.draw(draw.New(c)); err != nil {
			return err
		}
		_, err := c.WriteTo(w)
		return err
	}
	return fmt.Errorf("plot %q: want one of %s", format, strings.Join(Formats, ", "))
}

// fitted leaves out the middle of a text that is too wide.
func fitted(s text.Style, line string, width vg.Length) string {
	runes := []rune(line)
	for keep := len(runes) - 1; s.Width(line) > width && keep > 8; keep-- {
		line = string(runes[:keep/2]) + "…" + string(runes[len(runes)-keep/2:])
	}
	return line
}

// draw draws the panels below the title. gonum panics if it cannot draw, which is returned as an
// error.
func (f *Figure) draw(c draw.Canvas) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("draw the plot: %v", r)
		}
	}()
	c.SetColor(paper)
	c.Fill(c.Rectangle.Path())
	title := style(15, ink)
	title.YAlign = text.YTop
	c.FillText(title, vg.Point{X: c.Min.X + margin, Y: c.Max.Y - margin*0.8}, fitted(title, f.title, c.Size().X-2*margin))
	subtitle := style(10, faint)
	subtitle.YAlign = text.YTop
	c.FillText(subtitle, vg.Point{X: c.Min.X + margin, Y: c.Max.Y - margin*0.8 - 20}, fitted(subtitle, f.subtitle, c.Size().X-2*margin))
	body := draw.Crop(c, 0, 0, 0, -headHeight)
	tiles := draw.Tiles{Rows: len(f.panels), Cols: len(f.panels[0]), PadX: margin, PadY: margin, PadLeft: margin, PadRight: margin, PadBottom: margin, PadTop: margin / 2}
	canvases := plot.Align(f.panels, tiles, body)
	for i, row := range f.panels {
		for j, p := range row {
			if p != nil {
				p.Draw(canvases[i][j])
			}
		}
	}
	return nil
}
