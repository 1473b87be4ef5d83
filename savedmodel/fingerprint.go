package savedmodel

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dgryski/go-farm"
	"github.com/tfrun/tfrun/internal/wire"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Fingerprint holds the hashes of fingerprint.pb, which TensorFlow 2.11 and later write.
type Fingerprint struct {
	SavedModelChecksum   uint64 // of saved_model.pb; of the graph in files before TensorFlow 2.14
	GraphDefProgramHash  uint64
	SignatureDefHash     uint64
	SavedObjectGraphHash uint64
	CheckpointHash       uint64 // of variables.index
}

// Fingerprint reads fingerprint.pb. A model without one gives nil and no error.
// TensorFlow loads models whose fingerprint is damaged, so an error here need not stop a caller.
func (m *Model) Fingerprint() (*Fingerprint, error) { return m.fingerprint() }

func (m *Model) readFingerprint() (*Fingerprint, error) {
	data, err := m.read(fileFingerprint, m.AllowLinks, maxFingerprint, anyHead)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseFingerprint(filepath.Join(m.Dir, fileFingerprint), data)
}

// parseFingerprint decodes a FingerprintDef. The binding's own message is older than most of the
// fields.
func parseFingerprint(path string, data []byte) (*Fingerprint, error) {
	p := &Fingerprint{}
	hashes := map[protowire.Number]*uint64{
		1: &p.SavedModelChecksum, 2: &p.GraphDefProgramHash, 3: &p.SignatureDefHash, 4: &p.SavedObjectGraphHash, 5: &p.CheckpointHash,
	}
	err := wire.Each(data, func(f wire.Field) error {
		if hash := hashes[f.Num]; hash != nil && f.Type == protowire.VarintType {
			*hash = f.N
		}
		return nil
	})
	if err != nil {
		return nil, formatError(path, "the fingerprint is damaged: %v", err)
	}
	return p, nil
}

// String returns the hashes as one name for the model, as
// tf.saved_model.experimental.Fingerprint.singleprint does.
func (f *Fingerprint) String() string {
	return fmt.Sprintf("%d/%d/%d/%d", f.GraphDefProgramHash, f.SignatureDefHash, f.SavedObjectGraphHash, f.CheckpointHash)
}

// Contradictions returns what a model's folder says against the model in it, each as an error with
// the path of a file: a fingerprint that is of other files, or cannot be read, and a second file of
// a model, which nobody reads. TensorFlow loads such models and says nothing. It takes time that is
// linear in the size of the files.
func (m *Model) Contradictions() []error {
	var found []error
	if err := m.checkFingerprint(); err != nil {
		found = append(found, err)
	}
	for _, name := range []string{fileBinary, fileSplit, fileText} {
		path := filepath.Join(m.Dir, name)
		if _, err := os.Lstat(path); err == nil && path != m.File {
			found = append(found, formatError(path, "is not read: the model is that of %s, which lies beside it", filepath.Base(m.File)))
		}
	}
	return found
}

// maxHashed bounds the index of variables that is compared with a fingerprint. It is read whole,
// and takes some 50 bytes for a variable.
const maxHashed = 64 << 20

// checkFingerprint compares the fingerprint with what it is of. Two of its hashes are of all bytes
// that there are; the others are of parts of these.
func (m *Model) checkFingerprint() error {
	p, err := m.Fingerprint()
	if p == nil || err != nil {
		return err
	}
	var of []string
	if m.binary != nil && !p.of(m.binary) {
		of = append(of, "another "+fileBinary)
	}
	if p.CheckpointHash != 0 {
		index := filepath.Join(dirVariables, variablesPrefix+".index")
		switch data, err := m.read(index, m.AllowLinks, maxHashed, anyHead); {
		case errors.Is(err, fs.ErrNotExist):
			of = append(of, fmt.Sprintf("a %s that is missing", index))
		case err == nil && farm.Fingerprint64(data) != p.CheckpointHash:
			of = append(of, "another "+index)
		}
	}
	if of == nil {
		return nil
	}
	return formatError(filepath.Join(m.Dir, fileFingerprint), "is of %s: files were changed, replaced or lost since TensorFlow wrote them", strings.Join(of, " and "))
}

// of reports whether the fingerprint is that of a serialized SavedModel, or, as before TensorFlow
// 2.14, of its first graph. TensorFlow takes it of what C++ serializes, where the entries of maps
// ascend; Python writes some of them in another order.
func (p *Fingerprint) of(data []byte) bool {
	if farm.Fingerprint64(data) == p.SavedModelChecksum {
		return true
	}
	newest, err := newestSchema()
	if err != nil {
		return false
	}
	data = bytes.Clone(data)
	sortMaps(data, newest.model, 0)
	if farm.Fingerprint64(data) == p.SavedModelChecksum {
		return true
	}
	errFound := errors.New("found")
	first := func(b []byte, num protowire.Number) (data []byte) {
		_ = wire.Each(b, func(f wire.Field) error {
			if f.Num == num && f.Type == protowire.BytesType {
				data = f.Data
				return errFound
			}
			return nil
		})
		return data
	}
	return farm.Fingerprint64(first(first(data, fieldMetaGraphs), fieldGraphDef)) == p.SavedModelChecksum
}

// maxNested bounds how deep messages are followed, as decoders do.
const maxNested = 100

// sortMaps puts the entries of all maps in a serialized message in order, where they stand next to
// each other. What is damaged stays as it is.
func sortMaps(b []byte, d protoreflect.MessageDescriptor, depth int) {
	if depth > maxNested {
		return
	}
	type entry struct {
		raw  []byte
		text string
		n    uint64
	}
	var (
		entries    []entry
		of         protowire.Number
		start, end int
	)
	flush := func() {
		less := func(a, b entry) int { return cmp.Or(cmp.Compare(a.n, b.n), cmp.Compare(a.text, b.text)) }
		if !slices.IsSortedFunc(entries, less) {
			slices.SortStableFunc(entries, less)
			sorted := make([]byte, 0, end-start)
			for _, e := range entries {
				sorted = append(sorted, e.raw...)
			}
			copy(b[start:end], sorted)
		}
		entries = entries[:0]
	}
	_ = wire.EachRaw(b, func(f wire.Field, raw []byte) error {
		fd := d.Fields().ByNumber(f.Num)
		if f.Type != protowire.BytesType || fd == nil || fd.Message() == nil {
			flush()
			return nil
		}
		sortMaps(f.Data, fd.Message(), depth+1)
		if !fd.IsMap() {
			flush()
			return nil
		}
		if len(entries) > 0 && (of != f.Num || end != f.Offset) {
			flush()
		}
		if len(entries) == 0 {
			of, start = f.Num, f.Offset
		}
		end = f.Offset + len(raw)
		e := entry{raw: raw}
		err := wire.Each(f.Data, func(f wire.Field) error {
			if f.Num == wire.FieldMapKey {
				e.text, e.n = string(f.Data), f.N
			}
			return nil
		})
		entries = append(entries, e)
		return err
	})
	flush()
}
