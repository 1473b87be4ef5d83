package savedmodel

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"github.com/tfrun/tfrun/tensor"
)

// maxRead bounds what [Checkpoint.Read] takes into memory at once.
const maxRead = 1 << 33

// section returns a reader of an entry's bytes, and the file to close.
func (c *Checkpoint) section(t *CheckpointTensor) (*io.SectionReader, *os.File, error) {
	path := c.ShardFile(t.Shard)
	f, size, err := c.open(filepath.Base(path))
	if err != nil {
		return nil, nil, err
	}
	if size < t.Offset+t.Size {
		f.Close()
		return nil, nil, formatError(path, "is cut off: %d bytes long, entry %q ends at %d", size, t.Key, t.Offset+t.Size)
	}
	return io.NewSectionReader(f, t.Offset, t.Size), f, nil
}

// Read returns an entry's values after a look at their checksum. Slices of a partitioned variable
// are put together. Entries above 8 GiB are refused.
func (c *Checkpoint) Read(t *CheckpointTensor) (tensor.Tensor, error) {
	if t.Slices != nil {
		return c.readSlices(t)
	}
	dims := t.Shape.Dims()
	if t.DType == tensor.String {
		values, err := c.readStrings(t)
		if err != nil {
			return tensor.Tensor{}, err
		}
		return tensor.FromSlice(values, dims...)
	}
	if t.Size > maxRead {
		return tensor.Tensor{}, fmt.Errorf("entry %q: %d bytes are more than is read at once", t.Key, t.Size)
	}
	r, f, err := c.section(t)
	if err != nil {
		return tensor.Tensor{}, err
	}
	defer f.Close()
	data := make([]byte, t.Size)
	if _, err := io.ReadFull(r, data); err != nil {
		return tensor.Tensor{}, &FileError{File: f.Name(), Msg: cause(err), Err: err}
	}
	if maskedCRC(crc32.Checksum(data, castagnoli)) != t.crc {
		return tensor.Tensor{}, c.checksumError(t)
	}
	return tensor.FromBytes(t.DType, data, dims...)
}

func (c *Checkpoint) checksumError(t *CheckpointTensor) error {
	return &FormatError{
		File: c.ShardFile(t.Shard), Offset: t.Offset,
		Msg: fmt.Sprintf("the values of %q are damaged: their checksum does not match", t.Name),
	}
}

// readSlices puts a partitioned variable together.
func (c *Checkpoint) readSlices(t *CheckpointTensor) (tensor.Tensor, error) {
	size := int64(t.DType.Size())
	n, ok := t.Shape.NumElements()
	if !ok || size == 0 || n > maxRead/size {
		return tensor.Tensor{}, fmt.Errorf("entry %q: a partitioned variable of %v %v is not read", t.Key, t.DType, t.Shape)
	}
	dims := t.Shape.Dims()
	whole := make([]byte, n*size)
	for _, s := range t.Slices {
		part, err := c.Read(s.Entry)
		if err != nil {
			return tensor.Tensor{}, err
		}
		if err := placeSlice(whole, dims, size, part, s.Start); err != nil {
			return tensor.Tensor{}, fmt.Errorf("entry %q: %w", t.Key, err)
		}
	}
	return tensor.FromBytes(t.DType, whole, dims...)
}

// placeSlice copies part into whole, a row-major array of dims, so that it begins at start.
func placeSlice(whole []byte, dims []int64, size int64, part tensor.Tensor, start []int64) error {
	shape := part.Dims()
	if len(shape) != len(dims) || len(start) != len(dims) || part.DType().Size() != int(size) {
		return errors.New("a slice has another rank or type than its variable")
	}
	for i, d := range dims {
		if start[i] < 0 || shape[i] > d || start[i] > d-shape[i] {
			return errors.New("a slice reaches beyond its variable")
		}
	}
	if part.Len() == 0 {
		return nil
	}
	if len(dims) == 0 {
		copy(whole, part.Bytes())
		return nil
	}
	row := shape[len(shape)-1] * size
	index := make([]int64, len(dims))
	for src := part.Bytes(); len(src) > 0; src = src[row:] {
		var off int64
		for i, d := range dims {
			off = off*d + start[i] + index[i]
		}
		copy(whole[off*size:], src[:row])
		for i := len(dims) - 2; i >= 0; i-- {
			if index[i]++; index[i] < shape[i] {
				break
			}
			index[i] = 0
		}
	}
	return nil
}

// readStrings reads a string tensor: the lengths as varints, a checksum of the lengths, then the
// strings, end to end (tensor_bundle.cc, ReadStringTensor).
func (c *Checkpoint) readStrings(t *CheckpointTensor) ([]string, error) {
	n, ok := t.Shape.NumElements()
	if !ok || t.DType != tensor.String || n > t.Size || t.Size > maxMetadata {
		return nil, formatError(c.ShardFile(t.Shard), "the values of %q cannot be read as %d strings", t.Name, n)
	}
	section, f, err := c.section(t)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := bufio.NewReader(section)
	cut := func(err error) error {
		return &FormatError{File: f.Name(), Offset: t.Offset, Msg: fmt.Sprintf("the strings of %q are damaged: %s", t.Name, cause(err))}
	}
	lengths := make([]uint64, n)
	crc, total := uint32(0), uint64(0)
	for i := range lengths {
		if lengths[i], err = binary.ReadUvarint(r); err != nil {
			return nil, cut(err)
		}
		if lengths[i] > uint64(t.Size)-total {
			return nil, cut(errors.New("a length is too large"))
		}
		total += lengths[i]
		var fixed [4]byte // lengths above 4 GiB would take 8 bytes; they were refused above
		binary.LittleEndian.PutUint32(fixed[:], uint32(lengths[i]))
		crc = crc32.Update(crc, castagnoli, fixed[:])
	}
	var sum [4]byte
	if _, err := io.ReadFull(r, sum[:]); err != nil {
		return nil, cut(err)
	}
	if binary.LittleEndian.Uint32(sum[:]) != maskedCRC(crc) {
		return nil, cut(errors.New("the checksum of their lengths does not match"))
	}
	crc = crc32.Update(crc, castagnoli, sum[:])
	values := make([]string, n)
	for i, size := range lengths {
		buf := make([]byte, size)
		if _, err := io.ReadFull(r, buf); err != nil {
			return nil, cut(err)
		}
		crc = crc32.Update(crc, castagnoli, buf)
		values[i] = string(buf)
	}
	if maskedCRC(crc) != t.crc {
		return nil, c.checksumError(t)
	}
	return values, nil
}
