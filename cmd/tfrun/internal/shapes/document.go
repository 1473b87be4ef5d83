package shapes

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/kerasfile"
	"github.com/tfrun/tfrun/savedmodel/layers"
	"github.com/tfrun/tfrun/savedmodel/sizes"
	"github.com/tfrun/tfrun/tensor"
)

// Document is what `tfrun shapes` shows of a model. Users write scripts against its JSON form.
type Document struct {
	Model string `json:"model"` // the directory with saved_model.pb
	// Version is the name of the version that was picked from a folder of versions.
	Version    string   `json:"version,omitempty"`
	MetaGraphs []*Graph `json:"meta_graphs"`
}

// Graph describes a meta graph, the one with a set of tags.
type Graph struct {
	Tags              []string `json:"tags"`
	TensorFlowVersion string   `json:"tensorflow_version"`
	// KerasVersion is set for Keras' own files.
	KerasVersion string                `json:"keras_version,omitempty"`
	Signatures   map[string]*Signature `json:"signatures"`
	// Functions are those that Python can call, of a model that has no signatures.
	Functions []string `json:"functions,omitempty"`
	// Inputs and Outputs are those of a model in one of Keras' own files, which has no signatures.
	Inputs     map[string]*Tensor   `json:"inputs,omitempty"`
	Outputs    map[string]*Tensor   `json:"outputs,omitempty"`
	Framework  savedmodel.Framework `json:"framework"`
	ModelName  *string              `json:"model_name,omitempty"`
	ModelClass *string              `json:"model_class,omitempty"`
	// Connected: Keras prints the column of connections.
	Connected *bool `json:"connected,omitempty"`
	// Layers are nil if the model has none.
	Layers []*Layer `json:"layers"`
	Totals *Totals  `json:"totals"`
	// Axes are the open dimensions of the default signature's inputs.
	Axes []Axis `json:"axes,omitempty"`
	// At are the sizes that were put in for them.
	At *At `json:"at,omitempty"`
	// Notes say what could not be read, and what follows from that.
	Notes []string `json:"notes,omitempty"`
	// Lost says what files of this kind lack for every model.
	Lost []string `json:"lost,omitempty"`

	// File is the form of one of Keras' own files; "" for a SavedModel.
	File kerasfile.Kind `json:"file,omitempty"`
}

// Axis is a dimension of an input that is open until the model runs.
type Axis struct {
	Input string `json:"input"`
	Dim   int    `json:"dim"`
	Name  string `json:"name"` // "batch", "time", …: its meaning, as far as it shows
}

// At says that shapes are those for given sizes of open dimensions, and how large the layers'
// outputs then are.
type At struct {
	Signature     string                  `json:"signature"`
	Inputs        map[string]tensor.Shape `json:"inputs"`
	OutputBytes   int64                   `json:"output_bytes"`   // of all layers
	LargestOutput int64                   `json:"largest_output"` // of one layer
	// Exact is false if some sizes are still open; the bytes are then those of the other outputs.
	Exact bool `json:"exact"`
}

// Signature describes one signature.
type Signature struct {
	MethodName string             `json:"method_name"`
	Inputs     map[string]*Tensor `json:"inputs"`
	Outputs    map[string]*Tensor `json:"outputs"`
	// Rows says what a row holds for the inputs, if several of these are the tensors of one ragged
	// or sparse value: see [savedmodel.MetaGraph.ByRows].
	Rows map[string]*Tensor `json:"rows,omitempty"`
	// Features are the features that the signature parses out of its only input, by name.
	Features map[string]*Feature `json:"features,omitempty"`

	initOp bool
}

// Feature describes a feature that a signature parses out of a tf.Example.
type Feature struct {
	Kind     savedmodel.FeatureKind `json:"kind"`
	DType    tensor.DType           `json:"dtype"`
	Shape    tensor.Shape           `json:"shape"`
	Required bool                   `json:"required"` // the model has no default
}

// Tensor describes an input or an output of a signature.
type Tensor struct {
	DType  tensor.DType `json:"dtype"`
	Shape  tensor.Shape `json:"shape"`
	Tensor string       `json:"tensor,omitempty"` // its name in the graph; "" for a composite value
	// Default is the value of an input that is left out.
	Default  json.RawMessage `json:"default,omitempty"`
	Encoding string          `json:"encoding,omitempty"`
	Class    string          `json:"class,omitempty"`
	// Tensors are those of a coo_sparse: values, indices, dense_shape.
	Tensors    []string    `json:"tensors,omitempty"`
	Components []Component `json:"components,omitempty"` // of a composite value
	// Roles are the roles of the tensors or components, in their order.
	Roles  []string `json:"roles,omitempty"`
	Ragged *Ragged  `json:"ragged,omitempty"`
	Why    []string `json:"why,omitempty"`

	parts []savedmodel.Component
}

