//go:build linux && !race

package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/tfrun/tfrun/cmd/tfrun/internal/shapes"
	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/sizes"
)

// layersModel is a model as Keras saves it while it is made: one function whose nodes stand in the
// scopes of layers, the variables that they read, and objects of the layers.
type layersModel struct {
	scope   string // of the model
	body    []*nodepb.NodeDef
	at      string // the tensor that the next layer takes
	args    []string
	bound   []int32
	objects []*pb.SavedObject // the first is the model
	listed  []int             // the variables among them
	layers  []int             // the layers among them
	names   []string          // of the layers
	// between is called behind each variable that something reads.
	between func(k *layersModel, i int)
}

// results names what operations give, as a function's nodes refer to it.
var results = map[string]string{"ReadVariableOp": "value", "MatMul": "product", "Relu": "activations", "AddV2": "z", "Mul": "z", "Cast": "y", "NotEqual": "z", "Sin": "y"}

// node adds an operation, whose name stands below the model's scope, and returns what it gives.
func (k *layersModel) node(name, op string, inputs ...string) string {
	k.body = append(k.body, modeltest.Op(k.scope+name, op, inputs...))
	result := results[op]
	if result == "" {
		result = "output"
	}
	return k.scope + name + ":" + result + ":0"
}

// object adds one, and returns its number.
func (k *layersModel) object(o *pb.SavedObject) int {
	k.objects = append(k.objects, o)
	return len(k.objects) - 1
}

// user is an object of a kind of Keras' or Python's own.
func user(kind string) *pb.SavedObject {
	return &pb.SavedObject{Kind: &pb.SavedObject_UserObject{UserObject: &pb.SavedUserObject{Identifier: kind}}}
}

// child makes an object the child of another.
func (k *layersModel) child(of int, name string, to int) {
	o := k.objects[of]
	o.Children = append(o.Children, &pb.TrackableObjectGraph_TrackableObject_ObjectReference{NodeId: int32(to), LocalName: name})
}

// unread adds a variable that nothing reads, and returns its object.
func (k *layersModel) unread(name string) int {
	id := k.object(&pb.SavedObject{Kind: &pb.SavedObject_Variable{Variable: &pb.SavedVariable{Name: name, Dtype: 1, Shape: modeltest.Shape(4, 4), Trainable: true}}})
	k.listed = append(k.listed, id)
	return id
}

// variable adds a variable, and returns its object and the function's argument that it is.
func (k *layersModel) variable(name string) (int, string) {
	id := k.unread(name)
	arg := fmt.Sprint("v", len(k.args))
	k.args, k.bound = append(k.args, arg), append(k.bound, int32(id))
	if k.between != nil {
		k.between(k, len(k.args))
	}
	return id, arg
}

// layer adds the object of a layer with its variables.
func (k *layersModel) layer(name string, variables ...int) int {
	id := k.object(user("_tf_keras_layer"))
	for _, v := range variables {
		k.child(id, "kernel", v)
	}
	k.layers, k.names = append(k.layers, id), append(k.names, name)
	return id
}

// dense calls a layer, or what is called like one, on what the layer before gives.
func (k *layersModel) dense(scope, arg string) {
	read := k.node(scope+"/MatMul/ReadVariableOp", "ReadVariableOp", arg)
	k.at = k.node(scope+"/Relu", "Relu", k.node(scope+"/MatMul", "MatMul", k.at, read))
}

// own calls a layer with a variable of its own.
func (k *layersModel) own(name string) {
	id, arg := k.variable(name + "/kernel")
	k.dense(name, arg)
	k.layer(name, id)
}

// plain calls a layer without variables, of one operation.
func (k *layersModel) plain(name, op string, inputs ...string) {
	k.at = k.node(name+"/"+op, op, inputs...)
	k.layer(name)
}

// root is about the square root, at which products of two numbers of parts are linear.
func root(n int) int {
	r := 1
	for r*r < n {
		r++
	}
	return r
}

