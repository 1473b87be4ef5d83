package shapes

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/layers"
	"github.com/tfrun/tfrun/tensor"
)

// nasty are names that mean something in one format or another.
var nasty = []string{
	"dense", "<script>alert(1)</script>", `a"b'c`, "a\x1b[2Jb", "a\nb", "a|b`c", "x[0][0]", "=1+1", "]]>--></style>", `back\slash`, "{{.}}", "&amp;#34;", "层",
	"a\u202eb", strings.Repeat("long_", 60), "; end", "%s%d", "+1", "-1", "@SUM(1)",
}

// nastyDocument has every name where a name can stand, two graphs, nested models, guesses and
// unknowns.
func nastyDocument() *Document {
	str := func(s string) *string { return &s }
	shape := tensor.MakeShape(tensor.Unknown, 64)
	yes := true
	graph := func() *Graph {
		g := &Graph{
			Tags: []string{"serve", nasty[1]}, TensorFlowVersion: nasty[3], Framework: savedmodel.Keras2, ModelName: str(nasty[8]), ModelClass: str(nasty[2]),
			Connected: &yes, Signatures: map[string]*Signature{}, Totals: &Totals{Total: 1 << 40}, Notes: []string{nasty[1]},
		}
		for i, name := range nasty {
			g.Signatures[name] = &Signature{
				MethodName: nasty[(i+1)%len(nasty)],
				Inputs:     map[string]*Tensor{name: {DType: tensor.Float32, Shape: shape, Tensor: name + ":0", Why: []string{name}}},
				Outputs:    map[string]*Tensor{name: {Encoding: "composite", Class: name, parts: []savedmodel.Component{{Role: "values", Tensor: name}}}},
			}
			l := &Layer{
				Name: str(name), Class: str(nasty[(i+3)%len(nasty)]), OutputShape: layers.OutputShape{Shapes: []tensor.Shape{shape, tensor.UnknownShape()}},
				Params: int64(i) * 1000, ConnectedTo: []string{}, Guessed: []string{"class"}, Why: []string{name},
			}
			if i > 0 {
				l.ConnectedTo = []string{nasty[i-1] + "[0][0]", nasty[0] + "[0][1]"}
			}
			l.wiring = l.ConnectedTo
			g.Layers = append(g.Layers, l)
		}
		g.Layers = append(g.Layers, &Layer{ConnectedTo: []string{}, Layers: []*Layer{{Name: str(nasty[1]), OutputShape: layers.OutputShape{Word: "multiple"}}}})
		return g
	}
	return &Document{Model: "models/" + nasty[1], MetaGraphs: []*Graph{graph(), graph()}}
}

// written returns what a format writes.
func written(t *testing.T, format string, d *Document, look Look) string {
	t.Helper()
	f, ok := FormatNamed(format)
	if !ok {
		t.Fatalf("no format %q", format)
	}
	var b bytes.Buffer
	if err := f.Write(&b, d, look); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestFormatsEscape writes names that break out of their places where a format lets them.
func TestFormatsEscape(t *testing.T) {
	t.Parallel()
	d := nastyDocument()
	for _, format := range FormatNames() {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			out := written(t, format, d, Look{Explain: true})
			if i := strings.IndexFunc(out, func(r rune) bool { return r != '\n' && unprintable(r) }); i >= 0 {
				t.Errorf("%q is written as it is, near %q", out[i], out[max(0, i-40):i])
			}
			check[format](t, out)
		})
	}
}

