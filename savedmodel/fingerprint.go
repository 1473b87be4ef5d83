package savedmodel

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/tfrun/tfrun/internal/wire"
	"google.golang.org/protobuf/encoding/protowire"
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
