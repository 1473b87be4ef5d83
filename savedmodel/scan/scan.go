package scan

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
)

// Finding is something in a model that does more than compute, or that makes a loader do so.
type Finding struct {
	Kind     FindingKind `json:"kind"`
	Severity Severity    `json:"severity"`
	// Op is the operation's type; "" for what stands in the Keras metadata or in the list of
	// assets, for calls and for sizes.
	Op string `json:"op,omitempty"`
	// Function holds the operation; "" stands for the main graph.
	Function string `json:"function,omitempty"`
	Node     string `json:"node,omitempty"`
	// Layer is the name scope that the operation stands in, or that the function is called from; of
	// metadata the layer's name.
	Layer string `json:"layer,omitempty"`
	// Signatures are those that reach the operation when they run, sorted.
	Signatures []string `json:"signatures,omitempty"`
	// Loading says that loading the model runs the operation: the restore op or the init op reaches
	// it.
	Loading bool `json:"loading,omitempty"`
	// Detail says what is known beyond that: which file, or why the finding is expected.
	Detail string `json:"detail,omitempty"`
}

// FindingKind says what a [Finding] can do.
type FindingKind string

// The kinds of findings.
const (
	ReadsFiles     FindingKind = "reads-files"
	WritesFiles    FindingKind = "writes-files"
	UsesNetwork    FindingKind = "network"     // or other workers of a cluster
	UsesProcess    FindingKind = "process"     // starts one, or ends this one
	RunsPython     FindingKind = "python"      // needs the Python interpreter that made the graph
	RunsNativeCode FindingKind = "native-code" // of a library that is no part of TensorFlow
	LambdaLayer    FindingKind = "lambda"      // a Keras layer whose code is a Python function
	// Python bytecode, which Keras runs when it loads the model
	Bytecode FindingKind = "bytecode"
	// functions that call themselves, or come to millions of calls: TensorFlow ends the process
	EndlessCalls FindingKind = "endless-calls"
	// the graph says how large: more values than there can be
	HugeTensor FindingKind = "huge-tensor"
	// contradicts itself, or counts what nobody can: TensorFlow ends the process
	BrokenNode FindingKind = "broken-node"
	AssetPath  FindingKind = "asset-path"  // an asset outside the model's directory
	CustomCode FindingKind = "custom-code" // a class or a function that is not Keras' own
	// an archive that different programs read differently, or that grows beyond measure
	OddArchive FindingKind = "odd-archive"
)

// Deadly reports whether TensorFlow ends the process, or does not come to an end, once it has such
// a thing loaded: running another signature is no way round it.
func (k FindingKind) Deadly() bool { return k == EndlessCalls || k == HugeTensor || k == BrokenNode }

// Severity says what a [Finding] means to someone who loads the model and runs its signatures.
type Severity string

// The severities, the worst first.
const (
	Unsafe Severity = "unsafe" // happens when the model is loaded, or when a signature is run
	// no signature and no loader's step reaches it; other functions of the model may
	Dormant  Severity = "dormant"
	Expected Severity = "expected" // part of every such model: its own checkpoint and vocabularies
)

// RunsWith reports whether loading the model and running the signature runs into what was found.
// The empty name stands for any signature.
func (f *Finding) RunsWith(signature string) bool {
	return f.Severity == Unsafe && (f.Op != "" || f.Kind.Deadly()) && (f.Loading || signature == "" && len(f.Signatures) > 0 || slices.Contains(f.Signatures, signature))
}

// Where names the place of the finding for people: the layer, or the function, or the node.
func (f *Finding) Where() string {
	switch {
	case f.Layer != "":
		return f.Layer
	case f.Function != "":
		return f.Function
	}
	return f.Node
}

// Scan looks through the whole of a graph, its function library and the Keras metadata for what
// does more than compute: operations that read or write files, start processes, reach the network
// or run Python, wherever they hide (the branches of tf.cond, the functions of tf.data), layers
// with Python code, and assets outside the model. Nothing is run. The worst findings stand first.
//
// Each operation is traced back to the signatures that reach it. What the model's own saver does,
// and tables that are filled from the model's own assets, is [Expected].
func Scan(mg *savedmodel.MetaGraph) ([]Finding, error) {
	s := &scanner{mg: mg, functions: map[string]*scanBody{}, callers: map[string][]scanCaller{}, implement: map[string][]string{}, assets: map[string]string{}}
	if err := s.read(); err != nil {
		return nil, err
	}
	if err := s.reachAll(); err != nil {
		return nil, err
	}
	findings := slices.Concat(s.report(), s.endless(), s.impossible())
	if mg.Framework == savedmodel.Keras2 {
		meta, err := mg.KerasMetadata()
		if err != nil && meta == nil {
			if _, err := mg.Objects(); err != nil {
				return nil, err
			}
		}
		findings = append(findings, scanMetadata(meta)...)
	}
	for _, a := range mg.Assets {
		if !filepath.IsLocal(filepath.FromSlash(a.Filename)) {
			findings = append(findings, Finding{
				Kind: AssetPath, Severity: Unsafe, Node: graph.NodeOf(a.Tensor), Loading: true,
				Detail: fmt.Sprintf("asset %q lies outside the model's directory", a.Filename),
			})
		}
	}
	Sort(findings)
	return findings, nil
}

