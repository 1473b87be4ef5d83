package stores

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/tfrun/tfrun/internal/store"
)

// bucket is a bucket of gocloud.dev, with functions for what gocloud.dev does not offer; each may
// be nil.
type bucket struct {
	*blob.Bucket
	// etag returns the tag of an object that was listed, looked at or read. nil: the MD5 takes its
	// place.
	etag func(as func(any) bool) string
	// pin makes a request for a range fail if the object has another tag by then.
	pin func(as func(any) bool, etag string)
	// endUploads removes unfinished uploads of a key.
	endUploads func(ctx context.Context, key string) error
	// explain returns the kind of an error of the store, and what it means.
	explain func(err error) (store.Kind, string)
}

// tag returns a text that changes with an object's content.
func (b *bucket) tag(as func(any) bool, md5 []byte) string {
	if b.etag != nil {
		return b.etag(as)
	}
	return hex.EncodeToString(md5)
}

// Stat returns the version of an object.
func (b *bucket) Stat(ctx context.Context, key string) (store.Info, error) {
	a, err := b.Attributes(ctx, key)
	if err != nil {
		return store.Info{}, b.failed(ctx, "look at it", err)
	}
	return store.Info{Size: a.Size, Modified: a.ModTime.UTC(), ETag: b.tag(a.As, a.MD5)}, nil
}

// Range opens a part of an object.
func (b *bucket) Range(ctx context.Context, key string, version store.Info, from, n int64) (io.ReadCloser, error) {
	o := &blob.ReaderOptions{}
	if b.pin != nil && version.ETag != "" {
		o.BeforeRead = func(as func(any) bool) error {
			b.pin(as, version.ETag)
			return nil
		}
	}
	r, err := b.NewRangeReader(ctx, key, from, n, o)
	if err != nil {
		return nil, b.failed(ctx, "read it", err)
	}
	// Not all stores check the tag.
	other := b.etag != nil && b.etag(r.As) != version.ETag
	if r.Size() != version.Size || other || b.etag == nil && !r.ModTime().Equal(version.Modified) {
		return nil, errors.Join(&store.Error{Kind: store.Changed, Msg: changed}, r.Close())
	}
	return r, nil
}

const changed = "has changed while it was read"

// List lists objects.
func (b *bucket) List(ctx context.Context, prefix string, each func(string, store.Info) bool) error {
	objects := b.Bucket.List(&blob.ListOptions{Prefix: prefix})
	for {
		o, err := objects.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return b.failed(ctx, "list what is there", err)
		}
		if !each(o.Key, store.Info{Size: o.Size, Modified: o.ModTime.UTC(), ETag: b.tag(o.As, o.MD5)}) {
			return nil
		}
	}
}

// An upload has at most 10,000 parts; some are sent at the same time.
const (
	partSize  = 8 << 20
	mostParts = 9000
	partsWay  = 4
)

// endWithin bounds the time to remove an upload that failed: the user who interrupts a run waits.
const endWithin = 3 * time.Second

// Put writes an object.
func (b *bucket) Put(ctx context.Context, key string, body *io.SectionReader, contentType string) error {
	part := max(partSize, body.Size()/mostParts)
	inParts := body.Size() > part && b.endUploads != nil
	if inParts {
		// Parts of runs that were killed would be kept, and paid for, for ever. A user who may not
		// list uploads may still write.
		_ = b.endUploads(ctx, key)
	}
	err := b.Upload(ctx, key, body, &blob.WriterOptions{ContentType: contentType, BufferSize: int(part), MaxConcurrency: partsWay})
	if err == nil {
		return nil
	}
	if inParts {
		fresh, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
		defer cancel()
		_ = b.endUploads(fresh, key) // the first error is reported
	}
	return b.failed(ctx, "write it", err)
}

// Remove removes an object.
func (b *bucket) Remove(ctx context.Context, key string) error {
	err := b.Delete(ctx, key)
	if err == nil || gcerrors.Code(err) == gcerrors.NotFound {
		return nil
	}
	return b.failed(ctx, "remove it", err)
}

// failed turns an error of the store into one for people; what says what was being done.
func (b *bucket) failed(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err() // the SDK has errors of its own for it
	}
	kind, msg := b.explain(err)
	if kind == 0 {
		switch gcerrors.Code(err) {
		case gcerrors.NotFound:
			kind = store.NotFound
		case gcerrors.PermissionDenied:
			kind = store.Denied
		case gcerrors.FailedPrecondition:
			kind = store.Changed
		}
	}
	switch kind {
	case store.NotFound:
		msg = "there is no such object"
	case store.NoBucket:
		msg = "there is no such bucket"
	case store.Changed:
		msg = changed
	case store.Denied:
		if msg == "" {
			msg = "access denied"
		}
		msg += ", to " + what
	}
	return &store.Error{Kind: kind, Msg: msg, Err: err}
}
