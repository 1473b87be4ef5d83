package runner

import (
	"os"
	"slices"
	"strconv"
	"strings"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"
)

// device is a parsed [Options.Device].
type device struct {
	kind    string   // "", "cpu" or "gpu"
	indices []string // of GPUs, as written; nil for all
}

func parseDevice(s string) (device, error) {
	kind, index, numbered := strings.Cut(strings.ToLower(s), ":")
	d := device{kind: kind}
	bad := &OptionError{Option: "Device", Msg: strconv.Quote(s) + `: want "cpu", "gpu", "gpu:N" or "gpu:N,M"`}
	switch kind {
	case "", "cpu":
		if numbered && (kind == "" || index != "0") {
			return d, bad
		}
	case "gpu":
		if !numbered {
			break
		}
		for _, i := range strings.Split(index, ",") {
			n, err := strconv.ParseUint(i, 10, 16)
			name := strconv.FormatUint(n, 10)
			if err != nil || slices.Contains(d.indices, name) {
				return d, bad
			}
			d.indices = append(d.indices, name)
		}
	default:
		return d, bad
	}
	return d, nil
}

// Optimizer says how much TensorFlow's graph optimizer (Grappler) does.
//
// Measured with TensorFlow 2.21 on 2 shared cores, in CPU time. Session-wide, beside the functions'
// own optimizer, it cost time at the start (loading and the first run of one row: 454 ms with it,
// 307 without, for the tutorial's Keras 2 model; 578 and 351 for a residual network; no difference
// for the Keras 3 export), and later runs of that model, a dense one, two convolutional ones, a GRU
// and a transformer took the same time with and without. The functions' own costs the first run of
// the tutorial's model 70 to 80 ms more, and without it full batches took 5 to 15 % longer, those
// of a mobile network 37 %: worth it for all but short jobs.
type Optimizer string

const (
	// OptimizerNone begins soonest.
	OptimizerNone Optimizer = "none"
	// OptimizerFunctions optimizes each function by itself, as its call in the model says. In
	// TensorFlow 2 nearly everything is in functions. On CPUs [savedmodel.Reduction.Lookups]
	// belongs to it, which takes some 40 ms more to load the tutorial's model.
	OptimizerFunctions Optimizer = "functions"
	// OptimizerAll optimizes the graph across functions too: TensorFlow's own default. It does not
	// go with XLA, which does not take the operations (Enter, Exit) that it makes of loops.
	OptimizerAll Optimizer = "all"
)

// optimizer is the one to use.
func (o Options) optimizer() Optimizer {
	switch {
	case o.Optimizer == OptimizerAll || !o.XLA.enabled() && o.mayUseGPU():
		return OptimizerAll
	case o.Optimizer == "":
		return OptimizerFunctions
	}
	return o.Optimizer
}

// mayUseGPU reports whether TensorFlow may place the model on a GPU.
func (o Options) mayUseGPU() bool {
	d, err := parseDevice(o.Device)
	if err != nil || d.kind != "" {
		return d.kind == "gpu"
	}
	_, driver := kernelDriver()
	_, err = os.Stat("/dev/dxg") // Windows' own driver, as Linux below it sees it
	return driver || err == nil
}

// config returns the serialized ConfigProto for o, which must be valid.
func (o Options) config() ([]byte, error) {
	c := &pb.ConfigProto{
		IntraOpParallelismThreads: int32(o.IntraOp),
		InterOpParallelismThreads: int32(o.InterOp),
		OperationTimeoutInMs:      o.Timeout.Milliseconds(),
		UsePerSessionThreads:      o.ownThreads,
		AllowSoftPlacement:        true, // a graph that names a GPU still runs where there is none
		GpuOptions:                &pb.GPUOptions{AllowGrowth: o.GPUMemoryFraction == 0, PerProcessGpuMemoryFraction: o.GPUMemoryFraction},
	}
	if o.Timeout > 0 && c.OperationTimeoutInMs == 0 {
		c.OperationTimeoutInMs = 1
	}
	if o.optimizer() != OptimizerAll {
		c.GraphOptions = &pb.GraphOptions{RewriteOptions: &pb.RewriterConfig{DisableMetaOptimizer: true}}
	}
	d, err := parseDevice(o.Device)
	if err != nil {
		return nil, err
	}
	if d.kind == "cpu" {
		c.DeviceCount = map[string]int32{"GPU": 0}
	}
	if o.cpus > 0 {
		c.DeviceCount = map[string]int32{"GPU": 0, "CPU": o.cpus}
	}
	c.GpuOptions.VisibleDeviceList = strings.Join(d.indices, ",")
	return proto.Marshal(c)
}
