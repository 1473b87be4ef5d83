package shapes

import (
	"cmp"
	"math"
	"slices"
)

// The layout follows Sugiyama's steps: ranks by the longest path, stand-ins where edges pass ranks,
// an order in each rank with few crossings, and positions that keep edges straight.
const (
	rankGap     = 36.0
	boxGap      = 26.0
	edgeGap     = 14.0
	orderSweeps = 16
	mostBends   = 40_000 // stand-ins; with more, long edges are straight lines
)

// box is a vertex with a place, or a stand-in for an edge that passes a rank.
type box struct {
	v          *vertex // nil for a stand-in
	x, y, w, h float64 // x is the middle, y the top
	rank       int
	at         int // place in the rank
	up, down   []*box
}

// route is an edge: the boxes that it passes, downwards unless it is reversed.
type route struct {
	boxes  []*box
	turned bool
}

// layout is a diagram with places.
type layout struct {
	ranks         [][]*box
	boxes         []*box
	routes        []route
	width, height float64
}

// arrange lays out vertices; measure returns their sizes.
func arrange(vertices []*vertex, measure func(*vertex) (w, h float64)) *layout {
	l := &layout{}
	of := make(map[*vertex]*box, len(vertices))
	for _, v := range vertices {
		b := &box{v: v}
		b.w, b.h = measure(v)
		of[v] = b
		l.boxes = append(l.boxes, b)
	}
	back := backEdges(vertices)
	l.rank(vertices, of, back)
	l.route(vertices, of, back)
	l.order()
	l.place()
	return l
}

// backEdges returns the edges that close a circle, such as those of a layer that is called again on
// its own result. It does not recurse.
func backEdges(vertices []*vertex) map[[2]*vertex]bool {
	const entered, left = 1, 2
	back, state := map[[2]*vertex]bool{}, map[*vertex]int{}
	type step struct {
		v    *vertex
		next int
	}
	for _, root := range vertices {
		if state[root] != 0 {
			continue
		}
		state[root] = entered
		for stack := []step{{root, 0}}; len(stack) > 0; {
			top := &stack[len(stack)-1]
			if top.next == len(top.v.out) {
				state[top.v] = left
				stack = stack[:len(stack)-1]
				continue
			}
			to := top.v.out[top.next]
			top.next++
			switch state[to] {
			case 0:
				state[to] = entered
				stack = append(stack, step{to, 0})
			case entered:
				back[[2]*vertex{top.v, to}] = true
			}
		}
	}
	return back
}

// rank gives each vertex the length of the longest path to it. A vertex without predecessors is
// moved down next to the vertex that uses it.
func (l *layout) rank(vertices []*vertex, of map[*vertex]*box, back map[[2]*vertex]bool) {
	waiting := map[*vertex]int{}
	for _, v := range vertices {
		for _, to := range v.out {
			if !back[[2]*vertex{v, to}] {
				waiting[to]++
			} else {
				waiting[v]++
			}
		}
	}
	var ready []*vertex
	for _, v := range vertices {
		if waiting[v] == 0 {
			ready = append(ready, v)
		}
	}
	done := func(from, to *vertex) {
		of[to].rank = max(of[to].rank, of[from].rank+1)
		if waiting[to]--; waiting[to] == 0 {
			ready = append(ready, to)
		}
	}
	for len(ready) > 0 {
		v := ready[0]
		ready = ready[1:]
		for _, to := range v.out {
			if !back[[2]*vertex{v, to}] {
				done(v, to)
			}
		}
		for _, from := range v.in {
			if back[[2]*vertex{from, v}] {
				done(v, from)
			}
		}
	}
	for _, v := range vertices {
		if len(v.in) > 0 || len(v.out) == 0 {
			continue
		}
		nearest := math.MaxInt
		for _, to := range v.out {
			nearest = min(nearest, of[to].rank)
		}
		of[v].rank = max(of[v].rank, nearest-1)
	}
}

