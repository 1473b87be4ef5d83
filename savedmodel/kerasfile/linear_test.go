//go:build linux && !race

package kerasfile

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/tensor"
)

// tensorOf is what Keras 3 writes of a tensor that a layer takes.
func tensorOf(layer string, call int) object2 {
	return object2{"class_name": "__keras_tensor__", "config": object2{"shape": []any{nil, 4}, "dtype": "float32", "keras_history": []any{layer, call, 0}}}
}

// callOf is a call of a layer with some tensors.
func callOf(tensors ...any) object2 { return object2{"args": tensors, "kwargs": object2{}} }

// layerOf is a layer in a configuration; more are entries of its own.
func layerOf(class, name string, more object2, calls ...any) object2 {
	config := object2{"name": name, "trainable": true, "dtype": "float32"}
	for key, v := range more {
		config[key] = v
	}
	return object2{"module": "keras.layers", "class_name": class, "config": config, "name": name, "inbound_nodes": calls, "build_config": object2{"input_shape": []any{nil, 4}}}
}

// modelOf is a functional model that takes "x" and gives call n of a layer, itself called as often
// as is said.
func modelOf(name string, layers []any, last string, n int, calls ...any) object2 {
	all := append([]any{layerOf("InputLayer", "x", object2{"batch_shape": []any{nil, 4}})}, layers...)
	m := layerOf("Functional", name, object2{"layers": all, "input_layers": []any{[]any{"x", 0, 0}}, "output_layers": []any{[]any{last, n, 0}}}, calls...)
	m["module"] = "keras.src.models.functional"
	return m
}

// again are a layer's calls on "x" and then, n times, on its own result.
func again(layer string, n int) []any {
	calls := []any{callOf(tensorOf("x", 0))}
	for i := range n {
		calls = append(calls, callOf(tensorOf(layer, i)))
	}
	return calls
}

// tower are n layers that each take the one before, and the last one's name.
func tower(n int) (layers []any, last string) {
	last = "x"
	for i := range n {
		name := fmt.Sprint("activation_", i)
		layers = append(layers, layerOf("Activation", name, object2{"activation": "relu"}, callOf(tensorOf(last, 0))))
		last = name
	}
	return layers, last
}

// within puts a model into models, one in the other, each of which calls the one within so often.
func within(m object2, levels, calls int) object2 {
	for i := range levels {
		name := m["name"].(string)
		m["inbound_nodes"] = again(name, calls-1)
		m = modelOf(fmt.Sprint("around_", i), []any{m}, name, calls-1)
	}
	return m
}

