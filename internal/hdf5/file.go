package hdf5

import (
	"errors"
	"fmt"
	"io"
)

// ErrNotHDF5 is returned by [Open] for a file without HDF5's signature.
var ErrNotHDF5 = errors.New("not an HDF5 file")

// FormatError says what is wrong with a file, and where.
type FormatError struct {
	Offset uint64 // in bytes from the start of the HDF5 data
	Msg    string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("damaged at byte %d: %s", e.Offset, e.Msg)
}

// UnsupportedError names a feature of HDF5 that this package does not read.
type UnsupportedError struct{ What string }

func (e *UnsupportedError) Error() string { return e.What + " cannot be read" }

// Signature is found at the beginning of every HDF5 file: at byte 0, 512, 1024, 2048 and so on.
const Signature = "\x89HDF\r\n\x1a\n"

// undefined is the address that stands for "none".
const undefined = ^uint64(0)

// Bounds on the work for one file.
const (
	budgetFloor = 64 << 20
	maxMessages = 1 << 16 // of one header
	budgetLimit = 2 << 30
	maxDepth    = 64 // of trees, and of types within types
	maxRank     = 32 // of a dataset, as in HDF5 itself
	pageSize    = 16 << 10
	maxPages    = 1024 // in the cache: 16 MiB
)

// File is an open HDF5 file.
type File struct {
	r      io.ReaderAt
	base   int64  // where the HDF5 data starts
	size   uint64 // size of the HDF5 data, from base on
	budget int64  // bytes of structure that may still be read
	pages  map[uint64][]byte
	heaps  map[uint64]collection // global heaps, by address
	// Sizes of addresses and of lengths in this file, in bytes.
	addrSize, lengthSize int

	root header
}

// Open reads the superblock and the root group of the HDF5 file in r's first size bytes. It returns
// [ErrNotHDF5] where there is no signature. The caller keeps r open as long as the File is used.
func Open(r io.ReaderAt, size int64) (*File, error) {
	f := &File{r: r, pages: map[uint64][]byte{}, heaps: map[uint64]collection{}}
	f.budget = budgetFloor + min(4*min(size, budgetLimit), budgetLimit)
	base, err := findSignature(r, size)
	if err != nil {
		return nil, err
	}
	f.base, f.size = base, uint64(size-base)
	addr, err := f.superblock()
	if err != nil {
		return nil, err
	}
	if f.root, err = f.header(addr); err != nil {
		return nil, err
	}
	return f, nil
}

// findSignature returns where the HDF5 data starts.
func findSignature(r io.ReaderAt, size int64) (int64, error) {
	buf := make([]byte, len(Signature))
	for at := int64(0); at+int64(len(buf)) <= size; at = max(2*at, 512) {
		if _, err := r.ReadAt(buf, at); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if string(buf) == Signature {
			return at, nil
		}
	}
	return 0, ErrNotHDF5
}

// superblock reads the file's first structure and returns the address of the root group's header.
func (f *File) superblock() (uint64, error) {
	f.addrSize, f.lengthSize = 8, 8
	c, err := f.cursor(0, min(f.size, 160))
	if err != nil {
		return 0, err
	}
	c.skip(len(Signature))
	version := c.u8()
	if version > 3 {
		return 0, &UnsupportedError{fmt.Sprintf("version %d of HDF5's superblock", version)}
	}
	if version < 2 {
		c.skip(4) // versions of other structures, all 0
	}
	f.addrSize, f.lengthSize = int(c.u8()), int(c.u8())
	if !validSize(f.addrSize) || !validSize(f.lengthSize) {
		return 0, c.bad("addresses of %d and lengths of %d bytes", f.addrSize, f.lengthSize)
	}
	if version >= 2 {
		c.skip(1)              // flags
		c.skip(3 * f.addrSize) // base, extension, end of file
		return c.addr(), c.err
	}
	c.skip(1 + 2 + 2 + 4) // reserved, sizes of nodes, flags
	if version == 1 {
		c.skip(4)
	}
	c.skip(4*f.addrSize + f.addrSize) // base, free space, end of file, driver; name of the root
	return c.addr(), c.err
}

func validSize(n int) bool { return n == 2 || n == 4 || n == 8 }

// spend takes n bytes from the budget.
func (f *File) spend(n uint64, at uint64) error {
	if n > uint64(max(f.budget, 0)) {
		return &FormatError{at, "its structures are larger than any that describes so small a file"}
	}
	f.budget -= int64(n)
	return nil
}

// read returns n bytes of structure. The slice may be shared and must not be changed.
func (f *File) read(at, n uint64) ([]byte, error) {
	if at > f.size || n > f.size-at {
		return nil, &FormatError{at, fmt.Sprintf("%d bytes are wanted, beyond the end of the file", n)}
	}
	if err := f.spend(n, at); err != nil {
		return nil, err
	}
	page := at / pageSize
	if n == 0 || (at+n-1)/pageSize != page {
		buf := make([]byte, n)
		return buf, f.fill(buf, at)
	}
	p, ok := f.pages[page]
	if !ok {
		p = make([]byte, min(pageSize, f.size-page*pageSize))
		if err := f.fill(p, page*pageSize); err != nil {
			return nil, err
		}
		if len(f.pages) >= maxPages {
			clear(f.pages)
		}
		f.pages[page] = p
	}
	start := at % pageSize
	return p[start : start+n : start+n], nil
}

// fill reads the bytes at an address into buf, past the cache.
func (f *File) fill(buf []byte, at uint64) error {
	n, err := f.r.ReadAt(buf, f.base+int64(at))
	if n == len(buf) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}
