package shapes

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
)

// The rail is the column of lines beside the rows of the page's layer table: a graph of the layers
// that needs no more room than the table.
const (
	railStep   = 16 // between lanes
	railMargin = 10
	railTop    = 22 // where a row's dot is
	railCurve  = 44 // height of a row's part with curves
	mostLanes  = 12
)

// railRow is the part of the rail beside one row.
type railRow struct {
	Width  int
	Dot    int           // the dot's x
	Curves template.HTML // paths in the upper part of the row
	Below  []int         // the x of lines that go on below the row
}

// rails returns the rail of rows. Edges that lead upwards in the order of rows are left out. It
// returns nil if the edges need too many lanes.
func rails(rows []*vertex) []railRow {
	r := &railBuilder{last: make([]int, len(rows))}
	at := make(map[*vertex]int, len(rows))
	for i, v := range rows {
		at[v] = i
	}
	for i, v := range rows {
		r.last[i] = -1
		for _, to := range v.out {
			if j, ok := at[to]; ok && j > i {
				r.last[i] = max(r.last[i], j)
			}
		}
	}
	out := make([]railRow, len(rows))
	width := 0
	for i, v := range rows {
		var ends []int // lanes that lead to this row
		for lane, from := range r.lanes {
			if from != free && slices.Contains(v.in, rows[from]) {
				ends = append(ends, lane)
			}
		}
		out[i] = r.row(i, ends)
		if width = max(width, len(r.lanes)); width > mostLanes {
			return nil
		}
	}
	for i := range out {
		out[i].Width = 2*railMargin + (width-1)*railStep
	}
	return out
}

// free marks a lane without a line.
const free = -1

// railBuilder visits the rows from the top.
type railBuilder struct {
	last  []int // by row: the last row that uses its result
	lanes []int // by lane: the row that its line comes from, or free
}

// row draws the part beside row i, to which the lanes in ends lead.
func (r *railBuilder) row(i int, ends []int) railRow {
	var paths strings.Builder
	for lane, from := range r.lanes {
		switch {
		case from == free:
		case r.last[from] <= i:
			r.lanes[lane] = free
		default:
			fmt.Fprintf(&paths, "M%d 0V%d", laneX(lane), railCurve)
		}
	}
	own := r.ownLane(ends)
	for _, lane := range ends {
		fmt.Fprintf(&paths, "M%d 0C%d %d %d %d %d %d", laneX(lane), laneX(lane), railTop/2, laneX(own), railTop/2, laneX(own), railTop)
	}
	if r.last[i] > i {
		fmt.Fprintf(&paths, "M%d %dV%d", laneX(own), railTop, railCurve)
		r.lanes[own] = i
	}
	row := railRow{Dot: laneX(own), Curves: template.HTML(paths.String())} //nolint:gosec // digits and path letters alone
	for lane, from := range r.lanes {
		if from != free {
			row.Below = append(row.Below, laneX(lane))
		}
	}
	return row
}

// ownLane picks the lane of a dot: one that ends here, or a free one, so that no other line passes
// through the dot.
func (r *railBuilder) ownLane(ends []int) int {
	for _, lane := range ends {
		if r.lanes[lane] == free {
			return lane
		}
	}
	if i := slices.Index(r.lanes, free); i >= 0 {
		return i
	}
	r.lanes = append(r.lanes, free)
	return len(r.lanes) - 1
}

func laneX(lane int) int { return railMargin + lane*railStep }
