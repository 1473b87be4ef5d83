package tfrecord

import (
	"fmt"
	"math"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/dtypes"
	"github.com/tfrun/tfrun/tensor"
)

// shape works out the sizes of a row's value. steps are the numbers of values of a feature list's
// features, nil for a plain feature.
func (j *job) shape(target int, steps []int64) (msg string) {
	s, comp := &j.stores[target], &j.p.comps[target].Component
	n := int64(s.len(comp.DType.Size()) - s.starts[len(s.starts)-1])
	if n > j.p.max {
		return fmt.Sprintf("%d values are more than the limit of %d", n, j.p.max)
	}
	var dims []int64
	ok := true
	switch {
	case comp.Ragged:
		return j.ragged(s, comp, steps, n)
	case steps != nil:
		dims, ok = stepDims(comp, steps)
	case n == 0:
		dims, ok = emptyDims(comp)
	case n > math.MaxInt32:
		ok = false
	default:
		dims, ok = comp.Side(int(n))
	}
	if !ok {
		if steps != nil {
			return fmt.Sprintf("a feature list of %d steps does not fill the shape %v", len(steps), comp.Shape)
		}
		return fmt.Sprintf("%d values do not fill the shape %v", n, comp.Shape)
	}
	s.dims = append(s.dims, dims...)
	return ""
}

// stepDims returns the sizes of a feature list whose features have equal numbers of values.
func stepDims(comp *dataset.Component, steps []int64) ([]int64, bool) {
	n := int64(len(steps))
	each := int64(1)
	if n > 0 {
		each = steps[0]
	}
	for _, l := range steps {
		if l != each {
			return nil, false
		}
	}
	inner := *comp
	inner.Shape = comp.Shape.Drop(1)
	rest, ok := emptyDims(&inner)
	if n > 0 && each > 0 {
		rest, ok = inner.Side(int(each))
	}
	dims := append([]int64{n}, rest...)
	return dims, ok && comp.Shape.Admits(dims)
}

// emptyDims returns the sizes of a row without values; ok is false where the component's shape
// allows none.
func emptyDims(comp *dataset.Component) ([]int64, bool) {
	if !comp.Shape.Ranked() {
		return []int64{0}, true
	}
	dims, zero := comp.Shape.Dims(), false
	for i, d := range dims {
		dims[i] = max(d, 0)
		zero = zero || dims[i] == 0
	}
	return dims, zero
}

// ragged works out the row splits and the sizes of a row of n values whose component is ragged; for
// steps see [job.shape].
func (j *job) ragged(s *store, comp *dataset.Component, steps []int64, n int64) (msg string) {
	splits := []tensor.Tensor{}
	switch {
	case comp.RaggedRank == 1 && steps != nil:
		at := make([]int64, 1, len(steps)+1)
		for _, l := range steps {
			at = append(at, at[len(at)-1]+l)
		}
		split := tensor.Vector(at...)
		if comp.SplitsDType == tensor.Int32 {
			narrow, err := tensor.New(tensor.Int32, int64(len(at)))
			if err != nil {
				return err.Error()
			}
			dtypes.Convert(narrow, split)
			split = narrow
		}
		splits = append(splits, split)
	case comp.RaggedRank == 0 && steps == nil:
	default:
		return fmt.Sprintf("a ragged value with %d levels of splits is no %s", comp.RaggedRank, map[bool]string{true: "feature list", false: "feature"}[steps != nil])
	}
	inner := *comp
	inner.Ragged, inner.Shape = false, comp.Shape.Drop(comp.RaggedRank)
	dims, ok := []int64{0}, true
	if n > 0 {
		dims, ok = inner.Side(int(n))
	}
	if !ok || len(dims) == 0 {
		return fmt.Sprintf("%d values do not fill the shape %v", n, comp.Shape)
	}
	s.splits = append(s.splits, splits)
	s.dims = append(s.dims, dims...)
	return ""
}

// complete fills in the features that the row lacks, or fails.
func (j *job) complete() (path, msg string) {
	for c := range j.stores {
		s, comp := &j.stores[c], &j.p.comps[c]
		if len(comp.names) > 1 {
			if path, msg := j.sideBySide(c); msg != "" {
				return path, msg
			}
			continue
		}
		if s.seen {
			continue
		}
		var steps []int64
		if comp.Ragged && comp.RaggedRank == 1 {
			steps = []int64{}
		}
		if j.shape(c, steps) == "" || s.putFill(comp) && j.shape(c, nil) == "" {
			continue
		}
		return comp.path, fmt.Sprintf("the row has no feature %q, and the shape %v takes no empty value", comp.names[0], comp.Shape)
	}
	return "", ""
}

// putFill adds the value that takes the place of a missing one, and reports false if there is none.
func (s *store) putFill(comp *component) bool {
	switch {
	case comp.fill.DType() == tensor.Invalid:
		return false
	case comp.DType == tensor.String:
		s.putString([]byte(comp.fill.Strings()[0]))
	default:
		s.data = append(s.data, comp.fill.Bytes()...)
	}
	return true
}

// sideBySide puts the values of a component's several features into the order of the component,
// whatever their order in the record.
func (j *job) sideBySide(c int) (path, msg string) {
	s, comp := &j.stores[c], &j.p.comps[c]
	for slot, name := range comp.names {
		if slices.Contains(s.slots, slot) {
			continue
		}
		if !s.putFill(comp) {
			return name, "the row has no value of the feature"
		}
		s.slots = append(s.slots, slot)
	}
	if !slices.IsSorted(s.slots) {
		s.arrange(s.slots, comp.DType.Size())
	}
	return comp.path, j.shape(c, nil)
}
