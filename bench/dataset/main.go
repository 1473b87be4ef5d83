// Command dataset runs the same pipelines in tf.data and in package dataset, by turns, and prints
// rows per second and their ratio.
//
//	go run ./bench/dataset -python python
//
// The Python needs the packages of bench/requirements.txt. tf.data runs in two ways, as the
// pipeline reads and with parallel maps and prefetching; the ratio is to the quicker one of each
// round.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// config is the data's and the pipelines' parameters, as the Python half reads them.
type config struct {
	Rows       int     `json:"rows"`
	Lo         int     `json:"lo"`
	Hi         int     `json:"hi"`
	Batch      int64   `json:"batch"`
	Boundaries []int64 `json:"boundaries"`
	Parallel   bool    `json:"parallel"`
	Seconds    float64 `json:"seconds"`
}

// result is what a pass over a pipeline gave.
type result struct {
	Seconds float64
	Passes  int64
	Rows    int64 // of all passes, as Values
	Values  int64
	Sum     int64 // of the tokens of one pass
}

// same reports whether both did the same work in a pass.
func (r result) same(o result, shuffled bool) bool {
	return r.Rows/r.Passes == o.Rows/o.Passes && r.Sum == o.Sum && (shuffled || r.Values/r.Passes == o.Values/o.Passes)
}

func (r result) rate() float64 { return float64(r.Rows) / r.Seconds }

var names = []string{"padded_batch", "shuffle, padded_batch", "bucket"}

