package scan

import (
	"fmt"
	"math"
)

// mostCalls bounds the number of calls that running a function makes, counting the calls inside
// each called function. TensorFlow replaces all of them by function bodies before the first run.
// Models of a thousand layers make some 100,000.
const mostCalls = 1 << 24

// mostDeep bounds how deep calls nest. The time that TensorFlow takes grows with the square of it:
// 2 s for 100 levels, 12 for 300, minutes for 3,000. Models have some ten.
const mostDeep = 100

// endless finds functions that call themselves, directly or not, and functions that make more than
// [mostCalls] calls, or whose calls nest deeper than [mostDeep]. TensorFlow would replace calls by
// function bodies until the stack, or the day, is used up.
func (s *scanner) endless() {
	found := func(function string, c *scanCall, detail string) {
		f := Finding{Kind: EndlessCalls, Severity: Dormant, Function: function, Node: c.node, Layer: s.layer(function, c.node), Detail: detail}
		s.reachedBy(&f)
		s.found(f)
	}
	cost := map[string]float64{} // calls made by a function; infinite while it is being counted
	depth := map[string]int{}    // levels of calls in it
	type frame struct {
		name string
		next int
	}
	for _, root := range s.order {
		if _, done := cost[root]; done || root == "" {
			continue
		}
		cost[root] = math.Inf(1)
		for stack := []frame{{name: root}}; len(stack) > 0; {
			at := &stack[len(stack)-1]
			body := s.functions[at.name]
			if at.next == len(body.calls) {
				sum, deep := float64(len(body.calls)), 0
				for _, c := range body.calls {
					deep = max(deep, depth[c.callee]+1)
					if c.node == "" {
						continue // both attributes name the same function
					}
					if below := cost[c.callee]; !math.IsInf(below, 1) {
						sum += below
					}
				}
				detail := ""
				switch {
				case sum > mostCalls:
					detail = fmt.Sprintf("comes to more than %d calls", mostCalls)
					sum = 0 // reported here, so the functions that call it are not
				case deep == mostDeep+1:
					detail = fmt.Sprintf("nests calls more than %d deep", mostDeep)
				}
				if detail != "" {
					found(at.name, body.calls[0], detail)
				}
				cost[at.name], depth[at.name] = sum, min(deep, mostDeep+2)
				stack = stack[:len(stack)-1]
				continue
			}
			c := body.calls[at.next]
			at.next++
			below, seen := cost[c.callee]
			switch {
			case c.node == "" || s.functions[c.callee] == nil:
			case !seen:
				cost[c.callee] = math.Inf(1)
				stack = append(stack, frame{name: c.callee})
			case math.IsInf(below, 1):
				found(at.name, c, fmt.Sprintf("calls %q, which calls it", c.callee))
			}
		}
	}
}
