package layers

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/scopes"
	"github.com/tfrun/tfrun/tensor"
)

// Layers that do nothing at prediction, such as Dropout, leave no operation in an export. Two
// traces remain. A layer may compute something that nothing uses (RandomFlip draws its random
// numbers all the same). And the state of a random number generator is among the model's variables:
// its place in their order shows between which layers with weights the layer is.

// findHidden adds the layers that compute nothing at prediction.
func (k *keras3) findHidden() {
	k.linkPhantoms()
	k.findUsers()
	seeds := k.looseSeeds()
	if k.holdsLayers() {
		seeds = k.alignObjects()
	}
	names := k.dropoutNames(seeds)
	inGap := map[[2]*layerCalls]int{}
	for i, s := range seeds {
		gap := [2]*layerCalls{s.after, s.before}
		k.insertHidden(s, names[i], inGap[gap])
		inGap[gap]++
	}
}

// linkPhantoms connects layers whose result is not used: they come between their input and the
// later users of that input.
func (k *keras3) linkPhantoms() {
	for i, l := range k.layers {
		for _, c := range l.calls {
			if len(c.Outs) > 0 || l.op || len(c.Ins) == 0 {
				continue
			}
			in := c.Ins[0]
			k.makePhantom(c, in)
			for _, later := range k.layers[i+1:] {
				for _, u := range later.calls {
					u.Redirect(in, scopes.Edge{From: c, Ref: c.Outs[0]})
				}
			}
		}
	}
}

// makePhantom gives a call without a result an output, with the shape of its input.
func (k *keras3) makePhantom(c *scopes.Call, in scopes.Edge) {
	c.Phantom = true
	c.Ins = []scopes.Edge{in}
	c.Outs = []graph.Ref{{Node: &graph.Node{Name: c.Name, Index: -1}}}
	c.Shapes = []tensor.Shape{k.shapeOf(in.Ref)}
	k.phantoms[c.Outs[0].Node] = c.Shapes[0]
}

// looseSeeds looks for loose seeds among the variables, in the model's order.
func (k *keras3) looseSeeds() []*looseSeed {
	read := map[*savedmodel.Variable]bool{}
	for _, l := range k.layers {
		for _, c := range l.calls {
			for _, v := range c.Vars {
				read[v] = true
			}
		}
	}
	var all []*looseSeed
	var last *layerCalls
	cell := "" // path of the last variable's recurrent cell, until a generator follows
	for i, v := range k.listed {
		if !scopes.IsSeed(v) {
			if o := k.owner[v]; o != nil {
				last = o
			}
			cell = cellOf(v)
			continue
		}
		s := &looseSeed{number: seedNumber(v), after: last, before: k.nextOwner(i), dropout: cell == ""}
		named := k.byName[k.layerOf(v)]
		s.inner = read[v] || cell != "" || named != nil || s.after != nil && s.after == s.before || k.wrapsSeed(s, v)
		if s.inner && named == nil && (read[v] || k.wrapsSeed(s, v)) {
			s.dropout = false
		}
		cell = ""
		all = append(all, s)
	}
	return all
}

// nextOwner returns the layer of the first weight after variable i.
func (k *keras3) nextOwner(i int) *layerCalls {
	for _, v := range k.listed[i+1:] {
		if o := k.owner[v]; o != nil && !scopes.IsSeed(v) {
			return o
		}
	}
	return nil
}

// wrapsSeed reports whether a generator belongs to the layer that a Bidirectional copies. Releases
// before 3.3 list it first.
func (k *keras3) wrapsSeed(s *looseSeed, v *savedmodel.Variable) bool {
	return s.before != nil && s.before.class == "Bidirectional" && s.after != s.before && !strings.Contains(v.Name, "/") && k.nextIsFirst(s.before, v)
}

// nextIsFirst reports whether the variable right after v is the first one of the layer.
func (k *keras3) nextIsFirst(l *layerCalls, v *savedmodel.Variable) bool {
	i := slices.Index(k.listed, v)
	return i+1 < len(k.listed) && k.owner[k.listed[i+1]] == l
}

