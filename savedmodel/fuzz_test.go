package savedmodel

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// fuzzModels are small models whose files begin the search.
var fuzzModels = []string{"k2_fixed_batch", "k3_fixed_batch", "k2_nested", "tf1_sparse", "mod_ragged_out", "mod_vocab_asset", "k2_lambda_layer"}

// describe asks for all that is known of a model: why each shape of its signatures is what it is,
// and the tables of its layers.
func describe(m *Model) error {
	for _, mg := range m.MetaGraphs {
		for _, s := range mg.Signatures {
			if _, err := mg.Why(s); err != nil {
				return err
			}
		}
		if _, err := mg.Layers(); err != nil {
			return err
		}
	}
	return nil
}

// use does all that is done with a model, and fails the test unless every error says which file is
// wrong.
func use(t *testing.T, m *Model) {
	t.Helper()
	check := func(err error) {
		var file *FileError
		var format *FormatError
		var uninitialized *UninitializedError
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
		for _, name := range mg.SignatureNames() {
			s := mg.Signatures[name]
			check(mg.CheckSignature(s))
			sizes := Sizes{Axes: map[string]int64{}}
			for _, a := range mg.Axes(s) {
				sizes.Axes[a.Name] = 3
			}
			shapes, err := mg.Put(s, sizes)
			if err != nil {
				t.Fatalf("Put of the signature's own axes: %v", err)
			}
			if table, err := mg.Layers(); err == nil && table != nil {
				table.At(shapes)
			}
			_, err = mg.OutputsAt(s, shapes)
			check(err)
		}
	}
}

func addModelFiles(f *testing.F, name string) {
	f.Helper()
	for _, model := range fuzzModels {
		if data, err := os.ReadFile(filepath.Join("..", "testdata", "models", model, "model", name)); err == nil {
			f.Add(data)
		}
	}
}

func FuzzSavedModel(f *testing.F) {
	addModelFiles(f, fileBinary)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := newModel("none", fileBinary, "", data)
		if err != nil {
			var format *FormatError
			if !errors.As(err, &format) {
				t.Fatalf("error %v (%T), want a *FormatError", err, err)
			}
			return
		}
		use(t, m)
	})
}

func FuzzText(f *testing.F) {
	if data, err := os.ReadFile(filepath.Join("..", "testdata", "models", "tf1_pbtxt", "model", fileText)); err == nil {
		f.Add(data)
	}
	f.Add([]byte(`meta_graphs { meta_info_def { tags: "serve" } signature_def { key: "a" value { } } }`))
	f.Fuzz(func(t *testing.T, text []byte) {
		data, err := textToBinary(fileText, text)
		if err != nil {
			return
		}
		if m, err := newModel("none", fileText, "", data); err == nil {
			use(t, m)
		}
	})
}

// FuzzMetadata puts Keras metadata beside the graph of a model that has such.
func FuzzMetadata(f *testing.F) {
	addModelFiles(f, fileMetadata)
	graphs := map[string][]byte{}
	for _, name := range []string{"k2_fixed_batch", "k2_nested"} {
		data, err := os.ReadFile(filepath.Join("..", "testdata", "models", name, "model", fileBinary))
		if err != nil {
			f.Fatal(err)
		}
		graphs[name] = data
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		meta, err := parseMetadata(fileMetadata, data)
		if err != nil {
			return
		}
		for _, graph := range graphs {
			m, err := newModel("none", fileBinary, "", graph)
			if err != nil {
				t.Fatal(err)
			}
			m.metadata = func() (kerasMetadata, error) { return meta, nil }
			use(t, m)
		}
	})
}

func FuzzFingerprint(f *testing.F) {
	addModelFiles(f, fileFingerprint)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parseFingerprint(fileFingerprint, data)
		if (p == nil) == (err == nil) {
			t.Fatalf("parseFingerprint = %v, %v", p, err)
		}
	})
}

// FuzzCheckpoint reads an index beside a data file of another, and then all the values that it
// speaks of.
func FuzzCheckpoint(f *testing.F) {
	addModelFiles(f, filepath.Join("variables", "variables.index"))
	for _, name := range []string{"dtypes", "partitioned"} {
		data, err := os.ReadFile(filepath.Join("testdata", name, "variables", "variables.index"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseCheckpoint("variables.index", data)
		if err != nil {
			return
		}
		c.Prefix = filepath.Join("testdata", "dtypes", "variables", "variables")
		c.nameVariables()
		_ = c.CheckShards()
		for _, e := range c.Tensors {
			_, _ = c.Read(e)
			_, _ = c.Stats(context.Background(), e)
		}
	})
}

// FuzzBlock walks the entries of a table's block, which no checksum protects from a fuzzer.
func FuzzBlock(f *testing.F) {
	f.Add([]byte("\x00\x01\x01ab\x01\x01\x01cd\x00\x00\x00\x00\x01\x00\x00\x00"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_ = eachInBlock(data, func(key, _ []byte) error {
			sliceKey(key)
			return nil
		})
	})
}
