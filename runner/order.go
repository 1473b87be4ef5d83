package runner

import "container/heap"

// deliver yields the results of jobs in the order of their rows, and reports false when the consumer has had enough or an error ended it.
func deliver(done <-chan *job, yield func(Result, error) bool) bool {
	var rows rowOrder
	waiting := map[int64]*job{} // finished before one that was read earlier
	next := int64(0)
	for j := range done {
		waiting[j.seq] = j
		for j := waiting[next]; j != nil; j = waiting[next] {
			delete(waiting, next)
			next++
			for _, r := range j.results {
				if j.err == nil {
					rows.add(r, j.inOrder)
				}
			}
			if !rows.yield(yield, j.err != nil) {
				return false
			}
			if j.err != nil {
				yield(Result{}, j.err)
				return false
			}
		}
	}
	return rows.yield(yield, true)
}

// rowOrder brings results into the order of their row numbers.
type rowOrder struct {
	heap resultHeap
	next int64 // the lowest row that may still come: everything below may be yielded
}

// add takes a result. last says that no lower row will come later.
func (o *rowOrder) add(r Result, last bool) {
	heap.Push(&o.heap, r)
	if last {
		o.next = max(o.next, r.Row+1)
	}
}

// yield passes on the results whose turn has come, all of them at the end. It reports false when the consumer has had enough.
func (o *rowOrder) yield(yield func(Result, error) bool, all bool) bool {
	for len(o.heap) > 0 && (all || o.heap[0].Row <= o.next) {
		r := heap.Pop(&o.heap).(Result)
		o.next = max(o.next, r.Row+1)
		if !yield(r, nil) {
			return false
		}
	}
	return true
}

// resultHeap is a min-heap by row.
type resultHeap []Result

func (h resultHeap) Len() int           { return len(h) }
func (h resultHeap) Less(i, j int) bool { return h[i].Row < h[j].Row }
func (h resultHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *resultHeap) Push(x any) { *h = append(*h, x.(Result)) }

// Pop implements heap.Interface.
func (h *resultHeap) Pop() any {
	old := *h
	r := old[len(old)-1]
	old[len(old)-1] = Result{}
	*h = old[:len(old)-1]
	return r
}
