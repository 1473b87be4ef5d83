package peer

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestServe(t *testing.T) {
	t.Parallel()
	failure := errors.New("no more")
	jobs := map[string]Job{
		"twice": func(arguments json.RawMessage) (any, error) {
			var a struct{ N int }
			err := json.Unmarshal(arguments, &a)
			return map[string]int{"n": 2 * a.N}, err
		},
		"fail": func(json.RawMessage) (any, error) { return nil, failure },
	}
	for _, tt := range []struct {
		name, in string
		want     []string
		wantErr  string
	}{
		{"nothing asked", "", nil, ""},
		{"answers", `{"job":"twice","n":4}` + "\n" + `{"job":"twice","n":5}` + "\n", []string{`{"n":8}`, `{"n":10}`}, ""},
		{"error", `{"job":"fail"}` + "\n" + `{"job":"twice","n":5}`, []string{`{"error":"no more"}`}, "no more"},
		{"unknown", `{"job":"thrice"}`, []string{`{"error":"no job is called \"thrice\""}`}, `no job is called "thrice"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			err := Serve(strings.NewReader(tt.in), &out, jobs)
			if got := errorText(err); got != tt.wantErr {
				t.Errorf("Serve: %q, want %q", got, tt.wantErr)
			}
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if !strings.HasPrefix(lines[0], `{"ready":{"Go":"`) {
				t.Errorf("first line %s", lines[0])
			}
			if got := strings.Join(lines[1:], "\n"); got != strings.Join(tt.want, "\n") {
				t.Errorf("answers %s, want %s", got, tt.want)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
