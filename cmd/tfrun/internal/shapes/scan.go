package shapes

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/kerasfile"
	"github.com/tfrun/tfrun/savedmodel/scan"
)

// ScanReport is what `tfrun scan` shows of a model. Users write scripts against its JSON form.
type ScanReport struct {
	Model    string        `json:"model"`
	Version  string        `json:"version,omitempty"`
	Unsafe   int           `json:"unsafe"`
	Dormant  int           `json:"dormant"`
	Expected int           `json:"expected"`
	Findings []ScanFinding `json:"findings"`
}

// ScanFinding is a finding with the tags of its graph.
type ScanFinding struct {
	Tags []string `json:"tags"`
	scan.Finding
}

// Scan scans the graph with the given tags, or all graphs.
func Scan(m *savedmodel.Model, tags []string) (*ScanReport, error) {
	graphs := m.MetaGraphs
	if tags != nil {
		mg, err := m.MetaGraph(tags...)
		if err != nil {
			return nil, err
		}
		graphs = []*savedmodel.MetaGraph{mg}
	}
	r := &ScanReport{Model: m.Dir, Version: m.Version, Findings: []ScanFinding{}}
	for _, mg := range graphs {
		found, err := scan.Scan(mg)
		if err != nil {
			return nil, err
		}
		r.add(found.Findings, mg.Tags)
	}
	return r, nil
}

// ScanFile scans one of Keras' own files.
func ScanFile(path string) (*ScanReport, error) {
	findings, err := kerasfile.Scan(path)
	if err != nil {
		return nil, err
	}
	r := &ScanReport{Model: path, Findings: []ScanFinding{}}
	r.add(findings, nil)
	return r, nil
}

// add adds and counts findings.
func (r *ScanReport) add(findings []scan.Finding, tags []string) {
	tags = shownNames(tags)
	for _, f := range findings {
		switch f.Severity {
		case scan.Unsafe:
			r.Unsafe++
		case scan.Dormant:
			r.Dormant++
		default:
			r.Expected++
		}
		r.Findings = append(r.Findings, ScanFinding{append([]string{}, tags...), shown(f)})
	}
}

// shown returns a finding with shortened names: a function with a name of megabytes may have a
// hundred thousand findings, and each names it.
func shown(f scan.Finding) scan.Finding {
	for _, s := range []*string{&f.Op, &f.Function, &f.Node, &f.Layer, &f.Detail} {
		*s = words.Short(*s)
	}
	f.Signatures = shownNames(f.Signatures)
	return f
}

// shownNames returns shortened names.
func shownNames(names []string) []string {
	if !slices.ContainsFunc(names, func(s string) bool { return s != words.Short(s) }) {
		return names
	}
	names = slices.Clone(names)
	for i, s := range names {
		names[i] = words.Short(s)
	}
	return names
}

// WriteJSON writes the report for programs.
func (r *ScanReport) WriteJSON(w io.Writer) error { return writeJSON(w, r) }

// scanWords describe what kinds of findings can do.
var scanWords = map[scan.FindingKind]string{
	scan.ReadsFiles: "reads files", scan.WritesFiles: "writes files", scan.UsesNetwork: "reaches other machines",
	scan.UsesProcess: "starts or ends a process", scan.RunsPython: "runs Python", scan.RunsNativeCode: "runs a library's own code",
	scan.LambdaLayer: "Lambda layer", scan.Bytecode: "Python bytecode", scan.AssetPath: "a file outside the model",
	scan.EndlessCalls: "endless calls", scan.HugeTensor: "a tensor too large",
	scan.BrokenNode: "a broken operation", scan.CustomCode: "code of one's own", scan.OddArchive: "an odd part of the file",
	scan.OddMetadata: "metadata that is not read",
	scan.RunsGraph:   "runs a graph that is data", scan.LooseMemory: "gives memory that is not its own",
	scan.NeedsTPU: "is for TPUs", scan.Internal: "internal to TensorFlow", scan.UnknownOp: "not known", scan.Ambiguous: "not what it seems",
}

// WriteText writes the report for people. Expected findings are left out unless all is set.
func (r *ScanReport) WriteText(w io.Writer, look Look, all bool) error {
	p := &printer{Writer: bufio.NewWriter(w), Look: look}
	p.line(p.paint(bold, clean(r.Model)))
	t := &grid{right: make([]bool, 4)}
	tagged := len(r.tagSets()) > 1
	for _, f := range r.Findings {
		if f.Severity == scan.Expected && !all {
			continue
		}
		p.finding(t, f, tagged)
	}
	if len(t.rows) > 0 {
		p.line("")
		t.write(p, 2, p.Width)
		p.line("")
	}
	p.line(r.summary(p, all))
	return p.Flush()
}

func (r *ScanReport) tagSets() []string {
	var sets []string
	for _, f := range r.Findings {
		if s := strings.Join(f.Tags, ","); !slices.Contains(sets, s) {
			sets = append(sets, s)
		}
	}
	return sets
}

func (p *printer) finding(t *grid, f ScanFinding, tagged bool) {
	color := map[scan.Severity]style{scan.Unsafe: red, scan.Dormant: yellow, scan.Expected: dim}[f.Severity]
	name := f.Op
	if name == "" {
		name = "-"
	}
	t.add(cellOf(color, string(f.Severity)), cellOf(bold, clean(name)), cellOf(plain, scanWords[f.Kind]), cellOf(plain, clean(f.Where())))
	if tagged {
		t.note(dim, "in the graph with tags "+clean(strings.Join(f.Tags, ",")))
	}
	if f.Detail != "" {
		t.note(dim, clean(f.Detail))
	}
	if f.Op != "" {
		where := "node " + f.Node + " of the main graph"
		if f.Function != "" {
			where = "node " + f.Node + " of function " + f.Function
		}
		t.note(dim, clean(where))
	}
	if reach := reachedBy(f.Finding); reach != "" {
		t.note(dim, clean(reach))
	}
}

// reachedBy says what runs a finding.
func reachedBy(f scan.Finding) string {
	var by []string
	if f.Loading && f.Op != "" {
		by = append(by, "loading the model")
	}
	if len(f.Signatures) > 0 {
		by = append(by, "signature "+strings.Join(f.Signatures, ", "))
	}
	if len(by) == 0 {
		return ""
	}
	return "reached by " + strings.Join(by, " and ")
}

func (r *ScanReport) summary(p *printer, all bool) string {
	if r.Unsafe+r.Dormant == 0 {
		line := p.paint(green, "clean") + ": no operation beyond computing, no embedded Python"
		if r.Expected > 0 && !all {
			line += p.paint(dim, fmt.Sprintf(" (and %d of the loader's own; --all lists them)", r.Expected))
		}
		return line
	}
	return fmt.Sprintf("%d unsafe, %d dormant, %d expected", r.Unsafe, r.Dormant, r.Expected)
}
