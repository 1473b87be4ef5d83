package savedmodel_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/layers"
	"github.com/tfrun/tfrun/savedmodel/sizes"
)

// describe asks for all that is known of a model: the tables of its layers, and why each shape of
// its signatures is what it is.
func describe(m *savedmodel.Model) error {
	for _, mg := range m.MetaGraphs {
		table, err := layers.Of(mg)
		if err != nil {
			return err
		}
		for _, s := range mg.Signatures {
			if _, err := sizes.Of(mg, s, table).Why(); err != nil {
				return err
			}
		}
	}
	return nil
}

// use does all that is done with a model, and fails the test unless every error says which file is
// wrong.
func use(t *testing.T, m *savedmodel.Model) {
	t.Helper()
	check := func(err error) {
		var file *savedmodel.FileError
		var format *savedmodel.FormatError
		var uninitialized *savedmodel.UninitializedError
		if err != nil && !errors.As(err, &file) && !errors.As(err, &format) && !errors.As(err, &uninitialized) {
			t.Fatalf("error without a file: %v", err)
		}
		if err != nil && bytes.ContainsRune([]byte(err.Error()), '\n') {
			t.Fatalf("error of several lines: %q", err)
		}
	}
	check(describe(m))
	for _, mg := range m.MetaGraphs {
		check(mg.Verify())
		table, err := layers.Of(mg)
		check(err)
		for _, name := range mg.SignatureNames() {
			check(mg.CheckSignature(mg.Signatures[name]))
			checkByRows(t, mg, mg.Signatures[name], check)
			s := sizes.Of(mg, mg.Signatures[name], table)
			at := sizes.Sizes{Axes: map[string]int64{}}
			for _, a := range s.Axes() {
				at.Axes[a.Name] = 3
			}
			shapes, err := s.Put(at)
			if err != nil {
				t.Fatalf("Put of the signature's own axes: %v", err)
			}
			if table != nil {
				table.At(shapes)
			}
			_, err = s.Outputs(shapes)
			check(err)
		}
	}
}

// checkByRows makes sure that what rows hold is fed to the signature's own tensors, each of them
// once.
func checkByRows(t *testing.T, mg *savedmodel.MetaGraph, s *savedmodel.Signature, check func(error)) {
	t.Helper()
	rows, err := mg.ByRows(s)
	check(err)
	if err != nil {
		return
	}
	want, got := s.Tensors(s.Inputs), rows.Tensors(rows.Inputs)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("signature %q by rows takes %q, want %q", s.Name, got, want)
	}
}

func FuzzSavedModel(f *testing.F) {
	savedmodel.AddFiles(f, savedmodel.FileBinary)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := savedmodel.NewModel("none", savedmodel.FileBinary, "", data)
		if err != nil {
			var format *savedmodel.FormatError
			if !errors.As(err, &format) {
				t.Fatalf("error %v (%T), want a *FormatError", err, err)
			}
			return
		}
		use(t, m)
	})
}

func FuzzText(f *testing.F) {
	if data, err := os.ReadFile(filepath.Join("..", "testdata", "models", "tf1_pbtxt", "model", savedmodel.FileText)); err == nil {
		f.Add(data)
	}
	f.Add([]byte(`meta_graphs { meta_info_def { tags: "serve" } signature_def { key: "a" value { } } }`))
	f.Fuzz(func(t *testing.T, text []byte) {
		data, err := savedmodel.TextToBinary(savedmodel.FileText, text)
		if err != nil {
			return
		}
		if m, err := savedmodel.NewModel("none", savedmodel.FileText, "", data); err == nil {
			use(t, m)
		}
	})
}

// FuzzMetadata puts Keras metadata beside the graph of a model that has such.
func FuzzMetadata(f *testing.F) {
	savedmodel.AddFiles(f, savedmodel.FileMetadata)
	graphs := map[string][]byte{}
	for _, name := range []string{"k2_fixed_batch", "k2_nested"} {
		data, err := os.ReadFile(filepath.Join("..", "testdata", "models", name, "model", savedmodel.FileBinary))
		if err != nil {
			f.Fatal(err)
		}
		graphs[name] = data
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		meta, err := savedmodel.ParseMetadata(savedmodel.FileMetadata, data)
		if err != nil {
			return
		}
		for _, graph := range graphs {
			m, err := savedmodel.NewModel("none", savedmodel.FileBinary, "", graph)
			if err != nil {
				t.Fatal(err)
			}
			m.SetMetadata(meta, nil)
			use(t, m)
		}
	})
}
