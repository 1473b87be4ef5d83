package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// room is the memory that the clients of --listen have between them: what of each came and is not
// answered yet, and the batches that are made of it. A client that needs more waits until others
// have been answered.
//
// A quarter is for clients that hold little, so that those that hold much are not in their way. In
// each part the one that has waited longest may go beyond the whole, but no other meanwhile: rows
// may have to wait for later ones of their client before they are answered, and so all clients for
// each other. Who sends or takes nothing meanwhile is ended.
type room struct {
	mu      sync.Mutex // guards all that follows, and the fields of shares
	few     int64      // most bytes of a client that holds little
	clients map[*share]struct{}
	little  part // of clients that hold few bytes
	much    part
	changed chan struct{} // is closed when something was given back
}

// part is a part of a room.
type part struct {
	all, held int64
	shares    int
	over      *share   // may go beyond all
	waiting   []*share // in the order in which they came
}

const (
	// shareOf is what a client holds that has sent nothing: goroutines and buffers.
	shareOf = 256 << 10
	// patience is how long a client may send or take nothing while it holds what others wait for.
	patience = 20 * time.Second
)

// newRoom returns a room of so many bytes.
func newRoom(all int64) *room {
	return &room{few: all / 128, clients: map[*share]struct{}{}, little: part{all: all / 4}, much: part{all: all - all/4}, changed: make(chan struct{})}
}

// share is what one client has of a room. It is the client's connection, too.
type share struct {
	net.Conn
	room *room
	stop func() bool

	part             *part
	held             int64 // bytes
	fed              int64 // of them, those that the model is given
	owed             []debt
	moved            time.Time // when it last asked for more, or was answered
	reading, writing bool
	err              error // why it was ended
}

// debt are bytes that are given back when rows are delivered.
type debt struct{ bytes, rows int64 }

// enter gives a client a share, until it leaves or ctx is done.
func (r *room) enter(ctx context.Context, c net.Conn) *share {
	s := &share{Conn: c, room: r, part: &r.little, moved: time.Now()}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clients[s] = struct{}{}
	r.little.shares++
	s.held, r.little.held = shareOf, r.little.held+shareOf
	s.stop = context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		s.end(ctx.Err())
	})
	return s
}

// leave gives back all that the client holds.
func (s *share) leave() {
	s.stop()
	r := s.room
	r.mu.Lock()
	defer r.mu.Unlock()
	s.give(s.held)
	delete(r.clients, s)
	s.part.shares--
	if s.part.over == s {
		s.part.over = nil
	}
	s.err = net.ErrClosed
}

// ended returns why the client was ended, or nil.
func (s *share) ended() error {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	return s.err
}

// Take waits until there is room for so many bytes more.
func (s *share) Take(bytes int64) error {
	r := s.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if most := r.little.all + r.much.all; bytes > most {
		return fmt.Errorf("a message or a batch that takes %d bytes; the clients of --listen may hold %d: raise --max-batch-memory", bytes, most)
	}
	s.moved = time.Now()
	for s.err == nil && !s.fits(bytes) {
		if !slices.Contains(s.part.waiting, s) {
			s.part.waiting = append(s.part.waiting, s)
		}
		changed := r.changed
		r.mu.Unlock()
		select {
		case <-changed:
		case <-time.After(patience / 4):
		}
		r.mu.Lock()
		r.endIdle(s.part)
	}
	s.part.waiting = slices.DeleteFunc(s.part.waiting, func(other *share) bool { return other == s })
	if s.err != nil {
		return s.err
	}
	s.moved = time.Now()
	s.held += bytes
	s.part.held += bytes
	return nil
}

// fits reports whether the client may hold so many bytes more. One that holds much by then goes to
// the other part of the room.
func (s *share) fits(bytes int64) bool {
	r := s.room
	if to := &r.much; s.part != to && s.held+bytes > r.few {
		s.move(to)
	}
	p := s.part
	first := len(p.waiting) == 0 || p.waiting[0] == s
	if p.over == nil && first && p.held+bytes > p.all {
		p.over = s
	}
	return p.over == s || p.held+bytes <= p.all
}

// move takes the client to another part of the room.
func (s *share) move(to *part) {
	from := s.part
	from.waiting = slices.DeleteFunc(from.waiting, func(other *share) bool { return other == s })
	from.held, from.shares = from.held-s.held, from.shares-1
	to.held, to.shares = to.held+s.held, to.shares+1
	if from.over == s {
		from.over = nil
	}
	s.part = to
}

// give gives bytes back. The room's mutex is held.
func (s *share) give(bytes int64) {
	s.held -= bytes
	s.part.held -= bytes
	if little := &s.room.little; s.part != little && s.held <= s.room.few {
		s.move(little)
	}
	if s.part.over == s && s.part.held <= s.part.all {
		s.part.over = nil
	}
	close(s.room.changed)
	s.room.changed = make(chan struct{})
}

// Give gives bytes back.
func (s *share) Give(bytes int64) {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	s.give(bytes)
}

// Feed is Take for a batch that is on its way to the model until Fed.
func (s *share) Feed(bytes int64) error {
	err := s.Take(bytes)
	if err == nil {
		s.room.mu.Lock()
		defer s.room.mu.Unlock()
		s.fed += bytes
	}
	return err
}

// Fed gives back what Feed took.
func (s *share) Fed(bytes int64) {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	s.moved = time.Now()
	s.fed -= bytes
	s.give(bytes)
}

// Owe says that bytes are given back once so many rows more are delivered.
func (s *share) Owe(bytes, rows int64) {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	s.moved = time.Now()
	s.owed = append(s.owed, debt{bytes, rows})
	s.pay()
}

// Delivered says that the results of so many rows were taken.
func (s *share) Delivered(rows int) {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	s.moved = time.Now()
	if len(s.owed) > 0 { // results of no rows that came have none
		s.owed[0].rows -= int64(rows)
		s.pay()
	}
}

// pay gives back what is no longer owed. Rows that were delivered beyond those of a message are
// those of the next.
func (s *share) pay() {
	for len(s.owed) > 0 && s.owed[0].rows <= 0 {
		paid := s.owed[0]
		s.owed = s.owed[1:]
		s.give(paid.bytes)
		if len(s.owed) > 0 {
			s.owed[0].rows += paid.rows
		}
	}
}

// Read reads what the client sends.
func (s *share) Read(b []byte) (int, error) {
	s.note(&s.reading, true)
	defer s.note(&s.reading, false)
	return s.Conn.Read(b)
}

// Write writes what the client takes.
func (s *share) Write(b []byte) (int, error) {
	s.note(&s.writing, true)
	defer s.note(&s.writing, false)
	return s.Conn.Write(b)
}

func (s *share) note(what *bool, is bool) {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	*what = is
}

// endIdle ends the clients that keep others of their part waiting: they hold as much as others, or
// more, and have sent or taken nothing for a while, though the model is done with what they sent.
func (r *room) endIdle(p *part) {
	for s := range r.clients {
		waits := s.writing || s.reading && s.fed == 0
		if s.part == p && s.held >= p.held/int64(p.shares) && waits && time.Since(s.moved) >= patience {
			s.end(fmt.Errorf("others waited for the memory of rows of which none more came, or whose results were not taken, for %v", patience))
		}
	}
}

// end ends the client's reading, writing and waiting with an error.
func (s *share) end(err error) {
	if s.err != nil {
		return
	}
	s.err = err
	_ = s.SetDeadline(time.Unix(1, 0)) // fails only where it is closed
	close(s.room.changed)
	s.room.changed = make(chan struct{})
}