// configurations are families of configurations, each of about as many parts as is asked for.
var configurations = []struct {
	name string
	make func(n int) object2
}{
	{"a tower", func(n int) object2 {
		layers, last := tower(n)
		return modelOf("m", layers, last, 0)
	}},
	{"models in models", func(n int) object2 {
		layers, last := tower(3)
		return within(modelOf("m", layers, last, 0), n/10, 1)
	}},
	{"models in models, each called twice", func(n int) object2 {
		layers, last := tower(3)
		return within(modelOf("m", layers, last, 0), n/40, 2)
	}},
	{"a long list in models in models", func(n int) object2 {
		words := make([]any, 20*n)
		for i := range words {
			words[i] = fmt.Sprint("word", i)
		}
		return within(modelOf("m", []any{layerOf("StringLookup", "lookup", object2{"vocabulary": words}, callOf(tensorOf("x", 0)))}, "lookup", 0), 20, 1)
	}},
	{"a large model that is called often", func(n int) object2 {
		layers, last := tower(n / 2)
		inner := modelOf("inner", layers, last, 0, again("inner", n/2)...)
		return modelOf("m", []any{inner}, "inner", n/2)
	}},
	{"a large model for each step, called often", func(n int) object2 {
		layers, last := tower(n / 2)
		each := layerOf("TimeDistributed", "each", object2{"layer": modelOf("inner", layers, last, 0)}, again("each", n/2)...)
		return modelOf("m", []any{each}, "each", n/2)
	}},
	{"a small model whose layer takes much, called often", func(n int) object2 {
		var much []any
		for range n / 2 {
			much = append(much, tensorOf("x", 0))
		}
		inner := modelOf("inner", []any{layerOf("Concatenate", "join", object2{"axis": -1}, callOf(much))}, "join", 0, again("inner", n/2)...)
		return modelOf("m", []any{inner}, "inner", n/2)
	}},
	{"a layer that is called often", func(n int) object2 {
		return modelOf("m", []any{layerOf("Dense", "dense", object2{"units": 4}, again("dense", n)...)}, "dense", n)
	}},
	{"a layer of many entries that is called often", func(n int) object2 {
		entries := object2{"units": 4}
		for i := range n {
			entries[fmt.Sprint("entry_", i)] = i
		}
		return modelOf("m", []any{layerOf("Dense", "dense", entries, again("dense", n)...)}, "dense", n)
	}},
	{"layers of one name", func(n int) object2 {
		var layers []any
		for range n {
			layers = append(layers, layerOf("Dense", "dense", object2{"units": 4}, callOf(tensorOf("x", 0))))
		}
		return modelOf("m", layers, "dense", 0)
	}},
	{"layers in a circle", func(n int) object2 {
		var layers []any
		for i := range n {
			layers = append(layers, layerOf("Dense", fmt.Sprint("dense_", i), object2{"units": 4}, callOf(tensorOf(fmt.Sprint("dense_", (i+1)%n), 0))))
		}
		return modelOf("m", layers, "dense_0", 0)
	}},
	{"sums of all before", func(n int) object2 {
		var layers []any
		taken := []any{tensorOf("x", 0)}
		for i := 0; i*i < n; i++ {
			name := fmt.Sprint("add_", i)
			layers = append(layers, layerOf("Add", name, nil, callOf(append([]any{}, taken...))))
			taken = append(taken, tensorOf(name, 0))
		}
		return modelOf("m", layers, "add_0", 0)
	}},
	{"wrappers in wrappers", func(n int) object2 {
		layer := layerOf("Dense", "dense", object2{"units": 4})
		for i := range n / 10 {
			layer = layerOf("TimeDistributed", fmt.Sprint("each_", i), object2{"layer": layer})
		}
		layer["inbound_nodes"] = again(layer["name"].(string), 0)
		return modelOf("m", []any{layer}, layer["name"].(string), 0)
	}},
	{"a cell of many cells", func(n int) object2 {
		var cells []any
		for i := range n {
			cells = append(cells, layerOf("LSTMCell", fmt.Sprint("cell_", i), object2{"units": 4}))
		}
		rnn := layerOf("RNN", "rnn", object2{"cell": layerOf("StackedRNNCells", "cells", object2{"cells": cells})}, again("rnn", 0)...)
		return modelOf("m", []any{rnn}, "rnn", 0)
	}},
}

// TestConfigurationsAreLinear holds that four times a configuration takes no more than eight times
// the processor time, whatever in it is long, deep, or called often, or ends in a budget, within
// two seconds; and never more than five.
func TestConfigurationsAreLinear(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	for _, c := range configurations {
		t.Run(c.name, func(t *testing.T) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			const n = 1000
			small, large := described(t, c.make(n)), described(t, c.make(4*n))
			t.Logf("%v, then %v", small, large)
			if large > min(8*small+2*time.Second, 5*time.Second) {
				t.Errorf("%v for %d parts, %v for four times as many", small, n, large)
			}
		})
	}
}

// described is what describing a .keras of a configuration takes of the thread's time.
func described(t *testing.T, config object2) time.Duration {
	path := archiveOf(t, config, nil)
	start := modeltest.ThreadTime(t)
	m, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := Scan(path); err != nil {
		t.Fatal(err)
	}
	if table, err := m.Layers(); err == nil { // the weights need not be those of the layers
		inputs := map[string]tensor.Shape{"x": tensor.MakeShape(2, 4)}
		table.At(inputs)
		table.GivesAt(inputs)
	}
	return modeltest.ThreadTime(t) - start
}

// A configuration that would take long because much of it is deep within is refused.
func TestTooNested(t *testing.T) {
	var value any = strings.Repeat("x", 1<<20)
	for range 1000 {
		value = []any{value}
	}
	_, err := Open(archiveOf(t, modelOf("m", []any{layerOf("Mine", "mine", object2{"value": value}, callOf(tensorOf("x", 0)))}, "mine", 0), nil))
	if err == nil || !strings.Contains(err.Error(), "config.json: a configuration of 1 MiB, nested 100") {
		t.Error(err)
	}
}
