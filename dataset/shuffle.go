package dataset

import (
	"context"
	"io"
	"math"
	"math/rand/v2"
	"sync"

	"github.com/tfrun/tfrun/tensor"
)

// ShuffleOptions are the arguments of shuffle beside the buffer size.
type ShuffleOptions struct {
	// Seed makes the order the same for every dataset built alike: the very order that tf.data
	// gives for this seed. nil: another order each time.
	Seed *int64
	// KeepOrder gives every iteration the same order, as reshuffle_each_iteration=False does.
	KeepOrder bool
}

// Seed returns a pointer to v, for [ShuffleOptions].
func Seed(v int64) *int64 { return &v }

// Shuffle takes elements at random from a buffer of bufferSize elements that it keeps filled:
// tf.data's shuffle. A size of -2 holds all elements. With a seed the order is TensorFlow's own for
// that seed, in every iteration. At most one options value may be given.
func (ds *Dataset) Shuffle(bufferSize int64, options ...ShuffleOptions) *Dataset {
	const op = "shuffle"
	if ds.err != nil {
		return ds
	}
	opts, err := one(options)
	if err != nil {
		return failed(buildErr(ValueError, op, "%v", err))
	}
	if bufferSize <= 0 && bufferSize != UnknownCardinality {
		return failed(buildErr(InvalidArgument, op, "buffer_size must be greater than zero or UNKNOWN_CARDINALITY, got %d", bufferSize))
	}
	seeds := newSeedGenerator(opts)
	return newDataset(ds.spec, ds.card, func(openOptions) (iterator, error) {
		size := bufferSize
		if size == UnknownCardinality {
			size = math.MaxInt64
		}
		return &shuffled{ds: ds, size: size, comps: len(ds.comps), rng: seeds.next()}, nil
	})
}

// shuffled is the iterator of Shuffle.
type shuffled struct {
	ds    *Dataset
	in    iterator // of ds, opened for the first element, as in TensorFlow; nil before
	size  int64
	comps int // number of components of an element
	rng   philox
	buf   []Element
	head  int // ring: the first held element is buf[head % len(buf)]
	n     int // number of elements held
	end   bool
}

func (it *shuffled) next(ctx context.Context, e *Element) (err error) {
	if it.in == nil && !it.end {
		if it.in, err = it.ds.open(openOptions{keep: true}); err != nil {
			it.end = true
			return err
		}
	}
	if err := it.fillUp(ctx); err != nil {
		return err
	}
	if it.n == 0 {
		return io.EOF
	}
	// ShuffleDataset swaps the element it picks with the first one, and lets the first one go.
	first := it.head % len(it.buf)
	pick := (it.head + int(int64(it.rng.next())%int64(it.n))) % len(it.buf)
	it.buf[first], it.buf[pick] = it.buf[pick], it.buf[first]
	// e's old slice of tensors is used again for a later element.
	*e, it.buf[first] = it.buf[first], *e
	it.head++
	it.n--
	return nil
}

func (it *shuffled) fillUp(ctx context.Context) error {
	for !it.end && int64(it.n) < it.size {
		if it.n == len(it.buf) {
			it.grow()
		}
		slot := &it.buf[(it.head+it.n)%len(it.buf)]
		err := it.in.next(ctx, slot)
		switch {
		case err == io.EOF: //nolint:errorlint // iterators return it bare
			it.end = true
		case err != nil:
			return err
		default:
			it.n++
		}
	}
	return nil
}

// grow makes the ring larger, up to the buffer's size.
func (it *shuffled) grow() {
	n := int(min(it.size, max(256, int64(4*len(it.buf)))))
	buf := make([]Element, n)
	for i := range it.n {
		buf[i] = it.buf[(it.head+i)%len(it.buf)]
	}
	slab := make([]tensor.Tensor, (n-it.n)*it.comps)
	for i := it.n; i < n; i++ {
		buf[i].Tensors, slab = slab[:0:it.comps], slab[it.comps:]
	}
	it.buf, it.head = buf, 0
}

func (it *shuffled) close() {
	if it.in != nil {
		it.in.close()
	}
}

// seedGenerator hands out the seeds of successive iterations.
type seedGenerator struct {
	mu    sync.Mutex
	fixed bool
	seed  [2]uint64
	rng   philox
}

// defaultSeed is TensorFlow's DEFAULT_GRAPH_SEED, the first of the two seeds where only an
// operation has one.
const defaultSeed = 87654321

// seedModulus is what TensorFlow's Python reduces seeds by, the greatest int32.
const seedModulus = math.MaxInt32

func newSeedGenerator(opts ShuffleOptions) *seedGenerator {
	g := &seedGenerator{fixed: opts.KeepOrder, seed: [2]uint64{rand.Uint64(), rand.Uint64()}}
	if opts.Seed != nil {
		g.seed = [2]uint64{defaultSeed, uint64((*opts.Seed%seedModulus + seedModulus) % seedModulus)}
	}
	g.rng = newPhilox(g.seed[0], g.seed[1])
	return g
}

func (g *seedGenerator) next() philox {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fixed {
		return newPhilox(g.seed[0], g.seed[1])
	}
	first := uint64(g.rng.next())
	return newPhilox(first, uint64(g.rng.next()))
}

// philox is the counter-based generator Philox4x32-10, as tensorflow::random::PhiloxRandom runs it,
// one 32-bit sample at a time.
type philox struct {
	counter [4]uint32
	key     [2]uint32
	out     [4]uint32
	used    int
}

func newPhilox(lo, hi uint64) philox {
	return philox{key: [2]uint32{uint32(lo), uint32(lo >> 32)}, counter: [4]uint32{2: uint32(hi), 3: uint32(hi >> 32)}, used: 4}
}

func (p *philox) next() uint32 {
	if p.used == 4 {
		p.round10()
		p.used = 0
	}
	p.used++
	return p.out[p.used-1]
}

func (p *philox) round10() {
	c, k := p.counter, p.key
	for range 10 {
		lo0, lo2 := uint64(c[0])*0xD2511F53, uint64(c[2])*0xCD9E8D57
		c = [4]uint32{uint32(lo2>>32) ^ c[1] ^ k[0], uint32(lo2), uint32(lo0>>32) ^ c[3] ^ k[1], uint32(lo0)}
		k[0] += 0x9E3779B9
		k[1] += 0xBB67AE85
	}
	p.out = c
	for i := range p.counter {
		if p.counter[i]++; p.counter[i] != 0 {
			break
		}
	}
}
