// Package storetest is a store that speaks S3, in the memory of a test, with faults.
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

// Server is the store, with a bucket that no other test has.
type Server struct {
	URL    string
	Bucket string

	tb      testing.TB
	backend *s3mem.Backend
	handler http.Handler
	mu      sync.Mutex
	fault   Fault
}

// Fault answers a request instead of the store, or before it, or with what it makes of the store's
// answer.
type Fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

var (
	once  sync.Once
	count atomic.Int64
)

// New starts a store, which ends with the test.
func New(tb testing.TB) *Server {
	tb.Helper()
	once.Do(func() {
		store.Times.Backoff, store.Times.Stall = 20*time.Millisecond, 10*time.Second
		for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "user", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true"} {
			_ = os.Setenv(name, value) // the test fails without
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
	s.Name("") // tells package store where the bucket is
	return s
}

// SetFault makes requests from now on be answered by f; nil: by the store.
func (s *Server) SetFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Typed is the name of an object as one types it.
func (s *Server) Typed(key string) string {
	return fmt.Sprintf("s3://%s/%s?endpoint=%s&region=us-east-1", s.Bucket, key, s.URL)
}

// Name is the name of an object.
func (s *Server) Name(key string) string {
	name := s.Typed(key)
	if err := store.Clean(&name); err != nil {
		s.tb.Fatal(err)
	}
	return name
}

// Put makes an object, by no request.
func (s *Server) Put(key string, data []byte) {
	s.tb.Helper()
	if _, err := s.backend.PutObject(s.Bucket, key, map[string]string{"Last-Modified": time.Now().UTC().Format(http.TimeFormat)}, bytes.NewReader(data), int64(len(data)), nil); err != nil {
		s.tb.Fatal(err)
	}
}

// Get returns what an object holds; ok is false where there is none.
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

// ContentType returns what an object says it is.
func (s *Server) ContentType(key string) string {
	o, err := s.backend.HeadObject(s.Bucket, key)
	if err != nil {
		s.tb.Fatal(err)
	}
	return o.Metadata["Content-Type"]
}

// Keys lists the objects.
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

// Uploads counts the uploads in parts that were begun and not ended.
func (s *Server) Uploads() int {
	s.tb.Helper()
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/"+s.Bucket+"?uploads", nil))
	return bytes.Count(w.Body.Bytes(), []byte("<UploadId>"))
}

// Broken cuts the bodies of some answers to GET: after n bytes the connection is reset, or, with
// clean, the body ends as if it were whole, or, with stall, nothing comes any more until the client
// goes away. Every tenth answer is left whole.
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
	_, _ = c.ResponseWriter.Write(b[:c.left]) // the client may have gone
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

// Failing answers every nth request that fits with an error of the server.
func Failing(n int64, code int, fits func(r *http.Request) bool) Fault {
	var asked atomic.Int64
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if fits == nil || fits(r) {
			if asked.Add(1)%n == 0 {
				_, _ = io.Copy(io.Discard, r.Body) // what is sent has arrived, in vain
				w.WriteHeader(code)
				return
			}
		}
		next.ServeHTTP(w, r)
	}
}
