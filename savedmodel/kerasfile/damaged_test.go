package kerasfile

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/layers"
	"github.com/tfrun/tfrun/savedmodel/scan"
	"github.com/tfrun/tfrun/savedmodel/sizes"
)

// TestForms reads one model as an archive, unpacked, and with its variables compressed: all say the
// same.
func TestForms(t *testing.T) {
	t.Parallel()
	dir, _ := testFiles(t, "k3_trained_functional.keras", 1<<20)
	path := filepath.Join(dir, "k3_trained_functional.keras")
	want := rowsOf(t, path)
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	folder := filepath.Join(t.TempDir(), "unpacked")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, f.Name), data, 0o600); err != nil {
			t.Fatal(err)
		}
		part, err := w.Create(f.Name) // compressed
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	compressed := filepath.Join(t.TempDir(), "renamed")
	if err := os.WriteFile(compressed, packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{folder, compressed} {
		if got := rowsOf(t, p); got != want {
			t.Errorf("%s: %s, want %s", p, got, want)
		}
	}
}

// rowsOf returns a model's table as JSON.
func rowsOf(t *testing.T, path string) string {
	t.Helper()
	if !Is(path) {
		t.Errorf("%s is not taken for a file of Keras'", path)
	}
	text, err := json.Marshal(tableOf(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestVariables lists what a file keeps, under Keras' names, and sums it up.
func TestVariables(t *testing.T) {
	t.Parallel()
	dir, _ := testFiles(t, "*_values.*", 1<<20)
	for _, file := range []string{"k3_values.keras", "k3_values.h5", "k2_values.keras", "k2_values.h5"} {
		m, err := Open(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		vars, err := m.Variables()
		if err != nil {
			t.Fatal(err)
		}
		means := map[string]float64{}
		for _, v := range vars {
			s, err := m.Stats(context.Background(), v)
			if err != nil {
				t.Fatal(err)
			}
			name, _, _ := strings.Cut(strings.TrimPrefix(v.Name, "sequential/"), ":")
			means[name] = s.Mean
			if s.Max != 1 || s.NaNs+s.Infs != 0 {
				t.Errorf("%s: %s: %+v", file, v.Name, s)
			}
		}
		// Variable i runs evenly from -1-i to 1.
		want := map[string]float64{
			"a/kernel": 0, "a/bias": -0.5, "b/kernel": -1, "c/gamma": -1.5, "c/beta": -2, "c/moving_mean": -2.5, "c/moving_variance": -3,
		}
		for name, mean := range want {
			if got, ok := means[name]; !ok || math.Abs(got-mean) > 1e-6 {
				t.Errorf("%s: mean of %s is %v, want %v (%v)", file, name, got, mean, means)
			}
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestWrongFiles says in one line what is wrong, and with which file.
func TestWrongFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, path := range []string{
		filepath.Join(dir, "missing.keras"), dir, file("empty.keras", ""), file("text.h5", "hello, this is text"), file("cut.keras", "PK\x03\x04"),
		file("cut.h5", "\x89HDF\r\n\x1a\n"), file("lfs.keras", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
		file("page.h5", "<!DOCTYPE html><html>"),
	} {
		_, err := Open(path)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
			t.Errorf("Open(%s) = %v, want one line that names the file", path, err)
		}
	}
}

// TestDamagedFiles cuts files off, and changes bytes in them: no panic.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	dir, names := testFiles(t, "*", 16_000)
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".json") {
			continue
		}
		path := filepath.Join(dir, "damaged")
		for i := 0; i < len(data); i += 1 + len(data)/8 {
			useFile(t, path, data[:i])
			damaged := bytes.Clone(data)
			damaged[i] ^= 0x81
			useFile(t, path, damaged)
		}
	}
}

// useFile does all that is done with a file.
func useFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(err error) {
		var e *Error
		if err != nil && (!errors.As(err, &e) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("error %q, want one line that names the file", err)
		}
	}
	_, err := Scan(path)
	check(err)
	m, err := Open(path)
	check(err)
	if err != nil {
		return
	}
	defer m.Close()
	vars, err := m.Variables()
	check(err)
	for _, v := range vars[:min(len(vars), 20)] {
		if v.DType.Size() > 0 && savedmodel.NewSummer(v.DType) != nil {
			_, err := m.Stats(context.Background(), v)
			check(err)
		}
	}
}

// FuzzConfig makes tables of damaged configurations: no panic, and no end of work.
func FuzzConfig(f *testing.F) {
	dir, names := testFiles(f, "*", 100_000)
	for _, name := range names {
		if !strings.HasSuffix(name, ".keras") && !strings.HasSuffix(name, ".h5") {
			continue
		}
		m, err := Open(filepath.Join(dir, name))
		if err != nil {
			f.Fatal(err)
		}
		if m.config != nil && len(m.config) < 20_000 {
			f.Add([]byte(m.config), m.Framework == savedmodel.Keras2)
		}
		if err := m.Close(); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, keras2 bool) {
		config, err := checkJSON(data)
		if err != nil {
			return
		}
		scan.Config(config)
		root, err := layers.ParseConfig(config)
		if err != nil {
			return
		}
		version := "3.15.1"
		if keras2 {
			version = "2.21.0"
		}
		table := layers.FromConfig(root, version, nil)
		if table == nil {
			return
		}
		put := sizes.Sizes{Axes: map[string]int64{}}
		for _, a := range sizes.TableAxes(table) {
			put.Axes[a.Name] = 3
		}
		inputs, err := sizes.PutTable(table, put)
		if err != nil {
			t.Fatalf("Put of the model's own axes: %v", err)
		}
		table.At(inputs)
		table.GivesAt(inputs)
	})
}
