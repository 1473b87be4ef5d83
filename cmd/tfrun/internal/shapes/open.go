package shapes

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// anyNumber explains None.
const anyNumber = "None is any number: a size that is open until the model runs."

// lostHead is the heading above what files of a kind lack for every model.
const lostHead = "Lost in files of this kind:"

// openReason matches the reason of a dimension that is open, or that was given a size. Its groups
// are the size, the axis, the axis's input, what leaves it open, and what a layer makes of it.
var openReason = regexp.MustCompile(`^(?:None|([\d,]+), put in for None): (the \S+ axis)( of input ".*")?(, left open by .*?)(; .*)?$`)

// unknownReason is the reason of an open dimension that is no axis of an input.
const unknownReason = "None: not known before the model runs"

// reading is how the reasons of a graph are shown: some are said once at the top, and left out
// below.
type reading struct {
	// said lists axes with what leaves them open: "the batch axis, left open by the signature".
	said []string
	puts map[string][]string // by axis: the sizes that were put in
	// inputs is the largest number of inputs of a signature. If it is 1, an axis is named without
	// its input.
	inputs int
}

// read finds what is said once for a graph.
func (g *Graph) read() *reading {
	r := &reading{puts: map[string][]string{}}
	for _, s := range g.calls() {
		r.inputs = max(r.inputs, len(s.Inputs))
		for _, name := range slices.Sorted(maps.Keys(s.Inputs)) {
			r.put(s.Inputs[name].Why)
		}
	}
	for _, reasons := range g.reasons() {
		for _, reason := range reasons {
			if m := ofOutput.FindStringSubmatch(reason); m != nil {
				reason = m[2]
			}
			axis := axisOf(reason)
			if axis == "" {
				continue
			}
			if !slices.Contains(r.said, axis) {
				r.said = append(r.said, axis)
			}
		}
	}
	return r
}

// put notes the sizes that were put into an input.
func (r *reading) put(reasons []string) {
	for _, reason := range reasons {
		m := openReason.FindStringSubmatch(reason)
		if m == nil || m[1] == "" || slices.Contains(r.puts[m[2]+m[4]], m[1]) {
			continue
		}
		r.puts[m[2]+m[4]] = append(r.puts[m[2]+m[4]], m[1])
	}
}

// axisOf returns the axis that a reason is about with what leaves it open, or "" for other reasons.
func axisOf(reason string) string {
	if m := openReason.FindStringSubmatch(reason); m != nil {
		return m[2] + m[4]
	}
	if reason == unknownReason {
		return strings.TrimPrefix(unknownReason, "None: ")
	}
	return ""
}

// lines explains None and lists its axes; nil if no dimension is open.
func (r *reading) lines() []string {
	if len(r.said) == 0 {
		return nil
	}
	lines := []string{anyNumber}
	for _, axis := range r.said {
		line := bullet + " "
		if sizes := r.puts[axis]; len(sizes) > 0 {
			line += strings.Join(sizes, " and ") + ", put in: "
		}
		if line += axis; strings.HasPrefix(axis, "not known") {
			line = bullet + " where nothing is said of it, it is " + axis
		}
		lines = append(lines, line+openMeans(axis))
	}
	return lines
}

// openMeans says what an open axis counts.
func openMeans(axis string) string {
	switch {
	case strings.HasPrefix(axis, "the batch axis"):
		return ": how many rows run at a time"
	case strings.HasPrefix(axis, "the time axis"):
		return ": how many steps the longest of these rows has"
	}
	return ""
}

// below returns the reasons to show below a tensor or a row. Left out are those said at the top,
// and the reasons of guesses, which are shown below the table. Equal reasons of several sizes, or
// of several outputs, are merged.
func (r *reading) below(reasons, guesses []string) []string {
	var out []string
	for i := 0; i < len(reasons); {
		number, list, n := outputReasons(reasons[i:])
		if n == 0 {
			end := i + 1
			for ; end < len(reasons) && !ofOutput.MatchString(reasons[end]); end++ {
			}
			out, i = append(out, r.rest(reasons[i:end], guesses)...), end
			continue
		}
		numbers := []string{number}
		i += n
		for {
			next, same, n := outputReasons(reasons[i:])
			if n == 0 || !slices.Equal(same, list) {
				break
			}
			numbers, i = append(numbers, next), i+n
		}
		head := "output " + numbers[0] + ": "
		if len(numbers) > 1 {
			head = "outputs " + strings.Join(numbers, ", ") + ": "
		}
		for _, reason := range r.rest(list, guesses) {
			out = append(out, head+reason)
		}
	}
	return out
}

// ofOutput matches the reason of one of several outputs.
var ofOutput = regexp.MustCompile(`^output (\d+): (.*)$`)