// check holds the syntax of each format.
var check = map[string]func(*testing.T, string){
	"text": func(t *testing.T, out string) {
		t.Helper()
		if strings.Contains(out, "\x1b") {
			t.Error("escape sequences without a terminal")
		}
	},
	"json": func(t *testing.T, out string) {
		t.Helper()
		var got, want any
		data, err := json.Marshal(nastyDocument())
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(json.Unmarshal([]byte(out), &got), json.Unmarshal(data, &want)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("laid out, the JSON says something else (-want +got):\n%s", diff)
		}
	},
	"markdown": func(t *testing.T, out string) {
		t.Helper()
		cells := regexp.MustCompile(`(^|[^\\])\|`)
		columns := 0
		for _, line := range strings.Split(out, "\n") {
			n := len(cells.FindAllString(line, -1))
			if !strings.HasPrefix(line, "|") {
				columns = 0
				continue
			}
			if columns == 0 {
				columns = n
			}
			if n != columns {
				t.Errorf("a row of %d cells in a table of %d: %s", n-1, columns-1, line)
			}
		}
		if strings.Contains(regexp.MustCompile("[^\\\\]`[^`]*`").ReplaceAllString(out, ""), "<script") {
			t.Error("HTML is passed on")
		}
	},
	"csv": func(t *testing.T, out string) {
		t.Helper()
		rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
		if err != nil || len(rows) != 1+2*(len(nasty)+2) {
			t.Errorf("%d rows, %v", len(rows), err)
		}
		for _, row := range rows {
			for _, c := range row {
				if c != "" && strings.ContainsAny(c[:1], "=+-@") {
					t.Errorf("a spreadsheet would compute the cell %q", c)
				}
			}
		}
	},
	"html": func(t *testing.T, out string) {
		t.Helper()
		for _, bad := range []string{"<script", "src=", "href=\"h", "href=\"/", "href=\"j", "url(", "@import", "onload", "ZgotmplZ"} {
			if strings.Contains(out, bad) {
				t.Errorf("the page holds %q", bad)
			}
		}
		if strings.Count(out, "<style>") != 1 || strings.Count(out, "</style>") != 1 {
			t.Error("the style is broken out of")
		}
		for _, m := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(out, -1) {
			if strings.Count(out, `id="`+m[1]+`"`) != 1 {
				t.Errorf("a box leads to %q, which is no row", m[1])
			}
		}
		balanced(t, out)
	},
	"mermaid": func(t *testing.T, out string) {
		t.Helper()
		line := regexp.MustCompile(`^(flowchart TD| *n\d+(\[|\(\[)"[^"]*"(\]|\]\))| *n\d+ --> n\d+| *n\d+ -\.- g\d+| *subgraph g\d+\["[^"]*"\]| *end)$`)
		for _, l := range strings.Split(strings.TrimSpace(out), "\n") {
			if !line.MatchString(l) {
				t.Errorf("no line of Mermaid: %s", l)
			}
		}
	},
	"dot": func(t *testing.T, out string) {
		t.Helper()
		quoted := regexp.MustCompile(`"(\\.|[^"\\])*"`)
		line := regexp.MustCompile(`^(digraph S \{| *(node|edge) \[.*\];| *rankdir=TB; *| *compound=true;| *n\d+ \[label=S, tooltip=S\];| *n\d+ -> n\d+( \[[a-z=_, 0-9]*\])?;| *subgraph cluster_\d+ \{| *label=S;| *\})$`)
		for _, l := range strings.Split(strings.TrimSpace(out), "\n") {
			if l = quoted.ReplaceAllString(l, "S"); !line.MatchString(l) {
				t.Errorf("no line of DOT: %s", l)
			}
		}
	},
	"svg": func(t *testing.T, out string) {
		t.Helper()
		d := xml.NewDecoder(strings.NewReader(out))
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if start, ok := token.(xml.StartElement); ok && start.Name.Local == "script" {
				t.Error("the drawing holds a script")
			}
		}
	},
}

// balanced holds that the page's elements are closed in order, those apart that HTML leaves open.
func balanced(t *testing.T, page string) {
	t.Helper()
	void := map[string]bool{"meta": true, "line": true, "path": true, "rect": true}
	var open []string
	for _, m := range regexp.MustCompile(`<(/?)([a-z][a-z0-9]*)[^>]*?(/?)>`).FindAllStringSubmatch(page, -1) {
		switch {
		case m[3] == "/" || void[m[2]]:
		case m[1] == "":
			open = append(open, m[2])
		case len(open) == 0 || open[len(open)-1] != m[2]:
			t.Fatalf("</%s> closes %v", m[2], open)
		default:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("left open: %v", open)
	}
}

// TestTextColors holds that colours add nothing but escape sequences.
func TestTextColors(t *testing.T) {
	t.Parallel()
	d := nastyDocument()
	sgr := regexp.MustCompile("\x1b\\[[0-9]+m")
	for _, width := range []int{0, 60, 80, 120} {
		colored := written(t, "text", d, Look{Width: width, Color: true})
		if !sgr.MatchString(colored) {
			t.Error("no colours")
		}
		if diff := cmp.Diff(written(t, "text", d, Look{Width: width}), sgr.ReplaceAllString(colored, "")); diff != "" {
			t.Errorf("width %d: colours change the text:\n%s", width, diff)
		}
	}
}

func TestFormatOf(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"": "text", "-": "text", "a.json": "json", "a.MD": "markdown", "a.b.html": "html", "x/a.svg": "svg", "a.gv": "dot", "a.mmd": "mermaid", "a.csv": "csv",
		"json": "text", "a.txt": "text",
	} {
		if got, known := FormatOf(file); got.Name != want || known == strings.HasSuffix(file, ".pdf") {
			t.Errorf("FormatOf(%q) = %s, %v, want %s", file, got.Name, known, want)
		}
	}
}

// TestDescribeEveryModel writes every test model in every format.
func TestDescribeEveryModel(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob(filepath.Join("..", "..", "..", "..", "testdata", "models", "*", "model"))
	if err != nil || len(dirs) < 100 {
		t.Fatalf("%d models, %v", len(dirs), err)
	}
	for _, dir := range dirs {
		m, err := savedmodel.Open(dir)
		if err != nil {
			continue // broken on purpose; the command's own tests look at these
		}
		d, err := Describe(m, Selection{Expand: true})
		if err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		for _, format := range FormatNames() {
			written(t, format, d, Look{Width: 80, Explain: true})
		}
		if c := Compare(d, d); !c.Same {
			t.Errorf("%s differs from itself: %+v", dir, c.Changes)
		}
	}
}

func TestTooLargeToDraw(t *testing.T) {
	t.Parallel()
	d := &Document{Model: "m", MetaGraphs: []*Graph{{Layers: make([]*Layer, mostDrawn+1)}}}
	for i := range d.MetaGraphs[0].Layers {
		d.MetaGraphs[0].Layers[i] = &Layer{}
	}
	if err := d.WriteSVG(io.Discard, Look{}); err == nil {
		t.Error("drawn")
	}
	if err := d.WriteHTML(io.Discard, Look{}); err != nil {
		t.Errorf("the page, which can do without the drawing: %v", err)
	}
}
