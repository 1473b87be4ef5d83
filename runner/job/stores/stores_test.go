package stores_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tfrun/tfrun/internal/store"
	"github.com/tfrun/tfrun/internal/store/storetest"
	_ "github.com/tfrun/tfrun/runner/job/stores"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"))
}

// noise is bytes of which no two places look alike.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b) // it has no errors
	return b
}

// TestRead reads objects of sizes around those of blocks, from their beginnings and at places that
// chance picks, by several readers at a time: from a store that works, and from one that breaks
// off, stalls, cuts short and fails.
func TestRead(t *testing.T) {
	const block = 1 << 20
	for name, fault := range map[string]storetest.Fault{
		"whole":       nil,
		"resets":      storetest.Broken(300_000, "reset"),
		"truncated":   storetest.Broken(200_000, "clean"),
		"slow":        storetest.Broken(700_000, "stall"),
		"500s":        storetest.Failing(3, http.StatusInternalServerError, nil),
		"503s":        storetest.Failing(2, http.StatusServiceUnavailable, nil),
		"resets soon": storetest.Broken(70_000, "reset"),
	} {
		t.Run(name, func(t *testing.T) {
			s := storetest.New(t)
			defer func(was time.Duration) { store.Times.Stall = was }(store.Times.Stall)
			if name == "slow" {
				store.Times.Stall = 50 * time.Millisecond
			}
			for _, size := range []int{0, 1, block - 1, block, block + 1, 9*block + 7} {
				want := noise(size)
				s.Put("rows", want)
				s.SetFault(fault)
				if _, err := store.Stat(t.Context(), s.Name("rows")); err != nil {
					t.Fatal(err)
				}
				var count atomic.Int64
				f, err := store.Open(t.Context(), s.Name("rows"), &count)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(f)
				if err != nil || !bytes.Equal(got, want) || count.Load() != int64(size) || f.Size() != int64(size) {
					t.Errorf("%d bytes: read %d, counted %d, %v", size, len(got), count.Load(), err)
				}
				readAnywhere(t, f, want)
				if err := f.Close(); err != nil {
					t.Error(err)
				}
				s.SetFault(nil)
			}
		})
	}
}

// readAnywhere reads at many places, as readers of Parquet do.
func readAnywhere(t *testing.T, f *store.File, want []byte) {
	t.Helper()
	var readers sync.WaitGroup
	for k := range 4 {
		readers.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(k), 1)) //nolint:gosec // not for secrets
			for range 8 {
				off := rnd.Int64N(int64(len(want)) + 10)
				p := make([]byte, rnd.IntN(1<<(2*rnd.IntN(11)))+1)
				n, err := f.ReadAt(p, off)
				rest := want[min(off, int64(len(want))):]
				if n != min(len(p), len(rest)) || !bytes.Equal(p[:n], rest[:n]) || (n < len(p)) != errors.Is(err, io.EOF) || n == len(p) && err != nil {
					t.Errorf("ReadAt %d of %d at %d: %d, %v", len(p), len(want), off, n, err)
				}
			}
		})
	}
	readers.Wait()
}

