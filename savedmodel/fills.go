package savedmodel

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"google.golang.org/protobuf/proto"
)

// Fill is a variable that a signature reads and that the restore op leaves without a value, with
// the checkpoint's entry that holds its value.
type Fill struct {
	Handle string // name of its VarHandleOp in the main graph
	Key    string
}

// FillOp is the restore op of the graph that is loaded where there are [MetaGraph.Fills]: it runs
// the model's own one, and fills these variables too. FillRead is the operation that reads their
// values, of which the first input is the checkpoint's path.
const (
	FillOp   = "tfrun_fill/all"
	FillRead = "tfrun_fill/values"
)

// UninitializedError says that a signature reads variables that loading leaves without a value, so
// that every run of it would fail.
type UninitializedError struct {
	Signature string
	Variables []string // their names, sorted
}

// Error names the signature and the first of the variables.
func (e *UninitializedError) Error() string {
	more := ""
	if n := len(e.Variables) - 1; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("signature %q reads variable %q%s, which loading does not fill; export the model in Python with model.export(\"DIRECTORY\")",
		e.Signature, e.Variables[0], more)
}

// Fills lists the variables that have to be filled beside those that the restore op fills, ordered
// by their keys. tf.saved_model.save of a Keras 3 model writes such graphs: its restore op fills
// copies of the variables, which no signature reads, so that TensorFlow's C++ loader and TensorFlow
// Serving cannot run them. Python's loader goes by the objects (saved_model/load.py), as Fills
// does: a function says which objects it has bound, and a key of the checkpoint is the path of an
// object from the model. What has no entry of the right type and shape is left out, and then is an
// *[UninitializedError] of its signature.
func (mg *MetaGraph) Fills() ([]Fill, error) { return mg.fills() }

func (mg *MetaGraph) readFills() ([]Fill, error) {
	saver, err := mg.Saver()
	if err != nil || saver.GetRestoreOpName() == "" || saver.GetFilenameTensorName() == "" {
		return nil, err
	}
	empty, err := mg.unrestored(mg.outputs())
	if err != nil || len(empty) == 0 {
		return nil, err
	}
	objs, err := mg.Objects()
	if err != nil || len(objs.Variables) == 0 {
		return nil, err
	}
	c, err := mg.model.checkpoint(true)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries := map[int]*CheckpointTensor{}
	for _, t := range c.Tensors {
		if id := objs.path(t.Key); id > 0 {
			entries[id] = t
		}
	}
	var fills []Fill
	err = mg.eachBound(objs, func(handle *graph.Node, id int) {
		name, t := graph.ResourceName(handle.Def), entries[id]
		if !empty[name] || t == nil || graph.DType(handle.Def.GetAttr()["dtype"].GetType()) != t.DType ||
			!graph.Shape(handle.Def.GetAttr()["shape"].GetShape()).Admits(t.Shape.Dims()) {
			return
		}
		delete(empty, name)
		fills = append(fills, Fill{Handle: handle.Name, Key: t.Key})
	})
	slices.SortFunc(fills, func(a, b Fill) int { return strings.Compare(a.Key, b.Key) })
	return fills, err
}

// outputs lists the tensors that are the outputs of all signatures.
func (mg *MetaGraph) outputs() []string {
	var list []string
	for _, name := range mg.SignatureNames() {
		if s := mg.Signatures[name]; !s.InitOp {
			list = append(list, s.Tensors(s.Outputs)...)
		}
	}
	return list
}

// eachBound calls found with each variable's handle that the function behind a signature has bound,
// and the object that it stands for: the last inputs of the call are the bound ones, in order.
func (mg *MetaGraph) eachBound(objs *ObjectGraph, found func(handle *graph.Node, id int)) error {
	for _, output := range mg.outputs() {
		call, err := mg.graph.Call(output)
		if call == nil || err != nil {
			return err
		}
		f, err := objs.Function(call.GetAttr()["f"].GetFunc().GetName())
		if err != nil {
			return err
		}
		data, _ := graph.SplitInputs(call)
		if f == nil || len(f.Bound) > len(data) {
			continue
		}
		data = data[len(data)-len(f.Bound):]
		for i, id := range f.Bound {
			n, err := mg.graph.Node(graph.NodeOf(data[i]))
			if err != nil {
				return err
			}
			if n.GetOp() == "VarHandleOp" {
				found(&graph.Node{Name: n.GetName(), Op: n.GetOp(), Def: n}, id)
			}
		}
	}
	return nil
}

// BoundVariables returns the [graph.ResourceName] of each variable that the functions behind the
// signatures have bound, by its object: several may bear one name.
func (mg *MetaGraph) BoundVariables(objs *ObjectGraph) (map[int]string, error) {
	bound := map[int]string{}
	err := mg.eachBound(objs, func(handle *graph.Node, id int) { bound[id] = graph.ResourceName(handle.Def) })
	return bound, err
}

// path returns the object that a checkpoint's key of a variable's value names, by the names on the
// way from the model to it, or -1.
func (g *ObjectGraph) path(key string) int {
	path, ok := strings.CutSuffix(key, "/.ATTRIBUTES/VARIABLE_VALUE")
	if !ok {
		return -1
	}
	names := strings.Split(path, "/")
	for i, name := range names {
		// checkpoint/trackable_view.py: a dot is doubled, and a slash is written ".S"
		names[i] = strings.NewReplacer("..", ".", ".S", "/").Replace(name)
	}
	return g.Child(0, names...)
}

// restoreOp returns the restore op of the graph that is loaded.
func (mg *MetaGraph) restoreOp() (string, error) {
	saver, err := mg.Saver()
	if err != nil {
		return "", err
	}
	if fills, err := mg.Fills(); err != nil || len(fills) > 0 {
		return FillOp, err
	}
	return saver.GetRestoreOpName(), nil
}

// fillingSaver returns the serialized SaverDef whose restore op is FillOp.
func (mg *MetaGraph) fillingSaver() ([]byte, error) {
	saver, err := mg.Saver()
	if err != nil {
		return nil, err
	}
	filling := proto.Clone(saver).(*pb.SaverDef)
	filling.RestoreOpName = FillOp
	return proto.Marshal(filling)
}

// CheckSignature returns an *[UninitializedError] when the signature reads variables that get
// no value: neither the restore op nor the init op reaches them, and no [Fill] is known. Variables
// of TensorFlow 1's reference kind are not looked at.
func (mg *MetaGraph) CheckSignature(s *Signature) error {
	empty, err := mg.unrestored(s.Tensors(s.Outputs))
	if err != nil || len(empty) == 0 {
		return err
	}
	fills, err := mg.Fills()
	if err != nil {
		return err
	}
	for _, f := range fills {
		n, err := mg.graph.Node(f.Handle)
		if err != nil {
			return err
		}
		delete(empty, graph.ResourceName(n))
	}
	e := &UninitializedError{Signature: s.Name}
	for name := range empty {
		_, short, _ := strings.Cut(name, "\x00")
		e.Variables = append(e.Variables, short)
	}
	if e.Variables == nil {
		return nil
	}
	slices.Sort(e.Variables)
	return e
}