// Sort puts the worst findings first.
func Sort(findings []Finding) { slices.SortStableFunc(findings, compareFindings) }

func compareFindings(a, b Finding) int {
	rank := map[Severity]int{Unsafe: 0, Dormant: 1, Expected: 2}
	return cmp.Or(cmp.Compare(rank[a.Severity], rank[b.Severity]), cmp.Compare(a.Function, b.Function), cmp.Compare(a.Node, b.Node), cmp.Compare(a.Layer, b.Layer))
}

// report judges every operation that was noted.
func (s *scanner) report() []Finding {
	var findings []Finding
	for _, name := range s.order {
		f := s.functions[name]
		for _, hit := range f.hits {
			labels := s.labels[name]
			if name == "" {
				labels = s.mainLabels[hit.node]
			}
			found := Finding{Kind: hit.rule.kind, Op: hit.op, Function: name, Node: hit.node, Layer: s.layer(name, hit.node)}
			for label := range labels {
				if sig, ok := strings.CutPrefix(label, labelSignature); ok {
					found.Signatures = append(found.Signatures, sig)
				}
			}
			slices.Sort(found.Signatures)
			found.Loading = labels[labelLoading]
			if s.judge(&found, hit) {
				findings = append(findings, found)
			}
		}
	}
	return findings
}

// judge sets the severity and the detail of a finding. It is false for an operation that turns out
// to be harmless.
func (s *scanner) judge(f *Finding, hit scanHit) bool {
	paths := s.trace(f.Function, hit.path)
	f.Detail = describePaths(hit, paths)
	run := f.Loading || len(f.Signatures) > 0
	switch {
	case harmless(hit, paths):
		return false
	case !run && hit.rule.checkpoint:
		f.Severity, f.Detail = Expected, "of a saver that neither loading nor a signature runs"
	case !run:
		f.Severity = Dormant
	case len(f.Signatures) == 0 && hit.rule.checkpoint && hit.rule.kind == ReadsFiles && only(paths, fromSaver):
		f.Severity, f.Detail = Expected, "restores the model's variables"
	case len(f.Signatures) == 0 && hit.rule.kind == ReadsFiles && only(paths, fromAsset):
		f.Severity = Expected
	default:
		f.Severity = Unsafe
	}
	return true
}

// harmless tells the uses of an op that stay in memory or on the standard streams from those that
// touch files.
func harmless(hit scanHit, paths []scanOrigin) bool {
	switch hit.op {
	case "CacheDataset", "CacheDatasetV2": // an empty name caches in memory
		return len(paths) > 0 && !slices.ContainsFunc(paths, func(o scanOrigin) bool { return o.kind != fromConst || o.value != "" })
	case "PrintV2":
		return !strings.HasPrefix(hit.attr, "file://")
	case "Skipgram", "FixedUnigramCandidateSampler":
		return hit.attr == ""
	}
	return false
}

// describePaths says which file an operation reads or writes, as far as the graph says.
func describePaths(hit scanHit, paths []scanOrigin) string {
	if hit.attr != "" {
		return fmt.Sprintf("the path %q", hit.attr)
	}
	if hit.rule.path < 0 {
		return ""
	}
	var texts []string
	for _, p := range paths {
		if t := p.String(); !slices.Contains(texts, t) {
			texts = append(texts, t)
		}
	}
	slices.Sort(texts)
	if more := len(texts) - 3; more > 0 {
		texts = append(texts[:3], fmt.Sprintf("%d more", more))
	}
	return strings.Join(texts, ", ")
}

// only reports whether there is an origin and all are of one kind.
func only(paths []scanOrigin, kind originKind) bool {
	return len(paths) > 0 && !slices.ContainsFunc(paths, func(o scanOrigin) bool { return o.kind != kind })
}
