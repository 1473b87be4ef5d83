package plot

import (
	"bytes"
	"encoding/xml"
	"image/color"
	"image/png"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/plot/plotter"

	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/bench"
)

// texts returns the texts of an SVG.
func texts(t *testing.T, svg []byte) string {
	t.Helper()
	var all []string
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if err == io.EOF { //nolint:errorlint // the decoder returns it bare
			return strings.Join(all, "\n")
		}
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := token.(xml.CharData); ok && strings.TrimSpace(string(s)) != "" {
			all = append(all, strings.TrimSpace(string(s)))
		}
	}
}

func write(t *testing.T, f *Figure, format string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.Write(&b, format); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestPredictFigure: the axes have names and units, whatever ran: one batch, rows without length,
// many batches.
func TestPredictFigure(t *testing.T) {
	t.Parallel()
	for name, batches := range map[string][]runner.BatchInfo{
		"one":    {{Rows: 1, Lengths: []int64{1}, PaddedTo: 1, Real: 1, Padded: 1, Duration: time.Millisecond}},
		"scalar": {{Rows: 2, Lengths: []int64{0, 0}}},
		"two": {
			{Rows: 2, Lengths: []int64{3, 70000}, PaddedTo: 70000, Real: 70003, Padded: 140000, Duration: time.Second},
			{Rows: 1, Lengths: []int64{5}, PaddedTo: 5, Real: 5, Padded: 5, Duration: time.Millisecond},
		},
	} {
		c := NewCollector()
		for i, b := range batches {
			b.Ended = c.start.Add(time.Duration(i+1) * time.Second)
			c.Add(b)
		}
		f, err := c.Figure("tfrun predict " + strings.Repeat("a/very/long/name/", 20))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := texts(t, write(t, f, "svg"))
		for _, want := range []string{"…", "entries of a row", "rows", "batch", "padding, % of what was fed", "seconds since the start", "ms of TensorFlow's run"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", name, want, got)
			}
		}
	}
}

// TestBenchFigure: each curve has its name; the best one is the coloured one.
func TestBenchFigure(t *testing.T) {
	t.Parallel()
	r := &bench.Report{
		Signature: "serving_default", Rows: bench.Rows{Count: 10, Lengths: bench.Lengths{Least: 1, Median: 5, Most: 9}},
		Latency: []bench.Latency{
			{BatchSize: 1, Length: 5, P50: 1, P95: 2},
			{BatchSize: 1, Length: 9, P50: 1.5, P95: bench.Number(math.NaN())},
			{BatchSize: 64, Length: 9, P50: 20, P95: 30},
		},
		Throughput: []bench.Throughput{
			{Batching: runner.Arrival, Workers: 1, BatchSize: 64, Rate: 1000},
			{Batching: runner.Bucket, Workers: 2, BatchSize: 64, Rate: 2000},
			{Batching: runner.Bucket, Workers: 2, BatchSize: 128, Problem: "no memory"},
		},
	}
	r.Choices = []bench.Choice{{Throughput: r.Throughput[1]}}
	f, err := Bench(r, "tfrun bench model")
	if err != nil {
		t.Fatal(err)
	}
	got := texts(t, write(t, f, "svg"))
	for _, want := range []string{"arrival, 1 worker", "bucket, 2 workers", "1 row", "64 rows", "rows per second", "best: 2,000 rows/s"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	picture, err := png.Decode(bytes.NewReader(write(t, f, "png")))
	if err != nil {
		t.Fatal(err)
	}
	if got := color.RGBAModel.Convert(picture.At(2, 2)); got != paper {
		t.Errorf("the background is %v", got)
	}
	if err := f.Write(io.Discard, "gif"); err == nil {
		t.Error("gif is no format, but there is no error")
	}
	// What could not be measured is no curve.
	if _, err := Bench(&bench.Report{}, "nothing"); err != nil {
		t.Error(err)
	}
}

// TestPlaces: marks that would stand on each other are left out.
func TestPlaces(t *testing.T) {
	t.Parallel()
	curves := map[string]*curve{}
	for i, x := range []float64{16, 54, 176, 180, 600, 600, 16} {
		curves[strconv.Itoa(i)] = &curve{xys: plotter.XYs{{X: x}}}
	}
	if got, want := placesOf(curves), []float64{16, 54, 176, 600}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"a.svg": "svg", "b/c.PNG": "png", "d": "", "e.pdf": ""} {
		if got := Format(name); got != want {
			t.Errorf("Format(%q) = %q, want %q", name, got, want)
		}
	}
}