// kerasCalls are the ways in which a model's layers may call, take and give.
var kerasCalls = []struct {
	name string
	make func(k *layersModel, n int)
}{
	{"a tower of dense layers", func(k *layersModel, n int) {
		for i := range n {
			k.own(fmt.Sprint("dense_", i))
		}
	}},
	{"hidden layers, of which seeds show", func(k *layersModel, n int) {
		k.own("dense")
		for i := range n {
			k.layer(fmt.Sprint("dropout_", i), k.unread(fmt.Sprintf("seed_generator_%d/seed_generator_state", i)))
		}
		k.own("dense_1")
	}},
	{"seeds and layers in turn", func(k *layersModel, n int) {
		for i := range n / 2 {
			k.layer(fmt.Sprint("dropout_", i), k.unread(fmt.Sprintf("seed_generator_%d/seed_generator_state", i)))
			k.own(fmt.Sprint("dense_", i))
		}
	}},
	{"hidden layers without anything between layers without variables", func(k *layersModel, n int) {
		k.own("dense")
		for i := range n / 2 {
			k.layer(fmt.Sprint("hidden_", i))
			k.plain(fmt.Sprint("re_lu_", i), "Relu", k.at)
		}
		k.own("dense_1")
	}},
	{"layers whose result nothing takes", func(k *layersModel, n int) {
		for i := range n {
			k.node(fmt.Sprintf("random_flip_%d/Shape", i), "Shape", k.at)
			k.layer(fmt.Sprint("random_flip_", i))
		}
		k.own("dense")
	}},
	{"operations", func(k *layersModel, n int) {
		for i := range n {
			k.at = k.node(fmt.Sprint("Sin_", i), "Sin", k.at)
		}
		k.own("dense")
	}},
	{"casts in a chain", func(k *layersModel, n int) {
		for i := range n {
			k.at = k.node(fmt.Sprint("Cast_", i), "Cast", k.at)
		}
		k.own("dense")
	}},
	{"casts in a chain in a layer", func(k *layersModel, n int) {
		for i := range n {
			k.at = k.node(fmt.Sprint("mine/Cast_", i), "Cast", k.at)
		}
		k.own("mine")
	}},
	{"casts and identities in a chain, and layers that take each of them", func(k *layersModel, n int) {
		var all []string
		for i := range 8 * n {
			k.at = k.node(fmt.Sprint("Cast_", i), "Cast", k.at)
			all = append(all, k.at)
		}
		for i, at := range all {
			k.at = k.node(fmt.Sprintf("mine_%d/Relu_%d", i%n, i), "Relu", at)
		}
		k.own("dense")
	}},
	{"a layer of casts in a chain, and sums of them", func(k *layersModel, n int) {
		var all []string
		for i := range 8 * n {
			k.at = k.node(fmt.Sprint("add/Cast_", i), "Cast", k.at)
			all = append(all, k.at)
		}
		for i, at := range all {
			k.at = k.node(fmt.Sprint("add/AddV2_", i), "AddV2", at, at)
		}
		k.own("dense")
	}},
	{"masks", func(k *layersModel, n int) {
		for i := range n {
			k.at = k.node(fmt.Sprintf("dense_%d/Relu", i), "Relu", k.at, k.node(fmt.Sprint("NotEqual_", i), "NotEqual", k.at, k.at))
		}
		k.own("dense")
	}},
	{"models of three layers", func(k *layersModel, n int) {
		for i := range n / 3 {
			name := fmt.Sprint("sequential_", i)
			var ids []int
			for j := range 3 {
				id, arg := k.variable(fmt.Sprintf("%s/dense_%d/kernel", name, j))
				k.dense(fmt.Sprintf("%s/dense_%d", name, j), arg)
				ids = append(ids, id)
			}
			k.layer(name, ids...)
		}
	}},
	{"a model of layers", func(k *layersModel, n int) {
		var ids []int
		for i := range n {
			id, arg := k.variable(fmt.Sprintf("dense_%d/kernel", i))
			k.dense(fmt.Sprint("functional/dense_", i), arg)
			ids = append(ids, id)
		}
		k.layer("functional", ids...)
	}},
	{"models in models", func(k *layersModel, n int) {
		for i := range n / 50 {
			name := fmt.Sprint("functional_", i)
			for j := range 50 {
				id, arg := k.variable(fmt.Sprintf("dense_%d_%d/kernel", i, j))
				k.dense(name+"/dense", arg)
				k.layer(fmt.Sprintf("dense_%d_%d", i, j), id)
				name += "/functional_1"
			}
		}
	}},
	{"a layer that is called often", func(k *layersModel, n int) {
		id, arg := k.variable("dense/kernel")
		for i := range n {
			k.dense(fmt.Sprint("dense_", i), arg)
		}
		k.layer("dense", id)
	}},
	{"layers that all take the input, and one that takes them all", func(k *layersModel, n int) {
		first := k.at
		var all []string
		for i := range n {
			k.at = first
			k.own(fmt.Sprint("dense_", i))
			all = append(all, k.at)
		}
		k.plain("concatenate", "ConcatV2", all...)
	}},
	{"layers that take all before them", func(k *layersModel, n int) {
		all := []string{k.at}
		for i := range root(n) {
			k.plain(fmt.Sprint("concatenate_", i), "ConcatV2", all...)
			k.own(fmt.Sprint("dense_", i))
			all = append(all, k.at)
		}
	}},
	{"sums of the two before", func(k *layersModel, n int) {
		before := k.at
		for i := range n {
			last := k.at
			k.plain(fmt.Sprint("add_", i), "AddV2", k.at, before)
			before = last
		}
		k.own("dense")
	}},
	{"own layers that share their variables", func(k *layersModel, n int) {
		var ids []int
		var args []string
		for i := range root(n) {
			id, arg := k.variable(fmt.Sprintf("dense_%d/kernel", i))
			k.dense(fmt.Sprint("dense_", i), arg)
			ids, args = append(ids, id), append(args, arg)
			k.layer(fmt.Sprint("dense_", i), id)
		}
		for i := range root(n) {
			for j, arg := range args {
				k.dense(fmt.Sprintf("mine_%d/part_%d", i, j), arg)
			}
			k.layer(fmt.Sprint("mine_", i), ids...)
		}
	}},
	{"a layer of many results, which others take", func(k *layersModel, n int) {
		var all []string
		for i := range n {
			all = append(all, k.node(fmt.Sprint("mine/Relu_", i), "Relu", k.at))
		}
		k.layer("mine")
		for i, at := range all {
			k.plain(fmt.Sprint("re_lu_", i), "Relu", at)
		}
	}},
	{"a layer of many inputs and variables", func(k *layersModel, n int) {
		first := k.at
		var all []string
		for i := range n {
			k.at = first
			k.plain(fmt.Sprint("re_lu_", i), "Relu", first)
			all = append(all, k.at)
		}
		var ids []int
		for i, at := range all {
			id, arg := k.variable(fmt.Sprintf("mine/part_%d/kernel", i))
			k.at = at
			k.dense(fmt.Sprint("mine/part_", i), arg)
			ids = append(ids, id)
		}
		k.layer("mine", ids...)
	}},
	{"a layer of many operations, results, inputs and variables", func(k *layersModel, n int) {
		var all []string
		for i := range 8 * n {
			all = append(all, k.node(fmt.Sprint("first/Relu_", i), "Relu", k.at))
		}
		var ids []int
		for i, at := range all {
			id, arg := k.variable(fmt.Sprintf("mine/part_%d/kernel", i))
			k.at = at
			k.dense(fmt.Sprint("mine/part_", i), arg)
			ids = append(ids, id)
		}
		k.layer("first")
		k.layer("mine", ids...)
	}},
	{"recurrent layers", func(k *layersModel, n int) {
		for i := range n {
			name := fmt.Sprint("lstm_", i)
			id, arg := k.variable(name + "/lstm_cell/kernel")
			k.at = k.node(name+"/while", "While", k.at, arg, "fn=cond", "fn=step")
			k.layer(name, id)
		}
	}},
	{"attention", func(k *layersModel, n int) {
		for i := range n {
			name := fmt.Sprint("multi_head_attention_", i)
			var ids []int
			var parts []string
			for _, part := range []string{"query", "key", "value"} {
				id, arg := k.variable(name + "/" + part + "/kernel")
				ids = append(ids, id)
				parts = append(parts, k.node(name+"/"+part+"/einsum/Einsum", "Einsum", k.at, k.node(name+"/"+part+"/ReadVariableOp", "ReadVariableOp", arg)))
			}
			k.at = k.node(name+"/softmax/Softmax", "Softmax", k.node(name+"/einsum/Einsum", "Einsum", parts[0], parts[1]))
			k.at = k.node(name+"/einsum_1/Einsum", "Einsum", k.at, parts[2])
			k.layer(name, ids...)
		}
	}},
	{"normalizations that read constants, and their weights", func(k *layersModel, n int) {
		for i := range n / 2 {
			k.own(fmt.Sprint("dense_", i))
			name := fmt.Sprint("normalization_", i)
			k.at = k.node(name+"/Sub", "Sub", k.at, k.node(name+"/Sub/y", "Const"))
			k.layer(name, k.unread("mean"), k.unread("variance"), k.unread("count"))
		}
	}},
	{"own layers without variables, and weights that nothing reads", func(k *layersModel, n int) {
		for i := range n / 2 {
			k.plain(fmt.Sprint("mine_", i), "Relu", k.at)
			k.unread("w")
			k.own(fmt.Sprint("dense_", i))
		}
	}},
	{"layers that are never called", func(k *layersModel, n int) {
		k.own("dense")
		for i := range n {
			name := fmt.Sprint("ghost_", i)
			k.layer(name, k.unread(name+"/kernel"))
		}
	}},
	{"a layer that is never called, of many variables", func(k *layersModel, n int) {
		k.own("dense")
		var ids []int
		for i := range 8 * n {
			ids = append(ids, k.unread(fmt.Sprintf("ghost/part_%d/kernel", i)))
		}
		k.layer("ghost", ids...)
	}},
	{"scopes in scopes", func(k *layersModel, n int) {
		for i := range n / 20 {
			name := fmt.Sprint("mine_", i, strings.Repeat("/part", 100))
			id, arg := k.variable(name + "/kernel")
			for range 20 {
				name += "/part"
				k.dense(name, arg)
			}
			k.layer(fmt.Sprint("mine_", i), id)
		}
	}},
	{"names that begin alike", func(k *layersModel, n int) {
		for i := range n {
			k.own(strings.Repeat("a", 100) + fmt.Sprint("_", i))
		}
	}},
	{"names with slashes, and circles of them", func(k *layersModel, n int) {
		for i := range n {
			k.own(fmt.Sprintf("block_%d/expand", i/2))
			k.plain(fmt.Sprintf("re_lu_%d", i), "Relu", k.at)
		}
	}},
	{"a name for all layers", func(k *layersModel, n int) {
		for i := range n {
			id, arg := k.variable("dense/kernel")
			k.dense(fmt.Sprint("dense_", i), arg)
			k.layer("dense", id)
		}
	}},
	{"EinsumDense and counting layers, whose shapes are doubtful", func(k *layersModel, n int) {
		for i := range n {
			name := fmt.Sprint("text_vectorization_", i)
			k.at = k.node(name+"/DenseBincount", "DenseBincount", k.at)
			k.layer(name)
			k.at = k.node(fmt.Sprintf("softmax_%d/Softmax", i), "Softmax", k.at)
			k.layer(fmt.Sprint("softmax_", i))
		}
		k.own("dense")
	}},
}

