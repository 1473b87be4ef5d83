package runner

import (
	"math"
	"sync"
	"sync/atomic"
)

// gate counts those who use something, until it is shut. Unlike a sync.RWMutex, it holds nobody up
// while the last users take their time: those who come then are told at once that it is shut.
type gate struct {
	users   atomic.Int64 // beside shut, once the gate is shut
	shutter sync.Mutex   // held by one who shuts the gate
	empty   chan struct{}
}

// shut makes the count of users negative.
const shut = math.MinInt64

// enter begins a use, which leave ends; it reports false when the gate is shut.
func (g *gate) enter() bool {
	if g.users.Add(1) > 0 {
		return true
	}
	g.leave()
	return false
}

func (g *gate) leave() {
	if g.users.Add(-1) != shut {
		return
	}
	select {
	case g.empty <- struct{}{}:
	default: // it was told already
	}
}

// close shuts the gate, waits for the last user to leave and calls last, once. Others who close the
// gate wait for the end of that.
func (g *gate) close(last func() error) error {
	g.shutter.Lock()
	defer g.shutter.Unlock()
	if g.users.Load() < 0 {
		return nil
	}
	g.empty = make(chan struct{}, 1)
	for g.users.Add(shut); g.users.Load() != shut; {
		<-g.empty
	}
	return last()
}
