package savedmodel

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/tensor"
)

// maxIndex bounds the size of variables.index. An entry takes some 50 bytes, so this is room for
// tens of millions of variables.
const maxIndex = 1 << 30

// bundleVersion is the version of checkpoints that TensorFlow 2.15 to 2.21 reads
// (kTensorBundleVersion).
const bundleVersion = 1

// objectGraphKey is the entry with the serialized TrackableObjectGraph, which gives the variables'
// names (OBJECT_GRAPH_PROTO_KEY).
const objectGraphKey = "_CHECKPOINTABLE_OBJECT_GRAPH"

// Checkpoint is the index of a model's variables: a tensor bundle ("checkpoint v2").
type Checkpoint struct {
	// Prefix is what the paths of the files begin with: ".../variables/variables", before ".index"
	// or ".data-00000-of-00001".
	Prefix  string
	Shards  int // the number of data files
	Tensors []*CheckpointTensor
	byKey   map[string]*CheckpointTensor
	// open opens a file of the checkpoint's folder, and returns its size.
	open func(name string) (*os.File, int64, error)
}

// CheckpointTensor is one entry of a checkpoint.
type CheckpointTensor struct {
	Key string // as the restore op names it
	// Name is the variable's own name where the checkpoint has it, else the key without its ending.
	Name  string
	DType tensor.DType
	Shape tensor.Shape

	Shard  int
	Offset int64 // in the shard's file
	Size   int64 // in bytes, as stored
	// Slices are the parts of a partitioned variable, each an entry with its own place; nil for a
	// tensor in one piece.
	Slices []*CheckpointSlice

	crc      uint32
	declared int // number of slices that the entry says it has
}

// CheckpointSlice is a part of a partitioned variable.
type CheckpointSlice struct {
	Start, Length []int64 // along each axis
	Entry         *CheckpointTensor
}

// Internal reports whether the entry is the checkpoint's own bookkeeping, not a variable of the
// model.
func (t *CheckpointTensor) Internal() bool {
	return t.Key == objectGraphKey || strings.HasSuffix(t.Key, "/.OPTIMIZER_SLOT") || t.Key == "save_counter/.ATTRIBUTES/VARIABLE_VALUE"
}

// Checkpoint reads variables/variables.index. A model that has no such file gives a *[FileError]
// that wraps [fs.ErrNotExist]. The values stay on disk: see [Checkpoint.Stats] and
// [Checkpoint.Read].
func (m *Model) Checkpoint() (*Checkpoint, error) { return m.checkpoint(m.AllowLinks) }

func (m *Model) checkpoint(links bool) (*Checkpoint, error) {
	prefix := filepath.Join(m.Dir, dirVariables, variablesPrefix)
	path := prefix + ".index"
	open := func(name string) (*os.File, int64, error) { return m.open(filepath.Join(dirVariables, name), links) }
	data, err := m.read(filepath.Join(dirVariables, variablesPrefix+".index"), links, maxIndex, anyHead)
	if err != nil {
		return nil, err
	}
	c, err := parseCheckpoint(path, data)
	if err != nil {
		return nil, err
	}
	c.Prefix, c.open = prefix, open
	c.nameVariables()
	return c, nil
}