// kerasBetween are variables between those that are read.
var kerasBetween = []struct {
	name string
	add  func(k *layersModel, i int)
}{
	{"nothing", nil},
	{"weights that nothing reads", func(k *layersModel, i int) { k.unread(fmt.Sprintf("stray_%d/kernel", i)) }},
	{"weights of one name", func(k *layersModel, _ int) { k.unread("mean") }},
	{"seeds", func(k *layersModel, i int) {
		k.unread(fmt.Sprintf("seed_generator_%d/seed_generator_state", i))
	}},
}

// kerasObjects are what stands below the objects of the layers, beside their variables.
var kerasObjects = []struct {
	name string
	add  func(k *layersModel, n int)
}{
	{"nothing", func(*layersModel, int) {}},
	{"a chain that all share", func(k *layersModel, n int) { k.share(k.chainOf(8*n), "shared") }},
	{"a chain that all share, before all else", func(k *layersModel, n int) {
		k.share(k.chainOf(8*n), "shared")
		for _, id := range k.layers {
			c := k.objects[id].Children
			c[0], c[len(c)-1] = c[len(c)-1], c[0]
		}
	}},
	{"a star that all share", func(k *layersModel, n int) {
		star := k.object(user("star"))
		for i := range 8 * n {
			k.child(star, fmt.Sprint("ray_", i), k.object(user("ray")))
		}
		k.share(star, "shared")
	}},
	{"the layer behind each", func(k *layersModel, _ int) {
		for i, id := range k.layers[:max(0, len(k.layers)-1)] {
			k.child(id, "next", k.layers[i+1])
		}
	}},
	{"the two layers behind each", func(k *layersModel, _ int) {
		for i, id := range k.layers[:max(0, len(k.layers)-2)] {
			k.child(id, "next", k.layers[i+1])
			k.child(id, "after", k.layers[i+2])
		}
	}},
	{"many layers of all", func(k *layersModel, n int) {
		for _, id := range k.layers[:min(len(k.layers), root(8*n))] {
			for i, other := range k.layers[:min(len(k.layers), root(8*n))] {
				k.child(id, fmt.Sprint("peer_", i), other)
			}
		}
	}},
	{"many objects of their own", func(k *layersModel, n int) {
		for _, id := range k.layers {
			for i := range 8 * n / max(1, len(k.layers)) {
				k.child(id, fmt.Sprint("part_", i), k.object(user("part")))
			}
		}
	}},
	{"a star that the model has by many names", func(k *layersModel, n int) {
		star := k.object(user("star"))
		for i := range 8 * n {
			k.child(star, fmt.Sprint("ray_", i), k.object(user("ray")))
			k.child(0, fmt.Sprint("name_", i), star)
		}
	}},
	{"many objects of the model", func(k *layersModel, n int) {
		for i := range 8 * n {
			k.child(0, fmt.Sprint("part_", i), k.object(user("part")))
		}
	}},
}

