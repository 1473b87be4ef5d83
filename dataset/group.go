package dataset

import (
	"cmp"
	"math"
	"slices"
)

// Grouping says which rows share a batch.
type Grouping uint8

const (
	// Arrival takes the rows in the order in which they come: padded_batch.
	Arrival Grouping = iota
	// Exact puts only rows of equal shapes into a batch, so that nothing is ever padded. Ragged
	// rows have equal shapes if their row splits are equal: a model may pad them itself.
	Exact
	// Similar puts rows of like length into a batch, chosen among the rows of a window.
	Similar
)

// String returns the grouping's name.
func (g Grouping) String() string {
	switch g {
	case Arrival:
		return "arrival"
	case Exact:
		return "exact"
	case Similar:
		return "similar"
	}
	return "unknown grouping"
}

// DefaultWindow is the number of rows that Exact and Similar may hold back unless told otherwise.
const DefaultWindow = 4096

// maxWait bounds a row's wait: after so many windows of other rows it leaves. The size of the
// window alone bounds no wait. The window never fills where all other rows make groups at once, and
// where it does fill, its oldest rows may have younger neighbours that leave first.
const maxWait = 4

// grouper collects rows and hands out groups.
type grouper interface {
	// slot returns the element that the next row is to be read into. The group returned by take
	// before is invalid from here on.
	slot() *Element
	// commit adds the row in the slot.
	commit() error
	// nextGroup returns the next group, or nil if there is none: one that is complete, or one that
	// leaves incomplete because the window is full or the input has ended (end).
	nextGroup(end bool) []*Element
	// reset drops the rows that are in no complete group.
	reset()
}

// rowPool keeps the elements that rows are read into, to use them again.
type rowPool struct {
	free  []*Element
	taken []*Element // rows of the group returned last
}

func (p *rowPool) get() *Element {
	p.free = append(p.free, p.taken...)
	p.taken = p.taken[:0]
	if n := len(p.free); n > 0 {
		e := p.free[n-1]
		p.free = p.free[:n-1]
		return e
	}
	return new(Element)
}

// limits bounds the size of a group.
type limits struct {
	size      int   // rows
	maxTokens int64 // rows times the longest row; 0: no bound
}

// full reports whether a group of n rows, the longest of the given length, has no room for another.
func (l limits) full(n int, longest int64) bool {
	return n >= l.size || l.exceedTokens(n+1, longest)
}

// exceedTokens reports whether n rows padded to longest break the token budget. A single row never
// does: it has to go somewhere.
func (l limits) exceedTokens(n int, longest int64) bool {
	return l.maxTokens > 0 && n > 1 && longest > 0 && int64(n) > l.maxTokens/longest
}

// arrival groups rows in the order they come.
type arrival struct {
	limits
	length      lengthFunc // nil without a token budget
	rows        []*Element
	n           int // rows[:n] are in the group
	longest     int64
	overflows   bool  // rows[n] is read too, but belongs to the next group
	kept        int64 // bytes of kept columns, where they are counted
	leavesEarly bool  // kept is large: the group leaves before it is full
	taken       bool
}

func (g *arrival) slot() *Element {
	g.recycle()
	if g.n == len(g.rows) {
		g.rows = append(g.rows, new(Element))
	}
	return g.rows[g.n]
}

// recycle begins a new group after take has returned the one before.
func (g *arrival) recycle() {
	if !g.taken {
		return
	}
	n := g.n
	g.taken, g.n, g.longest = false, 0, 0
	g.kept, g.leavesEarly = 0, false
	if g.overflows {
		g.overflows = false
		g.rows[0], g.rows[n] = g.rows[n], g.rows[0]
		g.longest, _ = g.length(g.rows[0]) // it had a length before
		g.n = 1
	}
}

func (g *arrival) commit() error {
	if g.length == nil {
		g.n++
		return nil
	}
	l, err := g.length(g.rows[g.n])
	if err != nil {
		return err
	}
	if g.exceedTokens(g.n+1, max(l, g.longest)) {
		g.overflows = true
		return nil
	}
	g.longest = max(l, g.longest)
	g.n++
	return nil
}