// Component is one tensor of a composite value.
type Component struct {
	DType  tensor.DType `json:"dtype"`
	Shape  tensor.Shape `json:"shape"`
	Tensor string       `json:"tensor"`
}

// Ragged says how the components of a ragged value belong together: the flat values, then a vector
// of row splits for each ragged axis.
type Ragged struct {
	DType          tensor.DType `json:"dtype"`
	Shape          tensor.Shape `json:"shape"`
	RaggedRank     int          `json:"ragged_rank"`
	RowSplitsDType tensor.DType `json:"row_splits_dtype"`
}

// Layer is a row of the layer table. Name or Class is nil if the files do not hold it.
type Layer struct {
	Name        *string            `json:"name"`
	Class       *string            `json:"class"`
	OutputShape layers.OutputShape `json:"output_shape"`
	Params      int64              `json:"params"`
	Trainable   int64              `json:"trainable_params"`
	Bytes       int64              `json:"bytes"` // of the parameters
	ConnectedTo []string           `json:"connected_to,omitzero"`
	Guessed     []string           `json:"guessed,omitempty"`
	reasons     []string           // why fields are guessed
	Why         []string           `json:"why"`
	// OutputBytes is set with At; nil if some size is still open.
	OutputBytes *int64   `json:"output_bytes,omitempty"`
	Weights     []Weight `json:"weights,omitempty"`
	Layers      []*Layer `json:"layers,omitempty"` // of a nested model, if expanded

	wiring []string
}

// Weight is a variable of a layer.
type Weight struct {
	Name      string       `json:"name"`
	DType     tensor.DType `json:"dtype"`
	Shape     tensor.Shape `json:"shape"`
	Trainable bool         `json:"trainable"`
}

// Totals counts parameters, each variable once.
type Totals struct {
	Total             int64 `json:"total"`
	Trainable         int64 `json:"trainable"`
	NonTrainable      int64 `json:"non_trainable"`
	TotalBytes        int64 `json:"total_bytes"`
	TrainableBytes    int64 `json:"trainable_bytes"`
	NonTrainableBytes int64 `json:"non_trainable_bytes"`
	// Optimizer counts those of the optimizer, in one of Keras' own files. They are not in Total,
	// while Keras 3 adds them there.
	Optimizer      int64    `json:"optimizer,omitempty"`
	OptimizerBytes int64    `json:"optimizer_bytes,omitempty"`
	Guessed        []string `json:"guessed,omitempty"`
}

// Marked writes one of the numbers, which is a guess where Guessed has its field.
func (t *Totals) Marked(field string, n int64) string {
	if slices.Contains(t.Guessed, field) {
		return "~" + words.Thousands(n)
	}
	return words.Thousands(n)
}

// Selection says which part of a model to describe.
type Selection struct {
	Tags      []string // nil: all graphs
	Signature string   // "": all signatures
	Expand    bool     // with the rows of nested models
	// At puts in sizes for the open dimensions of the signature's inputs; nil: none.
	At *sizes.Sizes
}

// Describe makes the document of a model. An error is a *[savedmodel.TagError] or a
// *[savedmodel.SignatureError] if the model lacks what was selected, a *[sizes.SizeError] if sizes
// do not fit, and a *[savedmodel.FormatError] if a part that is needed is damaged.
func Describe(m *savedmodel.Model, sel Selection) (*Document, error) {
	graphs := m.MetaGraphs
	if sel.Tags != nil {
		mg, err := m.MetaGraph(sel.Tags...)
		if err != nil {
			return nil, err
		}
		graphs = []*savedmodel.MetaGraph{mg}
	}
	d := &Document{Model: m.Dir, Version: m.Version}
	looked := 0
	for _, mg := range graphs {
		g, err := describeGraph(mg, sel, &looked)
		if err != nil {
			return nil, err
		}
		d.MetaGraphs = append(d.MetaGraphs, g)
	}
	return d, nil
}

// mostOperations bounds the operations that signatures reach, counted for each signature. Thousands
// of signatures that each reach thousands of operations would take hours.
const mostOperations = 1 << 21