// chainOf adds objects of which each has the next, and returns the first.
func (k *layersModel) chainOf(n int) int {
	first := k.object(user("link"))
	for range n - 1 {
		id := k.object(user("link"))
		k.child(id-1, "next", id)
	}
	return first
}

func (k *layersModel) share(id int, name string) {
	for _, l := range k.layers {
		k.child(l, name, id)
	}
}

// kerasKinds are the files in which Keras keeps models.
var kerasKinds = []struct {
	name, scope string
	finish      func(k *layersModel)
}{
	{"an export of Keras 3", "functional_1/", func(k *layersModel) { k.archive() }},
	{"an export of a stack of Keras 3", "sequential_1/", func(k *layersModel) { k.archive() }},
	{"an export of an own class of Keras 3", "mine_1/", func(k *layersModel) { k.archive() }},
	{"a Functional of Keras 3", "functional_1/", func(k *layersModel) { k.whole("_operations", true) }},
	{"a Sequential of Keras 3", "sequential_1/", func(k *layersModel) { k.whole("_layers", false) }},
	{"an own class of Keras 3", "mine_1/", func(k *layersModel) {
		k.whole("", false)
		for i, id := range k.layers {
			k.child(0, fmt.Sprint("attribute_", i), id)
		}
	}},
	{"a network of Keras 2", "model/", func(k *layersModel) { k.second("_tf_keras_network") }},
	{"a stack of Keras 2", "sequential/", func(k *layersModel) { k.second("_tf_keras_sequential") }},
	{"an own class of Keras 2", "mine/", func(k *layersModel) { k.second("_tf_keras_model") }},
	{"an export of Keras 2", "model/", func(k *layersModel) {
		k.archive()
		k.child(0, "_endpoint_names", k.object(user("names")))
	}},
}