// outputReasons returns the reasons at the beginning that belong to one output, without its number,
// and how many they are; 0 if the first reason belongs to none.
func outputReasons(reasons []string) (number string, list []string, n int) {
	for _, reason := range reasons {
		m := ofOutput.FindStringSubmatch(reason)
		if m == nil || n > 0 && m[1] != number {
			break
		}
		number, list, n = m[1], append(list, m[2]), n+1
	}
	return number, list, n
}

// rest leaves out what is said elsewhere, and merges equal reasons of several sizes.
func (r *reading) rest(reasons, guesses []string) []string {
	var out []string
	for _, reason := range reasons {
		if slices.Contains(guesses, reason) || reason == unknownReason {
			continue
		}
		if m := openReason.FindStringSubmatch(reason); m != nil && slices.Contains(r.said, m[2]+m[4]) {
			if reason = r.shortened(m); reason == "" {
				continue
			}
		}
		out = append(out, reason)
	}
	return alike(out)
}

// shortened returns what is left to say about an open dimension.
func (r *reading) shortened(m []string) string {
	size := "None"
	if m[1] != "" {
		size = m[1]
	}
	switch {
	case m[5] != "":
		return size + ": " + strings.TrimPrefix(m[5], "; ")
	case m[3] != "" && r.inputs > 1 && m[2] != "the batch axis":
		return size + ": " + m[2] + m[3]
	}
	return ""
}

// sized matches the reason of a size without a formula, in parts.
var sized = regexp.MustCompile(`^([\d,]+): (.*)$`)

// alike merges neighbouring reasons that are equal: "16, 16, 3: as in the input".
func alike(reasons []string) []string {
	var out []string
	for i := 0; i < len(reasons); {
		end := i + 1
		m := sized.FindStringSubmatch(reasons[i])
		if m == nil {
			for end < len(reasons) && reasons[end] == reasons[i] {
				end++
			}
			text := reasons[i]
			if n := end - i; n > 1 {
				text += " (" + strconv.Itoa(n) + " axes)"
			}
			out, i = append(out, text), end
			continue
		}
		sizes := m[1]
		for ; end < len(reasons); end++ {
			next := sized.FindStringSubmatch(reasons[end])
			if next == nil || next[2] != m[2] {
				break
			}
			sizes += ", " + next[1]
		}
		out, i = append(out, sizes+": "+m[2]), end
	}
	return out
}

// sayOpen writes the meaning of None and its axes, if reasons are shown. The rows below then leave
// it out.
func (p *printer) sayOpen(g *Graph) {
	p.reading = g.read()
	lines := p.reading.lines()
	if !p.Explain || lines == nil {
		return
	}
	p.line("")
	for i, line := range lines {
		if i > 0 {
			line = p.paint(dim, "  "+clean(line))
		}
		p.line(line)
	}
	if hint := g.putHint(); hint != "" {
		p.line(p.paint(dim, "  "+hint))
	}
}

// usualSizes are sizes to suggest for axes, by name.
var usualSizes = map[string]int{"batch": 64, "time": 120, "height": 224, "width": 224, "depth": 16, "channels": 3}

// putHint suggests putting sizes in for the model's open axes; "" if that was done, or if there are
// none.
func (g *Graph) putHint() string {
	if g.At != nil {
		return ""
	}
	var parts []string
	for _, a := range g.Axes {
		size := usualSizes[a.Name]
		if size == 0 {
			size = 10
		}
		if part := fmt.Sprintf("%s=%d", clean(a.Name), size); !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	if parts == nil {
		return ""
	}
	return "Put sizes in: --at " + strings.Join(parts, ",")
}

// reasons lists the reasons of all dimensions.
func (g *Graph) reasons() [][]string {
	var all [][]string
	for _, s := range g.calls() {
		for _, tensors := range []map[string]*Tensor{s.Inputs, s.Outputs} {
			for _, name := range slices.Sorted(maps.Keys(tensors)) {
				all = append(all, tensors[name].Why)
			}
		}
	}
	walk(g.Layers, 0, func(l *Layer, _ int) { all = append(all, l.Why) })
	return all
}

// alikeSignature returns the first signature before number i with the same tensors and reasons, or
// "": Keras exports each model under two names.
func alikeSignature(calls []namedCall, i int) string {
	for _, before := range calls[:i] {
		same := func(a, b *Tensor) bool {
			return a.DType == b.DType && a.Shape.Equal(b.Shape) && slices.Equal(a.Why, b.Why)
		}
		if maps.EqualFunc(before.Inputs, calls[i].Inputs, same) && maps.EqualFunc(before.Outputs, calls[i].Outputs, same) {
			return before.name
		}
	}
	return ""
}

// plainField returns the name of a guessed field in words.
func plainField(field string) string {
	switch field {
	case "connected_to":
		return "connections"
	case "params":
		return "parameters"
	case "trainable_params":
		return "trainable parameters"
	}
	return strings.ReplaceAll(field, "_", " ")
}
