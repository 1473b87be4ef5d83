package tf

import (
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/tfrun/tfrun/runner/internal/option"
)

// Config says how a graph is loaded. The zero value works.
type Config struct {
	// Device says where the graph runs: "" lets TensorFlow decide; "cpu"; "gpu", all GPUs; or some
	// GPUs, "gpu:0", "gpu:0,2".
	Device string
	// IntraOp and InterOp bound the number of threads inside one operation and across operations.
	// 0: TensorFlow's default, one for each core.
	IntraOp, InterOp int
	// Timeout bounds each run of a program, as TensorFlow's RunOptions.timeout_in_ms, but not
	// loading. 0: none.
	Timeout time.Duration
	// GPUMemoryFraction is the share of each GPU's memory that is taken at once. 0: memory is taken
	// as it is needed.
	GPUMemoryFraction float64
	// Optimize lets Grappler optimize the whole graph, in addition to each function on its own.
	Optimize bool
	// WarmUp makes oneDNN generate its machine code for products of matrices on another core, while
	// the graph is loaded.
	WarmUp bool
	// InTurn lets only one run at a time use the graph.
	InTurn bool
	// Library is the libtensorflow to open; see [OpenLibrary].
	Library string
	// OpLibraries are files with custom operations; see [LoadOpLibrary].
	OpLibraries []string
	// Logger gets the log of a model's process. For the log of this process see [LogTo].
	Logger *slog.Logger `json:"-"`

	// Place is the device, "/device:GPU:1", for which the graph was written with [PlaceGraph], if
	// there are several. Operations that are added later run there too.
	Place string
	// CPUs is how many CPU devices TensorFlow makes of the processor, for tests; 0: one.
	CPUs int32

	// OwnThreads makes TensorFlow start threads for the operations of this session only.
	OwnThreads bool
}

// device is a parsed [Config.Device].
type device struct {
	kind    string   // "", "cpu" or "gpu"
	indices []string // numbers of GPUs, as written; nil: all
}

func parseDevice(s string) (device, error) {
	kind, index, numbered := strings.Cut(strings.ToLower(s), ":")
	d := device{kind: kind}
	bad := &option.Error{Option: "Device", Msg: strconv.Quote(s) + `: want "cpu", "gpu", "gpu:N" or "gpu:N,M"`}
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

// Validate checks what can be checked without TensorFlow: that Device makes sense.
func (c Config) Validate() error {
	_, err := parseDevice(c.Device)
	return err
}

// MayUseGPU reports whether TensorFlow may place the graph on a GPU.
func (c Config) MayUseGPU() bool {
	d, err := parseDevice(c.Device)
	if err != nil || d.kind != "" {
		return d.kind == "gpu"
	}
	return machineHasGPU()
}

// machineHasGPU reports whether the machine has a driver for GPUs. It is looked for once: jobs over
// thousands of small files ask several times for each.
var machineHasGPU = sync.OnceValue(func() bool {
	_, driver := kernelDriver()
	_, err := os.Stat("/dev/dxg") // Windows' driver, as Linux on Windows sees it
	return driver || err == nil
})

// proto returns the serialized ConfigProto of a valid Config.
func (c Config) proto() ([]byte, error) {
	p := &pb.ConfigProto{
		IntraOpParallelismThreads: int32(c.IntraOp),
		InterOpParallelismThreads: int32(c.InterOp),
		UsePerSessionThreads:      c.OwnThreads,
		AllowSoftPlacement:        true, // a graph that names a GPU also runs without one
		GpuOptions:                &pb.GPUOptions{AllowGrowth: c.GPUMemoryFraction == 0, PerProcessGpuMemoryFraction: c.GPUMemoryFraction},
	}
	if !c.Optimize {
		p.GraphOptions = &pb.GraphOptions{RewriteOptions: &pb.RewriterConfig{DisableMetaOptimizer: true}}
	}
	d, err := parseDevice(c.Device)
	if err != nil {
		return nil, err
	}
	if d.kind == "cpu" {
		p.DeviceCount = map[string]int32{"GPU": 0}
	}
	if c.CPUs > 0 {
		p.DeviceCount = map[string]int32{"GPU": 0, "CPU": c.CPUs}
	}
	p.GpuOptions.VisibleDeviceList = strings.Join(d.indices, ",")
	return proto.Marshal(p)
}
