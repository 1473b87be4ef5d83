package kerasfile

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/hdf5"
	"github.com/tfrun/tfrun/internal/regular"
	"github.com/tfrun/tfrun/savedmodel"
)

// Kind is the form in which a model was saved.
type Kind string

// The forms that are read.
const (
	Archive Kind = "keras"   // a zip of config.json, metadata.json and model.weights.h5
	Folder  Kind = "folder"  // the same files, unpacked
	HDF5    Kind = "h5"      // configuration and variables in one HDF5 file
	Weights Kind = "weights" // an HDF5 file of variables alone, or several with their index
)

// ErrNotKeras is returned by [Open] for what is no file of Keras'.
var ErrNotKeras = errors.New("no .keras archive and no .h5 file of Keras")

// Error says what is wrong with a file.
type Error struct {
	Path string
	Part string // of an archive, "" for the file itself
	Err  error
}

func (e *Error) Error() string {
	if e.Part != "" {
		return fmt.Sprintf("%s: %s: %v", e.Path, e.Part, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.Path, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Model is a model in one of Keras' own files.
type Model struct {
	Path         string
	Kind         Kind
	KerasVersion string // "" where the file does not say
	Framework    savedmodel.Framework
	Saved        string // when, as Keras wrote it; "" where the file does not say

	config  json.RawMessage // the serialized model; nil for weights alone
	h5      *hdf5.File
	tree    *weightTree
	archive *archive
	sharded bool // the variables lie in several files
	closers []io.Closer
	// onlyConfig says that variables which cannot be read are no error, but stand in noWeights.
	onlyConfig bool
	noWeights  error
}

// The names of the files in an archive.
const (
	configName  = "config.json"
	metaName    = "metadata.json"
	weightsName = "model.weights.h5"
	shardsName  = ".weights.json" // the end of the name of an index of several files of weights
)

// Is reports whether path is meant to be a file of Keras': by its name, or by what it holds, a zip
// with a config.json, an HDF5 file, or a folder with a config.json beside model.weights.h5.
func Is(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	if info.IsDir() {
		return exists(path, configName) && exists(path, weightsName)
	}
	switch filepath.Ext(path) {
	case ".keras", ".h5", ".hdf5":
		return info.Mode().IsRegular()
	}
	if strings.HasSuffix(path, shardsName) {
		return info.Mode().IsRegular()
	}
	f, size, err := regular.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, len(hdf5.Signature))
	_, err = io.ReadFull(f, head)
	switch {
	case err != nil:
		return false
	case string(head[:4]) == "PK\x03\x04":
		z, err := zip.NewReader(f, size)
		return err == nil && slices.ContainsFunc(z.File, func(e *zip.File) bool { return e.Name == configName })
	case string(head) == hdf5.Signature:
		return true
	}
	return behindUserBlock(f, size)
}

// behindUserBlock reports whether an HDF5 file starts behind a block of the user's own.
func behindUserBlock(f io.ReaderAt, size int64) bool {
	head := make([]byte, len(hdf5.Signature))
	for at := int64(512); at+int64(len(head)) <= size; at *= 2 {
		if _, err := f.ReadAt(head, at); err == nil && string(head) == hdf5.Signature {
			return true
		}
	}
	return false
}

func exists(dir, name string) bool {
	info, err := os.Stat(filepath.Join(dir, name))
	return err == nil && info.Mode().IsRegular()
}

// Open reads what the file says of itself, and where its variables are. A damaged file is an
// *[Error]; for what is no file of Keras' it wraps [ErrNotKeras].
func Open(path string) (*Model, error) { return open(path, false) }

// open reads a file. Where only the configuration is wanted, what is wrong with the variables is
// kept in noWeights.
func open(path string, onlyConfig bool) (_ *Model, err error) {
	m := &Model{Path: path, onlyConfig: onlyConfig}
	defer func() {
		if err != nil {
			_ = m.Close() // the error that is given says more
		}
	}()
	info, err := os.Stat(path)
	if err != nil {
		return nil, &Error{Path: path, Err: withoutPath(err)}
	}
	if info.IsDir() {
		return m, m.openFolder()
	}
	f, size, err := regular.Open(path)
	if err != nil {
		return nil, &Error{Path: path, Err: withoutPath(err)}
	}
	m.closers = append(m.closers, f)
	head := make([]byte, 64)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, &Error{Path: path, Err: withoutPath(err)}
	}
	switch text := string(head[:n]); {
	case strings.HasSuffix(path, shardsName) && strings.HasPrefix(text, "{"):
		m.Kind = Weights
		index, err := readAll(io.NewSectionReader(f, 0, size), maxText)
		if err != nil {
			return nil, &Error{Path: path, Err: withoutPath(err)}
		}
		return m, m.openShards(index)
	case strings.HasPrefix(text, "PK"):
		return m, m.openArchive(f, size)
	case strings.HasPrefix(text, "version https://git-lfs"):
		return nil, &Error{Path: path, Err: fmt.Errorf("a Git LFS pointer in the place of the file; fetch it with: git lfs pull: %w", ErrNotKeras)}
	case strings.HasPrefix(strings.TrimSpace(strings.ToLower(text)), "<!doctype html"), strings.HasPrefix(strings.TrimSpace(text), "<html"):
		return nil, &Error{Path: path, Err: fmt.Errorf("a web page in the place of the file: %w", ErrNotKeras)}
	}
	return m, m.openHDF5(f, size)
}

// withoutPath takes the path off an error that will get it from an *Error.
func withoutPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// Close closes the file. It may be called again.
func (m *Model) Close() error {
	var errs []error
	for _, c := range m.closers {
		errs = append(errs, c.Close())
	}
	m.closers = nil
	return errors.Join(errs...)
}

// fail returns err as an error of the file.
func (m *Model) fail(part string, err error) error {
	var e *Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return &Error{Path: m.Path, Part: part, Err: err}
}

// openFolder reads an archive that was unpacked.
func (m *Model) openFolder() error {
	m.Kind = Folder
	if !exists(m.Path, configName) {
		return m.fail("", ErrNotKeras)
	}
	read := func(name string) ([]byte, error) {
		f, _, err := regular.Open(filepath.Join(m.Path, name))
		if err != nil {
			return nil, withoutPath(err)
		}
		defer f.Close()
		return readAll(f, maxText)
	}
	if err := m.readTexts(read); err != nil {
		return err
	}
	return m.spare(m.openFolderWeights())
}

// spare keeps an error of the variables apart where only the configuration is wanted.
func (m *Model) spare(err error) error {
	if !m.onlyConfig {
		return err
	}
	m.noWeights = err
	return nil
}

func (m *Model) openFolderWeights() error {
	f, size, err := regular.Open(filepath.Join(m.Path, weightsName))
	if err != nil {
		return m.fail(weightsName, withoutPath(err))
	}
	m.closers = append(m.closers, f)
	return m.readWeights(weightsName, f, size)
}

// readTexts reads the configuration and what is said of it.
func (m *Model) readTexts(read func(name string) ([]byte, error)) error {
	config, err := read(configName)
	if err != nil {
		return m.fail(configName, err)
	}
	if m.config, err = checkJSON(config); err != nil {
		return m.fail(configName, err)
	}
	var meta struct {
		Version string `json:"keras_version"`
		Saved   string `json:"date_saved"`
	}
	text, err := read(metaName)
	if err == nil {
		err = json.Unmarshal(text, &meta)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return m.fail(metaName, err)
	}
	m.setVersion(meta.Version)
	m.Saved = meta.Saved
	return nil
}

// setVersion notes the version of Keras that wrote the file. Keras 2 names itself by TensorFlow's
// number, 2.21.0.
func (m *Model) setVersion(version string) {
	m.KerasVersion, m.Framework = version, savedmodel.Keras3
	if major, _, _ := strings.Cut(version, "."); major == "1" || major == "2" {
		m.Framework = savedmodel.Keras2
	}
}

// openHDF5 reads an .h5 file: a model, or variables alone.
func (m *Model) openHDF5(r io.ReaderAt, size int64) error {
	if err := m.readWeights("", r, size); err != nil {
		if errors.Is(err, hdf5.ErrNotHDF5) {
			return m.fail("", ErrNotKeras)
		}
		return err
	}
	return m.readKind()
}

// readKind finds out what an HDF5 file holds, and which Keras wrote it.
func (m *Model) readKind() error {
	attrs, err := m.h5.Root().Attributes()
	if err != nil {
		return m.fail("", err)
	}
	m.Kind = Weights
	version := m.tree.attr(attrs, "keras_version")
	if config := m.tree.attr(attrs, "model_config"); config != "" {
		m.Kind = HDF5
		if m.config, err = checkJSON([]byte(config)); err != nil {
			return m.fail("model_config", err)
		}
	}
	if version == "" && m.tree.legacy != nil {
		version = m.tree.version
	}
	m.setVersion(version)
	if version == "" && !m.tree.named {
		// Keras 3 writes the names of objects beside their variables
		m.Framework = savedmodel.Keras2
	}
	if m.Kind == Weights && m.tree.legacy == nil && len(m.tree.root.children) == 0 {
		return m.fail("", ErrNotKeras)
	}
	return nil
}

// readWeights opens the HDF5 file with the variables.
func (m *Model) readWeights(part string, r io.ReaderAt, size int64) error {
	var err error
	if m.h5, err = hdf5.Open(r, size); err != nil {
		return m.fail(part, err)
	}
	m.tree, err = readTree(m.h5)
	return m.fail(part, err)
}
