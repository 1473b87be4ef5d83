package scan

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/pyjson"
)

// scanMetadata looks through the Keras metadata for Python code: Lambda layers, and functions
// stored as bytecode. Of what was written all is looked at, in the way that Python reads it.
func scanMetadata(meta savedmodel.KerasMetadata) []Finding {
	m := &metadataScan{seen: map[string]bool{}}
	// Layers come before the model that lists them again.
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(meta))) {
		v, err := pyjson.Decode(meta[id].Text)
		if err != nil {
			m.add(OddMetadata, Unsafe, meta[id].Name, err.Error())
			continue
		}
		if all, ok := v.(map[string]any); ok {
			class, name := text(all["class_name"]), text(all["name"])
			m.layer(class, name, all["config"])
			for _, key := range slices.Sorted(maps.Keys(all)) {
				m.walk(all[key], name, class)
			}
			continue
		}
		m.walk(v, "", "")
	}
	return m.findings
}

// unread finds metadata that cannot be read here: Keras may read it, and run what it holds.
func unread(err error) []Finding {
	var link *savedmodel.LinkError // said of the files
	if err == nil || errors.As(err, &link) {
		return nil
	}
	return []Finding{{Kind: OddMetadata, Severity: Unsafe, Detail: err.Error()}}
}

// layer notes a layer whose class is Lambda.
func (m *metadataScan) layer(class, name string, config any) {
	if class != "Lambda" {
		return
	}
	if fields, ok := config.(map[string]any); ok && name == "" {
		name, _ = fields["name"].(string)
	}
	detail := "a Lambda layer: its Python function is traced into the graph; Keras needs the function itself to load the model"
	if m.file {
		detail = "a Lambda layer: its code is a Python function"
	}
	m.add(LambdaLayer, Expected, name, detail)
}

// walk looks for serialized functions in a config. The JSON decoder bounds the depth.
func (m *metadataScan) walk(v any, layer, class string) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			m.walk(x, layer, class)
		}
	case map[string]any:
		m.bytecode(v, layer, class)
		if m.file {
			m.object(v, nameOf(v, layer))
		}
		name, class := layer, class
		if c, ok := v["class_name"].(string); ok {
			if config, ok := v["config"].(map[string]any); ok {
				if s, ok := config["name"].(string); ok {
					name, class = s, c
				}
				m.layer(c, name, config)
			}
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			m.walk(v[key], name, class)
		}
	}
}

// nameOf returns the name of a serialized object, or otherwise.
func nameOf(v map[string]any, otherwise string) string {
	if config, ok := v["config"].(map[string]any); ok {
		if s, ok := config["name"].(string); ok {
			return s
		}
	}
	return otherwise
}

// bytecode notes a function stored as bytecode. Keras 2 marks it by "function_type", Keras 3 by the
// class "__lambda__".
func (m *metadataScan) bytecode(v map[string]any, layer, class string) {
	for _, key := range []string{"function", "output_shape", "mask", "arguments"} {
		if v[key+"_type"] == "lambda" {
			m.add(Bytecode, Unsafe, layer, fmt.Sprintf("Python bytecode in the %s of a %s layer: Keras runs it when it loads the model", key, class))
		}
	}
	if v["class_name"] == "__lambda__" {
		m.add(Bytecode, Unsafe, layer, fmt.Sprintf("Python bytecode in the config of a %s layer: Keras runs it when it loads the model", class))
	}
}
