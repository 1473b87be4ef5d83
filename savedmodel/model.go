package savedmodel

import (
	"maps"
	"slices"
	"strings"
	"sync"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/tensor"
)

// Model is an opened SavedModel. It holds no file open: there is nothing to close.
type Model struct {
	// Dir is the directory that holds saved_model.pb. Where [Open] was given a folder of versions,
	// it is the version's.
	Dir string
	// Version is the name of the version that was taken from a folder of numbered versions ("3"),
	// or "".
	Version string
	// File is the path of saved_model.pb or saved_model.pbtxt.
	File string
	// MetaGraphs are the graphs of the model, in the file's order. There is at least one.
	MetaGraphs []*MetaGraph

	fingerprint func() (*Fingerprint, error)
	metadata    func() (KerasMetadata, error)
}

// MetaGraph is one graph of a SavedModel: what one set of tags stands for.
type MetaGraph struct {
	Tags              []string // sorted
	TensorFlowVersion string   // of the release that wrote the model
	// Signatures by name, as in the file: with "__saved_model_init_op", which is no signature to
	// run ([Signature.InitOp]).
	Signatures map[string]*Signature
	Assets     []Asset
	Framework  Framework

	model *Model
	raw   rawMetaGraph
	graph *graph.Graph
	objs  func() (*ObjectGraph, error)
	saver func() (*pb.SaverDef, error)
}

// Framework says what wrote a model, as far as it shows.
type Framework string

// The frameworks that leave their marks in a SavedModel.
const (
	// tf_keras or tf.keras: model.save, or tf.saved_model.save of a model
	Keras2 Framework = "keras2"
	// model.export, keras.export.ExportArchive, or tf.saved_model.save of a model
	Keras3   Framework = "keras3"
	TFModule Framework = "tf.Module" // tf.saved_model.save of any other object
	TF1      Framework = "tf1"       // tf.compat.v1.saved_model: no object graph
)

// Asset is a file that the graph reads, such as a vocabulary.
type Asset struct {
	Tensor   string // the graph's tensor that holds the file's path
	Filename string // below the model's assets directory
}

// Signature is a function of the model that can be run by name.
type Signature struct {
	Name       string
	MethodName string // "tensorflow/serving/predict" for most
	Inputs     map[string]TensorInfo
	Outputs    map[string]TensorInfo
	// InitOp marks an entry that names the operation that a loader runs ("__saved_model_init_op",
	// "__saved_model_train_op"): it has no tensors.
	InitOp bool
}

// InputNames returns the names of the inputs, sorted.
func (s *Signature) InputNames() []string { return slices.Sorted(maps.Keys(s.Inputs)) }

// OutputNames returns the names of the outputs, sorted.
func (s *Signature) OutputNames() []string { return slices.Sorted(maps.Keys(s.Outputs)) }

// Encoding says how the value of a [TensorInfo] is held by tensors.
type Encoding string

// The encodings of TensorInfo's oneof.
const (
	Dense Encoding = "" // one tensor
	// values, indices and dense_shape: a tf.SparseTensor of TensorFlow 1
	CooSparse Encoding = "coo_sparse"
	Composite Encoding = "composite" // the components of a tf.CompositeTensor, ragged for most
)

// TensorInfo describes an input or an output of a signature.
type TensorInfo struct {
	DType  tensor.DType // of a composite as the file has it: [tensor.Invalid] for most; see Ragged
	Shape  tensor.Shape
	Tensor string // the graph's tensor, "serving_default_x:0"; "" when the value has Components

	Encoding Encoding
	// Class is the Python class of a composite's spec: "RaggedTensorSpec", "SparseTensorSpec".
	Class string
	// Components are the tensors that make up the value, in the order that TensorFlow packs them:
	// values, indices, dense_shape of a coo_sparse; of a ragged the flat values, then the row
	// splits from the outermost axis inwards.
	Components []Component
	// Ragged is set for a RaggedTensorSpec whose layout the file gives.
	Ragged *Ragged
}

// Component is one tensor of a composite value.
type Component struct {
	// "values", "indices", "dense_shape", "row_splits", or "" when the layout is not known
	Role   string
	DType  tensor.DType
	Shape  tensor.Shape
	Tensor string
}

// Ragged says how the components of a ragged value belong together.
type Ragged struct {
	DType          tensor.DType // of the values
	Shape          tensor.Shape // of the whole value: ragged axes are unknown
	RaggedRank     int          // the number of row-splits components
	RowSplitsDType tensor.DType
}

// Sparse reports whether the value is a coo_sparse or a SparseTensorSpec.
func (t *TensorInfo) Sparse() bool {
	return t.Encoding == CooSparse || t.Encoding == Composite && t.Class == "SparseTensorSpec"
}

// initOpNames are the entries of the signature map that are not signatures (constants.py of
// TensorFlow's saved_model).
var initOpNames = map[string]bool{"__saved_model_init_op": true, "__saved_model_train_op": true}

// MetaGraph returns the graph with exactly the given tags, in any order. Without tags it is the
// only graph there is, or the one tagged "serve" alone. A *[TagError] says that there is none such.
func (m *Model) MetaGraph(tags ...string) (*MetaGraph, error) {
	want := slices.Sorted(slices.Values(tags))
	if len(tags) == 0 {
		if len(m.MetaGraphs) == 1 {
			return m.MetaGraphs[0], nil
		}
		want = []string{"serve"}
	}
	for _, mg := range m.MetaGraphs {
		if slices.Equal(mg.Tags, want) {
			return mg, nil
		}
	}
	e := &TagError{Model: m.Dir, Want: want}
	if len(tags) == 0 {
		e.Want = nil
	}
	for _, mg := range m.MetaGraphs {
		e.Have = append(e.Have, mg.Tags)
	}
	return nil, e
}

// Signature returns the signature with the given name; for "" the one called "serving_default", or
// the only one there is. A *[SignatureError] says that there is none such.
func (mg *MetaGraph) Signature(name string) (*Signature, error) {
	names := mg.SignatureNames()
	switch {
	case name != "":
		if s, ok := mg.Signatures[name]; ok && !s.InitOp {
			return s, nil
		}
	case mg.Signatures[DefaultSignature] != nil:
		return mg.Signatures[DefaultSignature], nil
	case len(names) == 1:
		return mg.Signatures[names[0]], nil
	}
	e := &SignatureError{Model: mg.model.Dir, Want: name, Have: names, DidYouMean: words.Nearest(name, names)}
	if len(names) == 0 {
		e.Err = ErrNoSignatures
	}
	return nil, e
}

// DefaultSignature is the name of the signature that is run when none is named.
const DefaultSignature = "serving_default"

// SignatureNames returns the names of the signatures that can be run, sorted: the init op is not
// among them.
func (mg *MetaGraph) SignatureNames() []string {
	var names []string
	for name, s := range mg.Signatures {
		if !s.InitOp {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// String returns the tags as TensorFlow's tools write them: "serve,gpu".
func (mg *MetaGraph) String() string { return strings.Join(mg.Tags, ",") }

// once wraps a load that is done at most once, whose result or error is kept.
func once[T any](load func() (T, error)) func() (T, error) { return sync.OnceValues(load) }

// Graph returns the GraphDef, for the packages of this module.
func (mg *MetaGraph) Graph() *graph.Graph { return mg.graph }
