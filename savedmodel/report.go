package savedmodel

import "github.com/tfrun/tfrun/tensor"

// Report is the document that `tfrun shapes --format json` prints: what a model is, in terms that scripts can rely on.
type Report struct {
	Model      string            `json:"model"` // the directory, as it was opened
	Version    string            `json:"version,omitempty"`
	MetaGraphs []MetaGraphReport `json:"meta_graphs"`
}

// MetaGraphReport describes one graph of the model.
type MetaGraphReport struct {
	Tags              []string                   `json:"tags"`
	TensorFlowVersion string                     `json:"tensorflow_version"`
	Signatures        map[string]SignatureReport `json:"signatures"`
	Framework         Framework                  `json:"framework"`
	ModelName         string                     `json:"model_name,omitempty"`
	ModelClass        string                     `json:"model_class,omitempty"`
	Layers            []LayerReport              `json:"layers"` // null: the model holds none
	Totals            *TotalsReport              `json:"totals"` // null: the model holds no layers
	Notes             []string                   `json:"notes,omitempty"`
}

// SignatureReport describes a signature.
type SignatureReport struct {
	MethodName string                  `json:"method_name"`
	Inputs     map[string]TensorReport `json:"inputs"`
	Outputs    map[string]TensorReport `json:"outputs"`
}

// TensorReport describes an input or an output. A value of several tensors has an encoding, the tensors, and the part that each plays.
type TensorReport struct {
	DType      string            `json:"dtype"`
	Shape      tensor.Shape      `json:"shape"`
	Tensor     string            `json:"tensor"`
	Encoding   Encoding          `json:"encoding,omitempty"`
	Class      string            `json:"class,omitempty"`
	Tensors    []string          `json:"tensors,omitempty"`    // of a coo_sparse
	Components []ComponentReport `json:"components,omitempty"` // of a composite
	Roles      []string          `json:"roles,omitempty"`      // of the tensors or components, in their order
	Ragged     *RaggedReport     `json:"ragged,omitempty"`
	Why        []string          `json:"why,omitempty"` // for each dimension
}

// ComponentReport describes one tensor of a composite value.
type ComponentReport struct {
	DType  string       `json:"dtype"`
	Shape  tensor.Shape `json:"shape"`
	Tensor string       `json:"tensor"`
}

// RaggedReport describes a ragged value as a whole.
type RaggedReport struct {
	DType      string       `json:"dtype"`
	Shape      tensor.Shape `json:"shape"`
	RaggedRank int          `json:"ragged_rank"`
	RowSplits  string       `json:"row_splits_dtype"`
}

// LayerReport is a row of the layer table.
type LayerReport struct {
	Name            string         `json:"name"`
	Class           string         `json:"class"`
	OutputShape     OutputShape    `json:"output_shape"`
	Params          int64          `json:"params"`
	TrainableParams int64          `json:"trainable_params"`
	Bytes           int64          `json:"bytes"`
	ConnectedTo     *[]string      `json:"connected_to,omitempty"`
	Why             []string       `json:"why,omitempty"`
	Guessed         []string       `json:"guessed,omitempty"`
	Weights         []WeightReport `json:"weights,omitempty"`
	Layers          []LayerReport  `json:"layers,omitempty"`
}

// WeightReport describes a variable of a layer.
type WeightReport struct {
	Name      string       `json:"name"`
	DType     string       `json:"dtype"`
	Shape     tensor.Shape `json:"shape"`
	Trainable bool         `json:"trainable"`
}

// TotalsReport counts a model's parameters.
type TotalsReport struct {
	Total             int64 `json:"total"`
	Trainable         int64 `json:"trainable"`
	NonTrainable      int64 `json:"non_trainable"`
	TotalBytes        int64 `json:"total_bytes"`
	TrainableBytes    int64 `json:"trainable_bytes"`
	NonTrainableBytes int64 `json:"non_trainable_bytes"`
}

// Report describes the model's graphs, or only the given ones.
func (m *Model) Report(graphs ...*MetaGraph) (*Report, error) {
	if len(graphs) == 0 {
		graphs = m.MetaGraphs
	}
	r := &Report{Model: m.Dir, Version: m.Version, MetaGraphs: make([]MetaGraphReport, 0, len(graphs))}
	for _, mg := range graphs {
		g, err := mg.report()
		if err != nil {
			return nil, err
		}
		r.MetaGraphs = append(r.MetaGraphs, g)
	}
	return r, nil
}

func (mg *MetaGraph) report() (MetaGraphReport, error) {
	r := MetaGraphReport{
		Tags: append([]string{}, mg.Tags...), TensorFlowVersion: mg.TensorFlowVersion, Framework: mg.Framework, Signatures: map[string]SignatureReport{},
	}
	for name, s := range mg.Signatures {
		sr := SignatureReport{MethodName: s.MethodName, Inputs: map[string]TensorReport{}, Outputs: map[string]TensorReport{}}
		why, err := mg.Why(s)
		if err != nil {
			return r, err
		}
		for key, t := range s.Inputs {
			sr.Inputs[key] = reportTensor(&t, why.Inputs[key])
		}
		for key, t := range s.Outputs {
			sr.Outputs[key] = reportTensor(&t, why.Outputs[key])
		}
		r.Signatures[name] = sr
	}
	table, err := mg.Layers()
	if table == nil || err != nil {
		return r, err
	}
	r.ModelName, r.ModelClass, r.Notes = table.ModelName, table.ModelClass, table.Notes
	r.Layers = reportLayers(table.Layers, table.Connected)
	t := TotalsReport(table.Totals)
	r.Totals = &t
	return r, nil
}

func reportTensor(t *TensorInfo, why []string) TensorReport {
	r := TensorReport{DType: t.DType.String(), Shape: t.Shape, Tensor: t.Tensor, Encoding: t.Encoding, Class: t.Class, Why: why}
	for _, c := range t.Components {
		if t.Encoding == CooSparse {
			r.Tensors = append(r.Tensors, c.Tensor)
		} else {
			r.Components = append(r.Components, ComponentReport{c.DType.String(), c.Shape, c.Tensor})
		}
		if c.Role != "" {
			r.Roles = append(r.Roles, c.Role)
		}
	}
	if t.Ragged != nil {
		r.Ragged = &RaggedReport{t.Ragged.DType.String(), t.Ragged.Shape, t.Ragged.RaggedRank, t.Ragged.RowSplitsDType.String()}
	}
	return r
}

func reportLayers(layers []*Layer, connected bool) []LayerReport {
	rows := make([]LayerReport, len(layers))
	for i, l := range layers {
		rows[i] = LayerReport{
			Name: l.Name, Class: l.Class, OutputShape: l.Output, Params: l.Params, TrainableParams: l.TrainableParams, Bytes: l.Bytes,
			Why: l.Why, Guessed: l.Guessed,
		}
		if connected {
			to := append([]string{}, l.ConnectedTo...)
			rows[i].ConnectedTo = &to
		}
		for _, w := range l.Weights {
			rows[i].Weights = append(rows[i].Weights, WeightReport{w.Name, w.DType.String(), w.Shape, w.Trainable})
		}
		if len(l.Layers) > 0 {
			nested := false
			for _, inner := range l.Layers {
				nested = nested || len(inner.ConnectedTo) > 0
			}
			rows[i].Layers = reportLayers(l.Layers, nested)
		}
	}
	return rows
}