// cellOf returns the path of the recurrent cell that a variable is a weight of, or "".
func cellOf(v *savedmodel.Variable) string {
	path := v.Name[:max(0, strings.LastIndexByte(v.Name, '/'))]
	if strings.Contains(path, "_cell") {
		return path
	}
	return ""
}

// seedNumber returns the number in "seed_generator_4/seed_generator_state", which numbers
// generators in the order of their making.
func seedNumber(v *savedmodel.Variable) int {
	path := strings.Split(v.Name, "/")
	if len(path) < 2 {
		return -1
	}
	part := path[len(path)-2]
	if part == "seed_generator" {
		return 0
	}
	if n, err := strconv.Atoi(strings.TrimPrefix(part, "seed_generator_")); err == nil {
		return n
	}
	return -1
}

// dropoutNames returns default names of Dropout for the hidden layers, in the order of seeds. Keras
// numbers both layers and generators in the order of their making. The Dropout inside each
// MultiHeadAttention takes a number too, even without a generator; the name of such an inner one is
// "".
func (k *keras3) dropoutNames(seeds []*looseSeed) []string {
	order := k.withAttention(seeds)
	slices.SortStableFunc(order, func(a, b *looseSeed) int { return a.number - b.number })
	names := map[*looseSeed]string{}
	next := k.firstNumber()
	for _, s := range order {
		if !s.dropout {
			continue
		}
		for k.byName[numbered("dropout", next)] != nil {
			next++
		}
		names[s] = numbered("dropout", next)
		next++
	}
	list := make([]string, len(seeds))
	for i, s := range seeds {
		switch {
		case s.name != "":
			list[i] = s.name
		case !s.inner:
			list[i] = names[s]
		}
	}
	return list
}

// firstNumber returns the number that default names begin with. It is above 0 if Keras has made
// other models before, in the same session. It is known if the layers of at least two classes agree
// on it.
func (k *keras3) firstNumber() int {
	first := map[string]int{}
	for _, l := range k.layers {
		if !kerasnames.IsDefault(l.name) || l.op {
			continue
		}
		base, n, ok := kerasnames.CutNumber(l.name)
		if !ok || kerasnames.ByDefault[l.name] != "" {
			base, n = l.name, 0
		}
		if old, seen := first[base]; !seen || n < old {
			first[base] = n
		}
	}
	common := -1
	for _, n := range first {
		if common >= 0 && n != common {
			return 0
		}
		common = n
	}
	if len(first) < 2 {
		return 0
	}
	return common
}

// withAttention adds an inner seed for each MultiHeadAttention without a generator, in its place.
func (k *keras3) withAttention(seeds []*looseSeed) []*looseSeed {
	drops := map[*layerCalls]bool{}
	for _, s := range seeds {
		if s.inner && s.dropout {
			drops[s.after] = true
		}
	}
	var all []*looseSeed
	number, next := -1, 0
	for _, l := range k.layers {
		for next < len(seeds) && seeds[next].before == l && seeds[next].after != l {
			number = seeds[next].number
			all = append(all, seeds[next])
			next++
		}
		if l.class == "MultiHeadAttention" && !drops[l] {
			all = append(all, &looseSeed{number: number, dropout: true, inner: true})
		}
		for next < len(seeds) && seeds[next].after == l {
			number = seeds[next].number
			all = append(all, seeds[next])
			next++
		}
	}
	return append(all, seeds[next:]...)
}

