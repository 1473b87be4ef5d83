package getlib

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// client reads package indexes and files.
type client struct {
	http  *http.Client
	stall time.Duration // a connection without a byte for so long is given up
	pause time.Duration // before the first retry; each later one waits longer
}

// maxTries is how often in a row a download may break off without having received a byte.
const maxTries = 5

// newClient returns a client with the certificates and the proxy of pip's configuration.
func newClient(conf config) (*client, error) {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one
	t.ResponseHeaderTimeout = time.Minute
	if conf.proxy != "" {
		proxy, err := url.Parse(conf.proxy)
		if err == nil && proxy.Host == "" {
			proxy, err = url.Parse("http://" + conf.proxy)
		}
		if err != nil {
			return nil, errors.New("pip's configuration: proxy: no address")
		}
		t.Proxy = http.ProxyURL(proxy)
	}
	if conf.cert != "" {
		pem, err := os.ReadFile(conf.cert)
		if err != nil {
			return nil, fmt.Errorf("pip's configuration: cert: %w", err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		pool.AppendCertsFromPEM(pem)
		t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &client{http: &http.Client{Transport: t}, stall: time.Minute, pause: time.Second}, nil
}

// page gets a page of an index. It returns the body, the type, and the address after redirections.
// The body is nil if there is no such page.
func (c *client) page(ctx context.Context, at *url.URL) (io.ReadCloser, string, *url.URL, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, "", nil, err
	}
	req.Header.Set("Accept", acceptPages)
	req.Header.Set("User-Agent", "tfrun")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, "", nil, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return resp.Body, resp.Header.Get("Content-Type"), resp.Request.URL, nil
	case http.StatusNotFound:
		err = nil
	default:
		err = errors.New(resp.Status)
	}
	return nil, "", nil, errors.Join(err, resp.Body.Close())
}

// download downloads a file into part, continuing after the bytes that part has. A connection that
// breaks is opened again. told is called with the bytes so far and the total, say when a connection
// broke.
func (c *client) download(ctx context.Context, from *url.URL, part string, told func(done, total int64), say func(string, ...any)) error {
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o644) //nolint:gosec // a wheel is no secret
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // closed below where it counts
	p := &pieces{client: c, from: from, file: f, told: told}
	if p.have, err = f.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	for idle := 0; ; {
		before := p.have
		err := p.get(ctx)
		if err == nil {
			return f.Close()
		}
		var final *finalError
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if idle++; p.have > before {
			idle = 1
		}
		if errors.As(err, &final) || idle >= maxTries {
			return fmt.Errorf("%s: %w", redacted(from.String()), withoutURL(err))
		}
		say("the connection broke at %d MB (%v): going on from there", p.have/1e6, withoutURL(err))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(c.pause * time.Duration(idle)):
		}
	}
}

// finalError is an error that retrying does not help with.
type finalError struct{ error }

// pieces is a file being downloaded.
type pieces struct {
	*client
	from *url.URL
	file *os.File
	have int64
	etag string // of the file that the last piece belongs to
	told func(done, total int64)
}

// get requests the missing bytes and writes what comes. It returns nil when the file is whole.
func (p *pieces) get(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(p.stall, func() { cancel(errors.New("no data came for " + p.stall.String())) })
	defer stalled.Stop()
	resp, err := p.ask(ctx)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read only
	total, err := p.begin(resp)
	if err != nil || total >= 0 && p.have == total {
		return err
	}
	buf := make([]byte, 1<<18)
	for {
		n, err := resp.Body.Read(buf)
		stalled.Reset(p.stall)
		if _, err := p.file.WriteAt(buf[:n], p.have); err != nil {
			return &finalError{err} // a full disk
		}
		p.have += int64(n)
		p.told(p.have, max(total, 0))
		switch {
		case errors.Is(err, io.EOF) && (total < 0 || p.have == total):
			return nil
		case errors.Is(err, io.EOF):
			return io.ErrUnexpectedEOF
		case err != nil && context.Cause(ctx) != nil:
			return context.Cause(ctx)
		case err != nil:
			return err
		}
	}
}

// ask sends the request for the missing bytes.
func (p *pieces) ask(ctx context.Context) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.from.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "tfrun")
	req.Header.Set("Accept-Encoding", "identity") // of a packed file no part could be asked for
	if p.have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", p.have))
		if p.etag != "" && !strings.HasPrefix(p.etag, "W/") {
			req.Header.Set("If-Range", p.etag)
		}
	}
	resp, err := p.http.Do(req)
	if err != nil && context.Cause(ctx) != nil {
		err = context.Cause(ctx)
	}
	return resp, err
}

// begin reads an answer's head: the place of its bytes, and the size of the file, -1 if it does not
// say. Bytes of another file, or of a file that cannot be fetched in parts, are dropped.
func (p *pieces) begin(resp *http.Response) (total int64, err error) {
	drop := func() error {
		p.have = 0
		return p.file.Truncate(0)
	}
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
		p.etag = resp.Header.Get("ETag")
		return resp.ContentLength, drop()
	case code == http.StatusPartialContent:
		p.etag = resp.Header.Get("ETag")
		start, total, ok := contentRange(resp.Header.Get("Content-Range"))
		if !ok || start != p.have {
			return -1, errors.Join(errors.New("the server sent another part of the file than was asked for"), drop())
		}
		return total, nil
	case code == http.StatusRequestedRangeNotSatisfiable:
		if _, total, ok := contentRange(resp.Header.Get("Content-Range")); ok && total == p.have {
			return total, nil
		}
		return -1, errors.Join(errors.New("the server's file is shorter than what is here already"), drop())
	case code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout:
		return -1, errors.New(resp.Status)
	default:
		return -1, &finalError{errors.New(resp.Status)}
	}
}

// contentRange reads "bytes 5-9/10" and "bytes */10". total is -1 where it is "*".
func contentRange(value string) (start, total int64, ok bool) {
	value, ok = strings.CutPrefix(value, "bytes ")
	span, all, cut := strings.Cut(value, "/")
	first, _, _ := strings.Cut(span, "-")
	start, err := strconv.ParseInt(first, 10, 64)
	if span == "*" {
		start, err = -1, nil
	}
	total, err2 := strconv.ParseInt(all, 10, 64)
	if all == "*" {
		total, err2 = -1, nil
	}
	return start, total, ok && cut && err == nil && err2 == nil
}

// redacted returns an address without its password.
func redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the package index"
	}
	return u.Redacted()
}

// withoutURL removes the address, which may hold a password, from an error that already follows it.
func withoutURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// acceptPages are the forms of the simple API, JSON preferred.
const acceptPages = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
