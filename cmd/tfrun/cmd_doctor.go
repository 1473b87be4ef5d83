package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/cpu"

	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/runner"
)

// doctorOptions are the flags of tfrun doctor.
type doctorOptions struct {
	format string
	load   runner.Options
	model  predictOptions
}

func newDoctorCmd(std stdio) *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor [MODEL [INPUT…]]",
		Short: "check libtensorflow and the devices, or what a model's answers depend on",
		Long: `Says which libtensorflow is found, what the processor can do, which devices TensorFlow
sees with how much memory, and runs a small graph on each of them whose result is compared
with Go's own. Where a GPU could be used and is not, it says what is missing and what to do.

With --device gpu it fails where TensorFlow sees no GPU.

With a MODEL it examines that: does a signature run, does it do more than compute, does it keep
state, does the same row give the same answer again and among other rows, and does padding
change the answers: of which output, in which rows, by how much. It says which tfrun predict
to type. The rows are the first 16 of the INPUT files; without one they are made up.`,
		Example: `  tfrun doctor
  tfrun doctor model
  tfrun doctor model rows.jsonl --format json`,
		Args: args(0, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := quietTensorFlow(cmd); err != nil {
				return err
			}
			if len(args) > 0 {
				o.model.model, o.model.inputs = args[0], args[1:]
				return runDoctorModel(cmd, o, std)
			}
			o.load.Device = o.model.load.Device
			return runDoctor(cmd.Context(), o, std)
		},
	}
	cmd.Flags().StringVar(&o.format, "format", "text", "text or json")
	o.model.addSome(cmd.Flags(), modelFlags...)
	completeModelFlags(cmd)
	completeFormats(cmd, "text", "json")
	return cmd
}

// diagnosis is what tfrun doctor found.
type diagnosis struct {
	Version string   `json:"tfrun"`
	Go      string   `json:"go"`
	System  string   `json:"system"`
	CPU     []string `json:"cpu_features"`
	Cores   int      `json:"cores"`
	// Memory is the memory of the machine, or the limit of the container; 0: not known.
	Memory  int64             `json:"memory_bytes"`
	Library *libraryDiagnosis `json:"libtensorflow"`
	Devices []deviceDiagnosis `json:"devices"`
	GPU     *gpuDiagnosis     `json:"gpu"`
}

type libraryDiagnosis struct {
	Path     string `json:"path"` // "": linked with the program
	Version  string `json:"version"`
	GPUBuild bool   `json:"gpu_build"`
	// Unknown lists operations of a release newer than tfrun, which refuses models that use one.
	Unknown []string `json:"unknown_operations,omitempty"`
}

// deviceDiagnosis is the result of the self-test for a device.
type deviceDiagnosis struct {
	Name        string  `json:"name"`
	Type        string  `json:"type"`
	MemoryBytes int64   `json:"memory_bytes"` // what TensorFlow may take of it
	MaxError    float64 `json:"max_error"`
	Problem     string  `json:"problem,omitempty"`
}

// gpuDiagnosis is what the driver reports, and what keeps TensorFlow from using it.
type gpuDiagnosis struct {
	Driver    string             `json:"driver"` // "": there is none
	CUDA      string             `json:"cuda"`   // the newest that the driver supports
	GPUs      []gpuDevice        `json:"gpus"`
	Libraries []libraryState     `json:"libraries"`
	Problems  []problemDiagnosis `json:"problems"`
}

type gpuDevice struct {
	Name       string `json:"name"`
	Capability string `json:"compute_capability"`
	Total      int64  `json:"memory_bytes"`
	Free       int64  `json:"free_bytes"`
}

type libraryState struct {
	Name    string `json:"name"`
	Problem string `json:"problem,omitempty"`
}

type problemDiagnosis struct {
	What string `json:"problem"`
	Fix  string `json:"fix"`
}

