package kerasnames

import (
	"strconv"
	"strings"
)

// Unique replays Graph.unique_name of TensorFlow inside one name scope: what has been handed
// out, without regard to case.
type Unique map[string]int

// Take returns the name that opening a scope, or making an operation, called name comes out with.
func (used Unique) Take(name string) string {
	key := strings.ToLower(name)
	i := used[key]
	used[key] = i + 1
	if i == 0 {
		return name
	}
	base := key
	for {
		if _, taken := used[key]; !taken {
			break
		}
		key = base + "_" + strconv.Itoa(i)
		i++
	}
	used[key] = 1
	return name + "_" + strconv.Itoa(i-1)
}

// Mark notes that a name was handed out, for one whose own request is not known.
func (used Unique) Mark(name string) {
	key := strings.ToLower(name)
	if used[key] == 0 {
		used[key] = 1
	}
	if base, n, ok := CutNumber(key); ok && used[base] > 0 {
		used[base] = max(used[base], n+1)
	}
}

// Undo returns the name of the layer whose scope, opened the given number of times, came out as
// scope, and takes these names. Keras 3 opens a layer's scope twice, to build and to call it. ok is
// false when no name comes out so.
func (used Unique) Undo(scope string, opens int) (name string, ok bool) {
	candidates := Bases(scope)
	for i := len(candidates) - 1; i >= 0; i-- {
		trial := newTrial(used, candidates[i])
		got := ""
		for range opens {
			got = trial.Take(candidates[i])
		}
		if got == scope {
			for k, v := range trial {
				used[k] = v
			}
			return candidates[i], true
		}
	}
	return "", false
}

// TakeAll hands out the names of one call of a layer whose name is known.
func (used Unique) TakeAll(name string, opens int) {
	for range opens {
		used.Take(name)
	}
}

// newTrial copies what used says of a name and of the names that take would try for it.
func newTrial(used Unique, name string) Unique {
	key := strings.ToLower(name)
	trial := Unique{}
	if n, ok := used[key]; ok {
		trial[key] = n
	}
	for i := max(used[key], 1); ; i++ {
		k := key + "_" + strconv.Itoa(i)
		n, ok := used[k]
		if !ok && i > used[key]+4 {
			return trial
		}
		if ok {
			trial[k] = n
		}
	}
}
