//go:build cgo && !notf && !race && linux

package main

// hostileData lists files of rows that are not what they say.
func hostileData() []hostileCase {
	return []hostileCase{
		{"data", "npy: a negative shape", func(h *hostile) string {
			header := "{'descr': '<i8', 'fortran_order': False, 'shape': (-1, 4), }"
			rows := h.file("rows.npy", append([]byte("\x93NUMPY\x01\x00"+string(rune(len(header)))+"\x00"), header...))
			return h.refused(1, "rows.npy", "predict", h.reviews(), rows, "-o", "out.jsonl")
		}},
	}
}
