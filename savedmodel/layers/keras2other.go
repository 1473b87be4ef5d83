package layers

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/rules"
	"github.com/tfrun/tfrun/tensor"
)

// bare matches Keras' classes whose layers have no variables.
var bare = regexp.MustCompile(`^(?:InputLayer|Activation|ReLU|Softmax|Flatten|Reshape|Permute|Concatenate|Add|Multiply|(?:Spatial)?Dropout(?:[123]D)?|(?:Zero)?(?:Padding|Cropping|UpSampling)[123]D|(?:Global)?(?:Max|Average)Pooling[123]D)$`)

// otherModel says by what keras_metadata.pb shows itself to be of another model than
// saved_model.pb, as where people copy files one by one; nil where the two agree as far as is
// looked at. Keras does not load them where they do not.
func otherModel(mg *savedmodel.MetaGraph, meta savedmodel.KerasMetadata) error {
	objs, err := mg.Objects()
	if err != nil {
		return nil //nolint:nilerr // who asks for the table finds it
	}
	ids := slices.Sorted(maps.Keys(meta))
	for id, node := range objs.Nodes {
		if strings.HasPrefix(node.GetUserObject().GetIdentifier(), "_tf_keras_") && meta[id] == nil && len(ids) > 0 {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		o, kind := meta[id], ""
		if id >= 0 && id < len(objs.Nodes) {
			kind = objs.Nodes[id].GetUserObject().GetIdentifier()
		}
		says := ""
		switch {
		case o == nil:
			says = fmt.Sprintf("object %d, %q there, is not in it", id, kind)
		case o.Identifier != kind:
			says = fmt.Sprintf("its object %d is %q, and %q there", id, o.Identifier, kind)
		default:
			says = otherVariables(objs, id, o)
		}
		if says != "" {
			return fmt.Errorf("keras_metadata.pb is of another model than saved_model.pb, which the table is of: %s", says)
		}
	}
	return nil
}

// otherVariables says which variables of a layer's object its class and configuration contradict.
func otherVariables(objs *savedmodel.ObjectGraph, id int, o *savedmodel.KerasObject) string {
	variable := func(name string) *savedmodel.Variable {
		if v := objs.Variables[objs.Child(id, name)]; v != nil {
			return v
		}
		return objs.Variables[objs.Child(id, "cell", name)]
	}
	w, ok := kerasnames.Widths[o.ClassName]
	if !ok && !bare.MatchString(o.ClassName) {
		return ""
	}
	v := variable(w.Variable)
	if v == nil && slices.ContainsFunc([]string{"kernel", "depthwise_kernel", "embeddings", "gamma"}, func(name string) bool { return variable(name) != nil }) {
		return fmt.Sprintf("its layer %q is of the class %s, which does not have the variables that are there", o.Name, o.ClassName)
	}
	want := rules.ParseConfig(o.Config).Num(w.Key, -1)
	if v == nil || want <= 0 {
		return ""
	}
	if at := v.Shape.Rank() - w.Behind; at < 0 || v.Shape.Dim(at) != want {
		return fmt.Sprintf("its layer %q has %s %d, and a variable %s of shape %s there", o.Name, w.Key, want, w.Variable, v.Shape)
	}
	return ""
}

// noteOtherInput adds a note where the configuration gives an input other sizes than it has in the
// graph. Keras loads the two all the same, and prints what the configuration says.
func (k *keras2) noteOtherInput() {
	if k.body == nil || k.own {
		return
	}
	for _, st := range k.table.steps {
		in, ok := k.body.Signature.Inputs[st.input]
		if st.input == "" || !ok || len(st.shapes) == 0 || !differ(st.shapes[0], in.Shape) {
			continue
		}
		k.table.Notes = append(k.table.Notes, fmt.Sprintf("the metadata may be of another model than the graph: its input %q is %s, and %s there", st.input, st.shapes[0], in.Shape))
		return
	}
}

// differ reports whether two shapes have other ranks, or another size behind the batch.
func differ(a, b tensor.Shape) bool {
	if !a.Ranked() || !b.Ranked() {
		return false
	}
	for d := 1; d < a.Rank() && a.Rank() == b.Rank(); d++ {
		if m, n := a.Dim(d), b.Dim(d); m != n && m != tensor.Unknown && n != tensor.Unknown {
			return true
		}
	}
	return a.Rank() != b.Rank()
}