// insertHidden puts a layer into the gap that its generator's place shows; nth is its number among
// the layers of the gap.
func (k *keras3) insertHidden(s *looseSeed, name string, nth int) {
	if s.inner || name == "" {
		return
	}
	target, from := k.hiddenPlace(s, nth)
	class, _ := kerasnames.ClassOf(name)
	if s.name == "" {
		class, name = k.hiddenClass(s, target, from, name)
	}
	c := &scopes.Call{Raw: name, Name: name}
	l := &layerCalls{name: name, class: class, sure: true, calls: []*scopes.Call{c}}
	l.notes = []guess{
		{"name", "the layer leaves no operation; only a random generator's place among the variables shows it, not its name"},
		{"class", "what leaves a generator and no operation is a Dropout or one of its kind"},
	}
	if s.object {
		l.notes = s.objectNotes()
		k.places[name] = s.place
	}
	at := len(k.layers)
	if target != nil {
		at = slices.IndexFunc(k.layers, func(l *layerCalls) bool { return slices.Contains(l.calls, target) })
	}
	switch {
	case from != nil:
		sure := k.onlyPlace(s, target, *from)
		k.adrift = append(k.adrift, s.drift(l, sure))
		if !sure {
			l.notes = append(l.notes, guess{"connected_to", whyAdrift}, guess{"output_shape", whyAdrift})
			for _, u := range k.usersOf(*from, c) {
				if o := k.byName[u.Name]; o != nil {
					o.notes = append(o.notes, guess{"connected_to", whyAdrift})
				}
			}
		}
		k.makePhantom(c, *from)
		k.redirectAll(*from, scopes.Edge{From: c, Ref: c.Outs[0]}, c)
	default:
		l.notes = append(l.notes, guess{"connected_to", "which of several tensors passes through it does not show"})
		k.adrift = append(k.adrift, s.drift(l, false))
		c.Phantom = true
	}
	k.byName[name] = l
	k.layers = slices.Insert(k.layers, at, l)
}

// onlyPlace reports whether a hidden layer can be in one place only: the layers with weights around
// it follow each other directly.
func (k *keras3) onlyPlace(s *looseSeed, target *scopes.Call, from scopes.Edge) bool {
	if s.object && !s.sure {
		return false
	}
	if s.after == nil || s.before == nil || target != s.before.calls[0] || from.From != s.after.calls[len(s.after.calls)-1] {
		return false
	}
	return len(k.usersOf(from, nil)) == 1 && len(target.Ins) == 1
}

// findUsers notes which calls use each edge, since each hidden layer asks for some.
func (k *keras3) findUsers() {
	k.users = map[scopes.Edge][]*scopes.Call{}
	for _, l := range k.layers {
		for _, c := range l.calls {
			for _, e := range c.Ins {
				if users := k.users[e]; len(users) == 0 || users[len(users)-1] != c {
					k.users[e] = append(users, c)
				}
			}
		}
	}
}

// redirectAll makes all users of from use to instead, except self.
func (k *keras3) redirectAll(from, to scopes.Edge, self *scopes.Call) {
	moved := k.usersOf(from, self)
	k.users[from] = []*scopes.Call{self}
	for _, u := range moved {
		u.Redirect(from, to)
		if slices.Contains(u.Ins, from) { // a merge that takes it twice
			k.users[from] = append(k.users[from], u)
		}
	}
	k.users[to] = moved
}

// usersOf returns the calls that use an edge, except but.
func (k *keras3) usersOf(e scopes.Edge, but *scopes.Call) []*scopes.Call {
	return slices.DeleteFunc(slices.Clone(k.users[e]), func(c *scopes.Call) bool { return c == but })
}

// hiddenPlace returns the call before which a hidden layer is, and the tensor that passes through
// it. The first layer of a gap is taken to follow the layers without weights after the last
// weights; others are taken to come right before the next weights.
func (k *keras3) hiddenPlace(s *looseSeed, nth int) (target *scopes.Call, from *scopes.Edge) {
	if s.before != nil {
		target = s.before.calls[0]
	}
	if s.after != nil && nth == 0 {
		x := s.after.calls[len(s.after.calls)-1]
		// what follows may be circular
		for steps := 0; steps < len(k.scope.Calls) && k.looks < maxLooks; steps++ {
			k.looks += len(k.scope.Calls)
			u := k.takersBefore(x, s.before)
			if len(u) != 1 || u[0] == target || len(u[0].Vars) > 0 || len(u[0].Ins) != 1 && !isConcat(u[0]) {
				break
			}
			x = u[0]
		}
		u := k.takers(x)
		if len(u) > 0 && (len(u) == 1 || !slices.Contains(u, target)) {
			target = u[0]
		}
		if len(x.Outs) > 0 {
			return target, &scopes.Edge{From: x, Ref: x.Outs[0]}
		}
		return target, nil
	}
	if target != nil && len(target.Ins) >= 1 {
		return target, &target.Ins[0]
	}
	if last := k.lastCall(); target == nil && last != nil && len(last.Outs) > 0 {
		return nil, &scopes.Edge{From: last, Ref: last.Outs[0]}
	}
	return target, nil
}