// archive gives the model the lists of Keras' export.
func (k *layersModel) archive() {
	k.objects[0] = user("_generic_user_object")
	for _, name := range []string{"_misc_assets", "variables", "trainable_variables", "non_trainable_variables", "_all_variables"} {
		list := k.object(user("trackable_list_wrapper"))
		k.child(0, name, list)
		for i, id := range k.listed {
			if name == "variables" || name == "trainable_variables" {
				k.child(list, fmt.Sprint(i), id)
			}
		}
	}
}

// whole gives the model what tf.saved_model.save keeps of a model of Keras 3.
func (k *layersModel) whole(list string, inputs bool) {
	node := k.object(user("trackable_list_wrapper"))
	k.child(0, "_inbound_nodes", node)
	k.child(0, "_outbound_nodes", node)
	members := k.object(user("trackable_list_wrapper"))
	for i, id := range k.layers {
		k.child(id, "_inbound_nodes", node)
		if i%2 == 0 {
			k.child(id, "_build_shapes_dict", node)
		}
		k.child(members, fmt.Sprint(i+when(inputs)), id)
	}
	if inputs {
		in := k.object(user("_tf_keras_layer"))
		k.child(in, "_inbound_nodes", node)
		k.child(members, "0", in)
	}
	if list != "" {
		k.child(0, list, members)
	}
}

