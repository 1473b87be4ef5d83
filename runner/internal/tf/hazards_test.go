//go:build cgo && !notf

package tf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tfrun/tfrun/tensor"
)

// What the binding and tfgo do that must not reach a caller, and the test that holds it:
//
//	they panic, with a string or an error           TestGuard
//	freed memory is read: finalizers run meanwhile  TestReadDuringCollections
//	C memory is unseen by the garbage collector     TestMemoryIsFreedAtOnce, TestTensorBytes,
//	                                                runner.TestNoTensorLeaks
//	impossible sizes end the process                TestImpossibleSizes, runner.TestFeedErrors
//	shapes are the caller's own slices              TestShapesAreCopied
//	types that ReadTensor and Value do not know     TestEveryType
//	an unknown rank is reported as 0                runner.TestPredictUnknownRank
//	runs know no context and no RunOptions          runner.TestDeadline,
//	                                                runner.TestTimeoutNotOfLoading
//	runs at a time change each other's numbers      runner.TestStress,
//	                                                runner.TestLoadKeepsRunsApart
//	Close waits, and use after it is an error       runner.TestClosed
//	each load takes memory that stays               runner.TestReloads
//	TensorFlow logs before it looks at the level    TestLog, TestHiddenVariable
//	a wrong output index ends the process           TestOutputNames
//	no thread is made while a library is opened     TestMakeThreads

// A panic of the binding or of tfgo becomes an error; one of ours stays a panic.
func TestGuard(t *testing.T) {
	boom := errors.New("failed to find node x")
	for _, tt := range []struct {
		value any
		want  string
	}{
		{"bug: no such type", "bug: no such type"},
		{boom, "failed to find node x"},
		{7, "7"},
	} {
		err := guard("load", func() error { panic(tt.value) })
		var e *Error
		if !errors.As(err, &e) || e.Op != "load" || e.Msg != tt.want {
			t.Errorf("panic(%v): %v, want an *Error of load: %s", tt.value, err, tt.want)
		}
	}
	if err := guard("load", func() error { return boom }); !errors.Is(err, boom) {
		t.Errorf("an error became %v", err)
	}
	defer func() {
		if _, ours := recover().(runtime.Error); !ours {
			t.Error("a fault of our own was hidden")
		}
	}()
	_ = guard("load", func() error { return []error{}[len(t.Name())] })
}

// sample returns a tensor of anything but texts.
func sample(t *testing.T, r *rand.Rand, dtype tensor.DType, dims ...int64) tensor.Tensor {
	t.Helper()
	n, _ := tensor.NumElements(dims)
	data := make([]byte, n*int64(dtype.Size()))
	for i := range data {
		data[i] = byte(r.Uint32())
		if dtype == tensor.Bool {
			data[i] &= 1
		}
	}
	x, err := tensor.FromBytes(dtype, data, dims...)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// there brings a tensor into C memory and back.
func there(x tensor.Tensor) (tensor.Tensor, error) {
	c, err := toC(FeedTensor(x))
	if err != nil {
		return tensor.Tensor{}, err
	}
	defer c.release()
	return fromC(context.Background(), c, nil)
}

// same reports whether two tensors are of one type, one shape and the same bits.
func same(x, y tensor.Tensor) bool {
	return x.DType() == y.DType() && slices.Equal(x.Dims(), y.Dims()) &&
		bytes.Equal(x.Bytes(), y.Bytes()) && slices.Equal(x.Strings(), y.Strings())
}

var (
	everyType = []tensor.DType{
		tensor.Float16, tensor.Bfloat16, tensor.Float32, tensor.Float64, tensor.Bool, tensor.Complex64, tensor.Complex128,
		tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64, tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64,
		tensor.Qint8, tensor.Qint16, tensor.Qint32, tensor.Quint8, tensor.Quint16,
	}
	everyShape = [][]int64{{}, {1}, {5}, {0}, {2, 3}, {2, 0, 3}, {1, 1, 1, 1, 1, 1, 1}}
)

// Each type that a model can take or give comes through in each kind of shape, with its bits.
func TestEveryType(t *testing.T) {
	if _, err := OpenLibrary(""); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, dims := range everyShape {
		for _, dtype := range everyType {
			x := sample(t, r, dtype, dims...)
			if y, err := there(x); err != nil || !same(x, y) {
				t.Errorf("%s %v: %v, %v, want %v", dtype, dims, y, err, x)
			}
		}
		n, _ := tensor.NumElements(dims)
		texts := make([]string, n)
		for i := range texts {
			texts[i] = strings.Repeat("é\x00\xff", i*7)
		}
		x, err := tensor.FromSlice(texts, dims...)
		if err != nil {
			t.Fatal(err)
		}
		if y, err := there(x); err != nil || !same(x, y) {
			t.Errorf("texts %v: %v, %v", dims, y, err)
		}
	}
}

// What TensorFlow's tensors hold is read while the garbage collector frees those that are dropped.
func TestReadDuringCollections(t *testing.T) {
	if _, err := OpenLibrary(""); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var collector, readers sync.WaitGroup
	collector.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				runtime.GC()
			}
		}
	})
	for g := range uint64(4) {
		readers.Go(func() {
			r := rand.New(rand.NewPCG(g, 3))
			for i := range 60 {
				x := sample(t, r, everyType[i%len(everyType)], 64, 33)
				c, err := toC(FeedTensor(x)) // dropped, and not released
				if err != nil {
					t.Error(err)
					return
				}
				if y, err := fromC(context.Background(), c, nil); err != nil || !same(x, y) {
					t.Errorf("%s: other values came back (%v)", x.DType(), err)
				}
			}
		})
	}
	readers.Wait()
	close(done)
	collector.Wait()
}

