//go:build cgo && !notf

package tf

import (
	"context"
	"fmt"
	"math"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tensorflow/tensorflow/go/op"
	tg "github.com/galeone/tfgo"
)

// testSize is the side of the self-test's matrices. tolerance bounds the difference between
// products: sums of 64 terms in float32, which a GPU may compute in TF32, with a mantissa of 10
// bits.
const (
	testSize  = 64
	tolerance = 5e-3
)

// SelfTest runs a small graph, built with tfgo, on every device that TensorFlow sees: relu(a × b +
// c) for matrices of 64 × 64. It compares the results with Go's. An error means that the test could
// not run; what a device did wrong is in its DeviceTest.
func SelfTest(ctx context.Context, c Config) ([]DeviceTest, error) {
	if _, err := OpenLibrary(c.Library); err != nil {
		return nil, err
	}
	devices, err := allDevices(c)
	if err != nil {
		return nil, err
	}
	var tests []DeviceTest
	for _, d := range devices {
		if err := ctx.Err(); err != nil {
			return tests, err
		}
		t := DeviceTest{Device: d}
		t.MaxError, t.Err = testDevice(d.Name, c)
		if t.Err == nil && !(t.MaxError <= tolerance) {
			t.Err = fmt.Errorf("device %s: wrong numbers: a matrix product differs by %.2g from the right one", d.Name, t.MaxError)
		}
		tests = append(tests, t)
	}
	return tests, nil
}

// allDevices lists the devices that an empty session sees.
func allDevices(c Config) (list []Device, err error) {
	config, err := c.proto()
	if err != nil {
		return nil, err
	}
	err = guard("devices", func() error {
		session, err := tf.NewSession(tf.NewGraph(), &tf.SessionOptions{Config: config})
		if err != nil {
			return err
		}
		list, err = listDevices(session)
		if closeErr := session.Close(); err == nil {
			err = closeErr
		}
		return err
	})
	return list, err
}

// testDevice runs the graph on one device and returns the largest relative error.
func testDevice(name string, how Config) (worst float64, err error) {
	config, err := how.proto()
	if err != nil {
		return 0, err
	}
	a, b, c := testMatrix(1), testMatrix(2), testMatrix(3)
	err = guard("self-test", func() error {
		root := tg.NewRoot()
		on := root.WithDevice(name)
		y := op.Relu(on, op.Add(on, op.MatMul(on, tg.Const(on, a), tg.Const(on, b)), tg.Const(on, c)))
		got, ok := tg.Exec(root, []tf.Output{y}, nil, &tf.SessionOptions{Config: config})[0].Value().([][]float32)
		if !ok || len(got) != testSize {
			return fmt.Errorf("want a matrix of %d rows", testSize)
		}
		worst = largestError(a, b, c, got)
		return nil
	})
	return worst, err
}

// largestError returns the largest relative difference between got and relu(a × b + c).
func largestError(a, b, c, got [][]float32) float64 {
	worst := 0.0
	for i := range got {
		for j := range got[i] {
			sum := float64(c[i][j])
			for k := range b {
				sum += float64(a[i][k]) * float64(b[k][j])
			}
			want := max(sum, 0)
			diff := math.Abs(float64(got[i][j])-want) / max(1, want)
			if !(diff <= worst) { // so NaN counts as the worst
				worst = diff
			}
		}
	}
	return worst
}

// testMatrix returns a matrix of numbers between -1 and 1, which depend on the seed alone.
func testMatrix(seed uint32) [][]float32 {
	m := make([][]float32, testSize)
	for i := range m {
		m[i] = make([]float32, testSize)
		for j := range m[i] {
			seed = seed*1664525 + 1013904223
			m[i][j] = float32(seed>>8)/float32(1<<23) - 1
		}
	}
	return m
}