func when(b bool) int {
	if b {
		return 1
	}
	return 0
}

// second gives the model what Keras 2 keeps of one, beside its metadata.
func (k *layersModel) second(kind string) {
	k.objects[0].Kind = user(kind).Kind
	api := k.object(user("keras_api"))
	k.child(0, "keras_api", api)
	members := k.object(user("trackable_list_wrapper"))
	k.child(api, "layers", members)
	for _, name := range []string{"variables", "trainable_variables"} {
		list := k.object(user("trackable_list_wrapper"))
		k.child(0, name, list)
		for i, id := range k.listed {
			k.child(list, fmt.Sprint(i), id)
		}
	}
	for i, id := range k.layers {
		k.child(members, fmt.Sprint(i), id)
		k.child(0, fmt.Sprint("layer-", i), id)
		f := k.object(&pb.SavedObject{Kind: &pb.SavedObject_Function{Function: &pb.SavedFunction{ConcreteFunctions: []string{fmt.Sprintf("__inference_%s_layer_call_fn_%d", k.names[i], i)}}}})
		k.child(id, "__call__", f)
	}
}

// metaGraph is the model: a signature that calls the function, which has the variables bound.
func (k *layersModel) metaGraph() *pb.MetaGraphDef {
	f := modeltest.Returning(modeltest.Func("f", "x "+strings.Join(k.args, " "), k.body...), k.at)
	same := func(name string) *functionpb.FunctionDef {
		return modeltest.Returning(modeltest.Func(name, "a b"), "a b")
	}
	out := modeltest.Op("out", "StatefulPartitionedCall", "in")
	out.Attr["f"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_Func{Func: &attrpb.NameAttrList{Name: "f"}}}
	def := modeltest.Library([]*nodepb.NodeDef{out}, f, same("cond"), same("step"))
	def.SignatureDef["serving_default"] = def.SignatureDef["run"]
	delete(def.SignatureDef, "run")
	def.MetaInfoDef.TensorflowVersion = "2.20.0"
	def.ObjectGraphDef = &pb.SavedObjectGraph{Nodes: k.objects, ConcreteFunctions: map[string]*pb.SavedConcreteFunction{"f": {BoundInputs: k.bound}}}
	return def
}

// layersOf writes down a model of n parts, of what stands under these names in kerasKinds and the
// lists before it.
func layersOf(kind, calls, objects, between string, n int) []byte {
	k := &layersModel{at: "x", objects: []*pb.SavedObject{user("model")}}
	for _, b := range kerasBetween {
		if b.name == between {
			k.between = b.add
		}
	}
	for _, file := range kerasKinds {
		if file.name != kind {
			continue
		}
		k.scope = file.scope
		for _, c := range kerasCalls {
			if c.name == calls {
				c.make(k, n)
			}
		}
		for _, o := range kerasObjects {
			if o.name == objects {
				o.add(k, n)
			}
		}
		file.finish(k)
	}
	data, err := proto.Marshal(&pb.SavedModel{SavedModelSchemaVersion: 1, MetaGraphs: []*pb.MetaGraphDef{k.metaGraph()}})
	if err != nil {
		panic(err) // names are texts
	}
	return data
}