// maxLooks bounds how many calls [keras3.hiddenPlace] looks at for all hidden layers.
const maxLooks = 100_000_000

// isConcat reports whether a call only concatenates its inputs. A Dropout near one mostly follows
// it, while one near the sum of a residual branch mostly comes before it.
func isConcat(c *scopes.Call) bool { return lastOp(c) == "ConcatV2" && len(c.Vars) == 0 }

// takersBefore returns the calls that use results of c and do not come after the given layer.
// Layers have the order of their variables, so a layer between two others is on the way from one to
// the other.
func (k *keras3) takersBefore(c *scopes.Call, before *layerCalls) []*scopes.Call {
	last := slices.Index(k.layers, before)
	if last < 0 {
		return k.takers(c)
	}
	return slices.DeleteFunc(k.takers(c), func(u *scopes.Call) bool {
		return !slices.ContainsFunc(k.layers[:last+1], func(l *layerCalls) bool { return slices.Contains(l.calls, u) })
	})
}

// takers returns the calls that use results of c, phantoms among them.
func (k *keras3) takers(c *scopes.Call) []*scopes.Call {
	var all []*scopes.Call
	for _, l := range k.layers {
		for _, u := range l.calls {
			if slices.ContainsFunc(u.Ins, func(e scopes.Edge) bool { return e.From == c }) {
				all = append(all, u)
			}
		}
	}
	return all
}

// lastCall returns the last call of the last layer.
func (k *keras3) lastCall() *scopes.Call {
	if len(k.layers) == 0 {
		return nil
	}
	l := k.layers[len(k.layers)-1]
	return l.calls[len(l.calls)-1]
}

// hiddenClass returns the class of layer that is usual in a place, and a name for it if its
// neighbours' names suggest one.
func (k *keras3) hiddenClass(s *looseSeed, target *scopes.Call, from *scopes.Edge, name string) (class, newName string) {
	class = "Dropout"
	if s.after != nil && s.before != nil && s.after.class == "Embedding" && s.before.class == "Conv1D" {
		class = "SpatialDropout1D"
		name = k.freeName("spatial_dropout1d")
	}
	if s.after != nil && from != nil && from.From != nil && from.From == s.after.calls[len(s.after.calls)-1] && lastOp(from.From) == "Selu" {
		class = "AlphaDropout"
		name = k.freeName("alpha_dropout")
	}
	if from != nil && from.From != nil && target != nil {
		if prefix, ok := strings.CutSuffix(from.From.Name, "project_bn"); ok && target.Name == prefix+"add" {
			return class, prefix + "drop" // as in EfficientNet of keras.applications
		}
		if from.From.Name == "avg_pool" && target.Name == "predictions" && k.byName["top_activation"] != nil {
			return class, "top_dropout"
		}
		if prefix := k.stagePrefix(from.From.Name); prefix != "" && k.byName[prefix+"drop"] == nil {
			return class, prefix + "drop"
		}
	}
	return class, name
}

// stagePrefix returns the common beginning of the names of a stage's layers, "enc0_" for
// "enc0_pool", in a model whose user has named all layers; "" where names have no such form. A
// hidden layer of the stage is likely to be named so too.
func (k *keras3) stagePrefix(name string) string {
	prefix := name[:strings.LastIndexByte(name, '_')+1]
	if _, err := strconv.Atoi(name[len(prefix):]); prefix == "" || err == nil {
		return "" // "down_2" is the second of its kind, no stage
	}
	same := 0
	for _, l := range k.layers {
		if l.calls[0].Phantom {
			continue
		}
		if l.op || kerasnames.IsDefault(l.name) {
			return ""
		}
		if strings.HasPrefix(l.name, prefix) {
			same++
		}
	}
	if same < 2 {
		return ""
	}
	return prefix
}

// lastOp returns the type of the last node of a call.
func lastOp(c *scopes.Call) string {
	if len(c.Nodes) == 0 {
		return ""
	}
	return c.Nodes[len(c.Nodes)-1].Op
}
