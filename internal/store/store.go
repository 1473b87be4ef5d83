// Package store reads and writes objects in object stores, by names such as "s3://bucket/key":
// [Open], [Stat], [List], [Put] and [Remove].
//
// The code that speaks to a store is a [Bucket]. A program that wants a store links such code and
// registers it, see package runner/job/stores. Keys are taken as they are typed: nothing in them is
// percent-encoded. What a store has told about an object is kept for the rest of the process, where
// [Known] finds it.
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

// Bucket is an open bucket, or container, of an object store. Its errors are *[Error], without
// Name.
type Bucket interface {
	// Stat returns the version of an object.
	Stat(ctx context.Context, key string) (Info, error)
	// Range opens n bytes of an object, n > 0, beginning at from. If the object does not have the
	// given version any more, the error is an [Error] of kind [Changed].
	Range(ctx context.Context, key string, version Info, from, n int64) (io.ReadCloser, error)
	// List calls each for the objects whose keys begin with prefix, in the order of their keys,
	// until it returns false.
	List(ctx context.Context, prefix string, each func(key string, info Info) bool) error
	// Put writes an object, which appears whole or not at all. It also removes unfinished uploads
	// of the same key.
	Put(ctx context.Context, key string, body *io.SectionReader, contentType string) error
	// Remove removes an object. It is no error if there is none.
	Remove(ctx context.Context, key string) error
}

// Info is the version of an object.
type Info struct {
	Size     int64
	Modified time.Time
	ETag     string // changes with the content
}

// Opener opens a bucket. options is the part of a name after "?", "" for none.
type Opener func(ctx context.Context, bucket, options string) (Bucket, error)

// buckets holds the open buckets, and what is known of their objects.
var buckets = struct {
	sync.Mutex
	openers map[string]Opener // by scheme
	options map[string]string // by root, "s3://bucket"
	open    map[string]Bucket // by root
	known   map[string]Info   // by name
}{openers: map[string]Opener{}, options: map[string]string{}, open: map[string]Bucket{}, known: map[string]Info{}}

// Register sets the function that opens buckets of names with the given scheme.
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

// Is reports whether a name is one of an object in a store, or of a folder there. Other names are
// those of files.
func Is(name string) bool { return schemes.MatchString(name) }

// Root returns the part of a name up to its bucket, "s3://bucket"; "" for a file.
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

// Join returns the name of path below a folder, which may be in a store or on disk.
func Join(dir, path string) string {
	if !Is(dir) {
		return filepath.Join(dir, path)
	}
	return strings.TrimSuffix(dir, "/") + "/" + filepath.ToSlash(path)
}

// Below reports whether a name is the folder's or lies below it; both are names in stores.
func Below(folder, name string) bool {
	return strings.HasPrefix(strings.TrimSuffix(name, "/")+"/", strings.TrimSuffix(folder, "/")+"/")
}

// options matches options behind the last "?" of a name. A "?" of a pattern is not followed by such
// text.
var options = regexp.MustCompile(`\?(?:[A-Za-z0-9_]+=[^?]*)$`)

// Clean removes options from names, "s3://bucket/key?region=eu-north-1", and keeps them for opening
// the buckets. All names of a bucket share its options. Names of files are not changed.
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

// unknownScheme returns an error text that lists the schemes that can be read.
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

// bucketOf opens the bucket of a name, which is done once, and returns it with the name's key.
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

// remember keeps the version of an object.
func remember(name string, info Info) {
	buckets.Lock()
	defer buckets.Unlock()
	buckets.known[name] = info
}

// Stat asks the store for the version of an object. If there is none, the error is [fs.ErrNotExist]
// and names a similar object, if there is one.
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

// nearest returns the error of a missing object with a similar name beside it, if there is one. If
// the bucket itself is missing, it returns the error that says so.
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

// Known is [Stat] that asks the store only if this process has not looked at the object yet.
func Known(ctx context.Context, name string) (Info, error) {
	buckets.Lock()
	info, ok := buckets.known[name]
	buckets.Unlock()
	if ok {
		return info, nil
	}
	return Stat(ctx, name)
}

// List lists the objects below a folder, by their paths in it, in the order in which a walk over a
// folder of files comes to them: part by part of the path. Objects that stand for folders are left
// out. It lists at most most objects; 0: all.
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

// IsFolder reports whether a name is a folder's: it ends in a slash, or there is no object of that
// name but objects below it.
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

// Remove removes an object. It is no error if there is none.
func Remove(ctx context.Context, name string) error {
	b, key, err := bucketOf(ctx, name)
	if err != nil {
		return err
	}
	return named(name, b.Remove(ctx, key))
}

// contentType returns the type that an object is stored with.
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