func runDoctor(ctx context.Context, o doctorOptions, std stdio) error {
	if err := o.validate(); err != nil {
		return err
	}
	d := diagnosis{
		Version: version, Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH,
		CPU: cpuFeatures(), Cores: runtime.NumCPU(), Memory: systemMemory(), Devices: []deviceDiagnosis{},
	}
	failure := d.examine(ctx, o.load)
	var err error
	if o.format == "json" {
		err = writeJSON(std.out, d)
	} else {
		err = d.print(std.out)
	}
	return errors.Join(err, failure)
}

func (o doctorOptions) validate() error {
	if o.format != "text" && o.format != "json" {
		return usagef("tfrun doctor", "--format %q: want text or json", o.format)
	}
	return nil
}

// runDoctorModel is tfrun doctor MODEL.
func runDoctorModel(cmd *cobra.Command, o doctorOptions, std stdio) error {
	if err := o.validate(); err != nil {
		return err
	}
	d, failure := doctorModel(cmd.Context(), o.model, quoted(typedFlags(cmd, modelFlags)), std)
	if d == nil {
		return failure
	}
	var err error
	if o.format == "json" {
		err = writeJSON(std.out, d)
	} else {
		err = d.print(std, lineWidth(std))
	}
	return errors.Join(err, failure)
}

// writeJSON writes v for scripts.
func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(words.JSON(b.Bytes()))
	return err
}

// examine opens the library, tests the devices, and looks for reasons why TensorFlow cannot use a
// GPU.
func (d *diagnosis) examine(ctx context.Context, o runner.Options) error {
	lib, err := runner.OpenLibrary(o.Library)
	if err != nil {
		return err
	}
	d.Library = &libraryDiagnosis{Path: lib.Path, Version: lib.Version}
	if d.Library.Unknown, err = runner.UnknownOperations(); err != nil {
		return err
	}
	tests, err := runner.SelfTest(ctx, o)
	gpus := 0
	for _, t := range tests {
		dev := deviceDiagnosis{Name: t.Device.Name, Type: t.Device.Type, MemoryBytes: t.Device.MemoryBytes, MaxError: t.MaxError}
		switch {
		case dev.Type == "GPU":
			gpus++
		case dev.Type == "CPU":
			dev.MemoryBytes = d.Memory // TensorFlow reports 256 MiB for every CPU
		}
		if t.Err != nil {
			dev.Problem = t.Err.Error()
			err = errors.Join(err, fmt.Errorf("self-test: %w", t.Err))
		}
		d.Devices = append(d.Devices, dev)
	}
	report, gpuErr := runner.ExamineGPU(o.Library)
	if gpuErr != nil {
		return errors.Join(err, gpuErr)
	}
	d.Library.GPUBuild = report.Build
	d.GPU = diagnoseGPU(report)
	if gpus == 0 && strings.HasPrefix(strings.ToLower(o.Device), "gpu") {
		err = errors.Join(err, &runner.GPUError{Report: report})
	}
	return err
}

func diagnoseGPU(r runner.GPUReport) *gpuDiagnosis {
	g := &gpuDiagnosis{Driver: r.Driver, CUDA: r.CUDA, GPUs: []gpuDevice{}, Problems: []problemDiagnosis{}}
	for _, gpu := range r.GPUs {
		g.GPUs = append(g.GPUs, gpuDevice{Name: gpu.Name, Capability: gpu.Capability, Total: gpu.TotalBytes, Free: gpu.FreeBytes})
	}
	for _, l := range r.Libraries {
		g.Libraries = append(g.Libraries, libraryState{Name: l.Name, Problem: l.Reason})
	}
	for _, p := range r.Problems {
		g.Problems = append(g.Problems, problemDiagnosis(p))
	}
	return g
}