func (g *arrival) nextGroup(end bool) []*Element {
	g.recycle()
	if g.n > 0 && (end || g.overflows || g.leavesEarly || g.full(g.n, g.longest)) {
		g.taken = true
		return g.rows[:g.n]
	}
	return nil
}

// slots returns room for as many rows as the group lacks. Groups with a token budget cannot use it,
// since the length of each row decides whether the next one fits.
func (g *arrival) slots() []*Element {
	g.recycle()
	for len(g.rows) < g.size {
		g.rows = append(g.rows, new(Element))
	}
	return g.rows[g.n:g.size]
}

func (g *arrival) reset() {
	g.recycle()
	g.n, g.longest, g.kept, g.leavesEarly = 0, 0, 0, false
}

// exact groups rows of equal shapes. Once it holds a window of rows, or maxWait windows have come
// after the oldest row, the group of the oldest row leaves incomplete.
type exact struct {
	rowPool
	limits
	length lengthFunc
	window windowSize
	alike  func(key []byte, e Element) []byte // may be nil
	held   int
	memory windowMemory
	seq    int64 // number of rows that came
	groups map[string]*exactGroup
	order  []*exactGroup // by the arrival of their first rows
	spare  []*exactGroup
	last   *Element
	ready  *exactGroup
	key    []byte
}

// mustRelease reports whether the oldest group has to leave although it is incomplete.
func (g *exact) mustRelease() bool {
	oldest := g.order[0]
	return g.window.full(g.held, g.seq-oldest.first) || g.memory.full(g.window.bytes, oldest.before)
}

// windowSize bounds the rows that a grouper holds back.
type windowSize struct {
	rows  int   // most rows; 0: no bound
	bytes int64 // most bytes of memory; 0: no bound
}

// full reports whether the window's oldest row has to leave: the window holds held rows, and after
// rows came since the oldest.
func (w windowSize) full(held int, after int64) bool {
	return w.rows > 0 && (held >= w.rows || after >= maxWait*int64(w.rows))
}

// windowMemory counts bytes of rows: of all that came, and of those that are held. The rows that
// came count as well, since results are written in order: those of younger rows wait in memory for
// the result of the oldest row.
type windowMemory struct{ came, held int64 }

// add counts a row that came, and returns the bytes of all rows before it.
func (m *windowMemory) add(e *Element) (before int64) {
	n := elementBytes(e)
	m.came, m.held = m.came+n, m.held+n
	return m.came - n
}

// remove counts rows that leave the window.
func (m *windowMemory) remove(rows []*Element) {
	for _, e := range rows {
		m.held -= elementBytes(e)
	}
}

// full reports whether the rows that are held, or the rows that came since the oldest of them, take
// more than so many bytes. oldest is the bytes of all rows that came before the oldest one.
func (m *windowMemory) full(bytes, oldest int64) bool {
	return bytes > 0 && (m.held >= bytes || m.came-oldest >= bytes)
}

// elementBytes returns roughly how many bytes a row takes in memory, its kept columns included.
func elementBytes(e *Element) int64 {
	const header, perTensor = 256, 128
	n := int64(header)
	for _, t := range e.Tensors {
		n += perTensor + int64(len(t.Bytes()))
		for _, s := range t.Strings() {
			n += stringHeader + int64(len(s))
		}
	}
	for _, splits := range e.Splits {
		for _, s := range splits {
			n += perTensor + int64(len(s.Bytes()))
		}
	}
	for _, x := range e.Extra {
		n += int64(len(x.Key) + len(x.Value))
	}
	return n
}

func newExact(lim limits, length lengthFunc, window windowSize, alike func([]byte, Element) []byte) *exact {
	return &exact{limits: lim, length: length, window: window, alike: alike, groups: map[string]*exactGroup{}}
}