// parseCheckpoint reads the table of a checkpoint's index.
func parseCheckpoint(path string, data []byte) (*Checkpoint, error) {
	c := &Checkpoint{byKey: map[string]*CheckpointTensor{}}
	type part struct {
		key     string
		extents []extent
	}
	parts := map[string][]part{}
	err := eachEntry(data, func(key, value []byte) error {
		if len(key) == 0 {
			return c.readHeader(path, value)
		}
		t, err := newCheckpointTensor(path, string(key), value)
		if err != nil {
			return err
		}
		if _, ok := c.byKey[t.Key]; ok {
			return formatError(path, "is damaged: it has entry %q twice", t.Key)
		}
		c.byKey[t.Key] = t
		if name, extents, ok := sliceKey(key); ok {
			parts[name] = append(parts[name], part{t.Key, extents})
			return nil
		}
		c.Tensors = append(c.Tensors, t)
		return nil
	})
	var fe *FormatError
	switch {
	case errors.As(err, &fe):
		return nil, err
	case err != nil:
		return nil, formatError(path, "%v", err)
	case c.Shards == 0:
		return nil, formatError(path, "is damaged: it has no header")
	}
	for _, t := range c.Tensors {
		for _, p := range parts[t.Key] {
			s := &CheckpointSlice{Entry: c.byKey[p.key]}
			for axis, e := range p.extents {
				if e.length < 0 && axis < t.Shape.Rank() {
					e.length = t.Shape.Dim(axis)
				}
				s.Start, s.Length = append(s.Start, e.start), append(s.Length, e.length)
			}
			t.Slices = append(t.Slices, s)
		}
	}
	return c, c.check(path)
}

// readHeader reads the entry with the empty key.
func (c *Checkpoint) readHeader(path string, value []byte) error {
	header := &pb.BundleHeaderProto{}
	if err := unmarshal(path, value, header, "the header"); err != nil {
		return err
	}
	if header.GetEndianness() != pb.BundleHeaderProto_LITTLE {
		return formatError(path, "was written on a big-endian machine, which is not read here")
	}
	if v := header.GetVersion(); v.GetMinConsumer() > bundleVersion || slices.Contains(v.GetBadConsumers(), bundleVersion) {
		return formatError(path, "was written for later versions of TensorFlow: want a checkpoint of version %d, got %d", bundleVersion, max(v.GetMinConsumer(), v.GetProducer()))
	}
	if header.GetNumShards() <= 0 {
		return formatError(path, "is damaged: it has %d data files", header.GetNumShards())
	}
	c.Shards = int(header.GetNumShards())
	return nil
}

func newCheckpointTensor(path, key string, value []byte) (*CheckpointTensor, error) {
	entry := &pb.BundleEntryProto{}
	if err := unmarshal(path, value, entry, fmt.Sprintf("entry %q", key)); err != nil {
		return nil, err
	}
	return &CheckpointTensor{
		Key: key, Name: strings.TrimSuffix(key, "/.ATTRIBUTES/VARIABLE_VALUE"),
		DType: graph.DType(entry.GetDtype()), Shape: graph.Shape(entry.GetShape()),
		Shard: int(entry.GetShardId()), Offset: entry.GetOffset(), Size: entry.GetSize(), crc: entry.GetCrc32C(),
		declared: len(entry.GetSlices()),
	}, nil
}

// Tensor returns the entry with the given key, or nil. Entries of slices have keys too.
func (c *Checkpoint) Tensor(key string) *CheckpointTensor { return c.byKey[key] }

// ShardFile returns the path of a data file.
func (c *Checkpoint) ShardFile(i int) string {
	return fmt.Sprintf("%s.data-%05d-of-%05d", c.Prefix, i, c.Shards)
}

// nameVariables gives the entries the names that they have in the checkpoint's object graph. Keys
// are names where that is damaged, or where there is none, as in checkpoints of TensorFlow 1.
func (c *Checkpoint) nameVariables() {
	t := c.byKey[objectGraphKey]
	if t == nil || t.Size > maxMetadata {
		return
	}
	values, err := c.readStrings(t)
	if err != nil || len(values) != 1 {
		return
	}
	graph := &pb.TrackableObjectGraph{}
	if unmarshal(c.Prefix, []byte(values[0]), graph, "the object graph") != nil {
		return
	}
	for _, node := range graph.GetNodes() {
		for _, a := range node.GetAttributes() {
			if t := c.byKey[a.GetCheckpointKey()]; t != nil && a.GetFullName() != "" {
				t.Name = a.GetFullName()
			}
		}
	}
}
