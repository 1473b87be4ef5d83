//go:build cgo && !notf && !race && linux

package main

import (
	"os"
	"path/filepath"
	"syscall"
)

// hostileModels lists models that are made to harm who looks at them. shapes and scan must survive each one.
func hostileModels() []hostileCase {
	return []hostileCase{
		{"model", "`saved_model.pb` is a FIFO that nobody writes to", func(h *hostile) string {
			if err := os.Mkdir(filepath.Join(h.dir, "m"), 0o777); err != nil {
				h.Fatal(err)
			}
			if err := syscall.Mkfifo(filepath.Join(h.dir, "m", "saved_model.pb"), 0o666); err != nil {
				h.Fatal(err)
			}
			return h.refused(1, "m", "shapes", "m")
		}},
	}
}