type exactGroup struct {
	key   string
	rows  []*Element
	first int64 // number of rows that came before its first row
	// before is the bytes of the rows that came before its first row
	before int64
}

func (g *exact) slot() *Element {
	g.last = g.get()
	return g.last
}

func (g *exact) commit() error {
	l, err := g.length(g.last)
	if err != nil {
		g.free = append(g.free, g.last)
		return err
	}
	g.key = g.last.AppendShapes(g.key[:0])
	if g.alike != nil {
		g.key = g.alike(g.key, *g.last)
	}
	before := g.memory.add(g.last)
	grp := g.groups[string(g.key)]
	if grp == nil {
		grp = g.newGroup()
		grp.before = before
	}
	grp.rows = append(grp.rows, g.last)
	g.seq++
	if g.held++; g.full(len(grp.rows), l) {
		g.ready = grp
	}
	return nil
}

func (g *exact) newGroup() *exactGroup {
	grp := &exactGroup{}
	if n := len(g.spare); n > 0 {
		grp, g.spare = g.spare[n-1], g.spare[:n-1]
	}
	grp.key, grp.first = string(g.key), g.seq
	g.groups[grp.key] = grp
	g.order = append(g.order, grp)
	return grp
}

func (g *exact) nextGroup(end bool) []*Element {
	grp := g.ready
	g.ready = nil
	if grp == nil && g.held > 0 && (end || g.mustRelease()) {
		grp = g.order[0]
	}
	if grp == nil {
		return nil
	}
	i := slices.Index(g.order, grp)
	g.order = slices.Delete(g.order, i, i+1)
	delete(g.groups, grp.key)
	g.held -= len(grp.rows)
	g.memory.remove(grp.rows)
	g.free = append(g.free, g.taken...)
	g.taken = append(g.taken[:0], grp.rows...)
	grp.rows = grp.rows[:0]
	g.spare = append(g.spare, grp)
	return g.taken
}

func (g *exact) reset() {
	for _, grp := range g.order {
		g.free = append(g.free, grp.rows...)
		delete(g.groups, grp.key)
	}
	g.order, g.held, g.memory, g.ready = nil, 0, windowMemory{}, nil
}

// similar groups rows of like length out of a window. When the window is full, or maxWait windows
// have come after the oldest row, that row leaves, together with those neighbours in length that
// need the least padding.
type similar struct {
	rowPool
	limits
	length lengthFunc
	window windowSize
	memory windowMemory
	sorted []similarRow // by length, then arrival
	fresh  []similarRow // not in sorted yet
	seq    int64        // number of rows that came
	oldest int64        // number of rows that came before the oldest one held
	before int64        // bytes of the rows that came before the oldest one held
	last   *Element
}

// divided groups some rows as exact does, and the others as similar does.
type divided struct {
	similar *similar
	apart   *exact
	isApart func(Element) bool
}

func (g *divided) slot() *Element {
	p := &g.apart.rowPool
	g.similar.free = append(append(g.similar.free, p.free...), p.taken...)
	p.free, p.taken = p.free[:0], p.taken[:0]
	return g.similar.slot()
}

// commit adds the row to one of the two groupers. The other one counts it as a row that came, so
// that its own rows wait no longer than they would alone.
func (g *divided) commit() error {
	e := g.similar.last
	if g.isApart(*e) {
		g.apart.last = e
		g.similar.seq++
		g.similar.memory.came += elementBytes(e)
		return g.apart.commit()
	}
	g.apart.seq++
	g.apart.memory.came += elementBytes(e)
	return g.similar.commit()
}

func (g *divided) nextGroup(end bool) []*Element {
	if rows := g.apart.nextGroup(end); rows != nil {
		return rows
	}
	return g.similar.nextGroup(end)
}

func (g *divided) reset() {
	g.similar.reset()
	g.apart.reset()
}

type similarRow struct {
	e      *Element
	length int64
	seq    int64
	before int64 // bytes of the rows that came before it
}

