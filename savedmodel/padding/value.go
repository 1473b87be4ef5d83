package padding

import (
	"cmp"
	"math"
	"slices"

	"github.com/tfrun/tfrun/internal/graph"
)

// The walk compares two runs. In the first a row is alone and unpadded; in the second it is one of
// several rows, all padded to the same sizes. A value says how a tensor of the second run relates
// to that of the first.

// kind says how the entries along an axis of the second run relate to those of the first.
type kind uint8

const (
	fixed kind = iota // entry i is entry i of the first run
	rows              // one entry is the row's, and each other row has one
	steps             // the row's entries, and entries of padding after or before them
	flat              // the row's entries, among those of other rows
)

// atom is an axis, or one of several that were joined to one axis, as by a reshape. Equal atoms
// have equal sizes.
type atom struct {
	kind  kind
	name  string // says which operation made the axis
	size  int64  // of a fixed axis; -1: not known
	shift int64  // how many more entries there are than name says
	front bool   // padding comes before the row's entries
	none  bool   // the row may have no entry of its own
}

// axis lists the atoms of an axis in row-major order. An axis of size 1 has none.
type axis []atom

func fixedAxis(size int64, name string) axis {
	switch {
	case size == 1:
		return nil
	case size >= 0:
		name = ""
	}
	return axis{{kind: fixed, name: name, size: max(size, -1)}}
}

func (a axis) has(k kind) bool {
	return slices.ContainsFunc(a, func(x atom) bool { return x.kind == k })
}

// isFixed reports whether entry i is the same entry i in both runs.
func (a axis) isFixed() bool {
	return !slices.ContainsFunc(a, func(x atom) bool { return x.kind != fixed })
}

// size returns the number of entries if all atoms are fixed and known, or -1.
func (a axis) size() int64 {
	n := int64(1)
	for _, x := range a {
		if x.kind != fixed || x.size < 0 || x.size > 0 && n > math.MaxInt32/x.size {
			return -1
		}
		n *= x.size
	}
	return n
}

// only returns the atom of an axis that consists of one atom, of the given kind.
func (a axis) only(k kind) (atom, bool) {
	if len(a) == 1 && a[0].kind == k {
		return a[0], true
	}
	return atom{}, false
}

// fact says what is known of some entries of a tensor: of the row's entries, or of entries of
// padding along an axis.
type fact struct {
	known   bool // all are c, or text
	c       float64
	text    string
	isText  bool
	low     bool // far below any tame value: their exponentials are 0
	held    bool // entries of padding that repeat the row's last entry
	unclear bool // the walk could not follow, so little is known

	finite, tame     bool // no infinity or NaN; tame: also of a usual size
	bounded          bool // finite, or minus infinity
	nonneg, positive bool // ≥ 0; positive: also bounded away from 0
	integer          bool
	padless          bool // assumed: among the last padlessAxes axes, not all are c
	padlessAxes      int
	// The last some axes hold, for each place of the other axes, an entry that is 1; the last zero
	// axes one that is 0; the last peak axes one that is tame.
	some, zero, peak int
	indexAxis        int // 1 + the axis whose index each entry is, plus offset
	offset           int64
}

// hugeFrom is the size from which on a constant is no ordinary value; masks add constants of this
// size. From overflowsFrom on, adding two of them may give infinity, and they are treated as such.
const (
	hugeFrom      = 1e4
	overflowsFrom = 1e30
)

// constant returns the fact that all entries are c.
func constant(c float64) fact {
	finite := math.Abs(c) < overflowsFrom // false for NaN
	return fact{known: true, c: c, bounded: finite || c < 0, finite: finite, tame: finite && math.Abs(c) < hugeFrom, nonneg: c >= 0, positive: c > 0, low: c <= -hugeFrom}
}

func constantText(s string) fact {
	return fact{known: true, text: s, isText: true, finite: true, tame: true}
}

// is reports whether all entries are c.
func (f fact) is(c float64) bool { return f.known && !f.isText && f.c == c }

// join returns what is true of the entries of both facts.
func (f fact) join(g fact) fact {
	j := fact{
		low: f.low && g.low, held: f.held && g.held, unclear: f.unclear || g.unclear, finite: f.finite && g.finite, tame: f.tame && g.tame,
		nonneg: f.nonneg && g.nonneg, positive: f.positive && g.positive, integer: f.integer && g.integer,
		bounded: (f.bounded || f.finite) && (g.bounded || g.finite),
	}
	if f.known && g.known && f.c == g.c && f.text == g.text && f.isText == g.isText {
		j.known, j.c, j.text, j.isText = true, f.c, f.text, f.isText
	}
	if f.padless == g.padless && f.padlessAxes == g.padlessAxes {
		j.padless, j.padlessAxes = f.padless, f.padlessAxes
		if f.padless && f.c != g.c {
			j.padless = false
		}
	}
	j.some, j.zero, j.peak = agreed(f.some, g.some), agreed(f.zero, g.zero), agreed(f.peak, g.peak)
	if f.indexAxis == g.indexAxis && f.offset == g.offset {
		j.indexAxis, j.offset = f.indexAxis, f.offset
	}
	return j
}

func agreed(a, b int) int { return when(a == b, a) }

// moved returns what is still true of entries whose axes have changed.
func (f fact) moved() fact {
	f.some, f.zero, f.peak, f.indexAxis = 0, 0, 0, 0
	f.padless = f.padless && f.padlessAxes == 0
	return f
}

