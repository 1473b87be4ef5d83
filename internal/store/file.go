package store

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tfrun/tfrun/internal/crash"
)

// An object is read in blocks of blockSize bytes. Some are fetched ahead, and some are kept.
const (
	blockSize  = 1 << 20
	mostAhead  = 6  // blocks fetched ahead for a reader that reads in order
	mostBlocks = 32 // blocks kept of a file that is read at any place
)

// A block whose connection breaks is fetched from where it broke, in up to mostTries tries.
const (
	mostTries = 6
	progress  = 64 << 10 // bytes after which tries are counted anew
)

// Times are waiting times. Tests shorten them.
var Times = struct {
	Stall   time.Duration // without a byte, until a connection counts as broken
	Backoff time.Duration // the longest wait before another try
}{30 * time.Second, 10 * time.Second}

// pause returns how long to wait after a try.
func pause(try int) time.Duration {
	most := min(100*time.Millisecond<<try, Times.Backoff)
	return most/2 + rand.N(most/2+1) //nolint:gosec // no secret
}

// File is an open object, in the version that it had when it was opened. It is read from its
// beginning, or at any place, by several goroutines at the same time. If the object is replaced
// meanwhile, reading fails.
type File struct {
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	bucket Bucket
	name   string
	key    string
	info   Info
	count  *atomic.Int64
	at     int64 // place of the next Read

	mu       sync.Mutex // guards the fields below
	blocks   map[int64]*block
	clock    int64
	anywhere bool // the file is read at other places than its beginning
	fetching sync.WaitGroup
}

// block is a part of a file. Its data can be read once done is closed.
type block struct {
	done chan struct{}
	data []byte
	err  error
	used int64 // time of the last use, by the file's clock
}

// Open opens an object. Once ctx is done, reading fails with its error. count, if not nil, is
// increased by the bytes that are read.
func Open(ctx context.Context, name string, count *atomic.Int64) (*File, error) {
	info, err := Known(ctx, name)
	if err != nil {
		return nil, err
	}
	b, key, err := bucketOf(ctx, name)
	if err != nil {
		return nil, err
	}
	f := &File{bucket: b, name: name, key: key, info: info, count: count, blocks: map[int64]*block{}}
	f.ctx, f.cancel = context.WithCancel(ctx)
	return f, nil
}

// Size returns the size of the object in bytes.
func (f *File) Size() int64 { return f.info.Size }

// Read reads the next bytes.
func (f *File) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := f.readAt(p, f.at)
	f.at += int64(n)
	f.counted(n)
	return n, err
}

// ReadAt reads at a place.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	if off >= blockSize {
		f.mu.Lock()
		f.anywhere = true
		f.mu.Unlock()
	}
	n, err := f.Uncounted().ReadAt(p, off)
	f.counted(n)
	return n, err
}

func (f *File) counted(n int) {
	if f.count != nil {
		f.count.Add(int64(n))
	}
}

// Uncounted returns a reader of the file that does not increase the count of bytes. It is for
// looking at a file before its rows are read.
func (f *File) Uncounted() io.ReaderAt { return uncounted{f} }

type uncounted struct{ f *File }

// ReadAt reads at a place.
func (u uncounted) ReadAt(p []byte, off int64) (total int, err error) {
	for total < len(p) && err == nil {
		var n int
		n, err = u.f.readAt(p[total:], off+int64(total))
		total += n
	}
	return total, err
}

// readAt reads from one block at most.
func (f *File) readAt(p []byte, off int64) (int, error) {
	if off >= f.info.Size {
		return 0, io.EOF
	}
	i := off / blockSize
	b := f.block(i)
	select {
	case <-b.done:
	case <-f.ctx.Done():
		return 0, f.ctx.Err()
	}
	if b.err != nil {
		return 0, b.err
	}
	return copy(p, b.data[off-i*blockSize:]), nil
}

// block returns block i, which may still be fetched. The more of the blocks before it are there,
// the more blocks after it are fetched too.
func (f *File) block(i int64) *block {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clock++
	b := f.start(i)
	b.used = f.clock
	ahead := int64(0)
	for ahead < mostAhead && f.blocks[i-ahead-1] != nil {
		ahead++
	}
	if !f.anywhere && i > 0 {
		ahead = mostAhead
	}
	for k := int64(1); k <= ahead && (i+k)*blockSize < f.info.Size; k++ {
		f.start(i + k).used = f.clock
	}
	f.evict()
	return b
}

// start returns block i, and begins to fetch it if it is not there.
func (f *File) start(i int64) *block {
	if b := f.blocks[i]; b != nil {
		return b
	}
	b := &block{done: make(chan struct{})}
	f.blocks[i] = b
	f.fetching.Add(1)
	crash.Go(func() error { return f.fetch(i, b) }, func(err error) {
		b.err = err
		close(b.done)
		f.fetching.Done()
	})
	return b
}

// evict drops the blocks that have not been used for longest.
func (f *File) evict() {
	most := mostBlocks
	if !f.anywhere {
		most = mostAhead + 2
	}
	for len(f.blocks) > most {
		oldest := int64(-1)
		for i, b := range f.blocks {
			if oldest < 0 || b.used < f.blocks[oldest].used || b.used == f.blocks[oldest].used && i < oldest {
				oldest = i
			}
		}
		delete(f.blocks, oldest)
	}
}

// errStalled says that a store sent nothing for [Times].Stall.
var errStalled = errors.New("no data came for too long")

// fetch reads a block, in several tries if necessary.
func (f *File) fetch(i int64, b *block) error {
	from := i * blockSize
	data := make([]byte, min(blockSize, f.info.Size-from))
	got := 0
	for try := 0; ; try++ {
		n, opened, err := f.get(data[got:], from+int64(got))
		got += n
		switch {
		case got == len(data):
			b.data = data
			return nil
		case f.ctx.Err() != nil:
			return f.ctx.Err()
		case !opened:
			// The bucket itself has tried several times to connect.
			return named(f.name, err)
		case n >= progress:
			try = 0
		case try == mostTries:
			return &Error{Name: f.name, Msg: "the connection broke again and again: " + err.Error(), Err: err}
		}
		select {
		case <-time.After(pause(try)):
		case <-f.ctx.Done():
			return f.ctx.Err()
		}
	}
}

// get reads as much of a range as one connection sends; opened reports that there was a connection.
func (f *File) get(p []byte, from int64) (n int, opened bool, err error) {
	ctx, cancel := context.WithCancelCause(f.ctx)
	defer cancel(nil)
	watch := time.AfterFunc(Times.Stall, func() { cancel(errStalled) })
	defer watch.Stop()
	r, err := f.bucket.Range(ctx, f.key, f.info, from, int64(len(p)))
	if errors.Is(context.Cause(ctx), errStalled) && err != nil {
		return 0, true, errStalled
	}
	if err != nil {
		return 0, false, err
	}
	defer r.Close() //nolint:errcheck // nothing was written
	for n < len(p) && err == nil {
		var m int
		m, err = r.Read(p[n:])
		n += m
		watch.Reset(Times.Stall)
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if errors.Is(context.Cause(ctx), errStalled) {
		err = errStalled
	}
	return n, true, err
}

// Close ends the reading, and waits for blocks that are being fetched.
func (f *File) Close() error {
	f.cancel()
	f.fetching.Wait()
	return nil
}
