package escape

import (
	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
)

// place puts a payload somewhere into a model.
type place struct {
	name string
	main bool // the payload stands in the main graph
	put  func(m *model, payload func(b *body) ref)
}

// in makes a function with the payload in it, and returns the function's name.
func (m *model) in(name string, payload func(b *body) ref) string {
	m.functions = append(m.functions, function(name, func(b *body, _ ref) ref { return payload(b) }))
	return name
}

// nothing makes a function without effect, and returns its name.
func (m *model) nothing(name string) string {
	return m.in(name, func(b *body) ref { return b.text("nothing") })
}

// calls adds a call of a function that takes x and returns a string.
func (b *body) calls(op string, f string, x ref, first ...ref) ref {
	return b.add(op, "output", attrs{
		"Tin": []typespb.DataType{dtFloat}, "Tout": stringTypes(1), "f": call{name: f}, "config": "", "config_proto": "", "executor_type": "",
	}, append([]ref{x}, first...)...)
}

// scalar is a float.
func (b *body) scalar() ref {
	return b.add("Cast", "y", attrs{"SrcT": dtInt32, "DstT": dtFloat}, b.number(1))
}

const serving = "serving_default"

// places lists the places where a payload may hide.
func places() []place {
	inOutput := func(m *model, payload func(b *body) ref) { m.output(serving, payload(m.main)) }
	list := []place{
		{"an output", true, inOutput},
		{"before an output", true, func(m *model, p func(b *body) ref) { m.output(serving, m.main.text("nothing"), after(p(m.main))) }},
		{"beside an output", true, func(m *model, p func(b *body) ref) {
			y := m.main.add("Identity", "output", attrs{"T": dtString, "_class": []string{"loc:@" + p(m.main).node}}, m.main.text("nothing"))
			m.output(serving, y)
		}},
		{"nowhere", true, func(m *model, p func(b *body) ref) { p(m.main); m.harmless() }},
		{"another signature", true, func(m *model, p func(b *body) ref) { m.harmless(); m.output("other", p(m.main)) }},
		{"init op", true, func(m *model, p func(b *body) ref) { m.harmless(); m.initOp(p(m.main).node) }},
		{"before the init op", true, func(m *model, p func(b *body) ref) {
			m.harmless()
			m.initOp(m.main.add("NoOp", "", nil, after(p(m.main))).node)
		}},
		{"main op", true, func(m *model, p func(b *body) ref) { m.harmless(); m.collection("saved_model_main_op", p(m.main).node) }},
		{"legacy init op", true, func(m *model, p func(b *body) ref) { m.harmless(); m.collection("legacy_init_op", p(m.main).node) }},
		{"table initializer", true, func(m *model, p func(b *body) ref) { m.harmless(); m.collection("table_initializer", p(m.main).node) }},
		{"restore op", true, func(m *model, p func(b *body) ref) {
			m.harmless()
			name := m.main.text("")
			m.meta.SaverDef = &pb.SaverDef{FilenameTensorName: name.node + ":0", RestoreOpName: p(m.main).node}
		}},
		{"save op", true, func(m *model, p func(b *body) ref) {
			m.harmless()
			name := m.main.text("")
			m.meta.SaverDef = &pb.SaverDef{FilenameTensorName: name.node + ":0", SaveTensorName: p(m.main).node + ":0"}
		}},
		{"an asset's path", true, func(m *model, p func(b *body) ref) { m.harmless(); m.asset(m.main.write(p(m.main)), "vocab.txt") }},
		{"before an asset's path", true, func(m *model, p func(b *body) ref) {
			m.harmless()
			path := m.main.identity(m.main.text("assets/vocab.txt"), after(p(m.main)))
			m.asset(path.node+":0", "vocab.txt")
			m.initOp(m.main.identity(path).node)
		}},
		{"a switch", true, func(m *model, p func(b *body) ref) {
			b := m.main
			no := b.add("Switch", "output_false", attrs{"T": dtString}, p(b), b.truth(false))
			yes := ref{no.node, "output_true", 1}
			merged := b.add("Merge", "output", attrs{"T": dtString, "N": 2}, b.identity(no), b.identity(yes))
			m.output(serving, merged)
		}},
		{"a frame", true, func(m *model, p func(b *body) ref) {
			b := m.main
			in := b.add("Enter", "output", attrs{"T": dtString, "frame_name": "f", "is_constant": false, "parallel_iterations": 1}, p(b))
			m.output(serving, b.add("Exit", "output", attrs{"T": dtString}, in))
		}},
	}
	return append(list, functionPlaces()...)
}

