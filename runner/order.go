package runner

import "container/heap"

// deliver hands the results of jobs to emit in the order of their rows, from row from on. It ends
// with the error of a job or of emit, which it returns: until then emit got every row up to some
// number. leave is told of each job whose results were taken.
func deliver(done <-chan *job, from int64, emit func(*ResultBatch) error, leave func(*job)) error {
	rows := rowOrder{from: from, emit: emit}
	waiting := map[int64]*job{} // finished before one that was read earlier
	next := int64(0)
	for j := range done {
		waiting[j.seq] = j
		for j := waiting[next]; j != nil; j = waiting[next] {
			delete(waiting, next)
			next++
			if j.err == nil {
				j.err = rows.add(j)
			}
			if j.err != nil {
				return j.err // rows that wait for one that will not come are no results
			}
			leave(j)
		}
	}
	return rows.pass(true)
}

// rowOrder brings results into the order of their row numbers.
type rowOrder struct {
	heap resultHeap
	next int64 // the lowest row that may still come: all below it may be handed on
	from int64
	emit func(*ResultBatch) error
	one  [1]Result
}

// add takes the results of a job, and hands on those whose turn has come.
func (o *rowOrder) add(j *job) error {
	n := j.Len()
	if j.inOrder && n > 0 && (len(o.heap) == 0 || o.heap[0].Row > j.Row(n-1)) {
		// Nothing comes in between.
		o.next = max(o.next, j.Row(n-1)+1)
		b, err := j.from(o.from)
		if err == nil && b.Len() > 0 {
			err = o.emit(b)
		}
		if err != nil {
			return err
		}
		return o.pass(false)
	}
	for i := range n {
		r, err := j.Result(i)
		if err != nil {
			return err
		}
		heap.Push(&o.heap, r)
		if j.inOrder {
			o.next = max(o.next, r.Row+1)
		}
	}
	return o.pass(false)
}

// pass hands on the results whose turn has come, or all of them.
func (o *rowOrder) pass(all bool) error {
	for len(o.heap) > 0 && (all || o.heap[0].Row <= o.next) {
		r := heap.Pop(&o.heap).(Result)
		o.next = max(o.next, r.Row+1)
		if r.Row < o.from {
			continue
		}
		o.one[0] = r
		if err := o.emit(&ResultBatch{rows: o.one[:]}); err != nil {
			return err
		}
	}
	return nil
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
