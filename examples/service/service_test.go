//go:build cgo && !notf

package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tfrun/tfrun/runner"
)

// post sends a request and returns the answer.
func post(t *testing.T, url, body string) (int, string) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body)) //nolint:noctx // a test
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer resp.Body.Close() //nolint:errcheck // it was read only
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return resp.StatusCode, string(text)
}

// Requests of two models get their answers while the models are loaded anew, a bad one is told what
// is wrong with it and harms no other, and what is late ends.
func TestService(t *testing.T) {
	p := &pool{}
	defer p.close()
	for name, dir := range map[string]string{"reviews": "full_seed/k3/model", "dense": "k3_autoencoder/model"} {
		if err := p.load(t.Context(), name, "../../testdata/models/"+dir); err != nil {
			t.Fatal(err)
		}
	}
	s := httptest.NewServer(p.handler())
	defer s.Close()
	var wg sync.WaitGroup
	want := map[string]string{}
	for _, row := range []string{"[12, 7, 431]", "[5]", "[88, 3]"} {
		_, want[row] = post(t, s.URL+"/reviews", row)
		if !strings.HasPrefix(want[row], `{"output_0":[0.`) {
			t.Fatalf("%s: %s", row, want[row])
		}
	}
	for range 4 {
		wg.Go(func() {
			for range 20 {
				for row, text := range want {
					if code, got := post(t, s.URL+"/reviews", row); code != http.StatusOK || got != text {
						t.Errorf("%s: %d %s, want %s", row, code, got, text)
					}
				}
			}
		})
	}
	wg.Go(func() {
		for range 3 {
			if code, got := post(t, s.URL+"/reviews/reload", ""); code != http.StatusOK {
				t.Errorf("reload: %d %s", code, got)
			}
		}
	})
	for _, tt := range []struct {
		path, body, want string
		code             int
	}{
		{"/reviews", `["x"]`, "want", http.StatusBadRequest},
		{"/reviews", `{`, "error", http.StatusBadRequest},
		{"/reviews", `[1e9]`, "error", http.StatusBadRequest},
		{"/dense", `[1]`, "error", http.StatusBadRequest},
		{"/none", `[1]`, "there is no such model", http.StatusNotFound},
		{"/none/reload", ``, "there is no such model", http.StatusNotFound},
		{"/reviews", strings.Repeat(" ", 1<<20+1), "too large", http.StatusRequestEntityTooLarge},
	} {
		if code, got := post(t, s.URL+tt.path, tt.body); code != tt.code || !strings.Contains(got, tt.want) {
			t.Errorf("%s %.20s: %d %s, want %d %q", tt.path, tt.body, code, got, tt.code, tt.want)
		}
	}
	wg.Wait()
	ctx, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	if _, err := p.answer(ctx, "reviews", []byte("[1]")); status(err) != http.StatusGatewayTimeout {
		t.Errorf("after its deadline: %v", err)
	}
	resp, err := http.Get(s.URL + "/stats") //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read only
	var stats map[string]runner.BatcherStats
	if err := json.NewDecoder(resp.Body).Decode(&stats); err != nil || len(stats) != 2 {
		t.Errorf("stats: %v, %v", stats, err)
	}
	if err := p.load(t.Context(), "reviews", t.TempDir()); err == nil {
		t.Error("a model that is none was loaded")
	}
	if code, got := post(t, s.URL+"/reviews", "[5]"); got != want["[5]"] {
		t.Errorf("after a model that is none: %d %s", code, got)
	}
}