// functionPlaces lists the places inside functions.
func functionPlaces() []place {
	inCall := func(op string) func(m *model, p func(b *body) ref) {
		return func(m *model, p func(b *body) ref) {
			m.output(serving, m.main.calls(op, m.in("f", p), m.main.scalar()))
		}
	}
	branch := func(op string, take int) func(m *model, p func(b *body) ref) {
		return func(m *model, p func(b *body) ref) {
			f, g := m.in("f", p), m.nothing("g")
			b := m.main
			a := attrs{"Tin": []typespb.DataType{dtFloat}, "Tout": stringTypes(1), "output_shapes": shapes(1)}
			switch op {
			case "Case", "StatelessCase":
				a["branches"] = []call{{name: f}, {name: g}}
				m.output(serving, b.add(op, "output", a, b.number(int32(take)), b.scalar()))
			default:
				a["then_branch"], a["else_branch"], a["Tcond"] = call{name: f}, call{name: g}, typespb.DataType_DT_BOOL
				m.output(serving, b.add(op, "output", a, b.truth(take == 0), b.scalar()))
			}
		}
	}
	dataset := func(build func(b *body, set ref, f string) ref) func(m *model, p func(b *body) ref) {
		return func(m *model, p func(b *body) ref) {
			b := m.main
			set := b.add("TensorDataset", "handle", attrs{"Toutput_types": []typespb.DataType{dtFloat}, "output_shapes": shapes(1)}, b.scalar())
			m.output(serving, b.add("DatasetToSingleElement", "components", attrs{"output_types": stringTypes(1), "output_shapes": shapes(1)}, build(b, set, m.in("f", p))))
		}
	}
	mapping := attrs{"Targuments": []typespb.DataType{}, "output_types": stringTypes(1), "output_shapes": shapes(1)}
	with := func(f string, more attrs) attrs {
		a := attrs{"f": call{name: f}}
		for _, m := range []attrs{mapping, more} {
			for k, v := range m {
				a[k] = v
			}
		}
		return a
	}
	return []place{
		{"a call", false, inCall("PartitionedCall")},
		{"a stateful call", false, inCall("StatefulPartitionedCall")},
		{"a call by name", false, func(m *model, p func(b *body) ref) {
			m.output(serving, m.main.add(m.in("f", p), "y", nil, m.main.scalar()))
		}},
		{"a call of a call", false, func(m *model, p func(b *body) ref) {
			m.in("f", p)
			for _, g := range [][2]string{{"g", "f"}, {"h", "g"}} {
				m.functions = append(m.functions, function(g[0], func(b *body, x ref) ref { return b.calls("StatefulPartitionedCall", g[1], x) }))
			}
			m.output(serving, m.main.calls("StatefulPartitionedCall", "h", m.main.scalar()))
		}},
		{"a function's dead end", false, func(m *model, p func(b *body) ref) {
			f := m.in("f", func(b *body) ref { p(b); return b.text("nothing") })
			m.output(serving, m.main.calls("StatefulPartitionedCall", f, m.main.scalar()))
		}},
		{"a function's control output", false, func(m *model, p func(b *body) ref) {
			last := ""
			f := m.in("f", func(b *body) ref { last = p(b).node; return b.text("nothing") })
			def := m.functions[len(m.functions)-1]
			def.ControlRet, def.Signature.ControlOutput = map[string]string{"c": last}, []string{"c"}
			m.output(serving, m.main.calls("StatefulPartitionedCall", f, m.main.scalar()))
		}},
		{"a branch", false, branch("If", 0)},
		{"the other branch", false, branch("If", 1)},
		{"a stateless branch", false, branch("StatelessIf", 0)},
		{"a case", false, branch("Case", 0)},
		{"another case", false, branch("Case", 1)},
		{"a loop's body", false, func(m *model, p func(b *body) ref) { m.loop(p, true) }},
		{"a loop's condition", false, func(m *model, p func(b *body) ref) { m.loop(p, false) }},
		{"a dataset's function", false, dataset(func(b *body, set ref, f string) ref {
			return b.add("MapDataset", "handle", with(f, attrs{"use_inter_op_parallelism": true, "preserve_cardinality": false}), set)
		})},
		{"a parallel dataset's function", false, dataset(func(b *body, set ref, f string) ref {
			return b.add("ParallelMapDatasetV2", "handle", with(f, attrs{"use_inter_op_parallelism": true, "preserve_cardinality": false, "deterministic": "true"}), set, b.long(1))
		})},
		{"a gradient", false, func(m *model, p func(b *body) ref) {
			m.nothing("f")
			m.gradients = append(m.gradients, &functionpb.GradientDef{FunctionName: "f", GradientFunc: m.in("g", p)})
			b := m.main
			m.output(serving, b.add("SymbolicGradient", "output", attrs{"Tin": []typespb.DataType{dtFloat}, "Tout": stringTypes(1), "f": call{name: "f"}}, b.scalar()))
		}},
		{"a function that nothing calls", false, func(m *model, p func(b *body) ref) { m.in("f", p); m.harmless() }},
		{"a function of another implementation", false, func(m *model, p func(b *body) ref) {
			m.nothing("f")
			m.in("g", p)
			for i, f := range m.functions {
				f.Attr = attrs{"api_implements": "escape", "api_preferred_device": []string{"GPU", "CPU"}[i]}.proto()
			}
			m.output(serving, m.main.calls("StatefulPartitionedCall", "f", m.main.scalar()))
		}},
		{"a function's attributes", false, func(m *model, p func(b *body) ref) {
			f := call{name: m.nothing("f"), with: attrs{"inner": call{name: m.in("g", p)}}}
			m.output(serving, m.main.add("StatefulPartitionedCall", "output", attrs{"Tin": []typespb.DataType{dtFloat}, "Tout": stringTypes(1), "f": f}, m.main.scalar()))
		}},
		{"a function of the init op", false, func(m *model, p func(b *body) ref) {
			m.harmless()
			m.initOp(m.main.calls("StatefulPartitionedCall", m.in("f", p), m.main.scalar()).node)
		}},
		{"a function of the restore op", false, func(m *model, p func(b *body) ref) {
			m.harmless()
			name := m.main.text("")
			m.meta.SaverDef = &pb.SaverDef{FilenameTensorName: name.node + ":0", RestoreOpName: m.main.calls("StatefulPartitionedCall", m.in("f", p), m.main.scalar()).node}
		}},
		{"a template", false, func(m *model, p func(b *body) ref) {
			f := m.in("f", p)
			fill(m.functions[len(m.functions)-1], false)
			m.output(serving, m.main.add("StatefulPartitionedCall", "output", attrs{"Tin": []typespb.DataType{dtFloat}, "Tout": stringTypes(1), "f": call{name: f, with: filledIn(m.functions[len(m.functions)-1])}}, m.main.scalar()))
		}},
		{"a template's default", false, func(m *model, p func(b *body) ref) {
			f := m.in("f", p)
			fill(m.functions[len(m.functions)-1], true)
			m.output(serving, m.main.add(f, "y", nil, m.main.scalar()))
		}},
	}
}

