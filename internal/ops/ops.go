// Package ops says, for every operation of the supported TensorFlow versions, what it does beside
// computing.
//
// The table is ops.txt, one line for each operation: scripts/ops.py lists the operations that
// libtensorflow registers, and people write down what they do. An operation that is not in the
// table belongs to another library, or to a newer TensorFlow.
package ops

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Class says what an operation does. A model may run operations that compute, or that keep state in
// memory. All others need somebody's permission.
type Class string

// The classes of operations.
const (
	Compute  Class = "compute"  // computes results from its inputs and attributes
	State    Class = "state"    // keeps values in the session's memory: variables, tables, queues
	Reads    Class = "reads"    // reads files
	Writes   Class = "writes"   // writes files
	Network  Class = "network"  // reaches other processes, or waits for other devices
	Process  Class = "process"  // starts a process, or ends this one
	Python   Class = "python"   // needs the Python interpreter that made the graph
	Native   Class = "native"   // runs native code that is not TensorFlow's
	Graph    Class = "graph"    // runs a graph or program that is data: a string, an attribute
	Memory   Class = "memory"   // hands out memory that it does not own
	TPU      Class = "tpu"      // is for TPUs
	Internal Class = "internal" // put into graphs by TensorFlow itself, and trusted by it
)

var classes = []Class{Compute, State, Reads, Writes, Network, Process, Python, Native, Graph, Memory, TPU, Internal}

// Own says which files of a model an operation may read while the model is loaded.
type Own string

// The kinds of files that an operation may read.
const (
	Nothing    Own = ""
	Checkpoint Own = "checkpoint" // the model's variables
	Asset      Own = "asset"      // a file of the model's assets
)

// Op describes an operation.
type Op struct {
	Name     string
	Class    Class
	Stateful bool     // TensorFlow does not fold it into a constant
	Calls    []string // attributes that name functions
	Path     int      // index of the data input that names a file; -1: none does
	Attr     string   // attribute that names a file or an action; "": none does
	Unset    bool     // touches nothing if that attribute is not set
	Own      Own
	Why      string // what it does, for people; "" for most that compute

	harmless []string // values of the path or the attribute with which it touches nothing
}

// Pure reports whether the operation touches nothing outside the session's memory.
func (o *Op) Pure() bool { return o.Class == Compute || o.Class == State }

// Harmless reports whether the operation touches nothing with the given path or attribute: PrintV2
// prints to "stderr", and CacheDataset caches in memory where the name is "".
func (o *Op) Harmless(path string) bool {
	return slices.ContainsFunc(o.harmless, func(h string) bool {
		prefix, open := strings.CutSuffix(h, "*")
		return path == h || open && strings.HasPrefix(path, prefix)
	})
}

// Of returns the description of an operation, nil if it is not in the table.
func Of(name string) *Op { return table()[name] }

// All returns the table, by name.
func All() map[string]*Op { return table() }

//go:embed ops.txt
var text string

var table = sync.OnceValue(func() map[string]*Op {
	t, err := parse(text)
	if err != nil {
		panic(err) // a test parses the embedded text
	}
	return t
})

// parse reads the table. The beginning of ops.txt describes its lines.
func parse(text string) (map[string]*Op, error) {
	t := make(map[string]*Op, strings.Count(text, "\n"))
	for line := range strings.Lines(text) {
		if line[0] == '#' {
			continue
		}
		o, err := parseLine(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, fmt.Errorf("ops.txt: %q: %w", line, err)
		}
		if t[o.Name] != nil {
			return nil, fmt.Errorf("ops.txt: %s stands twice", o.Name)
		}
		t[o.Name] = o
	}
	return t, nil
}

func parseLine(line string) (*Op, error) {
	facts, why, _ := strings.Cut(line, " # ")
	words := strings.Split(facts, " ")
	if len(words) < 2 || !slices.Contains(classes, Class(words[1])) {
		return nil, fmt.Errorf("want a name and a class")
	}
	o := &Op{Name: words[0], Class: Class(words[1]), Path: -1, Why: why}
	for _, word := range words[2:] {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "stateful":
			o.Stateful = true
		case "calls":
			o.Calls = strings.Split(value, ",")
		case "path":
			n, err := strconv.ParseUint(value, 10, 8)
			if err != nil {
				return nil, fmt.Errorf("path: %w", err)
			}
			o.Path = int(n)
		case "attr":
			o.Attr = value
		case "unset":
			o.Unset = true
		case "ok":
			o.harmless = strings.Split(strings.Trim(value, `"`), "|")
		case "own":
			o.Own = Own(value)
		default:
			return nil, fmt.Errorf("%q is no fact of an operation", word)
		}
	}
	return o, nil
}
