//go:build cgo && !notf

package tf

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// openModel returns the graph of a model of testdata.
func openModel(t *testing.T, name string) (*savedmodel.Model, *savedmodel.MetaGraph) {
	t.Helper()
	m, err := savedmodel.Open(filepath.Join("../../../testdata/models", name))
	if err != nil {
		t.Fatal(err)
	}
	graph, err := m.MetaGraph()
	if err != nil {
		t.Fatal(err)
	}
	return m, graph
}

// loadModel loads a model of testdata as it is, and returns its default signature beside it.
func loadModel(t *testing.T, name string, c Config) (Engine, *savedmodel.Signature) {
	t.Helper()
	_, graph := openModel(t, name)
	sig, err := graph.Signature("")
	if err != nil {
		t.Fatal(err)
	}
	e, err := Load(t.Context(), wholeModel(t, graph), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e, sig
}

// What was fed and fetched is given back without a garbage collection.
func TestMemoryIsFreedAtOnce(t *testing.T) {
	for _, model := range []string{"k3_autoencoder/model", "full_seed/k3/model", "k3_textvec/model"} {
		e, sig := loadModel(t, model, Config{})
		var in, out []string
		var feeds []Feed
		for _, name := range sig.InputNames() {
			info := sig.Inputs[name]
			dims := info.Shape.Dims()
			for k, n := range dims {
				if n == tensor.Unknown {
					dims[k] = 3
				}
			}
			x, err := tensor.New(info.DType, dims...)
			if err != nil {
				t.Fatal(err)
			}
			in, feeds = append(in, info.Tensor), append(feeds, FeedTensor(x))
		}
		for _, name := range sig.OutputNames() {
			out = append(out, sig.Outputs[name].Tensor)
		}
		p, err := e.Prepare(in, out)
		if err != nil {
			t.Fatal(err)
		}
		call := func() {
			l, err := p.Load(feeds, nil)
			if err == nil {
				_, err = l.Run(t.Context(), nil)
			}
			if err != nil {
				t.Fatalf("%s: %v", model, err)
			}
			l.Release()
		}
		call() // helper graphs keep a tensor or two
		before, held := cAllocated.Load(), TensorBytes()
		for range 20 {
			call()
		}
		if more := cAllocated.Load() - before; more != 0 {
			t.Errorf("%s: %d bytes of C memory wait for a garbage collection", model, more)
		}
		if more := TensorBytes() - held; more != 0 {
			t.Errorf("%s: %d bytes of C memory are held", model, more)
		}
	}
}

// The bytes of tensors are counted while they are held, by the size of their type.
func TestTensorBytes(t *testing.T) {
	if _, err := OpenLibrary(""); err != nil {
		t.Fatal(err)
	}
	for dtype, want := range map[tensor.DType]int64{
		tensor.Float32: 24, tensor.Float64: 48, tensor.Bool: 6, tensor.Complex128: 96, tensor.Uint64: 48, tensor.String: 144,
	} {
		x, err := tensor.New(dtype, 2, 3)
		if err != nil {
			t.Fatal(err)
		}
		before := TensorBytes()
		c, err := toC(FeedTensor(x))
		if err != nil {
			t.Fatal(err)
		}
		if got := TensorBytes() - before; got != want {
			t.Errorf("%s (2, 3): %d bytes are held, want %d", dtype, got, want)
		}
		c.release()
		c.release()
		if got := TensorBytes() - before; got != 0 {
			t.Errorf("%s (2, 3): %d bytes are held after it was released", dtype, got)
		}
	}
}

// TestPlacedIsHeeded loads a placed graph where TensorFlow may not choose another device.
func TestPlacedIsHeeded(t *testing.T) {
	if _, err := OpenLibrary(""); err != nil {
		t.Fatal(err)
	}
	_, graph := openModel(t, "full_seed/k3/model")
	config, err := proto.Marshal(&pb.ConfigProto{DeviceCount: map[string]int32{"GPU": 0, "CPU": 2}})
	if err != nil {
		t.Fatal(err)
	}
	for device, ok := range map[string]bool{"/device:CPU:1": true, "/device:CPU:2": false} {
		def, err := graph.Proto()
		if err != nil {
			t.Fatal(err)
		}
		PlaceGraph(def.GetGraphDef(), device)
		m := wholeModel(t, graph)
		if m.Graph, err = proto.Marshal(def.GetGraphDef()); err != nil {
			t.Fatal(err)
		}
		e := &tfEngine{warmed: func() {}}
		err = e.load(t.Context(), m, config)
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "CPU:2") {
			t.Errorf("loading for %s = %v", device, err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Nobody is told of an error of the warming up.
func TestMultiply(t *testing.T) {
	if _, err := OpenLibrary(""); err != nil {
		t.Fatal(err)
	}
	for _, c := range []Config{{}, {IntraOp: 1}} {
		if err := multiply(c); err != nil {
			t.Errorf("multiply(%+v) = %v", c, err)
		}
	}
}

// A load that fails leaves nothing of the warming up behind: goleak looks.
func TestWarmUpOfNothing(t *testing.T) {
	if _, err := Load(t.Context(), Model{Graph: []byte("none")}, Config{WarmUp: true}); err == nil {
		t.Error("Load of no graph gave no error")
	}
}

// One core has enough to do with the loading.
func TestNoWarmUpOnOneCore(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	start := time.Now()
	beginWarmUp(Config{WarmUp: true})()
	if took := time.Since(start); took > time.Millisecond {
		t.Errorf("beginWarmUp on one core took %v", took)
	}
}

// wholeModel is a graph as it is, with what loading it runs.
func wholeModel(t *testing.T, graph *savedmodel.MetaGraph) Model {
	t.Helper()
	def, err := graph.Proto()
	if err != nil {
		t.Fatal(err)
	}
	data, err := proto.Marshal(def.GetGraphDef())
	if err != nil {
		t.Fatal(err)
	}
	files, err := graph.Files(false)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := graph.Loading(files)
	if err != nil {
		t.Fatal(err)
	}
	m := Model{Graph: data}
	for _, s := range steps {
		m.Steps = append(m.Steps, Step(s))
	}
	return m
}
