// Package store is the door to object stores: [Open], [Stat], [List], [Put] and [Remove] by names
// such as "s3://bucket/key".
//
// What speaks to a store is a [Bucket], which the program that wants one links and registers; see
// package runner/job/stores. A key is taken as it is typed: nothing in it is percent-encoded. What
// a store said of an object at the last look is kept for the process: [Known] asks nobody again.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tfrun/tfrun/internal/words"
)

// Bucket is a bucket of an object store, or a container. Its errors are *[Error], without Name.
type Bucket interface {
	// Stat looks at an object.
	Stat(ctx context.Context, key string) (Info, error)
	// Range opens n bytes of an object from a place on, n > 0. One that is no longer the version of
	// the etag is an [Error] of kind [Changed].
	Range(ctx context.Context, key string, version Info, from, n int64) (io.ReadCloser, error)
	// List calls each for the objects whose keys begin with prefix, in the order of their keys,
	// until it returns false.
	List(ctx context.Context, prefix string, each func(key string, info Info) bool) error
	// Put writes an object, which appears whole or not at all, and leaves nothing of uploads of the
	// same key that were abandoned.
	Put(ctx context.Context, key string, body *io.SectionReader, contentType string) error
	// Remove removes an object; where there is none, it does nothing.
	Remove(ctx context.Context, key string) error
}

// Info says which version of an object there is.
type Info struct {
	Size     int64
	Modified time.Time
	ETag     string // changes with the content
}

// Opener opens the bucket of a name. options are what stood behind a "?" in a name, "" for none.
type Opener func(ctx context.Context, bucket, options string) (Bucket, error)

// buckets are those that are open, and what is known of their objects.
var buckets = struct {
	sync.Mutex
	openers map[string]Opener // by scheme
	options map[string]string // by root, "s3://bucket"
	open    map[string]Bucket // by root
	known   map[string]Info   // by name
}{openers: map[string]Opener{}, options: map[string]string{}, open: map[string]Bucket{}, known: map[string]Info{}}

// Register makes names of a scheme be opened by open.
func Register(scheme string, open Opener) {
	buckets.Lock()
	defer buckets.Unlock()
	buckets.openers[scheme] = open
}

func registered(scheme string) bool {
	buckets.Lock()
	defer buckets.Unlock()
	return buckets.openers[scheme] != nil
}

var schemes = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://`)

// Is reports whether a name is that of an object, or of a folder of them, and not of a file.
func Is(name string) bool { return schemes.MatchString(name) }

// Root is the part of a name up to its bucket, "s3://bucket"; "" of a file.
func Root(name string) string {
	root, _ := split(name)
	return root
}

// split splits a name into its bucket and its key.
func split(name string) (root, key string) {
	scheme := schemes.FindString(name)
	if scheme == "" {
		return "", name
	}
	bucket, key, _ := strings.Cut(name[len(scheme):], "/")
	return scheme + bucket, key
}

// Join is the name of what lies at a path below a folder, in a store or not.
func Join(dir, path string) string {
	if !Is(dir) {
		return filepath.Join(dir, path)
	}
	return strings.TrimSuffix(dir, "/") + "/" + filepath.ToSlash(path)
}

// Below reports whether a name is that of a folder, or lies in it; both are of stores.
func Below(folder, name string) bool {
	return strings.HasPrefix(strings.TrimSuffix(name, "/")+"/", strings.TrimSuffix(folder, "/")+"/")
}

// options is what may stand behind the last "?" of a name: a "?" of a pattern is followed by other
// things.
var options = regexp.MustCompile(`\?(?:[A-Za-z0-9_]+=[^?]*)$`)

// Clean takes the options out of the names of one command, "s3://bucket/key?region=eu-north-1", and
// keeps them for the buckets: all names of a bucket have the same. Names of files stay as they are.
func Clean(names ...*string) error {
	found := map[string]string{}
	for _, name := range names {
		if !Is(*name) {
			continue
		}
		plain := options.ReplaceAllString(*name, "")
		root, key := split(plain)
		scheme, bucket, _ := strings.Cut(root, "://")
		if !registered(scheme) {
			return &Error{Name: plain, Kind: Usage, Msg: unknownScheme(scheme)}
		}
		if bucket == "" || strings.ContainsAny(bucket, "@*?[") {
			return &Error{Name: plain, Kind: Usage, Msg: fmt.Sprintf("want %s://BUCKET/KEY", scheme)}
		}
		if strings.HasPrefix(key, "/") || strings.Contains(key, "//") {
			return &Error{Name: plain, Kind: Usage, Msg: "has an empty part between two slashes"}
		}
		if given := (*name)[len(plain):]; given != "" {
			given = given[1:]
			if other, twice := found[root]; twice && other != given {
				return &Error{Name: root, Kind: Usage, Msg: "is named with different options behind the ?; they hold for the whole bucket"}
			}
			found[root] = given
		}
		*name = plain
	}
	buckets.Lock()
	defer buckets.Unlock()
	for root, given := range found {
		if buckets.options[root] != given {
			buckets.options[root] = given
			delete(buckets.open, root)
		}
	}
	return nil
}

// unknownScheme says what there is in the place of a scheme that is not read.
func unknownScheme(scheme string) string {
	switch scheme {
	case "s3a", "s3n":
		return "write s3://"
	case "gs":
		return "this tfrun was built without it: build it with -tags tfrun_gcs, or name Google's S3-compatible endpoint: s3://…?endpoint=https://storage.googleapis.com, with HMAC keys"
	case "az", "azblob", "abfs", "abfss", "wasb", "wasbs":
		return "this tfrun was built without it: build it with -tags tfrun_azure, which reads az://CONTAINER/KEY, or serve it as s3://: rclone serve s3"
	case "file":
		return "name the file without file://"
	}
	return fmt.Sprintf("there is no store of the kind %s://; s3:// is read, and what speaks its protocol", scheme)
}

