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
	"sync"

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
	maps, err := mapsOfModel()
	if err != nil {
		return false
	}
	data = bytes.Clone(data)
	sortMaps(data, maps, 0)
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

// mapsOf is where a message type has maps, by field number. Most of what a model consists of has
// none, and is passed over.
type mapsOf struct{ fields []mapsIn }

// mapsIn is where a field has maps.
type mapsIn struct {
	isMap  bool
	nested *mapsOf // of the message or of the map's entry; nil if there are none in it
}

// mapsOfModel is where a SavedModel has maps.
var mapsOfModel = sync.OnceValues(func() (*mapsOf, error) {
	newest, err := newestSchema()
	if err != nil {
		return nil, err
	}
	all := map[protoreflect.FullName]*mapsOf{}
	var visit func(d protoreflect.MessageDescriptor) *mapsOf
	visit = func(d protoreflect.MessageDescriptor) *mapsOf {
		if m := all[d.FullName()]; m != nil {
			return m
		}
		m := &mapsOf{}
		all[d.FullName()] = m
		for i := range d.Fields().Len() {
			if f := d.Fields().Get(i); f.Message() != nil {
				m.fields = append(m.fields, make([]mapsIn, max(0, int(f.Number())+1-len(m.fields)))...)
				m.fields[f.Number()] = mapsIn{f.IsMap(), visit(f.Message())}
			}
		}
		return m
	}
	model := visit(newest.model)
	// Types may hold themselves, so what has maps is found from the maps on, not on the way down.
	has := map[*mapsOf]bool{}
	for more := true; more; {
		more = false
		for _, m := range all {
			if !has[m] && slices.ContainsFunc(m.fields, func(f mapsIn) bool { return f.isMap || has[f.nested] }) {
				has[m], more = true, true
			}
		}
	}
	for _, m := range all {
		for i, f := range m.fields {
			if !has[f.nested] {
				m.fields[i].nested = nil
			}
		}
	}
	return model, nil
})

// sortMaps puts the entries of all maps in a serialized message in order, where they stand next to
// each other. What is damaged stays as it is.
func sortMaps(b []byte, of *mapsOf, depth int) {
	if depth > maxNested {
		return
	}
	var (
		num    protowire.Number // of the map whose entries stand in b[start:end]; 0 for none
		start  int
		end    int
		last   mapKey
		sorted bool
	)
	flush := func() {
		if num != 0 && !sorted {
			sortEntries(b[start:end])
		}
		num = 0
	}
	_ = wire.EachRaw(b, func(f wire.Field, raw []byte) error {
		if f.Type != protowire.BytesType || int(f.Num) >= len(of.fields) {
			flush()
			return nil
		}
		in := of.fields[f.Num]
		if in.nested != nil {
			sortMaps(f.Data, in.nested, depth+1)
		}
		if !in.isMap {
			flush()
			return nil
		}
		key, err := keyOf(f.Data)
		if num != f.Num {
			flush()
			num, start, sorted = f.Num, f.Offset, true
		} else if key.compare(last) < 0 {
			sorted = false
		}
		end, last = f.Offset+len(raw), key
		return err
	})
	flush()
}

// mapKey is the key of a map's entry: a text or a number.
type mapKey struct {
	text []byte
	n    uint64
}

func (k mapKey) compare(other mapKey) int {
	return cmp.Or(cmp.Compare(k.n, other.n), bytes.Compare(k.text, other.text))
}

// keyOf returns the key of an encoded entry of a map.
func keyOf(entry []byte) (k mapKey, err error) {
	err = wire.Each(entry, func(f wire.Field) error {
		if f.Num == wire.FieldMapKey {
			k = mapKey{f.Data, f.N}
		}
		return nil
	})
	return k, err
}

// sortEntries sorts encoded entries of one map. Of those with one key the order stays.
func sortEntries(b []byte) {
	type entry struct {
		key mapKey
		raw []byte
	}
	var entries []entry
	from := bytes.Clone(b)
	_ = wire.EachRaw(from, func(f wire.Field, raw []byte) error {
		key, err := keyOf(f.Data)
		entries = append(entries, entry{key, raw})
		return err
	})
	slices.SortStableFunc(entries, func(a, b entry) int { return a.key.compare(b.key) })
	for _, e := range entries {
		b = b[copy(b, e.raw):]
	}
}
