package savedmodel_test

import (
	"path/filepath"
	"testing"

	"github.com/tfrun/tfrun/savedmodel"
)

// BenchmarkDescribe reads the tutorial's model from its files to all that is known of it, as `tfrun
// shapes` does.
func BenchmarkDescribe(b *testing.B) {
	for _, form := range []string{"k2", "k3"} {
		dir := filepath.Join("..", "testdata", "models", "full_seed", form, "model")
		b.Run(form, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m, err := savedmodel.Open(dir)
				if err != nil {
					b.Fatal(err)
				}
				if err := describe(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen reads the same model's signatures only.
func BenchmarkOpen(b *testing.B) {
	for _, form := range []string{"k2", "k3"} {
		dir := filepath.Join("..", "testdata", "models", "full_seed", form, "model")
		b.Run(form, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := savedmodel.Open(dir); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