// before returns which facts about the last axes are still true once an axis is inserted at place i
// of rank.
func (f fact) before(i, rank int) (some, zero, peak int) {
	return when(i <= rank-f.some, f.some), when(i <= rank-f.zero, f.zero), when(i <= rank-f.peak, f.peak)
}

// num is a whole number that a graph computes from sizes: c times the sizes of atoms.
type num struct {
	c     int64
	atoms axis // in the order of their names
	step  bool // c plus the number of a loop's step; there are no atoms
}

func number(c int64) num { return num{c: c} }

// numOf returns the size of an axis.
func numOf(a axis) num {
	n := num{c: 1}
	for _, x := range a {
		if x.kind == fixed && x.size >= 0 {
			n.c *= x.size
			continue
		}
		x.front = false // the side of the padding makes no difference to the size
		n.atoms = append(n.atoms, x)
	}
	n.sort()
	return n
}

func (n *num) sort() {
	slices.SortFunc(n.atoms, func(a, b atom) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name), cmp.Compare(a.shift, b.shift))
	})
}

func (n num) isConst() bool { return len(n.atoms) == 0 && !n.step }

func (n num) times(m num) (num, bool) {
	if n.step || m.step || m.c != 0 && (n.c > math.MaxInt32/max(1, m.c) || n.c < -math.MaxInt32) {
		return num{}, false
	}
	p := num{c: n.c * m.c, atoms: slices.Concat(n.atoms, m.atoms)}
	if p.c == 0 {
		return number(0), true
	}
	p.sort()
	return p, true
}

// plus adds a constant to a number. Added to a size, it gives the size of a longer axis.
func (n num) plus(d int64) (num, bool) {
	switch {
	case n.step:
		return num{c: n.c + d, step: true}, true
	case n.isConst():
		return number(n.c + d), true
	case n.c == 1 && len(n.atoms) == 1 && (n.atoms[0].kind == steps || n.atoms[0].kind == fixed):
		a := n.atoms[0]
		a.shift += d
		return num{c: 1, atoms: axis{a}}, true
	}
	return num{}, false
}

func (n num) equal(m num) bool {
	return n.c == m.c && n.step == m.step && slices.Equal(n.atoms, m.atoms)
}

// axis returns an axis of that size; ok is false if the number is no size of an axis.
func (n num) axis() (a axis, ok bool) {
	if n.step || n.c < 0 {
		return nil, false
	}
	return append(slices.Clone(n.atoms), fixedAxis(n.c, "")...), true
}

// sameInBoth reports whether a number is the same in both runs.
func (n num) sameInBoth() bool {
	return !n.step && axis(n.atoms).isFixed()
}

// list is a list of tensors, which loops read and write.
type list struct {
	length axis
	elem   *value // nil if nothing is written yet
	pad    fact   // of entries of padding
}

// value is what is known of a tensor.
type value struct {
	ranked bool
	axes   []axis
	real   fact   // of the row's entries
	pad    []fact // for each axis, of all entries that are padding along it
	nums   []num  // of a whole number, or a list of them, that follow from sizes
	list   *list
	handle *value // of a handle: the value of its variable
	rowIDs string // not "": these are the numbers of rows for the entries of that flat axis
	state  int    // 1 + index of the loop's state that it equals in a step of padding
	why    *cause // why the row's entries may differ from those of the row alone; nil: they do not
}

// cause says why the row's entries may differ from those of the row alone: they depend on padding
// or other rows, or it is not known.
type cause struct {
	answer Answer
	text   string
	node   *graph.Node
	up     *cause
}

func (v *value) rank() int { return len(v.axes) }

// whole returns what is true of all entries, the row's and those of padding.
func (v *value) whole() fact {
	f := v.real
	for j, a := range v.axes {
		if a.has(steps) {
			f = f.join(v.pad[j])
		}
	}
	f.held = true
	return f
}

// with returns a copy of v with other axes, and facts about their padding.
func (v *value) with(axes []axis, pad []fact) *value {
	u := *v
	u.axes, u.pad, u.nums, u.state, u.rowIDs, u.real = axes, pad, nil, 0, "", v.real.moved()
	return &u
}

func when(ok bool, n int) int {
	if ok {
		return n
	}
	return 0
}

// full returns a tensor whose entries are all alike.
func full(axes []axis, f fact) *value {
	v := &value{ranked: true, axes: axes, real: f, pad: make([]fact, len(axes))}
	f.held = true
	for i := range v.pad {
		v.pad[i] = f
	}
	return v
}

// neutral reports whether a reduction along an atom gives the same with and without padding. f is
// true of the entries of padding, own of those of the row.
func neutral(op string, x atom, f, own fact) bool {
	some := !x.none && x.shift >= 0 // the row has an entry of its own
	switch op {
	case "Sum", "EuclideanNorm":
		return f.is(0)
	case "Any":
		return f.is(0) || f.held && some
	case "All", "Prod":
		return f.is(1) || op == "All" && f.held && some
	case "Max":
		return some && (f.held || f.is(0) && own.nonneg || f.low && own.tame || f.known && f.c < -3e38) || f.known && f.c < -1e300
	case "Min":
		return some && (f.held || f.known && f.c > 3e38) || f.known && f.c > 1e300
	}
	return false
}