// route fills the ranks, and adds stand-ins where edges pass a rank.
func (l *layout) route(vertices []*vertex, of map[*vertex]*box, back map[[2]*vertex]bool) {
	for _, b := range l.boxes {
		l.grow(b.rank)
		l.ranks[b.rank] = append(l.ranks[b.rank], b)
	}
	bends := 0
	for _, v := range vertices {
		for _, to := range v.out {
			a, b, turned := of[v], of[to], back[[2]*vertex{v, to}]
			if turned {
				a, b = b, a
			}
			r := route{boxes: []*box{a}, turned: turned}
			for rank := a.rank + 1; rank < b.rank && bends < mostBends; rank++ {
				bends++
				d := &box{rank: rank}
				l.ranks[rank] = append(l.ranks[rank], d)
				r.boxes = append(r.boxes, d)
			}
			r.boxes = append(r.boxes, b)
			for i := 1; i < len(r.boxes) && r.boxes[i].rank == r.boxes[i-1].rank+1; i++ {
				r.boxes[i-1].down = append(r.boxes[i-1].down, r.boxes[i])
				r.boxes[i].up = append(r.boxes[i].up, r.boxes[i-1])
			}
			l.routes = append(l.routes, r)
		}
	}
	l.number()
}

func (l *layout) grow(rank int) {
	for len(l.ranks) <= rank {
		l.ranks = append(l.ranks, nil)
	}
}

func (l *layout) number() {
	for _, rank := range l.ranks {
		for i, b := range rank {
			b.at = i
		}
	}
}

// order sorts each rank by the middle of its neighbours, downwards and upwards in turn, and keeps
// the order with the fewest crossings.
func (l *layout) order() {
	best, fewest := l.snapshot(), l.crossings()
	for sweep := 0; sweep < orderSweeps && fewest > 0; sweep++ {
		for i := range l.ranks {
			rank := l.ranks[i]
			if sweep%2 == 1 {
				rank = l.ranks[len(l.ranks)-1-i]
			}
			key := make(map[*box]float64, len(rank))
			for _, b := range rank {
				near := b.up
				if sweep%2 == 1 {
					near = b.down
				}
				key[b] = middle(near, float64(b.at), func(n *box) float64 { return float64(n.at) })
			}
			slices.SortStableFunc(rank, func(a, b *box) int { return cmp.Compare(key[a], key[b]) })
			for j, b := range rank {
				b.at = j
			}
		}
		if n := l.crossings(); n < fewest {
			best, fewest = l.snapshot(), n
		}
	}
	l.ranks = best
	l.number()
}

func (l *layout) snapshot() [][]*box {
	ranks := make([][]*box, len(l.ranks))
	for i, r := range l.ranks {
		ranks[i] = slices.Clone(r)
	}
	return ranks
}

// middle returns the mean of the boxes' values, or otherwise when there are none.
func middle(boxes []*box, otherwise float64, value func(*box) float64) float64 {
	if len(boxes) == 0 {
		return otherwise
	}
	sum := 0.0
	for _, b := range boxes {
		sum += value(b)
	}
	return sum / float64(len(boxes))
}

// crossings counts the pairs of edges between neighbouring ranks that cross.
func (l *layout) crossings() int {
	n := 0
	for i, rank := range l.ranks {
		if i+1 == len(l.ranks) {
			break
		}
		// Edges are visited in the order of their beginnings; seen counts their ends, as a Fenwick
		// tree.
		seen, total := make([]int, len(l.ranks[i+1])+1), 0
		for _, b := range rank {
			for _, d := range b.down {
				n += total
				for k := d.at + 1; k > 0; k -= k & -k {
					n -= seen[k]
				}
			}
			for _, d := range b.down {
				total++
				for k := d.at + 1; k < len(seen); k += k & -k {
					seen[k]++
				}
			}
		}
	}
	return n
}

// place gives the boxes their positions.
func (l *layout) place() {
	l.align()
	y := 0.0
	left, right := math.Inf(1), math.Inf(-1)
	for _, rank := range l.ranks {
		h := 0.0
		for _, b := range rank {
			h = max(h, b.h)
			left, right = min(left, b.x-b.w/2), max(right, b.x+b.w/2)
		}
		for _, b := range rank {
			b.y = y + (h-b.h)/2
			if b.v == nil {
				b.y, b.h = y, h
			}
		}
		y += h + rankGap
	}
	if len(l.ranks) == 0 {
		return
	}
	for _, rank := range l.ranks {
		for _, b := range rank {
			b.x -= left
		}
	}
	l.width, l.height = right-left, y-rankGap
}

// gap returns the least distance between the middles of two neighbouring boxes.
func gap(a, b *box) float64 {
	space := boxGap
	if a.v == nil && b.v == nil {
		space = edgeGap
	}
	return (a.w+b.w)/2 + space
}
