// Package ops says of every operation of the supported TensorFlows what it does beside computing.
//
// The table is ops.txt, one line an operation: scripts/ops.py lists what libtensorflow registers,
// and people say what it does. An operation that is not in it is of a library of its own, or of a
// TensorFlow that is newer than the table.
package ops

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Class says what an operation does. A model may run what computes, or keeps its state in memory;
// of all else somebody has to decide.
type Class string

// The classes of operations.
const (
	Compute  Class = "compute"  // makes results of its inputs and attributes
	State    Class = "state"    // keeps values in the session's memory: variables, tables, queues
	Reads    Class = "reads"    // reads files
	Writes   Class = "writes"   // writes files
	Network  Class = "network"  // reaches other processes, or waits for other devices
	Process  Class = "process"  // starts a process, or ends this one
	Python   Class = "python"   // needs the Python interpreter that made the graph
	Native   Class = "native"   // runs native code that is no part of TensorFlow
	Graph    Class = "graph"    // runs a graph or a program that is data: in a string, an attribute
	Memory   Class = "memory"   // hands out memory that is not its own
	TPU      Class = "tpu"      // is for TPUs
	Internal Class = "internal" // TensorFlow puts it into graphs itself, and trusts what it says
)

var classes = []Class{Compute, State, Reads, Writes, Network, Process, Python, Native, Graph, Memory, TPU, Internal}

// Own says which files of a model an operation may read while the model is loaded.
type Own string

// What an operation may read.
const (
	Nothing    Own = ""
	Checkpoint Own = "checkpoint" // the model's variables
	Asset      Own = "asset"      // a file of the model's assets
)

// Op is what is known of an operation.
type Op struct {
	Name     string
	Class    Class
	Stateful bool     // TensorFlow does not fold it into a constant
	Calls    []string // the attributes that name functions
	Path     int      // the data input that names a file, counted from 0; -1 where none does
	Attr     string   // the attribute that names a file, or says what is done; "" where none does
	Unset    bool     // where the attribute is not set, nothing is touched
	Own      Own
	Why      string // what it does, for people; "" of most that compute

	harmless []string // values of the path or the attribute with which nothing is touched
}

// Pure reports whether the operation touches nothing but the session's memory.
func (o *Op) Pure() bool { return o.Class == Compute || o.Class == State }

// Harmless reports whether the operation touches nothing where its path, or its attribute, is the
// given one: PrintV2 prints on "stderr", and CacheDataset caches in memory where the name is "".
func (o *Op) Harmless(path string) bool {
	return slices.ContainsFunc(o.harmless, func(h string) bool {
		prefix, open := strings.CutSuffix(h, "*")
		return path == h || open && strings.HasPrefix(path, prefix)
	})
}

// Of returns what is known of an operation; nil where it is not in the table.
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

// parse reads the table. ops.txt begins with what its lines look like.
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
