package shapes

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
)

// The rail is the column of lines beside the rows of the page's layer table: a layer graph that needs no more room than the table has.
const (
	railStep   = 16 // between lanes
	railMargin = 10
	railTop    = 22 // where a row's dot is
	railCurve  = 44 // the height of the part of a row that has curves
	mostLanes  = 12
)

// railRow is the piece of the rail beside one row.
type railRow struct {
	Width  int
	Dot    int           // the dot's x
	Curves template.HTML // paths in the top part of the row
	Below  []int         // the x of the lines that run on below it
}

// rails works out the rail of rows that stand in an order in which edges lead down; others are left out.
// It returns nil when the edges would take too many lanes.
func rails(rows []*vertex) []railRow {
	at := make(map[*vertex]int, len(rows))
	for i, v := range rows {
		at[v] = i
	}
	last := func(v *vertex) int { // the row of the last that takes v
		n := -1
		for _, to := range v.out {
			if i, ok := at[to]; ok && i > at[v] {
				n = max(n, i)
			}
		}
		return n
	}
	var lanes []*vertex // what runs in each lane, nil for a free one
	out := make([]railRow, len(rows))
	width := 0
	for i, v := range rows {
		var paths strings.Builder
		var from []int
		for lane, u := range lanes {
			if u != nil && slices.Contains(v.in, u) {
				from = append(from, lane)
			}
		}
		before := slices.Clone(lanes)
		for lane, u := range lanes {
			if u != nil && last(u) <= i {
				lanes[lane] = nil
			}
		}
		lane := ownLane(lanes, from)
		for len(lanes) <= lane {
			lanes = append(lanes, nil)
		}
		for _, f := range from {
			fmt.Fprintf(&paths, "M%d 0C%d %d %d %d %d %d", laneX(f), laneX(f), railTop/2, laneX(lane), railTop/2, laneX(lane), railTop)
		}
		for k, u := range before {
			if u != nil && lanes[k] == u {
				fmt.Fprintf(&paths, "M%d 0V%d", laneX(k), railCurve)
			}
		}
		if last(v) > i {
			if lanes[lane] != nil { // the dot sits on a line that runs on: give its own another lane
				free := freeLane(lanes)
				lanes = append(lanes, make([]*vertex, max(0, free+1-len(lanes)))...)
				fmt.Fprintf(&paths, "M%d %dC%d %d %d %d %d %d", laneX(lane), railTop, laneX(lane), railCurve, laneX(free), railTop, laneX(free), railCurve)
				lanes[free] = v
			} else {
				fmt.Fprintf(&paths, "M%d %dV%d", laneX(lane), railTop, railCurve)
				lanes[lane] = v
			}
		}
		if len(lanes) > mostLanes {
			return nil
		}
		out[i] = railRow{Dot: laneX(lane), Curves: template.HTML(paths.String())} //nolint:gosec // digits and path letters alone
		for k, u := range lanes {
			if u != nil {
				out[i].Below = append(out[i].Below, laneX(k))
			}
		}
		width = max(width, len(lanes))
	}
	for i := range out {
		out[i].Width = 2*railMargin + (width-1)*railStep
	}
	return out
}

func laneX(lane int) int { return railMargin + lane*railStep }

// ownLane picks the lane of a dot: one that ends here, else a free one, so that no other line runs through the dot.
func ownLane(lanes []*vertex, from []int) int {
	for _, f := range from {
		if lanes[f] == nil {
			return f
		}
	}
	return freeLane(lanes)
}

func freeLane(lanes []*vertex) int {
	if i := slices.Index(lanes, nil); i >= 0 {
		return i
	}
	return len(lanes)
}