// Sizes that no tensor can have, or that no machine has the memory for, are errors before C code
// sees them.
func TestImpossibleSizes(t *testing.T) {
	if _, err := OpenLibrary(""); err != nil {
		t.Fatal(err)
	}
	never := func([]byte) error {
		t.Error("memory was there")
		return nil
	}
	for _, dims := range [][]int64{{-1}, {2, -3}, {math.MaxInt64, 2}, {1 << 32, 1 << 32}, {1 << 62}, {1 << 40}, {math.MinInt64}, make([]int64, 255)} {
		for _, dtype := range everyType {
			if _, err := toC(Feed{DType: dtype, Dims: dims, Fill: never}); err == nil {
				t.Errorf("%s %v: no error", dtype, dims[:min(len(dims), 3)])
			}
		}
	}
	if _, err := toC(Feed{DType: tensor.String, Dims: []int64{3}, Strings: []string{"a"}}); err == nil {
		t.Error("one text in the place of three: no error")
	}
	for _, dtype := range []tensor.DType{tensor.Invalid, tensor.Resource, tensor.Variant, 200} {
		if _, err := toC(Feed{DType: dtype, Dims: []int64{0}, Fill: never}); err == nil {
			t.Errorf("%s: no error", dtype)
		}
	}
}

// The sizes that a caller gave and those that it got are its own: it may write into them.
func TestShapesAreCopied(t *testing.T) {
	if _, err := OpenLibrary(""); err != nil {
		t.Fatal(err)
	}
	for _, dtype := range append(slices.Clone(everyType), tensor.String) {
		x, err := tensor.New(dtype, 2, 3)
		if err != nil {
			t.Fatal(err)
		}
		feed := FeedTensor(x)
		feed.Dims = slices.Clone(feed.Dims)
		c, err := toC(feed)
		if err != nil {
			t.Fatal(err)
		}
		feed.Dims[0], feed.Dims[1] = 99, 99
		if got := fmt.Sprint(c.t.Shape()); got != "[2 3]" {
			t.Errorf("%s: the shape became %s", dtype, got)
		}
		y, err := fromC(context.Background(), c, nil)
		if err != nil {
			t.Fatal(err)
		}
		y.Dims()[0] = 77
		if slices.Contains(c.t.Shape(), 77) {
			t.Errorf("%s: the shape became %v", dtype, c.t.Shape())
		}
	}
}

// A tensor's name with an index that its operation does not have is an error.
func TestOutputNames(t *testing.T) {
	e, sig := loadModel(t, "k3_autoencoder/model", Config{})
	out := sig.Outputs[sig.OutputNames()[0]].Tensor
	op, _, _ := strings.Cut(out, ":")
	if _, err := e.Prepare(nil, []string{out, op}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{op + ":1", op + ":-1", op + ":99999999999999999999", op + ":", ":0", "", op + ":x", "none:0"} {
		if _, err := e.Prepare(nil, []string{name}); err == nil {
			t.Errorf("fetch %q: no error", name)
		}
		if _, err := e.Prepare([]string{name}, nil); err == nil {
			t.Errorf("feed %q: no error", name)
		}
	}
}

// The threads that opening the library may need are there before.
func TestMakeThreads(t *testing.T) {
	made := pprof.Lookup("threadcreate")
	before := made.Count()
	makeThreads(before + 3) // more than can be there and idle
	if got := made.Count(); got < before+3 {
		t.Errorf("%d threads, after %d, want 3 more", got, before)
	}
}

// TestNoICUData: TensorFlow's copy of ICU gets no folder to look for files in that a model names.
func TestNoICUData(t *testing.T) {
	if os.Getenv("TFRUN_TEST_ICU") == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNoICUData$")
		cmd.Env = append(os.Environ(), "TFRUN_TEST_ICU=1", "ICU_DATA="+t.TempDir())
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, said)
		}
		return
	}
	if _, err := OpenLibrary(""); err != nil {
		t.Fatal(err)
	}
	if dir, ok := os.LookupEnv("ICU_DATA"); ok {
		t.Errorf("ICU would look in %q", dir)
	}
}
