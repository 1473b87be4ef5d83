package shapes

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// randomDiagram draws vertices with edges in any direction.
func randomDiagram(t *rapid.T) []*vertex {
	vs := make([]*vertex, rapid.IntRange(0, 25).Draw(t, "vertices"))
	for i := range vs {
		vs[i] = &vertex{id: i, name: rapid.StringMatching(`[a-z]{1,30}`).Draw(t, "name"), shape: "(None, 64)"}
	}
	if len(vs) > 0 {
		place := rapid.IntRange(0, len(vs)-1)
		for range rapid.IntRange(0, 2*len(vs)).Draw(t, "edges") {
			connect(vs[place.Draw(t, "from")], vs[place.Draw(t, "to")])
		}
	}
	return vs
}

// TestArrange holds what makes a drawing readable: no box overlaps another or lies outside, every
// edge is drawn, and all but those that close a circle lead downwards.
func TestArrange(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		vs := randomDiagram(t)
		l := arrange(vs, measure)
		if len(l.boxes) != len(vs) {
			t.Fatalf("%d boxes for %d vertices", len(l.boxes), len(vs))
		}
		for i, a := range l.boxes {
			if a.x-a.w/2 < -0.01 || a.x+a.w/2 > l.width+0.01 || a.y < -0.01 || a.y+a.h > l.height+0.01 {
				t.Fatalf("box %d lies outside of %v × %v: %+v", i, l.width, l.height, *a)
			}
			for j, b := range l.boxes[:i] {
				if a.x-a.w/2 < b.x+b.w/2 && b.x-b.w/2 < a.x+a.w/2 && a.y < b.y+b.h && b.y < a.y+a.h {
					t.Fatalf("boxes %d and %d overlap", i, j)
				}
			}
		}
		edges := 0
		for _, v := range vs {
			edges += len(v.out)
		}
		if len(l.routes) != edges {
			t.Fatalf("%d routes for %d edges", len(l.routes), edges)
		}
		for _, r := range l.routes {
			for i := 1; i < len(r.boxes); i++ {
				if r.boxes[i].rank <= r.boxes[i-1].rank {
					t.Fatalf("a route leads from rank %d to %d", r.boxes[i-1].rank, r.boxes[i].rank)
				}
			}
			from, to := r.boxes[0].v, r.boxes[len(r.boxes)-1].v
			if r.turned {
				from, to = to, from
			}
			if !slices.Contains(from.out, to) {
				t.Fatalf("a route from %d to %d, which is no edge", from.id, to.id)
			}
		}
	})
}

// TestArrangeLarge holds the time that large models take.
func TestArrangeLarge(t *testing.T) {
	t.Parallel()
	vs := make([]*vertex, mostDrawn)
	for i := range vs {
		vs[i] = &vertex{id: i, name: strconv.Itoa(i)}
		for _, back := range []int{1, 2, 40} {
			if i >= back {
				connect(vs[i-back], vs[i])
			}
		}
	}
	start := time.Now()
	arrange(vs, measure)
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("arranging %d vertices took %v", len(vs), d)
	}
}

func TestLongEdgesRunStraight(t *testing.T) {
	t.Parallel()
	// A skip connection past a chain.
	vs := make([]*vertex, 8)
	for i := range vs {
		vs[i] = &vertex{id: i, name: "layer"}
		if i > 0 {
			connect(vs[i-1], vs[i])
		}
	}
	connect(vs[1], vs[6])
	l := arrange(vs, measure)
	for _, r := range l.routes {
		for i := 2; i < len(r.boxes)-1; i++ {
			if r.boxes[i].x != r.boxes[1].x {
				t.Errorf("a long edge bends from %v to %v", r.boxes[1].x, r.boxes[i].x)
			}
		}
	}
}

// TestRails holds that each edge between rows is on the rail: as a line in every row that it
// passes.
func TestRails(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		vs := make([]*vertex, rapid.IntRange(1, 20).Draw(t, "rows"))
		for i := range vs {
			vs[i] = &vertex{id: i}
			for range rapid.IntRange(0, 2).Draw(t, "inputs") {
				if i > 0 {
					connect(vs[rapid.IntRange(0, i-1).Draw(t, "from")], vs[i])
				}
			}
		}
		rail := rails(vs)
		if rail == nil {
			return // too many lanes
		}
		for i := range vs {
			open := map[*vertex]bool{}
			for _, v := range vs[:i+1] {
				for _, to := range v.out {
					if to.id > i {
						open[v] = true
					}
				}
			}
			if len(rail[i].Below) != len(open) {
				t.Fatalf("row %d: %d lines run on, want %d", i, len(rail[i].Below), len(open))
			}
			lines := slices.Clone(rail[i].Below)
			slices.Sort(lines)
			if len(slices.Compact(lines)) != len(rail[i].Below) {
				t.Fatalf("row %d: two lines in one lane: %v", i, rail[i].Below)
			}
		}
	})
}