// bucketOf opens the bucket of a name once.
func bucketOf(ctx context.Context, name string) (Bucket, string, error) {
	root, key := split(name)
	scheme, bucket, _ := strings.Cut(root, "://")
	buckets.Lock()
	b, open, given := buckets.open[root], buckets.openers[scheme], buckets.options[root]
	buckets.Unlock()
	if b != nil {
		return b, key, nil
	}
	if open == nil {
		return nil, "", &Error{Name: name, Kind: Usage, Msg: unknownScheme(scheme)}
	}
	b, err := open(ctx, bucket, given)
	if err != nil {
		return nil, "", named(root, err)
	}
	buckets.Lock()
	defer buckets.Unlock()
	buckets.open[root] = b
	return b, key, nil
}

// remember keeps what is known of an object.
func remember(name string, info Info) {
	buckets.Lock()
	defer buckets.Unlock()
	buckets.known[name] = info
}

// Stat asks the store what it has under a name. Where there is nothing, the error, which is
// [fs.ErrNotExist], names what is near.
func Stat(ctx context.Context, name string) (Info, error) {
	b, key, err := bucketOf(ctx, name)
	if err != nil {
		return Info{}, err
	}
	info, err := b.Stat(ctx, key)
	if err == nil {
		remember(name, info)
		return info, nil
	}
	if KindOf(err) == NotFound {
		err = nearest(ctx, b, name, key, err)
	}
	return info, named(name, err)
}

// nearest adds to an error that an object is not there which is, among its neighbours. Where the
// bucket is not there either, that is said.
func nearest(ctx context.Context, b Bucket, name, key string, err error) error {
	const most = 1000
	dir, base := path.Split(key)
	var names []string
	listErr := b.List(ctx, dir, func(other string, _ Info) bool {
		if first, _, below := strings.Cut(strings.TrimPrefix(other, dir), "/"); !below {
			names = append(names, first)
		} else if len(names) == 0 || names[len(names)-1] != first+"/" {
			names = append(names, first+"/")
		}
		return len(names) < most
	})
	if KindOf(listErr) == NoBucket {
		return listErr
	}
	var e *Error
	if near := words.Nearest(base, names); near != "" && errors.As(err, &e) {
		c := *e
		c.Near = strings.TrimSuffix(name, base) + near
		return &c
	}
	return err
}

// Known is Stat of what the process has not looked at yet.
func Known(ctx context.Context, name string) (Info, error) {
	buckets.Lock()
	info, ok := buckets.known[name]
	buckets.Unlock()
	if ok {
		return info, nil
	}
	return Stat(ctx, name)
}

// List lists what lies below a folder, by its path in it, in the order that a walk over a folder of
// files has: by the parts of paths. Objects that stand for folders are left out. Of more than most
// it gives most; 0: all.
func List(ctx context.Context, folder string, most int) ([]string, map[string]Info, error) {
	b, key, err := bucketOf(ctx, folder)
	if err != nil {
		return nil, nil, err
	}
	prefix := strings.TrimSuffix(key, "/")
	if prefix != "" {
		prefix += "/"
	}
	found := map[string]Info{}
	err = b.List(ctx, prefix, func(key string, info Info) bool {
		if path := strings.TrimPrefix(key, prefix); path != "" && !strings.HasSuffix(path, "/") {
			found[path] = info
			remember(Join(folder, path), info)
		}
		return most == 0 || len(found) < most
	})
	if err != nil {
		return nil, nil, named(folder, err)
	}
	paths := slices.SortedFunc(maps.Keys(found), func(a, b string) int {
		return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
	})
	return paths, found, nil
}

// IsFolder reports whether a name is that of a folder: it ends with a slash, or no object has it
// and some lie below it.
func IsFolder(ctx context.Context, name string) bool {
	if _, key := split(name); key == "" || strings.HasSuffix(name, "/") {
		return true
	}
	b, key, err := bucketOf(ctx, name)
	if err != nil {
		return false
	}
	if _, err := b.Stat(ctx, key); KindOf(err) != NotFound {
		return false
	}
	paths, _, err := List(ctx, name, 1)
	return err == nil && len(paths) > 0
}

// Put writes an object, which appears when it is whole.
func Put(ctx context.Context, name string, body *io.SectionReader) error {
	b, key, err := bucketOf(ctx, name)
	if err != nil {
		return err
	}
	if key == "" || strings.HasSuffix(key, "/") {
		return &Error{Name: name, Kind: Usage, Msg: "is a folder; name an object"}
	}
	return named(name, b.Put(ctx, key, body, contentType(key)))
}

// Remove removes an object; where there is none, it does nothing.
func Remove(ctx context.Context, name string) error {
	b, key, err := bucketOf(ctx, name)
	if err != nil {
		return err
	}
	return named(name, b.Remove(ctx, key))
}

// contentType is what others are told an object is.
func contentType(key string) string {
	switch filepath.Ext(key) {
	case ".jsonl", ".ndjson":
		return "application/x-ndjson"
	case ".json":
		return "application/json"
	case ".csv":
		return "text/csv"
	case ".tsv", ".tab":
		return "text/tab-separated-values"
	case ".parquet", ".pq":
		return "application/vnd.apache.parquet"
	case ".arrow", ".feather", ".ipc":
		return "application/vnd.apache.arrow.file"
	case ".gz":
		return "application/gzip"
	case ".zst":
		return "application/zstd"
	}
	return "application/octet-stream"
}