// kerasWalk is what `tfrun shapes` does with a model: with sizes put in, compared with what that
// gives, where each layer differs, and in every format but drawings, which have bounds of their own
// (mostDrawn and mostBends of package shapes), see [drawn].
func kerasWalk(m *savedmodel.Model) {
	all := shapes.Selection{Expand: true}
	d, err := shapes.Describe(m, all)
	if err != nil {
		return
	}
	all.At = &sizes.Sizes{Axes: map[string]int64{}}
	for _, g := range d.MetaGraphs {
		for _, a := range g.Axes {
			all.At.Axes[a.Name] = 3
		}
	}
	docs := []*shapes.Document{d}
	if sized, err := shapes.Describe(m, all); err == nil {
		docs = append(docs, sized)
		for _, c := range []*shapes.Difference{shapes.Compare(d, sized), shapes.Compare(d, d)} {
			_ = c.WriteText(io.Discard, shapes.Look{})
			_ = c.WriteJSON(io.Discard)
		}
	}
	for _, d := range docs {
		for _, name := range shapes.FormatNames() {
			if format, _ := shapes.FormatNamed(name); name != "svg" && name != "html" {
				_ = format.Write(io.Discard, d, shapes.Look{Explain: true})
			}
		}
	}
}

// drawn is what `tfrun shapes --format html` does with a model. It has a drawing inside.
func drawn(m *savedmodel.Model) {
	if d, err := shapes.Describe(m, shapes.Selection{Expand: true}); err == nil {
		_ = d.WriteHTML(io.Discard, shapes.Look{})
	}
}

// TestLayersAreLinear holds that `shapes` takes no more than nine times the time for four times the
// model, whatever its layers are and do, what variables stand between theirs, what their objects
// share, and which Keras saved it. What calls there are is tried with each Keras, and with one of
// the others; without TFRUN_HOSTILE a sample of that.
func TestLayersAreLinear(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	sample := 29
	if os.Getenv("TFRUN_HOSTILE") != "" {
		sample = 1
	}
	for i, kind := range kerasKinds {
		for j, calls := range kerasCalls {
			for l, objects := range kerasObjects {
				for b, between := range kerasBetween {
					if (j+i*5)%len(kerasObjects) != l || (i+j)%len(kerasBetween) != b || (i*7+j)%sample != 0 {
						continue
					}
					t.Run(strings.Join([]string{kind.name, calls.name, objects.name, between.name}, "; "), func(t *testing.T) {
						growth(t, func(n int) []byte { return layersOf(kind.name, calls.name, objects.name, between.name, n) }, kerasWalk)
					})
				}
			}
		}
	}
}

// growth measures a walk over models of as many parts as a model that is read has at most, and
// fails where four times as many take more than nine times as long.
func growth(t *testing.T, make func(n int) []byte, walk func(*savedmodel.Model)) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const (
		most        = 8000
		slack       = 300 * time.Millisecond
		hostileWalk = 10 * time.Second
	)
	before := time.Duration(0)
	for n := most / 64; n <= most; n *= 4 {
		data := make(n)
		took, bytes := cost(t, data, walk)
		if n > most/64 && took > 9*before+slack {
			took, bytes = cost(t, data, walk) // the machine may have been busy
		}
		if n > most/64 && took > 9*before+slack {
			t.Fatalf("%v and %d MB for %d parts of %d bytes; a fourth of them took %v", took, bytes>>20, n, len(data), before)
		}
		before = took
		if n == most {
			t.Logf("%v and %d MB for %d bytes", took, bytes>>20, len(data))
			if took > 2*hostileWalk { // two descriptions, and what they differ in
				t.Errorf("%v, want %v at most", took, 2*hostileWalk)
			}
		}
		if took, bytes := cost(t, data, drawn); took > hostileWalk {
			t.Errorf("a page of %d parts: %v and %d MB, want %v at most", n, took, bytes>>20, hostileWalk)
		}
	}
}
