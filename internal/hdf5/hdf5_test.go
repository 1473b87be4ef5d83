package hdf5_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/internal/hdf5"
)

// object is what make_fixtures.py recorded of a group, a dataset or a link.
type object struct {
	Attributes map[string][]string `json:"attributes"`
	Shape      []int64             `json:"shape"`
	DType      string              `json:"dtype"`
	SHA256     *string             `json:"sha256"`
	Link       string              `json:"link"`
	Target     string              `json:"target"`
}

// fixtures returns the files of testdata/h5py.zip by name.
func fixtures(t testing.TB) map[string][]byte {
	t.Helper()
	z, err := zip.OpenReader("testdata/h5py.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// TestFixtures reads what h5py and Keras wrote and finds what h5py finds in it.
func TestFixtures(t *testing.T) {
	t.Parallel()
	files := fixtures(t)
	var expect map[string]map[string]object
	if err := json.Unmarshal(files["expect.json"], &expect); err != nil {
		t.Fatal(err)
	}
	if len(expect) < 30 {
		t.Errorf("only %d files", len(expect))
	}
	for name, want := range expect {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := files[name]
			f, err := hdf5.Open(bytes.NewReader(data), int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]object{}
			read(t, f.Root(), "", got)
			for path, o := range want {
				if o.SHA256 == nil { // addresses in the file, which h5py does not show
					g := got[path]
					g.SHA256 = nil
					got[path] = g
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("h5py's (-) and ours (+):\n%s", diff)
			}
		})
	}
}

// read collects all that is in a group.
func read(t *testing.T, g *hdf5.Group, path string, got map[string]object) {
	t.Helper()
	got[path+"/"[min(len(path), 1):]] = object{Attributes: texts(t, g)}
	links, err := g.Links()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		at := path + "/" + l.Name
		if l.Kind != hdf5.Hard {
			if _, err := g.Open(l); err == nil {
				t.Errorf("%s: a %s link is followed", at, l.Kind)
			}
			got[at] = object{Link: string(l.Kind), Target: l.Target}
			continue
		}
		o, err := g.Open(l)
		if err != nil {
			t.Fatal(err)
		}
		switch o := o.(type) {
		case *hdf5.Group:
			read(t, o, at, got)
		case *hdf5.Dataset:
			sum := digest(t, o)
			got[at] = object{Attributes: texts(t, o), Shape: shape(o), DType: dtype(o.Type), SHA256: &sum}
		}
	}
}

func shape(d *hdf5.Dataset) []int64 {
	if d.Null {
		return nil
	}
	return append([]int64{}, d.Shape...)
}

// texts returns the attributes, with nil for those that are no texts.
func texts(t *testing.T, o interface {
	Attributes() ([]hdf5.Attribute, error)
},
) map[string][]string {
	t.Helper()
	list, err := o.Attributes()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, a := range list {
		out[a.Name] = nil
		if s, err := a.Strings(); err == nil {
			out[a.Name] = append([]string{}, s...)
		} else if a.Type.Class == hdf5.String || a.Type.Class == hdf5.Variable {
			t.Error(err)
		}
	}
	return out
}

// digest returns the checksum of a dataset's values in their order, and "" where they are not read.
func digest(t *testing.T, d *hdf5.Dataset) string {
	t.Helper()
	sum, next, runs := sha256.New(), int64(0), map[int64][]byte{}
	err := d.Values(context.Background(), func(at int64, data []byte) error {
		if len(data)%d.Type.Size != 0 {
			return fmt.Errorf("%d bytes for values of %d", len(data), d.Type.Size)
		}
		runs[at] = slices.Clone(data)
		return nil
	})
	var no *hdf5.UnsupportedError
	if errors.As(err, &no) {
		return ""
	}
	if err != nil {
		t.Error(err)
	}
	for ; runs[next] != nil; next += int64(len(runs[next]) / d.Type.Size) {
		sum.Write(runs[next])
	}
	if n, _ := d.Shape.Count(); !d.Null && next != n {
		t.Errorf("%s: values up to %d of %d", d.Path, next, n)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// dtype writes a type as numpy does.
func dtype(t hdf5.Type) string {
	switch t.Class {
	case hdf5.String:
		return fmt.Sprintf("|S%d", t.Size)
	case hdf5.Opaque:
		return fmt.Sprintf("|V%d", t.Size)
	case hdf5.Variable, hdf5.Reference:
		return "object"
	case hdf5.Enum:
		if t.Values["TRUE"] != nil {
			return "bool"
		}
		return t.Base.String()
	case hdf5.Compound:
		if len(t.Members) == 2 && t.Members[0].Name == "r" {
			return fmt.Sprintf("complex%d", 8*t.Size)
		}
		var fields []string
		for _, m := range t.Members {
			text := fmt.Sprintf("'%s'", short(m.Type))
			if m.Type.Class == hdf5.Array {
				text = fmt.Sprintf("'%s', (%d,)", short(*m.Type.Base), m.Type.Dims[0])
			}
			fields = append(fields, fmt.Sprintf("('%s', %s)", m.Name, text))
		}
		return "[" + strings.Join(fields, ", ") + "]"
	case hdf5.Float, hdf5.Integer:
		if t.Order.String() == "BigEndian" && t.Size > 1 {
			return fmt.Sprintf(">%c%d", t.String()[0], t.Size)
		}
	}
	return t.String()
}

// short writes a type as numpy does within a record: "<f4", "S3".
func short(t hdf5.Type) string {
	if t.Class == hdf5.String {
		return fmt.Sprintf("S%d", t.Size)
	}
	return fmt.Sprintf("<%c%d", t.String()[0], t.Size)
}