// describeGraph describes the selected part of a graph. looked counts operations.
func describeGraph(mg *savedmodel.MetaGraph, sel Selection, looked *int) (*Graph, error) {
	g := &Graph{
		Tags: append([]string{}, mg.Tags...), TensorFlowVersion: mg.TensorFlowVersion, Framework: mg.Framework,
		Signatures: map[string]*Signature{},
	}
	signatures := mg.Signatures
	if sel.Signature != "" {
		s, err := mg.Signature(sel.Signature)
		if err != nil {
			return nil, err
		}
		signatures = map[string]*savedmodel.Signature{sel.Signature: s}
	}
	if len(mg.SignatureNames()) == 0 {
		var err error
		if g.Functions, err = mg.Callables(); err != nil {
			return nil, err
		}
	}
	table, err := layers.Of(mg)
	if err != nil {
		return nil, err
	}
	for name, s := range signatures {
		sized := sizes.Of(mg, s, table)
		n, err := sized.Operations()
		if err != nil {
			return nil, err
		}
		if *looked += n; *looked > mostOperations && len(signatures) > 1 {
			return nil, mg.TooMuch("its %d signatures reach more than %d operations, all of them together; look at one: --signature NAME", len(signatures), mostOperations)
		}
		why, err := sized.Why()
		if err != nil {
			return nil, err
		}
		g.Signatures[name] = &Signature{
			MethodName: s.MethodName, Inputs: describeTensors(s.Inputs, why.Inputs), Outputs: describeTensors(s.Outputs, why.Outputs), initOp: s.InitOp,
		}
		for input, value := range s.Defaults {
			text, err := dataset.AppendJSON(nil, value, nil)
			if err != nil {
				return nil, fmt.Errorf("signature %q: input %q: its default: %w", name, input, err)
			}
			g.Signatures[name].Inputs[input].Default = dataset.NullNaN(text)
		}
		rows, err := mg.ByRows(s)
		if err != nil {
			return nil, err
		}
		if rows != s {
			g.Signatures[name].Rows = describeTensors(rows.Inputs, nil)
		}
		features, err := mg.ExampleFeatures(s)
		if err != nil {
			return nil, err
		}
		g.Signatures[name].describeFeatures(features)
	}
	if table != nil {
		g.describeTable(table, sel)
	}
	if main, err := mg.Signature(sel.Signature); err == nil {
		g.Axes = describeAxes(sizes.Of(mg, main, table).Axes())
	}
	if sel.At != nil {
		return g, g.putIn(mg, table, sel)
	}
	return g, nil
}

func (s *Signature) describeFeatures(features []savedmodel.ExampleFeature) {
	for _, f := range features {
		if s.Features == nil {
			s.Features = map[string]*Feature{}
		}
		s.Features[f.Name] = &Feature{Kind: f.Kind, DType: f.DType, Shape: f.Shape, Required: f.Required}
	}
}

func describeAxes(axes []sizes.Axis) []Axis {
	var all []Axis
	for _, a := range axes {
		all = append(all, Axis(a))
	}
	return all
}

// describeTable fills in the layer table.
func (g *Graph) describeTable(table *layers.Table, sel Selection) {
	g.ModelName, g.ModelClass, g.Connected = known(table.ModelName), known(table.ModelClass), &table.Connected
	g.Notes, g.Lost = table.Notes, table.Lost
	g.Layers = describeLayers(table.Layers, table.Connected, sel.Expand)
	t := table.Totals
	g.Totals = &Totals{
		Total: t.Total, Trainable: t.Trainable, NonTrainable: t.NonTrainable, TotalBytes: t.TotalBytes, TrainableBytes: t.TrainableBytes,
		NonTrainableBytes: t.NonTrainableBytes, Optimizer: t.Optimizer, OptimizerBytes: t.OptimizerBytes,
	}
	if t.Guessed {
		g.Totals.Guessed = []string{"total"}
	}
	if t.Guessed || t.TrainableGuessed {
		g.Totals.Guessed = append(g.Totals.Guessed, "trainable", "non_trainable")
	}
}

