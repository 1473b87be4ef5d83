package scan

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/admit"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/ops"
	"github.com/tfrun/tfrun/savedmodel"
)

// RunsWith reports whether the finding runs when the model is loaded and the signature is run. The
// name "" stands for any signature.
func (f *Finding) RunsWith(signature string) bool {
	return f.Severity == Unsafe && f.Kind.runs() && (f.Loading || signature == "" && len(f.Signatures) > 0 || slices.Contains(f.Signatures, signature))
}

// Scan looks for parts of a graph, its function library and the Keras metadata that do more than
// compute. It finds operations that are not known to compute or to keep state in memory, such as
// those that read or write files, start processes, reach the network or run Python, wherever they
// are (in branches of tf.cond, in functions of tf.data); parts that readers may differ about;
// layers with Python code; and assets outside the model. Nothing is run.
//
// Each operation is traced back to the signatures that reach it. The operations of the model's own
// saver, and tables filled from the model's own assets, are [Expected].
func Scan(mg *savedmodel.MetaGraph) (*Result, error) {
	s := &scanner{
		mg: mg, functions: map[string]*scanBody{}, callers: map[string][]scanCaller{}, implement: map[string][]string{}, assets: map[string]string{},
		variables: map[string]bool{}, followed: map[string]scanOrigin{}, traces: map[functionTensor][]scanOrigin{}, layers: map[string]string{},
		reachedBys: map[string][]string{},
	}
	if err := s.read(); err != nil {
		return nil, err
	}
	if err := s.reachAll(); err != nil {
		return nil, err
	}
	r := &Result{Pins: s.report()}
	if err := s.doubts(); err != nil {
		return nil, err
	}
	s.endless()
	s.impossible()
	// Keras reads it beside any graph.
	meta, err := mg.KerasMetadata()
	if err != nil && meta == nil {
		if _, err := mg.Objects(); err != nil {
			return nil, err
		}
	}
	s.found(scanMetadata(meta)...)
	s.found(unread(err)...)
	s.found(outside(mg)...)
	if s.mentions > mostMentions {
		return nil, s.tooMany()
	}
	r.Findings = s.findings
	Sort(r.Findings)
	return r, nil
}

// tooMany is the error of a model with more than mostMentions findings.
func (s *scanner) tooMany() error {
	return s.mg.TooMuch("there are more than %d findings in it, counted once for each signature that reaches them", mostMentions)
}

// outside finds assets and links of the model that lead out of its folder.
func outside(mg *savedmodel.MetaGraph) []Finding {
	var findings []Finding
	for _, a := range mg.Assets {
		if !filepath.IsLocal(filepath.FromSlash(a.Filename)) {
			findings = append(findings, Finding{
				Kind: AssetPath, Severity: Unsafe, Node: graph.NodeOf(a.Tensor), Loading: true,
				Detail: fmt.Sprintf("asset %q lies outside the model's directory", a.Filename),
			})
		}
	}
	if findings != nil {
		return findings
	}
	_, files := mg.Files(false)
	_, metadata := mg.KerasMetadata()
	for _, err := range []error{files, metadata} {
		var link *savedmodel.LinkError
		// Loading the model reports other errors.
		if errors.As(err, &link) {
			findings = append(findings, Finding{Kind: AssetPath, Severity: Unsafe, Loading: true, Detail: err.Error()})
		}
	}
	return findings
}

// Sort puts the worst findings first.
func Sort(findings []Finding) { slices.SortStableFunc(findings, compareFindings) }

// rank orders severities, for lists of findings.
var rank = map[Severity]int{Unsafe: 0, Dormant: 1, Expected: 2}

func compareFindings(a, b Finding) int {
	return cmp.Or(cmp.Compare(rank[a.Severity], rank[b.Severity]), cmp.Compare(a.Function, b.Function), cmp.Compare(a.Node, b.Node), cmp.Compare(a.Layer, b.Layer))
}