// TestReadEnds holds what a reader is told that cannot go on: that the object has changed, that it
// broke too often, that its context is done.
func TestReadEnds(t *testing.T) {
	s := storetest.New(t)
	open := func(ctx context.Context) *store.File {
		t.Helper()
		s.SetFault(nil)
		s.Put("rows", noise(10<<20))
		if _, err := store.Stat(ctx, s.Name("rows")); err != nil {
			t.Fatal(err)
		}
		f, err := store.Open(ctx, s.Name("rows"), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		if _, err := f.Read(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := open(t.Context())
	s.Put("rows", bytes.Repeat([]byte("other "), 2<<20))
	if _, err := io.Copy(io.Discard, f); store.KindOf(err) != store.Changed {
		t.Errorf("another object in its place: %v", err)
	}
	f = open(t.Context())
	s.SetFault(storetest.Broken(10_000, "reset"))
	if _, err := io.Copy(io.Discard, f); err == nil || !strings.HasPrefix(err.Error(), s.Name("rows")+": the connection broke again and again") {
		t.Errorf("nothing but resets: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	f = open(ctx)
	s.SetFault(storetest.Broken(1000, "stall"))
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := io.Copy(io.Discard, f); !errors.Is(err, context.Canceled) {
		t.Errorf("after the context's end: %v", err)
	}
}

// put writes an object through the door.
func put(ctx context.Context, name string, data []byte) error {
	return store.Put(ctx, name, io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data))))
}

// TestPut writes objects small and of many parts. Where one cannot be written, what was there is
// there still, and nothing of an upload is left.
func TestPut(t *testing.T) {
	s := storetest.New(t)
	big := noise(17 << 20)
	part := func(n string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.Method == http.MethodPut && r.URL.Query().Get("partNumber") == n }
	}
	for _, test := range []struct {
		name  string
		data  []byte
		fault storetest.Fault
		fails bool
	}{
		{"empty", nil, nil, false},
		{"small", []byte("row\n"), nil, false},
		{"in parts", big, nil, false},
		{"500s", big, storetest.Failing(3, 500, nil), false},
		{"part 3 refused", big, storetest.Failing(1, 403, part("3")), true},
		{"part 3 always fails", big, storetest.Failing(1, 500, part("3")), true},
		{"never completed", big, storetest.Failing(1, 403, func(r *http.Request) bool {
			return r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
		}), true},
	} {
		s.Put("out.parquet", []byte("before"))
		s.SetFault(test.fault)
		err := put(t.Context(), s.Name("out.parquet"), test.data)
		s.SetFault(nil)
		want := test.data
		if test.fails {
			want = []byte("before")
		}
		if got, _ := s.Get("out.parquet"); !bytes.Equal(got, want) || test.fails != (err != nil) {
			t.Errorf("%s: %d bytes, %v", test.name, len(got), err)
		}
		if n := s.Uploads(); n > 0 {
			t.Errorf("%s: %d uploads are left", test.name, n)
		}
	}
	if got := s.ContentType("out.parquet"); got != "application/octet-stream" && got != "application/vnd.apache.parquet" {
		t.Errorf("content type %q", got)
	}
	if err := put(t.Context(), s.Name("typed.csv"), []byte("a\n")); err != nil || s.ContentType("typed.csv") != "text/csv" {
		t.Errorf("%v, content type %q", err, s.ContentType("typed.csv"))
	}
}

// TestPutInterrupted: a run that is interrupted in an upload leaves nothing of it, and one that was
// killed leaves what the next upload of the same key ends, and of no other key.
func TestPutInterrupted(t *testing.T) {
	s := storetest.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.SetFault(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Query().Get("partNumber") == "2" {
			_, _ = io.Copy(io.Discard, r.Body) // then the server sees the client go
			cancel()
			<-r.Context().Done()
			return
		}
		next.ServeHTTP(w, r)
	})
	if err := put(ctx, s.Name("out"), noise(17<<20)); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	s.SetFault(nil)
	if n, keys := s.Uploads(), s.Keys(); n > 0 || len(keys) > 0 {
		t.Errorf("%d uploads are left, and %v", n, keys)
	}
	for _, key := range []string{"out", "out", "out2"} {
		resp, err := http.Post(s.URL+"/"+s.Bucket+"/"+key+"?uploads", "", nil) //nolint:noctx // a test's own server
		if err != nil || resp.Body.Close() != nil {
			t.Fatal(err)
		}
	}
	if n := s.Uploads(); n != 3 {
		t.Fatalf("%d uploads were begun, want 3", n)
	}
	if err := put(t.Context(), s.Name("out"), noise(9<<20)); err != nil {
		t.Fatal(err)
	}
	if n := s.Uploads(); n != 1 {
		t.Errorf("%d uploads are left, want that of the other key", n)
	}
}

// TestList lists in the order that a walk over files has, and what there is alone.
func TestList(t *testing.T) {
	s := storetest.New(t)
	want := []string{"a/b/1", "a/b/2", "a/b-c", "a/b.d", "a/c", "x y/ü+%20&", "z"}
	for _, key := range append([]string{"data/", "data/a/", "other/1", "data2"}, want...) {
		if slices.Contains(want, key) {
			key = "data/" + key
		}
		s.Put(key, []byte(key))
	}
	got, infos, err := store.List(t.Context(), s.Name("data"), 0)
	if err != nil || !slices.Equal(got, want) || infos["z"].Size != 6 {
		t.Errorf("%q, %v, %v", got, infos["z"], err)
	}
	for _, path := range got {
		listed, err := store.Known(t.Context(), store.Join(s.Name("data"), path))
		if err != nil {
			t.Error(err)
		}
		if looked, err := store.Stat(t.Context(), store.Join(s.Name("data"), path)); err != nil || looked.ETag != listed.ETag || looked.Size != listed.Size {
			t.Errorf("%s: listed as %v, is %v, %v", path, listed, looked, err)
		}
	}
	for key, folder := range map[string]bool{"data": true, "data/": true, "data2": false, "data/z": false, "dat": false, "": true} {
		if got := store.IsFolder(t.Context(), s.Name(key)); got != folder {
			t.Errorf("%q is a folder: %v", key, got)
		}
	}
	if err := errors.Join(store.Remove(t.Context(), s.Name("data/z")), store.Remove(t.Context(), s.Name("data/z"))); err != nil {
		t.Error(err)
	}
	if _, ok := s.Get("data/z"); ok {
		t.Error("a removed object is there")
	}
}