func (r similarRow) compare(o similarRow) int {
	return cmp.Or(cmp.Compare(r.length, o.length), cmp.Compare(r.seq, o.seq))
}

func (g *similar) slot() *Element {
	g.last = g.get()
	return g.last
}

func (g *similar) commit() error {
	l, err := g.length(g.last)
	if err != nil {
		g.free = append(g.free, g.last)
		return err
	}
	g.fresh = append(g.fresh, similarRow{e: g.last, length: l, seq: g.seq, before: g.memory.add(g.last)})
	g.seq++
	return nil
}

func (g *similar) nextGroup(end bool) []*Element {
	held := len(g.sorted) + len(g.fresh)
	if held == 0 || !end && !g.window.full(held, g.seq-g.oldest) && !g.memory.full(g.window.bytes, g.before) {
		return nil
	}
	g.merge()
	lo, hi := held-g.groupSize(held), held
	if !end {
		lo, hi = g.best()
	}
	g.free = append(g.free, g.taken...)
	g.taken = g.taken[:0]
	for _, r := range g.sorted[lo:hi] {
		g.taken = append(g.taken, r.e)
	}
	g.memory.remove(g.taken)
	g.sorted = slices.Delete(g.sorted, lo, hi)
	g.oldest, g.before = g.seq, g.memory.came
	for _, r := range g.sorted {
		g.oldest, g.before = min(g.oldest, r.seq), min(g.before, r.before)
	}
	return g.taken
}

// merge sorts the fresh rows into the sorted ones, in place, from the longest down.
func (g *similar) merge() {
	slices.SortFunc(g.fresh, similarRow.compare)
	i, j := len(g.sorted)-1, len(g.fresh)-1
	g.sorted = append(g.sorted, g.fresh...)
	for k := len(g.sorted) - 1; j >= 0; k-- {
		if i >= 0 && g.sorted[i].compare(g.fresh[j]) > 0 {
			g.sorted[k] = g.sorted[i]
			i--
		} else {
			g.sorted[k] = g.fresh[j]
			j--
		}
	}
	g.fresh = g.fresh[:0]
}

// groupSize returns how many rows a group may have whose longest row is sorted[hi-1].
func (g *similar) groupSize(hi int) int {
	n, longest := min(g.size, hi), g.sorted[hi-1].length
	if g.maxTokens > 0 && longest > 0 {
		n = int(min(int64(n), max(1, g.maxTokens/longest)))
	}
	return n
}

// best returns, of the full groups around the oldest row, the one that wastes the smallest share of
// its padded size.
func (g *similar) best() (lo, hi int) {
	oldest := 0
	for i, r := range g.sorted {
		if r.seq < g.sorted[oldest].seq {
			oldest = i
		}
	}
	least := math.Inf(1)
	for h := oldest + 1; h <= len(g.sorted); h++ {
		n, longest := g.groupSize(h), g.sorted[h-1].length
		if h-n > oldest {
			break
		}
		full := h-n > 0 || n == g.size || h == len(g.sorted)
		if !full && math.IsInf(least, 1) {
			// Taken if no group is full: the next row is too long to share a batch with the oldest
			// one.
			lo, hi = 0, h
		}
		if waste := g.waste(h-n, h, longest); full && waste < least {
			least, lo, hi = waste, h-n, h
		}
	}
	return lo, hi
}

// waste returns the share of padding in the group of rows lo ≤ i < hi.
func (g *similar) waste(lo, hi int, longest int64) float64 {
	var sum int64
	for _, r := range g.sorted[lo:hi] {
		sum += r.length
	}
	if longest == 0 {
		return 0
	}
	return 1 - float64(sum)/(float64(longest)*float64(hi-lo))
}

func (g *similar) reset() {
	for _, r := range slices.Concat(g.sorted, g.fresh) {
		g.free = append(g.free, r.e)
	}
	g.sorted, g.fresh, g.oldest = g.sorted[:0], g.fresh[:0], g.seq
	g.memory, g.before = windowMemory{}, 0
}
