package savedmodel_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
)

// TestFrames holds that a large file which is no SavedModel is not read.
func TestFrames(t *testing.T) {
	t.Parallel()
	const size = 2_000_000_000
	length := "\xee\xa7\xd6\xb9\x07" // size - 18
	for name, c := range map[string]struct{ head, want string }{
		"zeros":                         {"\x08\x01", "byte 2: is not a SavedModel"},
		"a graph longer than the file":  {"\x08\x01\x12\xff\xff\xff\xff\x07", "is cut off: it ends after 2000000000 bytes"},
		"a length of 2^63":              {"\x08\x01\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "is cut off"},
		"a length without an end":       {"\x08\x01\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "byte 2: is not a SavedModel"},
		"a group":                       {"\x08\x01\x13", "byte 2: is not a SavedModel"},
		"a graph of zeros":              {"\x08\x01\x12" + length, "byte 8: is not a SavedModel"},
		"a node longer than its graph":  {"\x08\x01\x12\x14\x12\x10\x0a\xff\xff\x03", "a length inside its graph reaches beyond the graph's end"},
		"a graph, and then zeros":       {"\x08\x01\x12\x02\x12\x00", "byte 6: is not a SavedModel"},
		"a field of 8 bytes, and zeros": {"\x08\x01\x19\x01\x01\x01\x01\x01\x01\x01\x01", "byte 11: is not a SavedModel"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, savedmodel.FileBinary)
			if err := os.WriteFile(path, []byte(c.head), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, size); err != nil {
				t.Skipf("the file system holds no file of %d bytes: %v", size, err)
			}
			modeltest.Within(t, time.Second, func() {
				if _, err := savedmodel.Open(dir); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("Open = %v, want an error with %q", err, c.want)
				}
			})
		})
	}
}
