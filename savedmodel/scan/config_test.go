package scan

import (
	"encoding/json"
	"testing"
)

// object is a serialized object of Keras'.
type object = map[string]any

// hostile are objects of a configuration that make Keras do more than make layers.
var hostile = map[string]object{
	"bytecode":                {"class_name": "__lambda__", "config": object{"value": object{"code": "4wE="}}},
	"bytecode of Keras 2":     {"class_name": "Lambda", "config": object{"function": []any{"4wE=", nil, nil}, "function_type": "lambda"}},
	"a function of Python's":  {"class_name": "function", "module": "os", "config": "system"},
	"one without a module":    {"class_name": "function", "module": "builtins", "config": "eval"},
	"a class of Python's":     {"class_name": "Popen", "module": "subprocess", "config": object{"args": "x"}},
	"what fetches":            {"class_name": "function", "module": "keras.utils", "config": "get_file"},
	"a setting":               {"class_name": "function", "module": "keras.config", "config": "enable_unsafe_deserialization"},
	"a pickle":                {"class_name": "TorchModuleWrapper", "module": "keras.layers", "config": object{"module": "gASV"}},
	"another model":           {"class_name": "TFSMLayer", "module": "keras.layers", "config": object{"filepath": "/tmp/x"}},
	"a vocabulary elsewhere":  {"class_name": "StringLookup", "module": "keras.layers", "config": object{"vocabulary": "http://host/x"}},
	"words in another folder": {"class_name": "TextVectorization", "module": "keras.layers", "config": object{"vocabulary": "/etc/passwd"}},
	"a module by a type":      {"class_name": "__typespec__", "module": "antigravity", "spec_name": "Spec", "config": []any{}},
}

// places are the parts of a configuration in which Keras makes objects.
var places = map[string]func(v any) object{
	"layer":                   func(v any) object { return stack(v) },
	"layer of a nested model": func(v any) object { return stack(stack(stack(v))) },
	"layer of a wrapper":      func(v any) object { return stack(of("TimeDistributed", "layer", v)) },
	"cell":                    func(v any) object { return stack(of("RNN", "cell", v)) },
	"cell of a stack":         func(v any) object { return stack(of("RNN", "cell", of("StackedRNNCells", "cells", []any{v}))) },
	"activation":              func(v any) object { return stack(of("Dense", "activation", v)) },
	"initializer":             func(v any) object { return stack(of("Dense", "kernel_initializer", v)) },
	"regularizer":             func(v any) object { return stack(of("Dense", "bias_regularizer", v)) },
	"constraint":              func(v any) object { return stack(of("Dense", "kernel_constraint", v)) },
	"policy of types":         func(v any) object { return stack(of("Dense", "dtype", v)) },
	"quantization":            func(v any) object { return stack(of("Dense", "quantization_config", v)) },
	"standardization":         func(v any) object { return stack(of("TextVectorization", "standardize", v)) },
	"arguments of a function": func(v any) object { return stack(of("Lambda", "arguments", object{"x": v})) },
	"shape by a function":     func(v any) object { return stack(of("Lambda", "output_shape", v)) },
	"class of one's own": func(v any) object {
		return object{"class_name": "Own", "module": "own.code", "config": object{"parts": []any{object{"x": v}}}}
	},
	"call": func(v any) object {
		return of("Functional", "layers", []any{object{"class_name": "Dense", "module": "keras.layers", "config": object{}, "inbound_nodes": []any{object{"args": []any{v}, "kwargs": object{}}}}})
	},
	"features": func(v any) object {
		return of("FeatureSpace", "features", object{"a": of("Feature", "preprocessor", v)})
	},
	"loss":           func(v any) object { return beside("compile_config", object{"loss": v}) },
	"list of losses": func(v any) object { return beside("compile_config", object{"loss": object{"a": []any{"mse", v}}}) },
	"metrics":        func(v any) object { return beside("compile_config", object{"metrics": []any{[]any{"mae", v}}}) },
	"optimizer":      func(v any) object { return beside("compile_config", object{"optimizer": v}) },
	"learning rate": func(v any) object {
		return beside("compile_config", object{"optimizer": of("Adam", "learning_rate", v)})
	},
	"building": func(v any) object { return beside("build_config", object{"input_shape": []any{nil, v}}) },
}

// of makes an object of Keras' own with one entry in its configuration.
func of(class, key string, v any) object {
	return object{"class_name": class, "module": "keras.layers", "config": object{"name": "x", key: v}}
}

// stack makes a Sequential of one layer.
func stack(layer any) object { return of("Sequential", "layers", []any{layer}) }

// beside makes a model with an entry beside its configuration.
func beside(key string, v any) object {
	model := stack(of("Dense", "units", 2))
	model[key] = v
	return model
}

// TestHiddenAnywhere finds each object that does more than make layers wherever it stands, and
// nothing where a plain layer stands in its place.
func TestHiddenAnywhere(t *testing.T) {
	t.Parallel()
	unsafe := func(t *testing.T, config object) bool {
		t.Helper()
		data, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range Config(data) {
			if f.Severity == Unsafe {
				return true
			}
		}
		return false
	}
	for place, within := range places {
		for what, v := range hostile {
			if !unsafe(t, within(v)) {
				t.Errorf("nothing is found: %s in the place of the %s", what, place)
			}
		}
		for _, v := range []any{of("Dense", "units", 2), "relu", nil, 3.5, []any{"a"}} {
			if unsafe(t, within(v)) {
				t.Errorf("an honest value is unsafe: %v in the place of the %s", v, place)
			}
		}
	}
}