func main() {
	python := flag.String("python", "python3", "Python with the packages of bench/requirements.txt")
	script := flag.String("script", "bench/dataset/tfdata.py", "the Python half")
	rounds := flag.Int("rounds", 7, "rounds; medians are printed")
	cfg := config{Batch: 64, Boundaries: []int64{100, 200, 300, 400, 500}}
	flag.IntVar(&cfg.Rows, "rows", 25000, "rows")
	flag.IntVar(&cfg.Lo, "lo", 10, "length of the shortest row")
	flag.IntVar(&cfg.Hi, "hi", 600, "length of the longest row")
	flag.Float64Var(&cfg.Seconds, "seconds", 1, "length of one measurement")
	flag.Parse()
	if err := run(os.Stdout, *python, *script, *rounds, cfg); err != nil {
		fmt.Fprintln(os.Stderr, "bench/dataset:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, python, script string, rounds int, cfg config) error {
	plain, err := startPython(python, script, cfg)
	if err != nil {
		return err
	}
	defer plain.close()
	cfg.Parallel = true
	parallel, err := startPython(python, script, cfg)
	if err != nil {
		return err
	}
	defer parallel.close()
	fmt.Fprintf(w, "%d rows of %d to %d int64, batches of %d; %s, TensorFlow %s, Go %s, %d cores, %s\n\n", cfg.Rows, cfg.Lo, cfg.Hi, cfg.Batch,
		"Python "+plain.versions["python"], plain.versions["tensorflow"], runtime.Version(), runtime.NumCPU(), time.Now().Format(time.DateOnly))
	fmt.Fprintf(w, "| pipeline | tf.data rows/s | tf.data parallel rows/s | Go rows/s | Go / best of tf.data |\n|---|---|---|---|---|\n")
	made := pipelines(cfg)
	for _, name := range names {
		var py, par, gos, ratios []float64
		for range rounds {
			a, err := plain.run(name)
			if err != nil {
				return err
			}
			b, err := parallel.run(name)
			if err != nil {
				return err
			}
			g, err := runGo(made[name], cfg.Seconds)
			if err != nil {
				return err
			}
			if shuffled := strings.HasPrefix(name, "shuffle"); !g.same(a, shuffled) || !g.same(b, shuffled) {
				return fmt.Errorf("%s: Go made %+v, tf.data %+v and %+v", name, g, a, b)
			}
			py, par, gos = append(py, a.rate()), append(par, b.rate()), append(gos, g.rate())
			ratios = append(ratios, g.rate()/max(a.rate(), b.rate()))
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | **%.1f** (%.1f–%.1f) |\n", name, spread(py), spread(par), spread(gos), median(ratios), slices.Min(ratios), slices.Max(ratios))
	}
	return nil
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

func spread(v []float64) string {
	return fmt.Sprintf("%.0f (%.0f–%.0f)", median(v), slices.Min(v), slices.Max(v))
}

// pipelines returns the Go half. The data are the same numbers as in tfdata.py.
func pipelines(cfg config) map[string]*dataset.Dataset {
	rows := make([][]int64, cfg.Rows)
	labels := make([]int64, cfg.Rows)
	lengths := make([]int, cfg.Rows)
	total := 0
	for i := range rows {
		lengths[i] = cfg.Lo + int(uint64(i)*2654435761%(1<<32)%uint64(cfg.Hi-cfg.Lo+1))
		total += lengths[i]
		labels[i] = int64(i % 2)
	}
	flat := make([]int64, total)
	for i := range flat {
		flat[i] = int64(i)*7919%8184 + 1
	}
	for i, n := range lengths {
		rows[i], flat = flat[:n:n], flat[n:]
	}
	ds := dataset.Zip(dataset.Tuple(dataset.Leaf(dataset.FromRows(rows)), dataset.Leaf(dataset.FromTensorSlices(dataset.Leaf(tensor.Vector(labels...))))))
	sizes := make([]int64, len(cfg.Boundaries)+1)
	for i := range sizes {
		sizes[i] = cfg.Batch
	}
	return map[string]*dataset.Dataset{
		"padded_batch":          ds.PaddedBatch(cfg.Batch),
		"shuffle, padded_batch": ds.Shuffle(10000, dataset.ShuffleOptions{Seed: dataset.Seed(1)}).PaddedBatch(cfg.Batch),
		"bucket": ds.BucketBySequenceLength(dataset.BucketOptions{
			Length: dataset.Length{Component: "0", Axis: 0}, Boundaries: cfg.Boundaries, BatchSizes: sizes,
		}),
	}
}

// runGo goes through the dataset as often as it takes to fill the time that a measurement lasts.
func runGo(ds *dataset.Dataset, seconds float64) (result, error) {
	var r result
	start := time.Now()
	for r.Seconds < seconds {
		for b, err := range ds.All(context.Background()) {
			if err != nil {
				return r, err
			}
			d := b.Tensors[0].Dims()
			r.Rows += int64(len(b.Rows))
			r.Values += d[0] * d[1]
		}
		r.Passes++
		r.Seconds = time.Since(start).Seconds()
	}
	for b, err := range ds.All(context.Background()) {
		if err != nil {
			return r, err
		}
		v, _ := tensor.Values[int64](b.Tensors[0])
		for _, x := range v {
			r.Sum += x
		}
	}
	return r, nil
}

// pythonHalf is a running tfdata.py.
type pythonHalf struct {
	cmd      *exec.Cmd
	in       io.WriteCloser
	out      *bufio.Reader
	versions map[string]string
}

func startPython(python, script string, cfg config) (*pythonHalf, error) {
	p := &pythonHalf{cmd: exec.Command(python, script)}
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	text, err := json.Marshal(cfg)
	if err != nil {
		return nil, err
	}
	return p, p.ask(string(text), &p.versions)
}

func (p *pythonHalf) run(name string) (result, error) {
	var r result
	err := p.ask(name, &r)
	return r, err
}

func (p *pythonHalf) ask(line string, answer any) error {
	if _, err := fmt.Fprintln(p.in, line); err != nil {
		return err
	}
	text, err := p.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("tfdata.py: %w", err)
	}
	return json.Unmarshal(text, answer)
}

func (p *pythonHalf) close() {
	_ = p.in.Close() // ends the script
	_ = p.cmd.Wait() // its status was seen in its answers
}
