//go:build cgo && !notf

package tf

import (
	"context"
	"io"
	"runtime"
	"slices"

	tf "github.com/galeone/tensorflow/tensorflow/go"

	"github.com/tfrun/tfrun/tensor"
)

// cTensor is a tensor of the binding, counted in the memory count.
type cTensor struct {
	t *tf.Tensor
	// memory is the tensor's own memory, valid as long as the tensor. The values that were written
	// there may be overwritten. nil: the memory is not known.
	memory []byte
	held   *cBytes // its entry in the memory count
}

// holdC adds a tensor of the binding to the memory count.
func holdC(t *tf.Tensor) *cTensor {
	n, _ := tensor.NumElements(t.Shape())
	size := dtypeOf(t).Size()
	if size == 0 {
		size = 24 // size of a TF_TString; a long text takes more
	}
	c := &cTensor{t: t}
	c.held = countC(c, n*int64(size))
	return c
}

func dtypeOf(t *tf.Tensor) tensor.DType { return tensor.DType(t.DataType()) }

// toC makes a tensor of f in C memory. The values are written there once.
func toC(f Feed) (*cTensor, error) {
	if err := CheckFeed(f); err != nil {
		return nil, err
	}
	if carrier, ok := carriers[f.DType]; ok {
		want := f.DType
		f.DType = carrier
		c, err := toC(f)
		if err != nil {
			return nil, err
		}
		return bitcast(c, want)
	}
	var t *tf.Tensor
	r := fillReader{fill: f.Fill}
	err := guard("feed", func() (err error) {
		switch f.DType {
		case tensor.String:
			t, err = newFlat(f.Strings, f.Dims)
		case tensor.Uint32:
			t, err = newFilled[uint32](f)
		case tensor.Uint64:
			t, err = newFilled[uint64](f)
		case tensor.Float32, tensor.Float64, tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64, tensor.Uint8, tensor.Uint16,
			tensor.Bool, tensor.Complex64, tensor.Complex128:
			// ReadTensor keeps the shape slice, and Shape returns it.
			t, err = tf.ReadTensor(tf.DataType(f.DType), slices.Clone(f.Dims), &r)
		default:
			return &DTypeError{DType: f.DType}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	c := holdC(t)
	c.memory = r.memory
	return c, nil
}

// fillReader writes a Feed's values for tf.ReadTensor, which reads into the tensor's own memory in
// one call.
type fillReader struct {
	fill   func(dst []byte) error
	memory []byte
}

func (r *fillReader) Read(p []byte) (int, error) {
	if err := r.fill(p); err != nil {
		return 0, err
	}
	r.memory = p
	return len(p), nil
}

// newFilled makes a tensor of a type that tf.ReadTensor does not take, with its values in Go memory
// first.
func newFilled[T uint32 | uint64](f Feed) (*tf.Tensor, error) {
	n, _ := tensor.NumElements(f.Dims)
	values := make([]T, n)
	if err := f.Fill(tensor.Vector(values...).Bytes()); err != nil {
		return nil, err
	}
	return newFlat(values, f.Dims)
}

// newFlat makes a tensor of a flat slice. Nested slices are slow, and do not show the sizes behind
// an empty axis.
func newFlat[T string | uint32 | uint64](values []T, dims []int64) (*tf.Tensor, error) {
	if len(dims) == 0 {
		return tf.NewTensor(values[0])
	}
	if values == nil {
		values = []T{}
	}
	t, err := tf.NewTensor(values)
	if err != nil || len(dims) == 1 {
		return t, err
	}
	return reshaped(t, dims)
}

// reshaped returns t with other sizes. It may change t itself.
func reshaped(t *tf.Tensor, dims []int64) (*tf.Tensor, error) {
	if dtypeOf(t) != tensor.String {
		return t, t.Reshape(slices.Clone(dims))
	}
	// Strings go through a graph: TF_TensorBitcastFrom, which Tensor.Reshape calls, refuses them.
	h, err := helperFor(helperKey{op: "Reshape", from: tensor.String})
	if err != nil {
		return nil, err
	}
	sizes, err := tf.NewTensor(dims)
	if err != nil {
		return nil, err
	}
	return h.run(map[tf.Output]*tf.Tensor{h.in: t, h.shape: sizes})
}

// fromC copies a tensor to Go memory, which may come from r, unless the context is done before: the
// error is the context's then. It may change the shape of c, so c must not be used afterwards.
func fromC(ctx context.Context, c *cTensor, r *Recycler) (tensor.Tensor, error) {
	// Without a use of the tensor after the copy, the binding's finalizer may free its memory while
	// it is read.
	defer runtime.KeepAlive(c)
	dtype, dims := dtypeOf(c.t), slices.Clone(c.t.Shape())
	var t tensor.Tensor
	err := guard("fetch", func() (err error) {
		switch {
		case dtype == tensor.String:
			t, err = flatValue[string](c.t, dims)
		case dtype == tensor.Uint32:
			t, err = flatValue[uint32](c.t, dims)
		case dtype == tensor.Uint64:
			t, err = flatValue[uint64](c.t, dims)
		case dtype == tensor.Qint8:
			var raw *cTensor
			if raw, err = bitcast(c, tensor.Int8); err != nil {
				return err
			}
			if t, err = fromC(ctx, raw, nil); err == nil {
				t, err = tensor.FromBytes(tensor.Qint8, t.Bytes(), dims...)
			}
		case dtype.Size() > 0:
			if t, err = r.tensor(dtype, dims); err == nil {
				_, err = c.t.WriteContentsTo(&copyWriter{ctx, t.Bytes()})
			}
		default:
			return &DTypeError{DType: dtype}
		}
		return err
	})
	return t, err
}

// copyWriter copies into memory of the same size what Tensor.WriteContentsTo writes in one call.
type copyWriter struct {
	ctx context.Context //nolint:containedctx // of the one call
	dst []byte
}

func (w *copyWriter) Write(p []byte) (int, error) {
	if len(p) != len(w.dst) {
		return 0, io.ErrShortWrite
	}
	return copyWithin(w.ctx, w.dst, p)
}

// flatValue reads types that WriteContentsTo does not know with Value, which is fast only for
// vectors.
func flatValue[T string | uint32 | uint64](t *tf.Tensor, dims []int64) (tensor.Tensor, error) {
	if len(dims) == 0 {
		return tensor.Scalar(t.Value().(T)), nil
	}
	if len(dims) > 1 {
		n, _ := tensor.NumElements(dims)
		var err error
		if t, err = reshaped(t, []int64{n}); err != nil {
			return tensor.Tensor{}, err
		}
	}
	values := t.Value().([]T)
	runtime.KeepAlive(t)
	return tensor.FromSlice(values, dims...)
}

// bitcast returns a tensor with the same bits and another dtype of the same width.
func bitcast(c *cTensor, to tensor.DType) (*cTensor, error) {
	defer runtime.KeepAlive(c)
	var t *tf.Tensor
	err := guard("cast to "+to.String(), func() error {
		h, err := helperFor(helperKey{op: "Bitcast", from: dtypeOf(c.t), to: to})
		if err != nil {
			return err
		}
		t, err = h.run(map[tf.Output]*tf.Tensor{h.in: c.t})
		return err
	})
	if err != nil {
		return nil, err
	}
	return holdC(t), nil
}