// TestErrors holds what is said of what goes wrong: in one line, with the name, without the words
// of the SDK, and without secrets.
func TestErrors(t *testing.T) {
	s := storetest.New(t)
	s.Put("data/rows.jsonl", []byte("1\n"))
	answer := func(code int, text string) storetest.Fault {
		return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			w.WriteHeader(code)
			if r.Method != http.MethodHead {
				_, _ = io.WriteString(w, text)
			}
		}
	}
	stat := func(name string) error {
		_, err := store.Stat(t.Context(), name)
		return err
	}
	read := func(name string) error {
		f, err := store.Open(t.Context(), name, nil)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, f)
		return errors.Join(err, f.Close())
	}
	list := func(name string) error {
		_, _, err := store.List(t.Context(), name, 0)
		return err
	}
	rows, other := s.Name("data/rows.jsonl"), strings.Replace(s.Typed("x"), s.Bucket, "no-such-"+s.Bucket, 1)
	dead := "s3://dead-" + s.Bucket + "/x?endpoint=http://127.0.0.1:1&region=eu-north-1"
	if err := store.Clean(&other, &dead); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		fault storetest.Fault
		do    func(string) error
		at    string
		kind  store.Kind
		want  string
	}{
		{"no object", nil, stat, s.Name("data/row.jsonl"), store.NotFound, ": there is no such object; there is " + rows},
		{"no object nor folder", nil, stat, s.Name("zzz"), store.NotFound, ": there is no such object"},
		{"a folder", nil, stat, s.Name("dat"), store.NotFound, ": there is no such object; there is " + s.Name("data/")},
		{"no bucket", nil, stat, other, store.NoBucket, ": there is no such bucket"},
		{"no bucket to list", nil, list, other, store.NoBucket, ": there is no such bucket"},
		{"denied", answer(403, ""), stat, rows, store.Denied, ": access denied, to look at it"},
		{"denied to list", answer(403, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"), list, rows, store.Denied, ": access denied, to list what is there"},
		{"a wrong key", answer(403, "<Error><Code>InvalidAccessKeyId</Code><Message>The key does not exist.</Message></Error>"), list, rows, store.Denied, ": access denied: The key does not exist, to list what is there"},
		{"another region", answer(301, "<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>"), list, rows, store.Region, ": the bucket is in another region"},
		{"an answer of nobody's", answer(418, "<Error><Code>Teapot</Code><Message>short and stout</Message></Error>"), list, rows, 0, ": the store answered Teapot: short and stout"},
		{"down", answer(500, ""), stat, rows, 0, ": the store answered InternalServerError: Internal Server Error"},
		{"gone", storetest.Broken(0, "reset"), read, rows, 0, ": the connection to the store broke again and again"},
		{"dead", nil, stat, dead, 0, ": no connection to the store: 127.0.0.1:1: connect: connection refused"},
	} {
		s.SetFault(test.fault)
		err := test.do(test.at)
		if err == nil || err.Error() != test.at+test.want || store.KindOf(err) != test.kind {
			t.Errorf("%s: %v; want %s", test.name, err, test.at+test.want)
		}
		if errors.Is(err, fs.ErrNotExist) != (test.kind == store.NotFound || test.kind == store.NoBucket) {
			t.Errorf("%s: is fs.ErrNotExist: %v", test.name, errors.Is(err, fs.ErrNotExist))
		}
	}
}

// TestFetch copies a folder once, by however many at the same time, anew when an object changes,
// and leaves nothing of a copy that failed.
func TestFetch(t *testing.T) {
	s := storetest.New(t)
	s.Put("m/saved_model.pb", noise(3<<20))
	s.Put("m/variables/variables.index", []byte("index"))
	dir := t.TempDir()
	fetch := func() (string, error) {
		paths, infos, err := store.List(t.Context(), s.Name("m"), 0)
		if err != nil {
			return "", err
		}
		return store.Fetch(t.Context(), s.Name("m"), paths, infos, dir, "m", nil)
	}
	var all sync.WaitGroup
	found := make([]string, 4)
	for i := range found {
		all.Go(func() {
			var err error
			if found[i], err = fetch(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if slices.Sort(found); found[0] != found[3] {
		t.Errorf("copies in %v", found)
	}
	got, err := os.ReadFile(filepath.Join(found[0], "saved_model.pb"))
	if err != nil || !bytes.Equal(got, noise(3<<20)) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	s.Put("m/variables/variables.index", []byte("other"))
	if again, err := fetch(); err != nil || again == found[0] {
		t.Errorf("another model: %v, %v", again, err)
	}
	s.Put("m/saved_model.pb", noise(4<<20))
	paths, infos, err := store.List(t.Context(), s.Name("m"), 0)
	if err != nil {
		t.Fatal(err)
	}
	s.SetFault(storetest.Broken(0, "reset"))
	if _, err := store.Fetch(t.Context(), s.Name("m"), paths, infos, dir, "m", nil); err == nil {
		t.Error("a broken copy was taken")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 2 {
		t.Errorf("%v are there", left)
	}
	for _, path := range []string{"../x", "/x", `a\b`, "a/../../x"} {
		if _, err := store.Fetch(t.Context(), s.Name("m"), []string{path}, nil, dir, "m", nil); err == nil {
			t.Errorf("%q was fetched", path)
		}
	}
}
