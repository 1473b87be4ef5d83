package shapes

import (
	"math"
	"slices"
)

// align gives the boxes their horizontal positions, after "Fast and Simple Horizontal Coordinate
// Assignment" of Brandes and Köpf. It makes four layouts, each of which puts as many boxes as
// possible straight below a neighbour (going upwards or downwards, taking the left or the right
// neighbour first). Each box gets the mean of the middle two of its four positions. Edges that pass
// several ranks come out straight.
func (l *layout) align() {
	conflicts := l.conflicts()
	var all [4]map[*box]float64
	for i := range all {
		up, right := i&1 == 1, i&2 == 2
		a := &alignment{ranks: l.oriented(up, right), up: up, right: right, conflicts: conflicts}
		all[i] = a.run()
		if right {
			for b := range all[i] {
				all[i][b] = -all[i][b]
			}
		}
	}
	level(all[:])
	for _, rank := range l.ranks {
		for _, b := range rank {
			xs := []float64{all[0][b], all[1][b], all[2][b], all[3][b]}
			slices.Sort(xs)
			b.x = (xs[1] + xs[2]) / 2
		}
	}
}

// level shifts the layouts to the narrowest one: those that lean left by their left sides, the
// others by their right sides.
func level(all []map[*box]float64) {
	type span struct{ left, right float64 }
	spans := make([]span, len(all))
	narrow := 0
	for i, xs := range all {
		spans[i] = span{math.Inf(1), math.Inf(-1)}
		for b, x := range xs {
			spans[i].left, spans[i].right = min(spans[i].left, x-b.w/2), max(spans[i].right, x+b.w/2)
		}
		if spans[i].right-spans[i].left < spans[narrow].right-spans[narrow].left {
			narrow = i
		}
	}
	for i, xs := range all {
		by := spans[narrow].left - spans[i].left
		if i&2 == 2 {
			by = spans[narrow].right - spans[i].right
		}
		for b := range xs {
			xs[b] += by
		}
	}
}

// oriented returns the ranks in the order in which an alignment visits them.
func (l *layout) oriented(up, right bool) [][]*box {
	ranks := l.snapshot()
	if up {
		slices.Reverse(ranks)
	}
	for _, r := range ranks {
		if right {
			slices.Reverse(r)
		}
	}
	return ranks
}

// conflicts returns the edges between neighbouring ranks that cross a part of a long edge. They
// give way to it.
func (l *layout) conflicts() map[[2]*box]bool {
	found := map[[2]*box]bool{}
	for i := 1; i < len(l.ranks); i++ {
		rank, before := l.ranks[i], l.ranks[i-1]
		left, scanned := 0, 0
		for j, b := range rank {
			inner := innerEnd(b)
			if inner == nil && j < len(rank)-1 {
				continue
			}
			right := len(before)
			if inner != nil {
				right = inner.at
			}
			for ; scanned <= j; scanned++ {
				for _, u := range rank[scanned].up {
					if (u.at < left || u.at > right) && (u.v != nil || rank[scanned].v != nil) {
						found[[2]*box{u, rank[scanned]}] = true
					}
				}
			}
			left = right
		}
	}
	return found
}

// innerEnd returns the upper end of the part of a long edge that ends in b, if both ends are
// stand-ins.
func innerEnd(b *box) *box {
	if b.v == nil {
		for _, u := range b.up {
			if u.v == nil {
				return u
			}
		}
	}
	return nil
}

// alignment is one of the four layouts.
type alignment struct {
	ranks     [][]*box
	up, right bool
	conflicts map[[2]*box]bool

	at   map[*box]int
	root map[*box]*box // first box of each box's block
	next map[*box]*box // next box around the block
}

func (a *alignment) run() map[*box]float64 {
	a.at, a.root, a.next = map[*box]int{}, map[*box]*box{}, map[*box]*box{}
	for _, rank := range a.ranks {
		for i, b := range rank {
			a.at[b], a.root[b], a.next[b] = i, b, b
		}
	}
	for _, rank := range a.ranks {
		last := -1
		for _, b := range rank {
			last = a.alignBox(b, last)
		}
	}
	return a.compact()
}

// neighbours returns the boxes of the rank before, in this layout's order.
func (a *alignment) neighbours(b *box) []*box {
	near := b.up
	if a.up {
		near = b.down
	}
	near = slices.Clone(near)
	slices.SortFunc(near, func(x, y *box) int { return a.at[x] - a.at[y] })
	return near
}

// alignBox puts b into the block of its middle neighbour, if no neighbour to the right of that one
// has been taken. It returns the place of the last one taken.
func (a *alignment) alignBox(b *box, last int) int {
	near := a.neighbours(b)
	if len(near) == 0 {
		return last
	}
	for m := (len(near) - 1) / 2; m <= len(near)/2; m++ {
		u := near[m]
		if a.next[b] != b || last >= a.at[u] || a.conflicts[[2]*box{u, b}] || a.conflicts[[2]*box{b, u}] {
			continue
		}
		a.next[u], a.root[b] = b, a.root[u]
		a.next[b] = a.root[b]
		last = a.at[u]
	}
	return last
}

// compact moves the blocks together: each as far to the left as blocks beside it allow, then to the
// right if that does not widen the layout.
func (a *alignment) compact() map[*box]float64 {
	type side struct {
		block *box
		gap   float64
	}
	lefts, rights := map[*box][]side{}, map[*box][]side{}
	var blocks []*box
	waiting := map[*box]int{}
	for _, rank := range a.ranks {
		for i, b := range rank {
			if a.root[b] == b {
				blocks = append(blocks, b)
			}
			if i > 0 {
				x, y := a.root[rank[i-1]], a.root[b]
				g := gap(rank[i-1], b)
				lefts[y], rights[x] = append(lefts[y], side{x, g}), append(rights[x], side{y, g})
				waiting[y]++
			}
		}
	}
	var order []*box
	for _, b := range blocks {
		if waiting[b] == 0 {
			order = append(order, b)
		}
	}
	for i := 0; i < len(order); i++ {
		for _, r := range rights[order[i]] {
			if waiting[r.block]--; waiting[r.block] == 0 {
				order = append(order, r.block)
			}
		}
	}
	x := map[*box]float64{}
	for _, b := range order {
		for _, s := range lefts[b] {
			x[b] = max(x[b], x[s.block]+s.gap)
		}
	}
	for _, b := range slices.Backward(order) {
		room := math.Inf(1)
		for _, s := range rights[b] {
			room = min(room, x[s.block]-s.gap)
		}
		if !math.IsInf(room, 1) {
			x[b] = max(x[b], room)
		}
	}
	all := make(map[*box]float64, len(a.root))
	for b, root := range a.root {
		all[b] = x[root]
	}
	return all
}
