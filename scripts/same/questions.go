package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// checks are the kinds of questions. facts asks the program of that name.
var checks = []string{"explain", "html", "scan", "facts", "predict"}

// question is one call of the command, or of the facts program.
type question struct {
	title string
	args  []string
	facts bool
	input []byte // of the file of rows; it tells questions apart
}

// key names the file that keeps the answer.
func (q question) key() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%t %q %s", q.facts, q.args, q.input))
	return hex.EncodeToString(sum[:12])
}

// findModels lists the models of the working tree and of the folders that TFRUN_MODELS names.
func findModels() ([]string, error) {
	roots := append([]string{filepath.Join("testdata", "models"), "examples", filepath.Join("runner", "testdata")},
		strings.FieldsFunc(os.Getenv("TFRUN_MODELS"), func(r rune) bool { return r == ',' || r == filepath.ListSeparator })...)
	var models []string
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && isModel(path) {
				models = append(models, path)
				return filepath.SkipDir
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if len(models) == 0 {
		return nil, fmt.Errorf("no models below %v", roots)
	}
	return models, nil
}

// isModel reports whether a folder is to be a model: a good one, or one broken on purpose.
func isModel(dir string) bool {
	for _, file := range []string{filepath.Join(dir, "saved_model.pb"), filepath.Join(filepath.Dir(dir), "expect.json")} {
		if _, err := os.Stat(file); err == nil {
			return filepath.Base(dir) == "model" || filepath.Base(file) != "expect.json"
		}
	}
	return false
}

// ask lists the questions about models, of the checks that are wanted; of all where none is named.
func ask(models, only []string) ([]question, error) {
	wanted := func(check string) bool { return len(only) == 0 || slices.Contains(only, check) }
	for _, check := range only {
		if !slices.Contains(checks, check) {
			return nil, fmt.Errorf("no check is called %q; there are %s", check, strings.Join(checks, ", "))
		}
	}
	var questions []question
	add := func(check, model string, args ...string) {
		if wanted(check) {
			questions = append(questions, question{title: check + " " + model, args: args, facts: check == "facts"})
		}
	}
	for _, model := range models {
		add("explain", model, "shapes", model, "--explain", "--format", "json")
		add("html", model, "shapes", model, "--format", "html")
		add("scan", model, "scan", model, "--format", "json")
		add("facts", model, model)
		if !wanted("predict") {
			continue
		}
		rows, err := predictions(model)
		if err != nil {
			return nil, err
		}
		questions = append(questions, rows...)
	}
	return questions, nil
}

// example is a run that was recorded in Python; see testdata/models/README.md.
type example struct {
	Signature string               `json:"signature"`
	Tags      []string             `json:"tags"`
	Inputs    map[string]exampleIn `json:"inputs"`
}

type exampleIn struct {
	Shape  []int             `json:"shape"`
	Values []json.RawMessage `json:"values"`
}

// predictions lists the runs over a model's recorded examples: each example as a row of whole
// tensors, and cut into rows where all inputs have as many.
func predictions(model string) ([]question, error) {
	data, err := os.ReadFile(filepath.Join(filepath.Dir(model), "expect.json"))
	if err != nil {
		return nil, nil // nothing was recorded
	}
	var want struct {
		Examples []example `json:"examples"`
	}
	if err := json.Unmarshal(data, &want); err != nil {
		return nil, fmt.Errorf("%s: %w", model, err)
	}
	whole, rows := map[string][]byte{}, map[string][]byte{}
	args := map[string][]string{}
	for _, e := range want.Examples {
		key := e.Signature + " " + strings.Join(e.Tags, ",")
		args[key] = []string{"predict", model, "--quiet", "--signature", e.Signature}
		if len(e.Tags) > 0 {
			args[key] = append(args[key], "--tags", strings.Join(e.Tags, ","))
		}
		row, cut := e.rows()
		whole[key] = append(whole[key], row...)
		rows[key] = append(rows[key], cut...)
	}
	var questions []question
	for key, a := range args {
		for _, kind := range []struct {
			data []byte
			more []string
		}{{whole[key], []string{"--no-batch"}}, {rows[key], nil}} {
			if len(kind.data) == 0 {
				continue
			}
			file, err := writeRows(kind.data)
			if err != nil {
				return nil, err
			}
			questions = append(questions, question{
				title: strings.Join(append([]string{"predict", model, key}, kind.more...), " "),
				args:  slices.Concat(a[:2], []string{file}, a[2:], kind.more), input: kind.data,
			})
		}
	}
	return questions, nil
}

// writeRows writes a file of rows under a name that its content gives.
func writeRows(data []byte) (string, error) {
	sum := sha256.Sum256(data)
	file := filepath.Join("bin", "same", "rows", hex.EncodeToString(sum[:8])+".jsonl")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", err
	}
	return file, os.WriteFile(file, data, 0o644)
}

// rows returns the example as one line of JSON, and as a line for each entry of the first axis.
// Either is nil where the example does not have it: values are left out of large ones.
func (e example) rows() (whole, cut []byte) {
	all := map[string]json.RawMessage{}
	var parts []map[string]json.RawMessage
	for name, in := range e.Inputs {
		size := 1
		for _, n := range in.Shape {
			size *= n
		}
		if in.Values == nil || len(in.Values) != size {
			return nil, nil
		}
		all[name] = nest(in.Shape, in.Values)
	}
	for name, in := range e.Inputs {
		switch {
		case len(in.Shape) == 0 || parts != nil && len(parts) != in.Shape[0]:
			return jsonLine(all), nil
		case parts == nil:
			parts = make([]map[string]json.RawMessage, in.Shape[0])
		}
		each := 1
		for _, n := range in.Shape[1:] {
			each *= n
		}
		for i := range parts {
			if parts[i] == nil {
				parts[i] = map[string]json.RawMessage{}
			}
			parts[i][name] = nest(in.Shape[1:], in.Values[i*each:(i+1)*each])
		}
	}
	for _, part := range parts {
		cut = append(cut, jsonLine(part)...)
	}
	return jsonLine(all), cut
}

// jsonLine writes a row as a line, with the names of its inputs in alphabetical order.
func jsonLine(row map[string]json.RawMessage) []byte {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, name := range slices.Sorted(maps.Keys(row)) {
		if i > 0 {
			out.WriteByte(',')
		}
		key, _ := json.Marshal(name) // a string can be written
		fmt.Fprintf(&out, "%s:%s", key, row[name])
	}
	out.WriteString("}\n")
	return out.Bytes()
}

// nest writes flat values as nested lists of a shape. NaN and the infinities are recorded as text;
// predict reads them without quotes.
func nest(shape []int, values []json.RawMessage) json.RawMessage {
	if len(shape) == 0 {
		for _, special := range []string{"NaN", "Infinity", "-Infinity"} {
			if string(values[0]) == `"`+special+`"` {
				return json.RawMessage(special)
			}
		}
		return values[0]
	}
	each := 1
	for _, n := range shape[1:] {
		each *= n
	}
	out := []byte{'['}
	for i := range shape[0] {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, nest(shape[1:], values[i*each:(i+1)*each])...)
	}
	return append(out, ']')
}