// print writes the diagnosis for people.
func (d *diagnosis) print(w io.Writer) error {
	lines := [][2]string{
		{"tfrun", d.Version + ", " + d.Go + " " + d.System},
		{"processor", fmt.Sprintf("%d cores; %s", d.Cores, orNone(strings.Join(d.CPU, " ")))},
	}
	switch {
	case d.Library == nil:
		lines = append(lines, [2]string{"libtensorflow", "not found"})
	case d.Library.Path == "":
		lines = append(lines, [2]string{"libtensorflow", d.Library.text() + ", linked into this program"})
	default:
		lines = append(lines, [2]string{"libtensorflow", d.Library.text() + ", " + d.Library.Path})
	}
	if d.Library != nil && len(d.Library.Unknown) > 0 {
		lines = append(lines, [2]string{"not known", "refused without --allow-op: " + strings.Join(d.Library.Unknown, " ")})
	}
	for _, dev := range d.Devices {
		state := fmt.Sprintf("self-test passed, largest error %.1g", dev.MaxError)
		if dev.Problem != "" {
			state = "self-test FAILED"
		}
		if dev.MemoryBytes > 0 {
			state = gib(dev.MemoryBytes) + ", " + state
		}
		lines = append(lines, [2]string{"device", shortDevice(dev.Name) + ", " + state})
	}
	if d.GPU != nil {
		lines = append(lines, d.GPU.lines(d.Library.GPUBuild)...)
	}
	for _, l := range lines {
		if _, err := fmt.Fprintf(w, "%-14s %s\n", l[0], words.OneLine(l[1])); err != nil {
			return err
		}
	}
	return nil
}

func (l *libraryDiagnosis) text() string {
	if l.GPUBuild {
		return l.Version + " (GPU build)"
	}
	return l.Version + " (CPU build)"
}

// lines describes the GPUs. It returns nothing if there is neither a driver nor a build for GPUs.
func (g *gpuDiagnosis) lines(build bool) [][2]string {
	if g.Driver == "" && !build {
		return nil
	}
	var lines [][2]string
	if g.Driver != "" {
		text := "NVIDIA " + g.Driver
		if g.CUDA != "" {
			text += ", supports CUDA up to " + g.CUDA
		}
		lines = append(lines, [2]string{"driver", text})
	}
	for _, gpu := range g.GPUs {
		lines = append(lines, [2]string{"gpu", fmt.Sprintf("%s, compute capability %s, %s, %s free", gpu.Name, gpu.Capability, gib(gpu.Total), gib(gpu.Free))})
	}
	for _, p := range g.Problems {
		lines = append(lines, [2]string{"no gpu", p.What}, [2]string{"  to do", p.Fix})
	}
	return lines
}

// systemMemory returns how much memory the process may take: the machine's, or its container's
// limit.
func systemMemory() int64 {
	var least int64
	smaller := func(text string) {
		// The first version of control groups writes a limit of nearly 2⁶³ for none.
		if n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64); err == nil && n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		if _, rest, ok := strings.Cut(string(info), "MemTotal:"); ok {
			kib, _, _ := strings.Cut(rest, "kB")
			smaller(strings.TrimSpace(kib) + "000")
			least = least / 1000 * 1024
		}
	}
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if limit, err := os.ReadFile(file); err == nil {
			smaller(string(limit))
		}
	}
	return least
}

func gib(bytes int64) string { return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30)) }

// shortDevice turns "/job:localhost/replica:0/task:0/device:CPU:0" into "CPU:0".
func shortDevice(name string) string {
	_, short, ok := strings.Cut(name, "/device:")
	if !ok {
		return name
	}
	return short
}

func orNone(s string) string {
	if s == "" {
		return "none of the features that TensorFlow looks for"
	}
	return s
}

// cpuFeatures lists the vector extensions on which TensorFlow's choice of kernels depends.
func cpuFeatures() []string {
	var list []string
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"sse4.1", cpu.X86.HasSSE41},
		{"sse4.2", cpu.X86.HasSSE42},
		{"avx", cpu.X86.HasAVX},
		{"avx2", cpu.X86.HasAVX2},
		{"fma", cpu.X86.HasFMA},
		{"avx512f", cpu.X86.HasAVX512F},
		{"avx512_vnni", cpu.X86.HasAVX512VNNI},
		{"avx512_bf16", cpu.X86.HasAVX512BF16},
		{"amx_tile", cpu.X86.HasAMXTile},
		{"asimd", cpu.ARM64.HasASIMD},
		{"asimddp", cpu.ARM64.HasASIMDDP},
		{"sve", cpu.ARM64.HasSVE},
	} {
		if f.has {
			list = append(list, f.name)
		}
	}
	return list
}
