package runner

import (
	"fmt"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// feeder makes the feed of one endpoint from the rows of a batch, or from one row of whole tensors.
type feeder struct {
	in        Endpoint
	component int // of the rows' spec
	split     int // of a ragged component: -1 for its values, else the number of the row splits
}

// buildSpec works out the rows' spec and, for each endpoint, the component of it that it is fed
// from.
func (p *Predictor) buildSpec() error {
	items := map[string]dataset.Spec{}
	for name, info := range p.f.signature.Inputs {
		spec, err := p.inputSpec(name, info)
		if err != nil {
			return err
		}
		items[name] = spec
	}
	p.spec = dataset.Dict(items)
	p.components, p.paths = p.spec.Flatten(), p.spec.Paths()
	splits := map[string]int{}
	for _, in := range p.f.inputs {
		fd := feeder{in: in, split: -1}
		path := in.Value
		switch info := p.f.signature.Inputs[in.Value]; {
		case info.Sparse():
			path = in.Value + "/" + in.Role
		case info.Ragged != nil && in.Role != "values":
			fd.split = splits[in.Value]
			splits[in.Value]++
		}
		if fd.component = p.spec.Index(path); fd.component < 0 {
			return fmt.Errorf("input %q: its rows have no component %q", in.Name, path)
		}
		p.feeders = append(p.feeders, fd)
	}
	return nil
}

// inputSpec returns the spec of an input's value in a row.
func (p *Predictor) inputSpec(name string, info savedmodel.TensorInfo) (dataset.Spec, error) {
	drop := 1
	if _, whole := p.f.signature.Defaults[name]; whole || p.o.NoBatch {
		drop = 0
	}
	dense := func(dtype tensor.DType, shape tensor.Shape) dataset.Spec {
		return dataset.Leaf(dataset.Component{DType: dtype, Shape: shape})
	}
	switch {
	case info.Encoding == savedmodel.Dense:
		return dense(info.DType, info.Shape.Drop(drop)), nil
	case info.Sparse():
		return p.sparseSpec(info, drop), nil
	case info.Ragged == nil:
		return dataset.Spec{}, fmt.Errorf("input %q: the file does not say how the %d tensors of its %s belong together", name, len(info.Components), info.Class)
	case info.Ragged.RaggedRank == drop:
		return dense(info.Ragged.DType, info.Ragged.Shape.Drop(drop)), nil
	}
	r := info.Ragged
	return dataset.Leaf(dataset.Component{
		DType: r.DType, Shape: r.Shape.Drop(drop), Ragged: true, RaggedRank: r.RaggedRank - drop, SplitsDType: r.RowSplitsDType,
	}), nil
}

// sparseSpec is a dictionary of the three tensors of a sparse value, those of a row without the
// batch axis.
func (p *Predictor) sparseSpec(info savedmodel.TensorInfo, drop int) dataset.Spec {
	rank := tensor.Unknown
	if info.Shape.Ranked() && info.Shape.Rank() >= drop {
		rank = int64(info.Shape.Rank() - drop)
	}
	dtype := info.DType
	for _, c := range info.Components {
		if c.Role == "values" {
			dtype = c.DType
		}
	}
	return dataset.Dict(map[string]dataset.Spec{
		"indices":     dataset.TensorSpec(tensor.Int64, tensor.Unknown, rank),
		"values":      dataset.TensorSpec(dtype, tensor.Unknown),
		"dense_shape": dataset.TensorSpec(tensor.Int64, rank),
	})
}

// checkRowSpec makes sure that the rows have the components that will be fed.
func (f *Function) checkRowSpec(got, want dataset.Spec) error {
	g, w := got.Flatten(), want.Flatten()
	if len(g) != len(w) {
		return fmt.Errorf("signature %q: want rows of %v, got %v", f.signature.Name, want, got)
	}
	for i := range w {
		if g[i].DType != w[i].DType || g[i].Ragged != w[i].Ragged {
			return fmt.Errorf("signature %q: want rows of %v, got %v", f.signature.Name, want, got)
		}
	}
	return nil
}

// Features lists the features that the signature parses out of its only input, a tf.Example for
// each row. With them, rows of columns are made into Examples. It is empty for signatures that take
// tensors. The slice is the Predictor's own.
func (p *Predictor) Features() []savedmodel.ExampleFeature { return p.features }

// TakesRecords reports whether the only input is a serialized message, such as a tf.Example: its
// strings are no text.
func (p *Predictor) TakesRecords() bool { return p.records }

// findFeatures looks for features where a row holds one serialized message: one string.
func (p *Predictor) findFeatures() (err error) {
	if len(p.components) != 1 || p.components[0].DType != tensor.String {
		return nil
	}
	if _, one := p.components[0].Side(1); !one {
		return nil
	}
	graph := p.f.session.graph
	if p.records, err = graph.TakesRecords(p.f.signature); err == nil {
		p.features, err = graph.ExampleFeatures(p.f.signature)
	}
	return err
}
