package job

import (
	"bytes"
	"encoding/json"
	"io"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestKeptErrors cuts files of bad rows off after those that are done, and holds the place against
// that of lines which are read whole, for files that end anywhere and hold anything.
func TestKeptErrors(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var text []byte
		for i := range rapid.IntRange(0, 6).Draw(t, "rows") {
			row := badRow{Result: int64(i + 1), Error: "e", Keep: map[string]json.RawMessage{"k": json.RawMessage(`"` + strings.Repeat("}", rapid.SampledFrom([]int{0, 1, 4000, 4096, 9000}).Draw(t, "kept")+rapid.IntRange(0, 60).Draw(t, "more")) + `"`)}}
			line, err := json.Marshal(row)
			if err != nil {
				t.Fatal(err)
			}
			text = append(append(text, line...), '\n')
		}
		switch rapid.IntRange(0, 3).Draw(t, "end") {
		case 0:
			text = text[:rapid.IntRange(0, len(text)).Draw(t, "cut")]
		case 1:
			text = append(text, rapid.SampledFrom([]string{"\n", "{}\n", "{\"result\":-1}\n", "{\"result\":0,\"error\":\"\"}\n", "{\"result\":1x,}\n", "\x00\x00", "{\"result\":1,", strings.Repeat("x", 5000)}).Draw(t, "other")...)
		}
		done := rapid.Int64Range(0, 7).Draw(t, "done")
		want := int64(0)
		for line := range bytes.Lines(text) {
			var row badRow
			if !bytes.HasSuffix(line, []byte("\n")) || json.Unmarshal(line, &row) != nil || row.Result < 1 || row.Result > done {
				break
			}
			want += int64(len(line))
		}
		if got, err := keptErrors(bytes.NewReader(text), done); got != want || err != nil {
			t.Fatalf("%d of %d bytes, %v, want %d", got, len(text), err, want)
		}
	})
}

// TestKeptErrorsMemory: a file of one line of 256 MiB takes none, whatever it begins with.
func TestKeptErrorsMemory(t *testing.T) {
	for _, begin := range []string{"", `{"result":1,"error":"`, "\n"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, err := keptErrors(io.MultiReader(strings.NewReader(begin), io.LimitReader(zeros{}, 256<<20)), 5)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; got != 0 || err != nil || took > 1<<20 {
			t.Errorf("%q: %d bytes, %v, %d taken", begin, got, err, took)
		}
	}
}

// zeros has no end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
