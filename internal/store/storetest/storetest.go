// Package storetest is an S3 store in memory for tests, which can be told to fail.
package storetest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/tfrun/tfrun/internal/store"
)

// Server is a store with one bucket, which no other test uses.
type Server struct {
	URL    string
	Bucket string

	tb      testing.TB
	backend *s3mem.Backend
	handler http.Handler
	mu      sync.Mutex
	fault   Fault
}

// Fault answers a request in place of the store, whose own answer comes from next.
type Fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

var (
	once  sync.Once
	count atomic.Int64
)

// New starts a store that ends with the test.
func New(tb testing.TB) *Server {
	tb.Helper()
	once.Do(func() {
		store.Times.Backoff, store.Times.Stall = 20*time.Millisecond, 10*time.Second
		for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "user", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true"} {
			// Without the variable the test fails.
			_ = os.Setenv(name, value)
		}
	})
	s := &Server{Bucket: fmt.Sprintf("bucket-%d", count.Add(1)), backend: s3mem.New(), tb: tb}
	s.handler = gofakes3.New(s.backend).Server()
	if err := s.backend.CreateBucket(s.Bucket); err != nil {
		tb.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		fault := s.fault
		s.mu.Unlock()
		if fault == nil {
			s.handler.ServeHTTP(w, r)
			return
		}
		fault(w, r, s.handler)
	}))
	tb.Cleanup(server.Close)
	s.URL = server.URL
	// Package store learns here where the bucket is.
	s.Name("")
	return s
}

// SetFault makes f answer all later requests; nil: the store answers.
func (s *Server) SetFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Typed returns the name of an object as a user types it, with options.
func (s *Server) Typed(key string) string {
	return fmt.Sprintf("s3://%s/%s?endpoint=%s&region=us-east-1", s.Bucket, key, s.URL)
}

// Name returns the name of an object.
func (s *Server) Name(key string) string {
	name := s.Typed(key)
	if err := store.Clean(&name); err != nil {
		s.tb.Fatal(err)
	}
	return name
}

// Put makes an object without a request.
func (s *Server) Put(key string, data []byte) {
	s.tb.Helper()
	if _, err := s.backend.PutObject(s.Bucket, key, map[string]string{"Last-Modified": time.Now().UTC().Format(http.TimeFormat)}, bytes.NewReader(data), int64(len(data)), nil); err != nil {
		s.tb.Fatal(err)
	}
}

// Get returns the contents of an object; ok is false if there is none.
func (s *Server) Get(key string) (data []byte, ok bool) {
	s.tb.Helper()
	o, err := s.backend.GetObject(s.Bucket, key, nil)
	if err != nil {
		return nil, false
	}
	defer o.Contents.Close() //nolint:errcheck // in memory
	if data, err = io.ReadAll(o.Contents); err != nil {
		s.tb.Fatal(err)
	}
	return data, true
}

// ContentType returns the type that an object was stored with.
func (s *Server) ContentType(key string) string {
	o, err := s.backend.HeadObject(s.Bucket, key)
	if err != nil {
		s.tb.Fatal(err)
	}
	return o.Metadata["Content-Type"]
}

// Keys lists the keys of all objects.
func (s *Server) Keys() []string {
	s.tb.Helper()
	list, err := s.backend.ListBucket(s.Bucket, nil, gofakes3.ListBucketPage{})
	if err != nil {
		s.tb.Fatal(err)
	}
	var keys []string
	for _, o := range list.Contents {
		keys = append(keys, o.Key)
	}
	return keys
}

// Uploads returns the number of unfinished uploads in parts.
func (s *Server) Uploads() int {
	s.tb.Helper()
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/"+s.Bucket+"?uploads", nil))
	return bytes.Count(w.Body.Bytes(), []byte("<UploadId>"))
}

// Broken breaks off the bodies of answers to GET after n bytes. how says in what way: the
// connection is reset; "clean": the body ends as if it were whole; "stall": nothing more is sent
// until the client goes away. Every tenth answer is whole.
func Broken(n int, how string) Fault {
	var served atomic.Int64
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method != http.MethodGet || r.URL.RawQuery == "uploads" || r.Header.Get("Range") == "" || served.Add(1)%10 == 0 {
			next.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(&cut{ResponseWriter: w, r: r, left: n, how: how}, r)
	}
}

// cut is an answer that breaks off.
type cut struct {
	http.ResponseWriter
	r    *http.Request
	left int
	how  string
}

func (c *cut) WriteHeader(code int) {
	if c.how == "clean" {
		c.Header().Del("Content-Length")
	}
	c.ResponseWriter.WriteHeader(code)
}

func (c *cut) Write(b []byte) (int, error) {
	if len(b) <= c.left {
		c.left -= len(b)
		return c.ResponseWriter.Write(b)
	}
	// The client may be gone already.
	_, _ = c.ResponseWriter.Write(b[:c.left])
	c.left = 0
	switch c.how {
	case "clean":
		return len(b), nil
	case "stall":
		_ = http.NewResponseController(c.ResponseWriter).Flush()
		<-c.r.Context().Done()
	}
	panic(http.ErrAbortHandler)
}

// Failing answers every nth request for which fits is true with an error of the server.
func Failing(n int64, code int, fits func(r *http.Request) bool) Fault {
	var asked atomic.Int64
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if fits == nil || fits(r) {
			if asked.Add(1)%n == 0 {
				// The server takes what is sent, and fails then.
				_, _ = io.Copy(io.Discard, r.Body)
				w.WriteHeader(code)
				return
			}
		}
		next.ServeHTTP(w, r)
	}
}