// putIn puts sizes into the shapes of the selected signature's inputs, and of the layers. It does
// the same for other signatures that the sizes fit.
func (g *Graph) putIn(mg *savedmodel.MetaGraph, table *layers.Table, sel Selection) error {
	main, err := mg.Signature(sel.Signature)
	if err != nil {
		return err
	}
	of := sizes.Of(mg, main, table)
	inputs, err := of.Put(*sel.At)
	if err != nil {
		return err
	}
	if err := of.Refused(inputs); err != nil {
		return err
	}
	g.At = &At{Signature: main.Name, Inputs: inputs, Exact: true}
	for name, s := range g.Signatures {
		sig := sizes.Of(mg, mg.Signatures[name], table)
		shapes, err := sig.Put(*sel.At)
		if err != nil {
			continue // a signature with other inputs
		}
		outputs, err := sig.Outputs(shapes)
		if err != nil {
			return err
		}
		for input, t := range s.Inputs {
			t.setShape(shapes[input])
		}
		for output, t := range s.Outputs {
			if shape, ok := outputs[output]; ok {
				t.setShape(shape)
			}
		}
	}
	if table != nil {
		g.putLayers(table, inputs)
	}
	return nil
}

// putLayers puts the inputs' sizes into the shapes of the layers.
func (g *Graph) putLayers(table *layers.Table, inputs map[string]tensor.Shape) {
	for i, row := range table.At(inputs) {
		l := g.Layers[i]
		l.Why = whyAt(l.Why, l.OutputShape.Shapes, row.Output.Shapes)
		l.OutputShape = row.Output
		if row.Exact {
			l.OutputBytes = &row.Bytes
		}
		sums := row.Bytes <= math.MaxInt64-g.At.OutputBytes
		g.At.Exact = g.At.Exact && row.Exact && sums
		if sums {
			g.At.OutputBytes += row.Bytes
		}
		g.At.LargestOutput = max(g.At.LargestOutput, row.Bytes)
	}
}

// setShape sets a shape with sizes in open dimensions.
func (t *Tensor) setShape(s tensor.Shape) {
	t.Why = whyAt(t.Why, []tensor.Shape{t.Shape}, []tensor.Shape{s})
	t.Shape = s
}

// whyAt rewrites the reasons of open dimensions that were given a size. reasons begins with one
// reason for each dimension of each shape.
func whyAt(why []string, before, after []tensor.Shape) []string {
	why = slices.Clone(why)
	i := 0
	for k, b := range before {
		for d := range max(b.Rank(), 0) {
			if i < len(why) && k < len(after) && after[k].Rank() == b.Rank() && b.Dim(d) == tensor.Unknown && after[k].Dim(d) != tensor.Unknown {
				why[i] = strings.Replace(why[i], "None:", fmt.Sprintf("%s, put in for None:", words.Thousands(after[k].Dim(d))), 1)
			}
			i++
		}
	}
	return why
}

func describeTensors(infos map[string]savedmodel.TensorInfo, why map[string][]string) map[string]*Tensor {
	all := make(map[string]*Tensor, len(infos))
	for name, info := range infos {
		t := &Tensor{DType: info.DType, Shape: info.Shape, Tensor: info.Tensor, Encoding: string(info.Encoding), Class: info.Class, Why: why[name]}
		for _, c := range info.Components {
			t.parts = append(t.parts, c)
			if c.Role != "" {
				t.Roles = append(t.Roles, c.Role)
			}
			if info.Encoding == savedmodel.CooSparse {
				t.Tensors = append(t.Tensors, c.Tensor)
			} else {
				t.Components = append(t.Components, Component{c.DType, c.Shape, c.Tensor})
			}
		}
		if r := info.Ragged; r != nil {
			t.Ragged = &Ragged{r.DType, r.Shape, r.RaggedRank, r.RowSplitsDType}
		}
		all[name] = t
	}
	return all
}

func describeLayers(layers []*layers.Layer, connected, expand bool) []*Layer {
	all := make([]*Layer, 0, len(layers))
	for _, l := range layers {
		row := &Layer{
			Name: known(l.Name), Class: known(l.Class), OutputShape: l.Output, Params: l.Params, Trainable: l.TrainableParams, Bytes: l.Bytes,
			Guessed: slices.Clone(l.Guessed), reasons: reasonsOf(l), Why: append([]string{}, l.Why...), wiring: l.ConnectedTo,
		}
		for _, w := range l.Weights {
			row.Weights = append(row.Weights, Weight(w))
		}
		if connected {
			row.ConnectedTo = append([]string{}, l.ConnectedTo...)
		}
		if expand {
			row.Layers = describeLayers(l.Layers, connected, expand)
		}
		all = append(all, row)
	}
	return all
}

// known returns nil for the empty string, which stands for what the files do not say.
func known(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// reasonsOf lists why each guess of a layer is one.
func reasonsOf(l *layers.Layer) []string {
	reasons := make([]string, len(l.Guessed))
	for i, field := range l.Guessed {
		reasons[i] = l.Reason(field)
	}
	return reasons
}
