package kerasfile

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/tfrun/tfrun/savedmodel/internal/pyjson"
)

// Bounds on what is taken into memory.
const (
	maxText   = 64 << 20  // of a configuration
	maxValues = 1 << 20   // in a configuration
	maxNested = 512 << 20 // of its [nestedText]
	maxMemory = 64 << 20  // of variables that are compressed in the archive; more goes to a file
	// What a compressed part may grow to: Keras refuses more than a hundred times, from 256 MiB on.
	freeGrowth = 256 << 20
	maxGrowth  = 100
)

// archive is a zip.
type archive struct {
	zip    *zip.Reader
	file   io.ReaderAt
	byName map[string]*zip.File // the last of a name, as in Python
}

// openArchive reads a .keras archive.
func (m *Model) openArchive(f io.ReaderAt, size int64) error {
	m.Kind = Archive
	z, err := zip.NewReader(f, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return m.fail("", fmt.Errorf("a zip that cannot be read: %w", err))
	}
	m.archive = &archive{zip: z, file: f, byName: map[string]*zip.File{}}
	for _, e := range z.File {
		m.archive.byName[e.Name] = e
	}
	if m.archive.byName[configName] == nil {
		return m.fail("", fmt.Errorf("a zip without %s: %w", configName, ErrNotKeras))
	}
	if err := m.readTexts(m.archive.text); err != nil {
		return err
	}
	return m.spare(m.openArchiveWeights())
}

func (m *Model) openArchiveWeights() error {
	weights := m.archive.byName[weightsName]
	if weights == nil {
		return m.fail("", fmt.Errorf("a zip without %s", weightsName))
	}
	r, n, closer, err := m.archive.open(weights)
	if err != nil {
		return m.fail(weightsName, err)
	}
	if closer != nil {
		m.closers = append(m.closers, closer)
	}
	return m.readWeights(weightsName, r, n)
}

// text reads a small part whole.
func (a *archive) text(name string) ([]byte, error) {
	e := a.byName[name]
	if e == nil {
		return nil, fs.ErrNotExist
	}
	r, err := e.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return readAll(r, maxText)
}

// open makes a part readable at any place. One that is stored as it is, which is Keras' way, is
// read where it lies; a compressed one is unpacked into memory or into a file without a name.
func (a *archive) open(e *zip.File) (r io.ReaderAt, size int64, closer io.Closer, err error) {
	if e.Flags&1 != 0 {
		return nil, 0, nil, errors.New("it is encrypted")
	}
	if e.Method == zip.Store {
		at, err := e.DataOffset()
		if err != nil {
			return nil, 0, nil, err
		}
		size = int64(e.CompressedSize64)
		return io.NewSectionReader(a.file, at, size), size, nil, nil
	}
	if tooLarge(e) {
		return nil, 0, nil, fmt.Errorf("%d bytes that grow to %d: more than a model's variables can be compressed",
			e.CompressedSize64, e.UncompressedSize64)
	}
	part, err := e.Open()
	if err != nil {
		return nil, 0, nil, err
	}
	defer part.Close()
	if e.UncompressedSize64 <= maxMemory {
		data, err := readAll(part, maxMemory)
		return bytes.NewReader(data), int64(len(data)), nil, err
	}
	return spill(part, int64(e.UncompressedSize64))
}

// spill copies a part to a temporary file that vanishes when it is closed.
func spill(part io.Reader, size int64) (io.ReaderAt, int64, io.Closer, error) {
	f, err := os.CreateTemp("", "tfrun-weights-*")
	if err != nil {
		return nil, 0, nil, fmt.Errorf("unpacking: %w", err)
	}
	if err := os.Remove(f.Name()); err == nil {
		var n int64
		if n, err = io.Copy(f, io.LimitReader(part, size)); err == nil {
			return f, n, f, nil
		}
	}
	return nil, 0, nil, errors.Join(fmt.Errorf("unpacking: %w", err), f.Close())
}

// tooLarge reports whether a part declares that it grows as no model does.
func tooLarge(e *zip.File) bool {
	return e.UncompressedSize64 > freeGrowth && e.UncompressedSize64/maxGrowth > e.CompressedSize64
}

// readAll reads a text of at most limit bytes.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("it is larger than %d MiB", limit>>20)
	}
	return data, err
}

// checkJSON refuses what is no JSON as Python writes it, and what would take far more memory than
// its text does. It returns the text as JSON: with null in the place of NaN and infinities.
func checkJSON(text []byte) (json.RawMessage, error) {
	values := bytes.Count(text, []byte(",")) + bytes.Count(text, []byte("[")) + bytes.Count(text, []byte("{"))
	if values > maxValues {
		return nil, fmt.Errorf("a configuration of more than %d values", maxValues)
	}
	if n := nestedText(text); n > maxNested {
		return nil, fmt.Errorf("a configuration of %d MiB, nested %d deep on average: too much to read", len(text)>>20, n/len(text))
	}
	if text = pyjson.Plain(text); !json.Valid(text) {
		var v any
		err := json.Unmarshal(text, &v)
		return nil, fmt.Errorf("no JSON: %s", strings.TrimPrefix(fmt.Sprint(err), "json: "))
	}
	return text, nil
}

// nestedText sums up, over the bytes of a JSON text, how many lists and objects each stands in. The
// layers of a model are decoded by themselves, so that what is deep within is gone through once for
// each model around it.
func nestedText(text []byte) int {
	total, depth, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		total += depth
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[', c == '{':
			depth++
		case c == ']', c == '}':
			depth--
		}
	}
	return total
}
