package tf

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// GPUReport says what TensorFlow needs for GPUs, and what of it is missing. If something is missing
// TensorFlow uses the CPU, without saying why.
type GPUReport struct {
	// Build says that libtensorflow has operations for GPUs.
	Build bool
	// Driver is the version of NVIDIA's driver ("550.54.15") and CUDA the newest one that it
	// supports ("12.4"); "" where they are not known.
	Driver, CUDA string
	// GPUs are the devices that the driver shows to this process.
	GPUs []GPU
	// Libraries are the libraries that TensorFlow opens by name: the driver's two, then CUDA's.
	Libraries []GPULibrary
	// Problems are in the order in which they should be solved.
	Problems []GPUProblem
}

// GPU is a device as NVIDIA's driver describes it.
type GPU struct {
	Name       string
	Capability string // compute capability: "9.0"
	// TotalBytes is the device's memory, FreeBytes the part that no process has taken.
	TotalBytes, FreeBytes int64
}

// GPULibrary is a shared library that TensorFlow needs for GPUs.
type GPULibrary struct {
	Name   string // "libcudnn.so.9"
	Reason string // why it could not be opened, in the dynamic linker's words; "": it was
}

// GPUProblem is something that is missing, and what to do about it.
type GPUProblem struct {
	What, Fix string
}

// GPUError says that a GPU was asked for, and that TensorFlow sees none.
type GPUError struct {
	Report GPUReport
}

// Error gives the first reason.
func (e *GPUError) Error() string {
	if len(e.Report.Problems) == 0 {
		return "TensorFlow sees no GPU, and everything that it needs is there"
	}
	return "TensorFlow sees no GPU: " + e.Report.Problems[0].What
}

// Hints returns what to do.
func (e *GPUError) Hints() []string {
	if len(e.Report.Problems) == 0 {
		return []string{"TensorFlow's own log may tell: tfrun doctor -v --device gpu"}
	}
	return []string{e.Report.Problems[0].Fix, "all that was looked at: tfrun doctor"}
}

const (
	driverLibrary  = "libcuda.so.1"
	monitorLibrary = "libnvidia-ml.so.1"
	// driverFile is the file in which NVIDIA's kernel module shows its version.
	driverFile = "/proc/driver/nvidia/version"
)

// cudaLibraries lists the libraries that TensorFlow's GPU build opens when it looks for devices. If
// one is missing it uses no GPUs (tsl's DsoLoader, MaybeTryDlopenGPULibraries). All releases from
// 2.15 on are built with CUDA 12, those before 2.18 with cuDNN 8.
func cudaLibraries(version string) []string {
	cudnn := "libcudnn.so.9"
	if parts := strings.Split(version, "."); len(parts) > 1 && parts[0] == "2" {
		if minor, err := strconv.Atoi(parts[1]); err == nil && minor < 18 {
			cudnn = "libcudnn.so.8"
		}
	}
	return []string{"libcudart.so.12", "libcublas.so.12", "libcublasLt.so.12", "libcufft.so.11", "libcusolver.so.11", "libcusparse.so.12", cudnn}
}

// besideLibrary lists the places where wheels put CUDA's libraries, and where libtensorflow looks
// for them.
func besideLibrary(tensorflow, name string) []string {
	dir := filepath.Dir(tensorflow)
	var found []string
	for _, pattern := range []string{"nvidia/*/lib", "../nvidia/*/lib"} {
		match, err := filepath.Glob(filepath.Join(dir, pattern, name))
		if err == nil {
			found = append(found, match...)
		}
	}
	return found
}

// gpuFacts are the facts from which problems are derived.
type gpuFacts struct {
	report     GPUReport
	library    Library
	hasDriver  bool   // the kernel's driver is loaded on this machine
	initCode   int    // result of cuInit; -1: not called
	initReason string // that result in words
	getenv     func(string) (string, bool)
}

// problems lists what is wrong, causes before their effects.
func (f gpuFacts) problems() []GPUProblem {
	var list []GPUProblem
	add := func(what, fix string) { list = append(list, GPUProblem{What: what, Fix: fix}) }
	if !f.report.Build {
		add(fmt.Sprintf("this libtensorflow %s is built for the CPU alone", f.library.Version),
			"take the image's gpu target; or: export TFRUN_LIBTENSORFLOW=\"$(tfrun lib --variant gpu)\"")
	}
	if visible, set := f.getenv("CUDA_VISIBLE_DEVICES"); set && (visible == "" || strings.HasPrefix(visible, "-1")) {
		add(fmt.Sprintf("CUDA_VISIBLE_DEVICES=%s hides all GPUs", strconv.Quote(visible)), "unset CUDA_VISIBLE_DEVICES")
	}
	var missing []string
	opened := map[string]bool{}
	for _, l := range f.report.Libraries {
		opened[l.Name] = l.Reason == ""
		if l.Reason != "" && l.Name != driverLibrary && l.Name != monitorLibrary {
			missing = append(missing, l.Name)
		}
	}
	switch {
	case !opened[driverLibrary] && f.hasDriver:
		add("the host has NVIDIA's driver, but its library "+driverLibrary+" is not in this container", "start the container with: docker run --gpus all")
	case !opened[driverLibrary]:
		add("there is no NVIDIA driver ("+driverLibrary+")",
			"install the driver on the host; a container also needs NVIDIA's container toolkit and: docker run --gpus all")
	case !opened[monitorLibrary]:
		add(monitorLibrary+" is missing: the driver's part \"utility\"", "start the container with: -e NVIDIA_DRIVER_CAPABILITIES=compute,utility")
	}
	if f.initCode > 0 {
		add(fmt.Sprintf("the driver does not start: cuInit: %s (%d)", f.initReason, f.initCode), initFix(f.initCode))
	}
	if len(missing) > 0 && f.report.Build {
		add("libraries of CUDA are missing: "+strings.Join(missing, ", "),
			"take the image's gpu target; or put them where the dynamic linker looks (LD_LIBRARY_PATH, ldconfig)")
	}
	if major, _, ok := strings.Cut(f.report.CUDA, "."); ok {
		if n, err := strconv.Atoi(major); err == nil && n < 12 {
			add("the driver "+f.report.Driver+" supports CUDA "+f.report.CUDA+", and TensorFlow needs 12", "install driver 525.60.13 or later on the host")
		}
	}
	return list
}

// initFix returns what to do about an error of cuInit (CUresult in cuda.h).
func initFix(code int) string {
	switch code {
	case 34: // CUDA_ERROR_STUB_LIBRARY
		return "a stub for linking lies in the way of the driver's " + driverLibrary + ": take its folder from LD_LIBRARY_PATH"
	case 100: // CUDA_ERROR_NO_DEVICE
		return "check that the host sees its GPU (nvidia-smi), and start the container with: docker run --gpus all"
	case 802: // CUDA_ERROR_SYSTEM_NOT_READY
		return "start NVIDIA's fabric manager on the host: systemctl start nvidia-fabricmanager"
	case 803, 804: // CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE
		return "the driver's library and its kernel module do not fit: restart the host, or update the driver"
	}
	return "look at the host's nvidia-smi and its kernel log (dmesg | grep -i nvrm)"
}

// kernelDriver returns the version of the loaded kernel module, and whether there is one.
func kernelDriver() (version string, loaded bool) {
	text, err := os.ReadFile(driverFile)
	if err != nil {
		return "", false
	}
	for _, word := range strings.Fields(string(text)) {
		if strings.Count(word, ".") >= 1 && strings.Trim(word, "0123456789.") == "" {
			return word, true
		}
	}
	return "", true
}
