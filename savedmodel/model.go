package savedmodel

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/wire"
	"github.com/tfrun/tfrun/internal/words"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
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
	// AllowLinks lets the files beside saved_model.pb be links that leave Dir. Without it reading
	// one is a *[LinkError], as they would be files of this machine. It is set before anything is
	// read. Of what loading a graph reads, [MetaGraph.Files] decides.
	AllowLinks bool
	// MetaGraphs are the graphs of the model, in the file's order. There is at least one.
	MetaGraphs []*MetaGraph

	binary      []byte // the contents of saved_model.pb; nil where the model is text
	tensors     int    // of all signatures
	fingerprint func() (*Fingerprint, error)
	metadata    func() (KerasMetadata, error)
}

// MetaGraph is one graph of a SavedModel: what one set of tags stands for.
type MetaGraph struct {
	Tags              []string // sorted, each once
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
	fills func() ([]Fill, error)
}

// Asset is a file that the graph reads, such as a vocabulary.
type Asset struct {
	Tensor   string // the graph's tensor that holds the file's path
	Filename string // below the model's assets directory
}

// NoTags, given as the only tag, stands for the graph whose set of tags is empty, as modules of
// TensorFlow 1's Hub have one.
const NoTags = ""

// MetaGraph returns the graph with exactly the given tags, in any order; [NoTags] alone stands for
// a graph without tags. Without arguments it is the only graph there is, or the one tagged "serve"
// alone, or the one without tags. A *[TagError] says that the model has no such graph.
func (m *Model) MetaGraph(tags ...string) (*MetaGraph, error) {
	want := slices.Compact(slices.Sorted(slices.Values(tags)))
	wanted := [][]string{slices.DeleteFunc(want, func(tag string) bool { return tag == NoTags })}
	if len(tags) == 0 {
		if len(m.MetaGraphs) == 1 {
			return m.MetaGraphs[0], nil
		}
		wanted = [][]string{{"serve"}, {}}
	}
	for _, tags := range wanted {
		for _, mg := range m.MetaGraphs {
			if slices.Equal(mg.Tags, tags) {
				return mg, nil
			}
		}
	}
	e := &TagError{Model: m.Dir}
	if len(tags) > 0 {
		e.Want = wanted[0]
	}
	for _, mg := range m.MetaGraphs {
		e.Have = append(e.Have, mg.Tags)
	}
	return nil, e
}

// Signature returns the signature with the given name; for "" the one called "serving_default", or
// the only one there is. A *[SignatureError] says that the graph has no such signature.
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
		var err error
		if e.Callables, err = mg.Callables(); err != nil {
			return nil, err
		}
	}
	return nil, e
}

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

// Siblings is the number of graphs of the model, this one included.
func (mg *MetaGraph) Siblings() int { return len(mg.model.MetaGraphs) }

// TooMuch returns the error that a graph is too large to be looked through, a *[FormatError].
func (mg *MetaGraph) TooMuch(format string, args ...any) error {
	return formatError(mg.model.File, format, args...)
}

// Graph returns the GraphDef, for the packages of this module.
func (mg *MetaGraph) Graph() *graph.Graph { return mg.graph }

// rawMetaGraph holds the serialized parts of a MetaGraphDef that are decoded on demand. All are
// slices of the file's memory, nil when absent. Where a file has a message field more than once,
// the pieces stand here one behind the other: decoding that merges them, as protobuf does.
type rawMetaGraph struct {
	all         []byte
	ops         []byte // the list of op definitions in the MetaInfoDef
	graph       []byte
	saver       []byte
	objectGraph []byte
	collections [][]byte
}

// damaged turns an error of the wire format into a FormatError about a part of saved_model.pb.
func (mg *MetaGraph) damaged(part string, err error) error {
	return fileFaults(mg.model.File).Damaged(part, err)
}

// unmarshal decodes a part of saved_model.pb; what says which, for the error.
func (mg *MetaGraph) unmarshal(data []byte, to proto.Message, what string) error {
	return unmarshal(mg.model.File, data, to, what)
}

// collection decodes a collection of TensorFlow 1; an empty one when there is none of that name.
func (mg *MetaGraph) collection(name string) (*pb.CollectionDef, error) {
	def := &pb.CollectionDef{}
	for _, entry := range mg.raw.collections {
		key, err := wire.String(entry, 1)
		if err != nil {
			return nil, err
		}
		if key != name {
			continue
		}
		err = wire.Each(entry, func(f wire.Field) error {
			if f.Num == 2 && f.Type == protowire.BytesType {
				return mg.unmarshal(f.Data, def, "collection "+name)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return def, nil
}

// KerasMetadata returns what Keras 2 wrote about the model's objects: in keras_metadata.pb or, up
// to TensorFlow 2.4, in the object graph. It is empty where there is none. An error says that some
// of it is damaged; what else the object graph has is returned beside it.
func (mg *MetaGraph) KerasMetadata() (KerasMetadata, error) {
	meta, damage := mg.model.metadata()
	if damage == nil && meta != nil {
		return meta, nil
	}
	objs, err := mg.objs()
	if err != nil {
		return nil, err
	}
	meta, err = mg.model.legacyMetadata(objs)
	return meta, cmp.Or(damage, err)
}

// Objects returns the tree of Python objects that the graph was saved from. It has no objects where
// the file has none, as with TensorFlow 1. It is decoded once and shared: it must not be changed.
func (mg *MetaGraph) Objects() (*ObjectGraph, error) { return mg.objs() }

// Callables returns the functions that Python can call once it has loaded the model, as
// name(argument: dtype shape, …), sorted: those of the model itself, without Keras' own.
func (mg *MetaGraph) Callables() ([]string, error) {
	g, err := mg.Objects()
	if err != nil || len(g.Nodes) == 0 {
		return nil, err
	}
	var all []string
	for _, c := range g.Nodes[0].GetChildren() {
		name, id := c.GetLocalName(), int(c.GetNodeId())
		traces := g.Nodes[id].GetFunction().GetConcreteFunctions()
		if strings.HasPrefix(name, "_") && name != "__call__" || name == "call_and_return_all_conditional_losses" || len(traces) == 0 {
			continue
		}
		f, err := g.Function(traces[0])
		if err != nil {
			return nil, err
		}
		var arguments []string
		if f != nil {
			for _, in := range f.Inputs {
				text := in.Class
				if text == "" {
					text = in.DType.String() + " " + in.Shape.String()
				}
				if in.Name != "" {
					text = in.Name + ": " + text
				}
				arguments = append(arguments, text)
			}
		}
		all = append(all, name+"("+strings.Join(arguments, ", ")+")")
	}
	slices.Sort(all)
	return all, nil
}
