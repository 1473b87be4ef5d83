package getlib

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestReadConfig holds which of pip's settings count, by what `pip config` says of the same.
func TestReadConfig(t *testing.T) {
	const site = "[global]\nindex-url = https://a/simple\ncert = /c.pem\n"
	for _, tt := range []struct {
		name, user, named string
		env               map[string]string
		want              config
	}{
		{name: "nothing", want: config{indexes: []string{defaultIndex}}},
		{name: "user", user: site, want: config{indexes: []string{"https://a/simple"}, cert: "/c.pem"}},
		{
			name: "named counts more", user: site, named: "[global]\nINDEX_URL: https://b/simple ; no comment\n",
			want: config{indexes: []string{"https://b/simple ; no comment"}, cert: "/c.pem"},
		},
		{
			name: "several lines", user: "[global]\nextra-index-url =\n    https://x/1\n    # a comment\n    https://x/2\nfind-links = /l\n\n[list]\nindex-url = no\n",
			want: config{indexes: []string{defaultIndex, "https://x/1", "https://x/2"}, links: []string{"/l"}},
		},
		{name: "section of a command", user: site + "[install]\nindex-url=https://i/simple\n", want: config{indexes: []string{"https://i/simple"}, cert: "/c.pem"}},
		{
			name: "variables count most", user: site, env: map[string]string{"PIP_INDEX_URL": "https://e/simple", "PIP_FIND_LINKS": "/a /b", "PIP_PROXY": "h:1"},
			want: config{indexes: []string{"https://e/simple"}, links: []string{"/a", "/b"}, cert: "/c.pem", proxy: "h:1"},
		},
		{name: "no index", user: site, env: map[string]string{"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/a"}, want: config{links: []string{"/a"}, cert: "/c.pem"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, v := range []string{"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_CERT", "PIP_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "VIRTUAL_ENV", "PIP_CONFIG_FILE"} {
				t.Setenv(v, "")
				os.Unsetenv(v) //nolint:errcheck // it was set
			}
			t.Setenv("HOME", dir)
			t.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "config"))
			t.Setenv("XDG_CONFIG_DIRS", filepath.Join(dir, "none"))
			defer func(file string) { systemConfig = file }(systemConfig)
			systemConfig = filepath.Join(dir, "none")
			write := func(file, text string) {
				t.Helper()
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write(filepath.Join(dir, "config", "pip", "pip.conf"), tt.user)
			if tt.named != "" {
				write(filepath.Join(dir, "named"), tt.named)
				t.Setenv("PIP_CONFIG_FILE", filepath.Join(dir, "named"))
			}
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			got := readConfig()
			if !slices.Equal(got.indexes, tt.want.indexes) || !slices.Equal(got.links, tt.want.links) || got.cert != tt.want.cert || got.proxy != tt.want.proxy {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestPins holds that the table has what the commands promise: a sha256 for each build of the
// version that is the default, and no line that is none.
func TestPins(t *testing.T) {
	t.Parallel()
	for _, b := range []build{{"x86_64", "cpu", DefaultVersion}, {"x86_64", "gpu", DefaultVersion}, {"aarch64", "cpu", DefaultVersion}, {"x86_64", "cpu", "2.15.0"}} {
		if sum, size := b.pinned(); len(sum) != 64 || size < 100e6 || size > 1000e6 {
			t.Errorf("%v: %q, %d bytes", b, sum, size)
		}
	}
	for _, b := range []build{{"x86_64", "cpu", "2.2"}, {"x86_64", "cpu", ""}, {"aarch64", "gpu", DefaultVersion}} {
		if sum, _ := b.pinned(); sum != "" {
			t.Errorf("%v is pinned", b)
		}
	}
}

// TestChoose picks wheels out of names as indexes have them.
func TestChoose(t *testing.T) {
	t.Parallel()
	g := &getter{build: build{"x86_64", "cpu", "2.21.0"}}
	const a, b, c = "tensorflow_cpu-2.21.0-cp310-cp310-manylinux_2_27_x86_64.whl", "tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "tensorflow_cpu-2.21.0-cp313-cp313-manylinux_2_27_x86_64.whl"
	others := []string{
		"tensorflow_cpu-2.21.0-cp311-cp311-win_amd64.whl", "tensorflow_cpu-2.21.0rc0-cp311-cp311-manylinux_2_27_x86_64.whl", "tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_aarch64.whl",
		"tensorflow-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl", "tensorflow_cpu-2.21.0.tar.gz", "tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl.metadata", ".whl", "",
	}
	for _, tt := range []struct {
		files []string
		want  string
	}{
		{[]string{a, b, c}, b},
		{[]string{c, a}, c},
		{[]string{a, c}, c},
		{[]string{a}, a},
		{[]string{"TensorFlow.CPU-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl"}, "TensorFlow.CPU-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl"},
		{nil, ""},
	} {
		var files []wheelFile
		for _, name := range append(slices.Clone(others), tt.files...) {
			files = append(files, wheelFile{name: name})
		}
		if got, err := g.choose(files); got.name != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("of %v: %q, %v, want %q", tt.files, got.name, err, tt.want)
		}
	}
	g.want = "cc"
	if got, err := g.choose([]wheelFile{{name: b, sum: "bb"}, {name: c, sum: "cc"}}); got.name != c || err != nil {
		t.Errorf("the pinned one is %q, %v", got.name, err)
	}
}

// FuzzPages reads pages of indexes: no page makes the reader fail in another way than by an error.
func FuzzPages(f *testing.F) {
	f.Add(`<a href="x-1.whl#sha256=00">x</a>`)
	f.Add(`<base href=//h/p><A data-x='>' HREF = 'a&amp;b'>`)
	f.Add(`{"files":[{"filename":"a","url":"../b","hashes":{"sha256":"00"},"size":-1}]}`)
	at := &url.URL{Scheme: "https", Host: "h", Path: "/simple/x/"}
	f.Fuzz(func(t *testing.T, page string) {
		files := htmlFiles(page, at)
		more, _ := jsonFiles([]byte(page), at)
		for _, file := range append(files, more...) {
			if file.url == nil || file.size < 0 {
				t.Errorf("%+v", file)
			}
		}
	})
}
