package message

import (
	"encoding/binary"
	"strings"
	"testing"
)

// What compressed buffers say that they become is bounded before the library makes room for it.
func TestCheckPacked(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	type buffer struct{ at, size, becomes int64 }
	for name, tt := range map[string]struct {
		buffers []buffer
		want    string
	}{
		"none":                             {nil, ""},
		"as stored":                        {[]buffer{{0, 100, -1}, {100, 50, -1}}, ""},
		"empty, at any place":              {[]buffer{{1 << 60, 0, 0}}, ""},
		"small, of any ratio":              {[]buffer{{0, 8, 200 * mib}}, ""},
		"large, in proportion":             {[]buffer{{0, 64 * mib, 1000 * mib}}, ""},
		"large, in proportion together":    {[]buffer{{0, 8, 300 * mib}, {8, 60 * mib, 60 * mib}}, ""},
		"large":                            {[]buffer{{0, 1000, 257 * mib}}, "compressed buffers of 1000 bytes would become 269484032"},
		"small ones that are large in sum": {[]buffer{{0, 8, 100 * mib}, {8, 8, 100 * mib}, {16, 8, 100 * mib}}, "compressed buffers of 24 bytes would become 314572800"},
		"of -2 bytes":                      {[]buffer{{0, 8, -2}}, "would become -2 bytes"},
		"of 2^62 bytes":                    {[]buffer{{0, 8, 1 << 62}}, "would become 4611686018427387904 bytes"},
		"outside":                          {[]buffer{{64*mib - 7, 8, 8}}, "outside its batch"},
		"before":                           {[]buffer{{-8, 8, 8}}, "outside its batch"},
		"too short for its length":         {[]buffer{{0, 7, 8}}, "outside its batch"},
		"longer than numbers are":          {[]buffer{{8, 1<<63 - 1, 8}}, "outside its batch"},
	} {
		body := make([]byte, 64*mib)
		var packed []byte
		for _, b := range tt.buffers {
			packed = binary.LittleEndian.AppendUint64(packed, uint64(b.at))
			packed = binary.LittleEndian.AppendUint64(packed, uint64(b.size))
			if b.at >= 0 && b.at <= int64(len(body))-8 {
				binary.LittleEndian.PutUint64(body[b.at:], uint64(b.becomes))
			}
		}
		switch _, err := checkPacked(packed, body); {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}