// report judges every operation that was noted, and returns the paths that some have to get.
func (s *scanner) report() (pins []Pin) {
	for _, name := range s.order {
		for _, hit := range s.functions[name].hits {
			f := Finding{Kind: hit.kind(), Op: hit.op, Function: name, Node: hit.node, Layer: s.layer(name, hit.node)}
			s.reachedBy(&f)
			if pin := s.judge(&f, &hit, s.labelsOf(name, hit.node)); pin != nil {
				pins = append(pins, *pin)
			}
			if f.Severity != "" {
				s.found(f)
			}
		}
	}
	return pins
}

// judge sets a finding's detail, and its severity where the path of the operation decides on it: ""
// if nothing is touched. It then returns the path that the operation has to get.
func (s *scanner) judge(f *Finding, hit *scanHit, labels labels) *Pin {
	if f.Kind == Ambiguous {
		f.Severity, f.Detail = cmp.Or(f.Severity, Dormant), hit.fault
		return nil
	}
	paths := s.trace(f.Function, hit.path)
	f.Detail = describePaths(hit, paths)
	if f.Severity == "" {
		f.Severity = Dormant
		if ofSaver[hit.op] {
			f.Severity, f.Detail = Expected, "of a saver that neither loading nor a signature runs"
		}
		return nil
	}
	if hit.known == nil || hit.known.Path < 0 || len(paths) != 1 {
		return nil
	}
	pin := &Pin{Function: f.Function, Node: f.Node, Input: hit.known.Path, Path: paths[0].value}
	switch from := paths[0].kind; {
	case from == fromConst && hit.known.Harmless(pin.Path):
		f.Severity = ""
		return pin
	// Only the loader knows where the model's files are.
	case len(f.Signatures) > 0:
	case from == fromSaver && hit.known.Own == ops.Checkpoint && !labels.has(labelInit):
		pin.Own = ops.Checkpoint
		f.Severity, f.Detail = Expected, "restores the model's variables"
		return pin
	case from == fromAsset && hit.known.Own == ops.Asset:
		pin.Own = ops.Asset
		f.Severity = Expected
		return pin
	}
	return nil
}

// doubts reports the parts of the graph that readers may differ about.
func (s *scanner) doubts() error {
	err := s.mg.Doubts(func(d graph.Doubt) error {
		f := Finding{Kind: Ambiguous, Severity: Dormant, Function: d.Function, Node: d.Node, Layer: s.layer(d.Function, d.Node), Detail: "can be read in two ways: " + d.Msg}
		if s.reachedBy(&f); d.Function == "" && d.Node == "" {
			f.Severity, f.Loading = Unsafe, true
		}
		if s.found(f); s.mentions > mostMentions {
			return s.tooMany()
		}
		return nil
	})
	for _, name := range s.order {
		msg := ""
		switch {
		case s.functions[name].template:
			msg = admit.Template
		case ops.Of(name) != nil:
			msg = "has the name of an operation"
		}
		if msg != "" {
			f := Finding{Kind: Ambiguous, Severity: Dormant, Function: name, Layer: s.layer(name, ""), Detail: msg}
			s.reachedBy(&f)
			s.found(f)
		}
	}
	return err
}

// describePaths describes which file an operation reads or writes, as far as the graph shows it.
func describePaths(hit *scanHit, paths []scanOrigin) string {
	switch {
	case hit.known == nil:
		return customOp(hit.op)
	case hit.attr != "":
		return fmt.Sprintf("the path %q", hit.attr)
	case hit.known.Path < 0:
		return hit.known.Why
	}
	var texts []string
	for _, p := range paths {
		if t := p.String(); !slices.Contains(texts, t) {
			texts = append(texts, t)
		}
	}
	if texts == nil {
		return hit.known.Why
	}
	slices.Sort(texts)
	if more := len(texts) - 3; more > 0 {
		texts = append(texts[:3], fmt.Sprintf("%d more", more))
	}
	return strings.Join(texts, ", ")
}
