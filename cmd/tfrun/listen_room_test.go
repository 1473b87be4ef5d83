package main

import (
	"context"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// guest is a client of a room, whose other end the test has.
func guest(t *testing.T, r *room) (*share, net.Conn) {
	t.Helper()
	ours, theirs := net.Pipe()
	s := r.enter(t.Context(), ours)
	t.Cleanup(func() { _ = theirs.Close() })
	return s, theirs
}

// TestRoomIsBounded lets forty clients send messages whose rows are answered only when two more
// have come, as rows of a batch are: all come to their end, and together they never hold more than
// the room and what one of them does.
func TestRoomIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const all, message = 512 << 20, 50 << 20
		r := newRoom(all)
		var held, most atomic.Int64
		var clients sync.WaitGroup
		for i := range 40 {
			s, _ := guest(t, r)
			clients.Go(func() {
				defer s.leave()
				mine := 0
				for k := range 10 {
					if err := s.Take(message); err != nil {
						t.Errorf("client %d, message %d: %v", i, k, err)
						return
					}
					most.Store(max(most.Load(), held.Add(message)))
					s.Owe(message, 5)
					time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
					if mine++; mine == 3 {
						held.Add(-3 * message)
						s.Delivered(15)
						mine = 0
					}
				}
				held.Add(int64(-mine) * message)
			})
		}
		clients.Wait()
		if n := most.Load(); n > all+4*message || n < all/2 {
			t.Errorf("%d bytes were held at most, of %d", n, all)
		}
		if r.little.held != 0 || r.much.held != 0 || r.little.over != nil || r.much.over != nil {
			t.Errorf("all have left, and the room is %+v, %+v", r.little, r.much)
		}
	})
}

// TestRoomEndsWhoHoldsAndWaits lets clients that send the beginning of a message, and then nothing,
// or take nothing, hold the whole room: one that sends little is not in their way, and one that
// sends much gets its turn.
func TestRoomEndsWhoHoldsAndWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const all = 512 << 20
		r := newRoom(all)
		var clients sync.WaitGroup
		var ended atomic.Int64
		var others []net.Conn
		for i := range 8 {
			s, theirs := guest(t, r)
			clients.Go(func() {
				defer s.leave()
				if err := s.Take(all / 2); err == nil {
					if i%2 == 0 {
						_, _ = s.Read(make([]byte, 1)) // the test looks at why it ended
					} else {
						_, _ = s.Write(make([]byte, 1))
					}
				}
				if err := s.ended(); err != nil {
					ended.Add(1)
					if !strings.Contains(err.Error(), "others waited") {
						t.Errorf("client %d: %v", i, err)
					}
				}
			})
			others = append(others, theirs)
		}
		synctest.Wait()
		start := time.Now()
		little, _ := guest(t, r)
		if err := little.Take(1 << 20); err != nil || time.Since(start) > 0 {
			t.Errorf("one that sends little waits %v, %v", time.Since(start), err)
		}
		much, _ := guest(t, r)
		if err := much.Take(all / 2); err != nil || time.Since(start) > 8*patience {
			t.Errorf("one that sends much waits %v, %v", time.Since(start), err)
		}
		if n := ended.Load(); n == 0 {
			t.Error("nobody was ended")
		}
		for _, c := range others {
			_ = c.Close()
		}
		much.leave()
		clients.Wait()
		little.leave()
	})
}

// TestRoomLeavesTheHonestAlone holds that nobody is ended whom no other waits for, whom the model
// makes wait, or who holds less than others.
func TestRoomLeavesTheHonestAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const all = 512 << 20
		r := newRoom(all)
		idle, _ := guest(t, r)
		computing, _ := guest(t, r)
		if err := computing.Feed(all); err != nil {
			t.Fatal(err)
		}
		for _, s := range []*share{idle, computing} {
			go func() { _, _ = s.Read(make([]byte, 1)) }() // the test ends it
		}
		time.Sleep(10 * patience)
		waits, _ := guest(t, r)
		took := make(chan error)
		go func() { took <- waits.Take(all / 2) }()
		time.Sleep(10 * patience)
		for name, s := range map[string]*share{"idle": idle, "computing": computing, "waiting": waits} {
			if err := s.ended(); err != nil {
				t.Errorf("the client that is %s: %v", name, err)
			}
		}
		computing.Fed(all)
		if err := <-took; err != nil {
			t.Error(err)
		}
		for _, s := range []*share{idle, computing, waits} {
			s.leave()
			_ = s.Close()
		}
	})
}

// TestRoomRefusesWhatNeverFits holds that a message larger than the whole room is refused, and that
// who waits is told when the process ends.
func TestRoomRefusesWhatNeverFits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(512 << 20)
		s, _ := guest(t, r)
		if err := s.Take(512<<20 + 1); err == nil || !strings.Contains(err.Error(), "--max-batch-memory") {
			t.Errorf("more than there is: %v", err)
		}
		if err := s.Take(512 << 20); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ours, theirs := net.Pipe()
		defer theirs.Close()
		late := r.enter(ctx, ours)
		told := make(chan error)
		go func() { told <- late.Take(1 << 28) }()
		synctest.Wait()
		cancel()
		if err := <-told; err != context.Canceled { //nolint:errorlint // the context's own
			t.Errorf("the process ends: %v", err)
		}
		late.leave()
		s.leave()
	})
}
