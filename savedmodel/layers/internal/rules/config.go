package rules

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/tensor"
)

// MaxNesting bounds how deep models are followed into models, and wrappers into wrappers.
const MaxNesting = 32

// Config is the dictionary that a Keras layer's get_config returned, as JSON has it.
type Config map[string]any

// ParseConfig decodes a config; nil when it is none.
func ParseConfig(data json.RawMessage) Config {
	var c Config
	if json.Unmarshal(data, &c) != nil {
		return nil
	}
	return c
}

// Plain takes Keras' wrappers off tuples and shapes: {"class_name": "__tuple__", "items": […]}.
func Plain(v any) any {
	if m, ok := v.(map[string]any); ok {
		if name := m["class_name"]; name == "__tuple__" || name == "TensorShape" {
			return m["items"]
		}
	}
	return v
}

// Value decodes any JSON; nil where it is none.
func Value(data json.RawMessage) any {
	var v any
	if json.Unmarshal(data, &v) != nil {
		return nil
	}
	return v
}

// Has reports whether the config gives a key a value other than null.
func (c Config) Has(key string) bool { return c[key] != nil }

// Str returns the text that a key has, "" where there is none.
func (c Config) Str(key string) string { s, _ := c[key].(string); return s }

func (c Config) flag(key string) bool { b, _ := c[key].(bool); return b }

// Num returns a number, or otherwise.
func (c Config) Num(key string, otherwise int64) int64 {
	if f, ok := Plain(c[key]).(float64); ok {
		return int64(f)
	}
	return otherwise
}

// Nums returns a list of numbers with [tensor.Unknown] for null; a lone number is a list of one.
// Nil when it is neither.
func (c Config) Nums(key string) []int64 { return Numbers(c[key]) }

// Numbers returns the whole numbers in a value: one, or a list in which null is an unknown size.
// Nil when it is neither.
func Numbers(v any) []int64 {
	switch v := Plain(v).(type) {
	case float64:
		return []int64{int64(v)}
	case []any:
		list := make([]int64, 0, len(v))
		for _, x := range v {
			switch x := x.(type) {
			case float64:
				list = append(list, int64(x))
			case nil:
				list = append(list, tensor.Unknown)
			default:
				return nil
			}
		}
		return list
	}
	return nil
}

// Spread returns n numbers: those of the list, or a lone number n times. Nil when neither fits.
func (c Config) Spread(key string, n int, otherwise int64) []int64 {
	list := c.Nums(key)
	switch {
	case list == nil:
		return slices.Repeat([]int64{otherwise}, n)
	case len(list) == 1:
		return slices.Repeat(list, n)
	case len(list) == n:
		return list
	}
	return nil
}

// Pairs returns n pairs of numbers, as paddings and croppings are written: 1, [1, 2], or [[1, 2],
// [0, 1]].
func (c Config) Pairs(key string, n int) [][2]int64 {
	pairs := make([][2]int64, n)
	v := Plain(c[key])
	if f, ok := v.(float64); ok {
		for i := range pairs {
			pairs[i] = [2]int64{int64(f), int64(f)}
		}
		return pairs
	}
	list, _ := v.([]any)
	if flat := Numbers(v); n == 1 && len(flat) == 2 {
		return [][2]int64{{flat[0], flat[1]}}
	}
	if len(list) != n {
		return nil
	}
	for i, x := range list {
		switch p := Numbers(x); len(p) {
		case 1:
			pairs[i] = [2]int64{p[0], p[0]}
		case 2:
			pairs[i] = [2]int64{p[0], p[1]}
		default:
			return nil
		}
	}
	return pairs
}

// Layer returns the class and the config of a layer that is a part of this one, such as a
// wrapper's.
func (c Config) Layer(key string) (class string, inner Config) {
	m, _ := c[key].(map[string]any)
	class, _ = m["class_name"].(string)
	inner, _ = m["config"].(map[string]any)
	return class[strings.LastIndexByte(class, '>')+1:], inner
}

// InputShape returns the shape that an InputLayer, or the first layer of a stack, was given.
func (c Config) InputShape() (tensor.Shape, bool) {
	for _, key := range []string{"batch_input_shape", "batch_shape"} {
		if dims := c.Nums(key); dims != nil {
			return tensor.MakeShape(dims...), true
		}
	}
	return tensor.Shape{}, false
}