// calledPlaces lists the places in a function that an attribute of an operation names.
func calledPlaces(op, key string) (list []place) {
	for _, w := range []struct {
		name  string
		value func(harmless, f call) any
	}{
		{"", func(_, f call) any { return f }},
		{"'s last", func(harmless, f call) any { return []call{harmless, f} }},
		{"'s attributes", func(harmless, f call) any { return call{harmless.name, attrs{"inner": f}} }},
	} {
		list = append(list, place{op + "'s " + key + w.name, false, func(m *model, p func(b *body) ref) {
			value := w.value(call{name: m.nothing("g")}, call{name: m.in("f", p)})
			m.output(serving, m.main.text("nothing"), after(m.main.add(op, "", attrs{key: value}, m.main.scalar())))
		}})
	}
	return list
}

// loop adds a While loop of one round with the payload in its body or its condition.
func (m *model) loop(p func(b *body) ref, inBody bool) {
	once := func(b *body) ref {
		return b.add("Less", "z", attrs{"T": dtFloat}, ref{node: "x"}, b.scalar())
	}
	payload := func(b *body, yes bool) []ref {
		if yes {
			return []ref{after(p(b))}
		}
		return nil
	}
	cond, loop := &body{inside: true}, &body{inside: true}
	more := cond.add("Identity", "output", attrs{"T": typespb.DataType_DT_BOOL}, append([]ref{once(cond)}, payload(cond, !inBody)...)...)
	next := loop.add("Add", "z", attrs{"T": dtFloat}, append([]ref{{node: "x"}, loop.scalar()}, payload(loop, inBody)...)...)
	float := []*opdefpb.OpDef_ArgDef{{Name: "x", Type: dtFloat}}
	m.functions = append(m.functions,
		&functionpb.FunctionDef{
			Signature: &opdefpb.OpDef{Name: "cond", IsStateful: true, InputArg: float, OutputArg: []*opdefpb.OpDef_ArgDef{{Name: "y", Type: typespb.DataType_DT_BOOL}}},
			NodeDef:   cond.nodes, Ret: map[string]string{"y": cond.write(more)},
		},
		&functionpb.FunctionDef{
			Signature: &opdefpb.OpDef{Name: "body", IsStateful: true, InputArg: float, OutputArg: []*opdefpb.OpDef_ArgDef{{Name: "y", Type: dtFloat}}},
			NodeDef:   loop.nodes, Ret: map[string]string{"y": loop.write(next)},
		})
	b := m.main
	zero := b.add("Cast", "y", attrs{"SrcT": dtInt32, "DstT": dtFloat}, b.number(0))
	end := b.add("While", "output", attrs{
		"T": []typespb.DataType{dtFloat}, "cond": call{name: "cond"}, "body": call{name: "body"}, "output_shapes": shapes(1), "parallel_iterations": 1,
	}, zero)
	m.output(serving, b.asText(end, dtFloat))
}

// fill makes the attributes of a function that are text, which say what operations do, ones that
// callers fill in.
func fill(f *functionpb.FunctionDef, defaults bool) {
	for _, n := range f.NodeDef {
		for k, v := range n.Attr {
			if len(v.GetS()) == 0 {
				continue
			}
			name := n.Name + "_" + k
			def := &opdefpb.OpDef_AttrDef{Name: name, Type: "string", Description: string(v.GetS())}
			if defaults {
				def.DefaultValue = v
			}
			f.Signature.Attr = append(f.Signature.Attr, def)
			n.Attr[k] = attrValue(filled(name))
		}
	}
}

// filledIn returns the attributes that a caller has to fill in.
func filledIn(f *functionpb.FunctionDef) attrs {
	a := attrs{}
	for _, d := range f.Signature.Attr {
		a[d.Name] = d.Description
	}
	return a
}
