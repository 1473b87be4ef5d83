package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/cpu"

	"github.com/tfrun/tfrun/runner"
)

// doctorOptions are the flags of tfrun doctor.
type doctorOptions struct {
	format string
	load   runner.Options
}

func newDoctorCmd(std stdio) *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "check libtensorflow, the devices, and that they compute right",
		Long: `Says which libtensorflow is found, what the processor can do, which devices TensorFlow
sees, and runs a small graph on each of them whose result is compared with Go's own.`,
		Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := quietTensorFlow(cmd); err != nil {
				return err
			}
			return runDoctor(cmd.Context(), o, std)
		},
	}
	cmd.Flags().StringVar(&o.format, "format", "text", "text or json")
	cmd.Flags().StringVar(&o.load.Device, "device", "", "cpu, gpu or gpu:N: look at these alone")
	return cmd
}

// diagnosis is what tfrun doctor found.
type diagnosis struct {
	Version string            `json:"tfrun"`
	Go      string            `json:"go"`
	System  string            `json:"system"`
	CPU     []string          `json:"cpu_features"`
	Cores   int               `json:"cores"`
	Library *runner.Library   `json:"libtensorflow"`
	Devices []deviceDiagnosis `json:"devices"`
}

// deviceDiagnosis is what the self-test said of a device.
type deviceDiagnosis struct {
	Name        string  `json:"name"`
	Type        string  `json:"type"`
	MemoryBytes int64   `json:"memory_bytes"`
	MaxError    float64 `json:"max_error"`
	Problem     string  `json:"problem,omitempty"`
}

func runDoctor(ctx context.Context, o doctorOptions, std stdio) error {
	if o.format != "text" && o.format != "json" {
		return usagef("tfrun doctor", "--format %q: want text or json", o.format)
	}
	d := diagnosis{
		Version: version, Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH,
		CPU: cpuFeatures(), Cores: runtime.NumCPU(), Devices: []deviceDiagnosis{},
	}
	failure := d.examine(ctx, o.load)
	var err error
	if o.format == "json" {
		e := json.NewEncoder(std.out)
		e.SetIndent("", "  ")
		err = e.Encode(d)
	} else {
		err = d.print(std.out)
	}
	return errors.Join(err, failure)
}

// examine opens the library and tests the devices.
func (d *diagnosis) examine(ctx context.Context, o runner.Options) error {
	lib, err := runner.OpenLibrary(o.Library)
	if err != nil {
		return err
	}
	d.Library = &lib
	tests, err := runner.SelfTest(ctx, o)
	for _, t := range tests {
		dev := deviceDiagnosis{Name: t.Device.Name, Type: t.Device.Type, MemoryBytes: t.Device.MemoryBytes, MaxError: t.MaxError}
		if t.Err != nil {
			dev.Problem = t.Err.Error()
			err = errors.Join(err, fmt.Errorf("self-test: %w", t.Err))
		}
		d.Devices = append(d.Devices, dev)
	}
	return err
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
		lines = append(lines, [2]string{"libtensorflow", d.Library.Version + ", linked into this program"})
	default:
		lines = append(lines, [2]string{"libtensorflow", d.Library.Version + ", " + d.Library.Path})
	}
	for _, dev := range d.Devices {
		state := fmt.Sprintf("self-test passed, largest error %.1g", dev.MaxError)
		if dev.Problem != "" {
			state = "self-test FAILED"
		}
		if dev.MemoryBytes > 0 {
			state = fmt.Sprintf("%.1f GiB, %s", float64(dev.MemoryBytes)/(1<<30), state)
		}
		lines = append(lines, [2]string{"device", shortDevice(dev.Name) + ", " + state})
	}
	for _, l := range lines {
		if _, err := fmt.Fprintf(w, "%-14s %s\n", l[0], l[1]); err != nil {
			return err
		}
	}
	return nil
}

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

// cpuFeatures lists the vector extensions that decide which kernels TensorFlow takes.
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
