package getlib

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// wheelFile is a wheel that an index or a folder has.
type wheelFile struct {
	name string
	url  *url.URL // http, https or file
	sum  string   // sha256, "" where the index does not say
	size int64    // in bytes, 0 where the index does not say
}

// maxPage bounds the page of an index. PyPI's page for tensorflow takes 1 MB.
const maxPage = 64 << 20

// find returns the wheel of the build from the places of pip's configuration. The error is an
// [*indexError] if a place could not be read.
func (g *getter) find(ctx context.Context, c *client, conf config) (wheelFile, error) {
	var all []wheelFile
	var unread []error
	look := func(place string, list func(context.Context, *client, string) ([]wheelFile, error)) {
		files, err := list(ctx, c, place)
		if err != nil {
			unread = append(unread, err)
		}
		all = append(all, files...)
	}
	for _, link := range conf.links {
		look(link, listLinks)
	}
	for _, index := range conf.indexes {
		look(strings.TrimRight(index, "/")+"/"+g.project()+"/", listPage)
	}
	if err := ctx.Err(); err != nil {
		return wheelFile{}, err
	}
	found, err := g.choose(all)
	if err != nil && len(unread) > 0 {
		return wheelFile{}, &indexError{errors.Join(unread...)}
	}
	return found, err
}

// indexError says that a package index could not be read.
type indexError struct{ err error }

func (e *indexError) Error() string { return strings.ReplaceAll(e.err.Error(), "\n", "; ") }
func (e *indexError) Unwrap() error { return e.err }

// choose returns the build's wheel: the pinned one, else the one for Python 3.11, as all pinned
// wheels are, else the one for the latest Python. All hold the same library.
func (g *getter) choose(files []wheelFile) (wheelFile, error) {
	var fit []wheelFile
	for _, f := range files {
		if g.fits(f.name) {
			fit = append(fit, f)
		}
	}
	rank := func(f wheelFile) int {
		switch {
		case g.want != "" && f.sum == g.want:
			return 0
		case strings.Contains(f.name, "-cp311-cp311-"):
			return 1
		}
		return 2
	}
	slices.SortStableFunc(fit, func(a, b wheelFile) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), len(b.name)-len(a.name), cmp.Compare(b.name, a.name))
	})
	switch {
	case len(fit) == 0:
		return wheelFile{}, fmt.Errorf("there is no wheel of %s %s for Linux on %s (%d other files of it were found)", g.project(), g.version, g.machine, len(files))
	case g.want != "" && fit[0].sum != "" && fit[0].sum != g.want:
		return wheelFile{}, fmt.Errorf("the package index has %s with sha256 %s, want %s", fit[0].name, fit[0].sum, g.want)
	}
	return fit[0], nil
}

// fits reports whether a file has the name of a wheel of the build.
func (g *getter) fits(name string) bool {
	parts := strings.Split(strings.TrimSuffix(name, ".whl"), "-")
	if !strings.HasSuffix(name, ".whl") || len(parts) != 5 && len(parts) != 6 {
		return false
	}
	platform := parts[len(parts)-1]
	return normalized(parts[0]) == g.project() && parts[1] == g.version &&
		strings.Contains(platform, "linux") && strings.HasSuffix(platform, "_"+g.machine) &&
		strings.HasPrefix(parts[len(parts)-3], "cp3")
}

// normalized returns a project's name in the form that indexes use.
func normalized(name string) string {
	return strings.ToLower(regexp.MustCompile(`[-_.]+`).ReplaceAllString(name, "-"))
}

// listLinks lists the wheels of a find-links setting of pip's: a folder, a wheel, or a page with
// links.
func listLinks(ctx context.Context, c *client, place string) ([]wheelFile, error) {
	if strings.HasPrefix(place, "http://") || strings.HasPrefix(place, "https://") {
		return listPage(ctx, c, place)
	}
	dir := place
	if u, err := url.Parse(place); err == nil && u.Scheme == "file" {
		dir = u.Path
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		if strings.HasSuffix(dir, ".html") {
			return listPage(ctx, c, (&url.URL{Scheme: "file", Path: dir}).String())
		}
		return nil, nil // pip prints a warning and goes on, too
	}
	var files []wheelFile
	for _, e := range entries {
		files = append(files, wheelFile{name: e.Name(), url: &url.URL{Scheme: "file", Path: filepath.Join(dir, e.Name())}})
	}
	return files, nil
}

