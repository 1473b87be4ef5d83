package hdf5_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/tfrun/tfrun/internal/hdf5"
)

// errEnough stops a walk through a file that is larger than a test has time for.
var errEnough = errors.New("enough")

// FuzzOpen reads damaged files as far as they go: no panic, no values beyond a dataset's shape, and
// no more structure than the budget allows.
func FuzzOpen(f *testing.F) {
	for name, data := range fixtures(f) {
		if len(data) < 20_000 && name != "expect.json" {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) { walk(t, data) })
}

// TestDamaged cuts files off, and changes one byte after the other in the smallest ones.
func TestDamaged(t *testing.T) {
	t.Parallel()
	for name, data := range fixtures(t) {
		if name == "expect.json" {
			continue
		}
		for n := 0; n < len(data); n += 1 + len(data)/50 {
			walk(t, data[:n])
		}
		if len(data) > 7_000 || testing.Short() {
			continue
		}
		for i := range data {
			for _, b := range []byte{0xFF, 0x80, 1} {
				damaged := bytes.Clone(data)
				damaged[i] ^= b
				walk(t, damaged)
			}
		}
	}
}

// walk reads all of a file that may be damaged.
func walk(t *testing.T, data []byte) {
	t.Helper()
	f, err := hdf5.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return
	}
	left, seen := 2_000, map[uint64]bool{}
	visit(t, f.Root(), &left, seen)
}

func visit(t *testing.T, g *hdf5.Group, left *int, seen map[uint64]bool) {
	t.Helper()
	attributes(g)
	links, err := g.Links()
	if err != nil {
		return
	}
	for _, l := range links {
		if *left--; *left < 0 || l.Kind == hdf5.Hard && seen[l.ID()] {
			continue
		}
		seen[l.ID()] = true
		o, err := g.Open(l)
		if err != nil {
			continue
		}
		switch o := o.(type) {
		case *hdf5.Group:
			visit(t, o, left, seen)
		case *hdf5.Dataset:
			attributes(o)
			values(t, o)
		}
	}
}

// values checks that the values come within the shape, whole, and no more of them than there are.
func values(t *testing.T, d *hdf5.Dataset) {
	t.Helper()
	total, _ := d.Shape.Count()
	n, calls := int64(0), 0
	err := d.Values(context.Background(), func(at int64, data []byte) error {
		k := int64(len(data) / d.Type.Size)
		n += k
		if at < 0 || at+k > total || len(data)%d.Type.Size != 0 {
			t.Fatalf("%s: %d bytes at %d of %d values of %d bytes", d.Path, len(data), at, total, d.Type.Size)
		}
		if calls++; calls > 100_000 {
			return errEnough
		}
		return nil
	})
	if err == nil && n != total && !d.Null {
		t.Fatalf("%s: %d of %d values", d.Path, n, total)
	}
}

func attributes(o interface {
	Attributes() ([]hdf5.Attribute, error)
},
) {
	list, _ := o.Attributes() // what is damaged is an error, never a panic
	for _, a := range list {
		_, _ = a.Strings()
	}
}
