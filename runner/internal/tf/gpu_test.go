package tf

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGPUProblems(t *testing.T) {
	t.Parallel()
	complete := func() gpuFacts {
		f := gpuFacts{library: Library{Version: "2.21.0"}, hasDriver: true, getenv: func(string) (string, bool) { return "", false }}
		f.report = GPUReport{Build: true, Driver: "550.54.15", CUDA: "12.4"}
		for _, name := range append([]string{driverLibrary, monitorLibrary}, cudaLibraries("2.21.0")...) {
			f.report.Libraries = append(f.report.Libraries, GPULibrary{Name: name})
		}
		return f
	}
	lose := func(names ...string) func(*gpuFacts) {
		return func(f *gpuFacts) {
			for i, l := range f.report.Libraries {
				for _, name := range names {
					if l.Name == name {
						f.report.Libraries[i].Reason = "cannot open shared object file: No such file or directory"
					}
				}
			}
		}
	}
	for _, tt := range []struct {
		name  string
		spoil func(*gpuFacts)
		want  []string // the beginning of each problem
		fix   string   // part of the first fix
	}{
		{"nothing", func(*gpuFacts) {}, nil, ""},
		{"cpu build", func(f *gpuFacts) { f.report.Build = false }, []string{"this libtensorflow 2.21.0 is built for the CPU"}, "--variant gpu"},
		{
			"no driver", func(f *gpuFacts) { lose(driverLibrary, monitorLibrary)(f); f.hasDriver, f.initCode = false, -1 },
			[]string{"there is no NVIDIA driver"},
			"container toolkit",
		},
		{"container without --gpus", lose(driverLibrary, monitorLibrary), []string{"the host has NVIDIA's driver"}, "--gpus all"},
		{"no utility", lose(monitorLibrary), []string{"libnvidia-ml.so.1 is missing"}, "compute,utility"},
		{"no cuDNN", lose("libcudnn.so.9"), []string{"libraries of CUDA are missing: libcudnn.so.9"}, "gpu target"},
		{
			"cuInit", func(f *gpuFacts) { f.initCode, f.initReason = 802, "system not yet initialized" },
			[]string{"the driver does not start: cuInit: system not yet initialized (802)"},
			"fabricmanager",
		},
		{"old driver", func(f *gpuFacts) { f.report.CUDA = "11.4" }, []string{"the driver 550.54.15 supports CUDA 11.4"}, "525.60.13"},
		{
			"hidden", func(f *gpuFacts) {
				f.getenv = func(name string) (string, bool) { return "-1", name == "CUDA_VISIBLE_DEVICES" }
				f.initCode, f.initReason = 100, "no CUDA-capable device is detected"
			},
			[]string{`CUDA_VISIBLE_DEVICES="-1" hides all GPUs`, "the driver does not start"},
			"unset CUDA_VISIBLE_DEVICES",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := complete()
			tt.spoil(&f)
			got := f.problems()
			if len(got) != len(tt.want) {
				t.Fatalf("problems() = %q, want %q", got, tt.want)
			}
			for i, p := range got {
				if !strings.HasPrefix(p.What, tt.want[i]) || p.Fix == "" {
					t.Errorf("problem %d is %q, want %q… with a fix", i, p, tt.want[i])
				}
			}
			if len(got) > 0 && !strings.Contains(got[0].Fix, tt.fix) {
				t.Errorf("fix %q, want one with %q", got[0].Fix, tt.fix)
			}
			e := GPUError{Report: GPUReport{Problems: got}}
			if n := len(e.Hints()); n < 1 || n > 2 {
				t.Errorf("%d hints, want one or two", n)
			}
			if msg := e.Error(); strings.ContainsAny(msg, "\n") || !strings.HasPrefix(msg, "TensorFlow sees no GPU") {
				t.Errorf("Error() = %q", msg)
			}
		})
	}
}

func TestCUDALibraries(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{"2.15.0": "libcudnn.so.8", "2.17.1": "libcudnn.so.8", "2.18.0": "libcudnn.so.9", "2.21.0": "libcudnn.so.9", "": "libcudnn.so.9"} {
		list := cudaLibraries(version)
		if got := list[len(list)-1]; got != want {
			t.Errorf("cudaLibraries(%q) ends with %s, want %s", version, got, want)
		}
	}
}

func TestBesideLibrary(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	own := filepath.Join(root, "lib/nvidia/cudnn/lib/libcudnn.so.9")
	wheel := filepath.Join(root, "nvidia/cudnn/lib/libcudnn.so.9")
	for _, path := range []string{own, wheel} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := besideLibrary(filepath.Join(root, "lib/libtensorflow_cc.so.2"), "libcudnn.so.9")
	if diff := cmp.Diff([]string{own, wheel}, got); diff != "" {
		t.Errorf("besideLibrary: -want +got\n%s", diff)
	}
}

// TestExamineGPU runs where there may or may not be a GPU: what it says has to fit what TensorFlow
// sees.
func TestExamineGPU(t *testing.T) {
	if !HasTensorFlow {
		t.Skip("built without libtensorflow")
	}
	report, err := ExamineGPU("")
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Libraries) != 9 {
		t.Errorf("%d libraries were looked for, want 9", len(report.Libraries))
	}
	_, err = findGPUs(Config{Device: "gpu"})
	var missing *GPUError
	switch {
	case err == nil && len(report.GPUs) == 0:
		t.Error("TensorFlow sees a GPU that the driver does not have")
	case err != nil && !errors.As(err, &missing):
		t.Errorf("findGPUs: %v, want a *GPUError", err)
	case err != nil && len(missing.Report.Problems) == 0:
		t.Error("TensorFlow sees no GPU and no reason was found")
	}
	if list, err := Places(Config{Device: "cpu"}); err != nil || list != nil {
		t.Errorf("places for the CPU = %v, %v, want none", list, err)
	}
}