// callArgs is what a call of a layer says beside its tensors.
type callArgs struct {
	args  []any
	named map[string]any
}

// callKey is where a config carries the call that its shapes are computed for.
const callKey = "\x00call"

// VersionKey is where a config carries the version of the Keras that wrote it: "3.15.1".
const VersionKey = "\x00version"

// realKey marks a config of which the shapes are asked that a layer gives, not those that Keras
// prints.
const realKey = "\x00real"

// Real returns the config for the shapes that a layer gives where Keras prints others.
func (c Config) Real() Config {
	if c == nil {
		return nil
	}
	given := maps.Clone(c)
	given[realKey] = true
	return given
}

// misprinted reports whether the shapes that Keras 3 prints are asked for where its layers give
// others.
func (c Config) misprinted() bool { return c.v3() && c[realKey] == nil }

// v3 reports whether Keras 3 wrote the config, some of whose rules differ from those of Keras 2.
func (c Config) v3() bool { return strings.HasPrefix(c.Str(VersionKey), "3.") }

// beforeMinor reports whether a version of Keras 3 before 3.minor wrote the config.
func (c Config) beforeMinor(minor int) bool {
	text, _, _ := strings.Cut(strings.TrimPrefix(c.Str(VersionKey), "3."), ".")
	n, err := strconv.Atoi(text)
	return c.v3() && err == nil && n < minor
}

// WithCall returns the config with one call's arguments, as inbound_nodes has them.
func (c Config) WithCall(node json.RawMessage) Config {
	call := parseCall(Value(node))
	if call == nil {
		return c
	}
	all := Config{callKey: call}
	for key, v := range c {
		all[key] = v
	}
	return all
}

// parseCall reads a call as Keras 3 writes it, {"args": […], "kwargs": {…}}, or as Keras 2 does,
// [["x", 0, 0, {…}], …], where the first tensor carries the named arguments.
func parseCall(v any) *callArgs {
	if m, ok := v.(map[string]any); ok {
		call := &callArgs{}
		call.args, _ = m["args"].([]any)
		call.named, _ = m["kwargs"].(map[string]any)
		return call
	}
	for range 3 {
		list, ok := v.([]any)
		if !ok || len(list) == 0 {
			return nil
		}
		if name, isName := list[0].(string); isName && len(list) > 3 {
			named, _ := list[3].(map[string]any)
			if name == "_CONSTANT_VALUE" { // the equation of an einsum
				return &callArgs{named: named, args: list[2:3]}
			}
			return &callArgs{named: named}
		}
		v = list[0]
	}
	return nil
}

// call returns the arguments of the call that shapes are computed for; nil where none are known.
func (c Config) call() *callArgs { call, _ := c[callKey].(*callArgs); return call }

// arg returns an argument of an operation by its name or its place, or what the config has for it.
func (c Config) arg(name string, place int) any {
	call := c.call()
	if call != nil && call.named[name] != nil {
		return call.named[name]
	}
	if c[name] != nil || call == nil || place < 0 || place >= len(call.args) {
		return c[name]
	}
	return call.args[place]
}

func (c Config) argFlag(name string) bool { b, _ := c.arg(name, -1).(bool); return b }

// before reports whether both arguments are named, so that the first stands before the second.
func (a *callArgs) before(first, second string) bool {
	return a != nil && a.named[first] != nil && a.named[second] != nil
}

// axisArg returns an axis that an argument names.
func (c Config) axisArg(name string, place int, otherwise any) (int64, bool) {
	v := c.arg(name, place)
	if v == nil {
		v = otherwise
	}
	f, ok := v.(float64)
	return int64(f), ok
}

// either returns the first argument beside the tensor, which goes by one of two names.
func (c Config) either(name, other string) any {
	if v := c.arg(name, 1); v != nil {
		return v
	}
	return c.arg(other, 1)
}

// single returns one shape, if its rank is known.
func single(s tensor.Shape) ([]tensor.Shape, bool) {
	if !s.Ranked() {
		return nil, false
	}
	return []tensor.Shape{s}, true
}
