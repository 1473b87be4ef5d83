package savedmodel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/tfrun/tfrun/tensor"
)

// check refuses entries that no checkpoint can hold.
func (c *Checkpoint) check(path string) error {
	for _, t := range c.byKey {
		bad := func(format string, args ...any) error {
			return formatError(path, "is damaged: entry %q %s", t.Key, fmt.Sprintf(format, args...))
		}
		n, ok := t.Shape.NumElements()
		switch size := int64(t.DType.Size()); {
		case !ok:
			return bad("has no possible shape %v", t.Shape)
		case t.declared > 0 || t.Slices != nil:
			if msg := t.checkSlices(n); msg != "" {
				return bad("%s", msg)
			}
		case t.Shard < 0 || t.Shard >= c.Shards:
			return bad("lies in data file %d of %d", t.Shard, c.Shards)
		case t.Offset < 0 || t.Size < 0 || t.Offset > 1<<62-t.Size:
			return bad("lies at an impossible place")
		case size > 0 && (n > t.Size || n*size != t.Size):
			return bad("has %d bytes, which is not what %v %v takes", t.Size, t.DType, t.Shape)
		}
	}
	return nil
}

// checkSlices says what is wrong with the slices of a partitioned variable of n values, if
// anything. TensorFlow restores it only from slices that hold all of its values.
func (t *CheckpointTensor) checkSlices(n int64) string {
	if len(t.Slices) < t.declared {
		return fmt.Sprintf("lacks %d of the %d slices that it was saved in", t.declared-len(t.Slices), t.declared)
	}
	held := int64(0)
	for _, s := range t.Slices {
		switch size, ok := s.Entry.Shape.NumElements(); {
		case s.Entry.DType != t.DType:
			return fmt.Sprintf("is %v, and its slice of shape %v is %v", t.DType, s.Entry.Shape, s.Entry.DType)
		case !slices.Equal(s.Entry.Shape.Dims(), s.Length):
			return fmt.Sprintf("has a slice of shape %v in the place of one of %v", s.Entry.Shape, s.Length)
		case !ok || size > n-held:
			return fmt.Sprintf("has slices that hold more than the values of shape %v", t.Shape)
		default:
			held += size
		}
	}
	if held != n {
		return fmt.Sprintf("has slices that hold %d of its %d values", held, n)
	}
	return ""
}

// CheckShards reports a data file that is missing, or shorter than the index says.
func (c *Checkpoint) CheckShards() error {
	need := make(map[int]int64, min(c.Shards, len(c.byKey)))
	for _, t := range c.byKey {
		if t.Slices == nil {
			need[t.Shard] = max(need[t.Shard], t.Offset+t.Size)
		}
	}
	shards := make([]int, 0, len(need))
	for i := range need {
		shards = append(shards, i)
	}
	slices.Sort(shards)
	for _, i := range shards {
		path := c.ShardFile(i)
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return &FileError{File: path, Msg: "is missing: it holds values of the model's variables", Err: err}
		case err != nil:
			return &FileError{File: path, Msg: cause(err), Err: err}
		case !info.Mode().IsRegular():
			return formatError(path, "is no regular file")
		case info.Size() < need[i]:
			return formatError(path, "is cut off: %d bytes long, the index speaks of %d; copy it again", info.Size(), need[i])
		}
	}
	return nil
}

// CheckValues reads the values of the entries with the given keys, and the object graph, and
// reports the first whose checksum does not match, with the file and the variable's name. Keys
// without an entry are passed over.
func (c *Checkpoint) CheckValues(ctx context.Context, keys []string) error {
	for _, key := range slices.Concat(keys, []string{objectGraphKey}) {
		t := c.byKey[key]
		if t == nil {
			continue
		}
		for _, part := range t.parts() {
			if err := c.checkValues(ctx, part); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Checkpoint) checkValues(ctx context.Context, t *CheckpointTensor) error {
	if t.DType == tensor.String {
		_, err := c.readStrings(t)
		return err
	}
	return c.scan(ctx, t, nil)
}

// parts are the entries that hold the values: the entry itself, or its slices.
func (t *CheckpointTensor) parts() []*CheckpointTensor {
	if t.Slices == nil {
		return []*CheckpointTensor{t}
	}
	parts := make([]*CheckpointTensor, len(t.Slices))
	for i, s := range t.Slices {
		parts[i] = s.Entry
	}
	return parts
}
