package kerasfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/savedmodel/layers"
)

// Which places of the older layout are one layer. It lists a layer's variables at each, and Keras
// makes a layer of each when it loads the file, unless the configuration numbers all of them.

// The reasons why a layer in several places leaves something open.
const (
	whyReloaded = "the layer is one in several places, whose calls are numbered through; Keras makes a layer of each place when it loads the file, and numbers these apart"
	noteCopied  = "%s: one layer in several places of the file, counted once; Keras makes a layer of each when it loads the file, and counts all"
	noteMaybe   = "%s: in several places of the file, with the same values, all one number as nobody trained them: if the places are one layer, the total has it too often"
)

// identities says which places of a configuration are one layer. Keras 2.5 and later number an
// object when they come upon it again; a model's configuration is copied before that, so that a
// place in it may bear no number.
type identities struct {
	a *attacher
	// places are those without a number, by class and name, and numbered the numbers met.
	places   map[string][]place
	numbered map[string]bool
	objects  int // that were met, in each of which Keras counts
	scopes   int
}

// place is a layer without a number, and the number that it would have if only layers had some.
type place struct {
	layer  *layers.LayerConfig
	number int
}

// maxPlaces bounds the places of one name that are kept: each may be asked for every number.
const maxPlaces = 256

// identify looks at all places of a model's configuration.
func (a *attacher) identify(m *layers.ModelConfig) {
	d := &identities{a: a, places: map[string][]place{}, numbered: map[string]bool{}}
	d.walk(m, "", 0)
}

// walk looks at the places in a model in the order in which Keras wrote them: what is in a layer
// before the layer. Numbers begin anew in each Functional model that only stacks are around.
func (d *identities) walk(m *layers.ModelConfig, scope string, depth int) {
	if scope == "" && !m.Sequential() {
		d.scopes++
		scope, d.objects = strconv.Itoa(d.scopes)+" ", 0
		clear(d.places)
	}
	for i := range m.Layers {
		l := &m.Layers[i]
		if inner := l.Model(); inner != nil && depth < maxDepth {
			d.walk(inner, scope, depth+1)
		}
		if id := string(l.SharedID); id != "" && id != "null" {
			l.SharedID = json.RawMessage(scope + id)
		}
		d.place(l)
	}
}

// place looks at one place.
func (d *identities) place(l *layers.LayerConfig) {
	key, id := l.ClassName+" "+l.Name, string(l.SharedID)
	if id == "" || id == "null" {
		if len(d.places[key]) < maxPlaces {
			d.places[key] = append(d.places[key], place{l, d.objects})
		}
		d.objects++
		return
	}
	if d.numbered[id] {
		return
	}
	d.numbered[id] = true
	before := slices.DeleteFunc(slices.Clone(d.places[key]), func(p place) bool { return !bytes.Equal(p.layer.Config, l.Config) })
	if len(before) == 0 {
		d.objects++ // both places stand in one model
		return
	}
	at := max(0, slices.IndexFunc(before, func(p place) bool { return strings.HasSuffix(id, " "+strconv.Itoa(p.number)) }))
	first := before[at].layer
	d.places[key] = slices.DeleteFunc(d.places[key], func(p place) bool { return p.layer == first })
	first.SharedID = l.SharedID
	d.a.reloads(l, first)
}

// reloads notes that Keras makes several layers of one when it loads the file.
func (a *attacher) reloads(places ...*layers.LayerConfig) {
	for _, l := range places {
		l.UnsureCalls = whyReloaded
	}
	if !slices.Contains(a.copied[:min(len(a.copied), maxPlaces)], places[0].Name) {
		a.copied = append(a.copied, places[0].Name)
	}
}

// sameObject gives two places of a layer one identity where they have the very same variables.
func (a *attacher) sameObject(l *layers.LayerConfig) {
	key := l.ClassName + " " + l.Name
	before := a.byName[key]
	a.byName[key] = l
	if before == nil {
		return
	}
	if vars := variablesOf(l, nil, 0); len(vars) == 0 || !slices.Equal(vars, variablesOf(before, nil, 0)) || !bytes.Equal(l.Config, before.Config) {
		return
	}
	a.joinPlaces(l, before)
}

// joinPlaces gives two places of a layer one identity.
func (a *attacher) joinPlaces(l, before *layers.LayerConfig) {
	switch {
	case len(l.SharedID) > 0:
		before.SharedID = l.SharedID
	case len(before.SharedID) > 0:
		l.SharedID = before.SharedID
	default:
		l.SharedID, _ = json.Marshal(l.ClassName + " " + l.Name) // a text cannot fail
		before.SharedID = l.SharedID
	}
	a.reloads(l, before)
}

// doubtTotal says what of the total hangs on which places are one layer.
func (a *attacher) doubtTotal(t *layers.Table, config bool) {
	if config && len(a.copied) > 0 {
		t.Totals.Guessed = true
		t.Notes = append(t.Notes, fmt.Sprintf(noteCopied, someOf(a.copied)))
	}
	if len(a.maybe) > 0 {
		t.Totals.Guessed = true
		t.Notes = append(t.Notes, fmt.Sprintf(noteMaybe, someOf(a.maybe)))
	}
}

// unite gives each layer that lists a variable of an earlier one, such as a table of words that is
// used once more on the way back, that very variable, where no configuration says which places are
// one layer. Two layers may bear one name, so the values tell, of all variables below a path; where
// they are all alike, as those that nobody trained, nothing is told, and maybe has the layer.
func (t *weightTree) unite() (maybe []string) {
	if t.again != nil {
		return t.maybe
	}
	t.again = map[*Variable]bool{}
	first, compared := map[string]*Variable{}, 0
	for _, l := range t.legacy {
		before := make([]*Variable, len(l.vars))
		groups := map[string]*likeness{} // by the path that they stand below
		for i, v := range l.vars {
			key := v.Name + v.kind()
			if before[i] = first[key]; before[i] == nil {
				first[key] = v
			}
			same, told := false, false
			if compared++; before[i] != nil && compared <= maxTwins {
				same, told = sameValues(before[i], v)
			}
			for _, path := range paths(v.Name) {
				if groups[path] == nil {
					groups[path] = &likeness{same: true}
				}
				groups[path].add(same, told)
			}
		}
		open := false
		for i, v := range l.vars {
			told, untold := false, false
			for _, path := range paths(v.Name) {
				told = told || groups[path].same && groups[path].told
				untold = untold || groups[path].same
			}
			switch {
			case told:
				t.again[v] = v != before[i]
				l.vars[i] = before[i]
			case untold:
				open = true
			}
		}
		if open {
			t.maybe = append(t.maybe, l.name)
		}
	}
	return t.maybe
}

// likeness says of variables whether all have the values of others, and whether that tells
// something: not all values of one of them are one number.
type likeness struct{ same, told bool }

func (g *likeness) add(same, told bool) { g.same, g.told = g.same && same, g.told || told }

// paths returns the paths that a variable stands below, by its name: "a/b/kernel" below "a/b/" and
// "a/".
func paths(name string) []string {
	var all []string
	for at := strings.LastIndexByte(name, '/'); at >= 0 && len(all) < maxDepth; at = strings.LastIndexByte(name[:at], '/') {
		all = append(all, name[:at+1])
	}
	return all
}

// someOf lists the first of names, and says how many more there are.
func someOf(names []string) string {
	if more := len(names) - 3; more > 0 {
		names = append(slices.Clone(names[:3]), fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}