// listPage lists the files of a page of the simple API, JSON or HTML.
func listPage(ctx context.Context, c *client, place string) ([]wheelFile, error) {
	at, err := url.Parse(place)
	if err != nil {
		return nil, fmt.Errorf("%q is no address of a package index", place)
	}
	var body io.ReadCloser
	kind := "text/html"
	switch at.Scheme {
	case "file":
		name := at.Path
		if strings.HasSuffix(name, "/") {
			name += "index.html"
		}
		if body, err = os.Open(name); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
	case "http", "https":
		body, kind, at, err = c.page(ctx, at)
	default:
		err = errors.New("want http, https or file")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", redacted(place), withoutURL(err))
	}
	if body == nil {
		return nil, nil // there is no such project
	}
	defer body.Close() //nolint:errcheck // it was read only
	data, err := io.ReadAll(io.LimitReader(body, maxPage+1))
	if err == nil && len(data) > maxPage {
		err = errors.New("the page is too large")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", redacted(place), withoutURL(err))
	}
	if strings.Contains(kind, "json") {
		files, err := jsonFiles(data, at)
		if err != nil {
			return nil, fmt.Errorf("%s: no page of a package index: %w", redacted(place), err)
		}
		return files, nil
	}
	return htmlFiles(string(data), at), nil
}

// jsonFiles reads a page of PEP 691.
func jsonFiles(data []byte, at *url.URL) ([]wheelFile, error) {
	var page struct {
		Files []struct {
			Filename, URL string
			Hashes        map[string]string
			Size          int64
		}
	}
	if err := json.Unmarshal(data, &page); err != nil {
		return nil, err
	}
	var files []wheelFile
	for _, f := range page.Files {
		if u, err := at.Parse(f.URL); err == nil {
			files = append(files, wheelFile{f.Filename, u, strings.ToLower(f.Hashes["sha256"]), max(f.Size, 0)})
		}
	}
	return files, nil
}

// anchor and base match the two HTML elements that matter here; attribute matches an element's
// attributes.
var (
	attributes = `((?:\s+[\w:-]+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s>"']+))?)*)`
	anchor     = regexp.MustCompile(`(?is)<a` + attributes + `\s*>`)
	base       = regexp.MustCompile(`(?is)<base` + attributes + `\s*/?>`)
	href       = regexp.MustCompile(`(?is)\shref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+))`)
)

// htmlFiles reads a page of PEP 503: links whose fragment is the file's hash.
func htmlFiles(page string, at *url.URL) []wheelFile {
	link := func(attributes string) *url.URL {
		m := href.FindStringSubmatch(attributes)
		if m == nil {
			return nil
		}
		u, err := at.Parse(html.UnescapeString(strings.TrimSpace(m[1] + m[2] + m[3])))
		if err != nil {
			return nil
		}
		return u
	}
	if m := base.FindStringSubmatch(page); m != nil {
		if u := link(m[1]); u != nil {
			at = u
		}
	}
	var files []wheelFile
	for _, m := range anchor.FindAllStringSubmatch(page, -1) {
		u := link(m[1])
		if u == nil {
			continue
		}
		sum, ok := strings.CutPrefix(u.Fragment, "sha256=")
		if !ok {
			sum = ""
		}
		u.Fragment, u.RawFragment = "", ""
		sum, _, _ = strings.Cut(sum, "&")
		files = append(files, wheelFile{name: u.Path[strings.LastIndexByte(u.Path, '/')+1:], url: u, sum: strings.ToLower(sum)})
	}
	return files
}
