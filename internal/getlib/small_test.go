package getlib

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// small is a wheel of TensorFlow's layout whose libraries are nothing but names.
type small struct {
	version string // 2.21.0
	machine elf.Machine
	without string // the member to leave out
	names   string // that the library exports
	short   bool   // fewer names, where they do not matter
	cut     bool   // the library is shorter than it says
}

// hostMachine is this machine's number in ELF files.
func hostMachine() elf.Machine {
	if runtime.GOARCH == "arm64" {
		return elf.EM_AARCH64
	}
	return elf.EM_X86_64
}

// library makes a shared library with a table of names.
func (s small) library(t *testing.T) string {
	t.Helper()
	if s.machine == 0 {
		s.machine = hostMachine()
	}
	if s.names == "" {
		s.names = "TF_Version TF_NewGraph TF_SessionRun TF_AllocateTensor"
	}
	before := 90_000 // a megabyte
	if s.short {
		before = 1
	}
	names := "\x00" + strings.Repeat("a_long_name\x00", before) + strings.ReplaceAll(s.names, " ", "\x00") + "\x00"
	const head, sections = 64, "\x00.dynstr\x00.shstrtab\x00"
	start := uint64(head + 56 + 3*64)
	h := elf.Header64{
		Type: uint16(elf.ET_DYN), Machine: uint16(s.machine), Version: 1, Phoff: head, Shoff: head + 56,
		Ehsize: head, Phentsize: 56, Phnum: 1, Shentsize: 64, Shnum: 3, Shstrndx: 2,
	}
	copy(h.Ident[:], "\x7fELF\x02\x01\x01")
	size := uint64(len(names) + len(sections))
	var b bytes.Buffer
	for _, part := range []any{
		h,
		elf.Prog64{Type: uint32(elf.PT_LOAD), Off: start, Filesz: size, Memsz: size},
		elf.Section64{},
		elf.Section64{Name: 1, Type: uint32(elf.SHT_STRTAB), Off: start, Size: uint64(len(names))},
		elf.Section64{Name: 9, Type: uint32(elf.SHT_STRTAB), Off: start + uint64(len(names)), Size: uint64(len(sections))},
	} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	b.WriteString(names + sections)
	if s.cut {
		// what reads sections still finds them
		data := b.Bytes()
		binary.LittleEndian.PutUint64(data[head+32:], size+1)
	}
	return b.String()
}

// wheel makes the file.
func (s small) wheel(t *testing.T) []byte {
	t.Helper()
	if s.version == "" {
		s.version = DefaultVersion
	}
	project := strings.ReplaceAll(hostBuild(t).project(), "-", "_")
	library := s.library(t)
	s.short = true
	framework := s.library(t)
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, m := range [][2]string{
		{"tensorflow/libtensorflow_cc.so.2", library},
		{"tensorflow/libtensorflow_framework.so.2", framework},
		{"tensorflow/include/tensorflow/c/c_api.h", "const char* TF_Version(void);\n"},
		{"tensorflow/include/tsl/platform/ctstring.h", "\n"},
		{"tensorflow/include/external/huge.h", "not needed\n"},
		{"tensorflow/include/tensorflow/c/../../up.h", "must not be written\n"},
		{"tensorflow/THIRD_PARTY_NOTICES.txt", "notices\n"},
		{"tensorflow/python/__init__.py", "raise ImportError\n"},
		{project + "-" + s.version + ".dist-info/METADATA", "Metadata-Version: 2.1\nName: " + project + "\nVersion: " + s.version + "\n\nText: of people\n"},
	} {
		if m[0] == s.without {
			continue
		}
		w, err := z.CreateHeader(&zip.FileHeader{Name: m[0], Method: zip.Store})
		if err == nil {
			_, err = w.Write([]byte(m[1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func hostBuild(t *testing.T) build {
	t.Helper()
	name, err := machine()
	if err != nil {
		t.Skip(err)
	}
	return build{name, "cpu", DefaultVersion}
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// fileName is a wheel's name.
func fileName(t *testing.T, version string) string {
	b := hostBuild(t)
	return strings.ReplaceAll(b.project(), "-", "_") + "-" + version + "-cp311-cp311-manylinux_2_27_" + b.machine + ".whl"
}

// server is a package index with one wheel.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	wheel    []byte
	name     string
	html     bool
	sum      string // as the index says; "" says nothing
	status   int    // of the index's page, 0: 200
	cuts     []int  // bytes that each answer sends before the connection breaks
	ranges   bool   // parts may be asked for
	asked    []string
	requests int // of the wheel
}

func newServer(t *testing.T, wheel []byte, name string) *server {
	t.Helper()
	s := &server{wheel: wheel, name: name, sum: sumOf(wheel), ranges: true}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.HasPrefix(r.URL.Path, "/simple/") {
		s.page(w, r)
		return
	}
	s.requests++
	s.asked = append(s.asked, r.Header.Get("Range"))
	if len(s.cuts) > 0 {
		w = &cutting{ResponseWriter: w, left: s.cuts[0]}
		s.cuts = s.cuts[1:]
	}
	if !s.ranges {
		r.Header.Del("Range")
	}
	w.Header().Set("ETag", `"`+sumOf(s.wheel)+`"`)
	http.ServeContent(w, r, "", epoch, bytes.NewReader(s.wheel))
}

// page answers with the index's page of a project.
func (s *server) page(w http.ResponseWriter, r *http.Request) {
	switch {
	case s.status != 0:
		w.WriteHeader(s.status)
	case !strings.Contains(r.URL.Path, "/tensorflow"):
		http.NotFound(w, r)
	case s.html:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fragment := ""
		if s.sum != "" {
			fragment = "#sha256=" + s.sum
		}
		fmt.Fprintf(w, "<!DOCTYPE html><html><head><base href='../../files/'></head><body>\n<a href=\"other.zip\">other.zip</a>\n"+
			"<a data-requires-python=\">=3.9\"\n   HREF=\"%s?a=1&amp;b=2%s\" >%s</a></body></html>", s.name, fragment, s.name)
	default:
		w.Header().Set("Content-Type", "application/vnd.pypi.simple.v1+json")
		fmt.Fprintf(w, `{"files": [{"filename": "x.tar.gz", "url": "x"}, {"filename": %q, "url": "../../files/%s", "hashes": {"sha256": %q}, "size": %d}]}`,
			s.name, s.name, s.sum, len(s.wheel))
	}
}

// cutting breaks the connection after some bytes.
type cutting struct {
	http.ResponseWriter
	left int
}

func (c *cutting) Write(b []byte) (int, error) {
	if len(b) > c.left {
		_, _ = c.ResponseWriter.Write(b[:c.left])
		c.ResponseWriter.(http.Flusher).Flush() //nolint:forcetypeassert // it is one
		panic(http.ErrAbortHandler)
	}
	c.left -= len(b)
	return c.ResponseWriter.Write(b)
}

// only makes pip's configuration name this index and nothing else.
func (s *server) only(t *testing.T) {
	t.Helper()
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "PIP_") {
			t.Setenv(name, "")
			os.Unsetenv(name) //nolint:errcheck // it was set
		}
	}
	t.Setenv("PIP_CONFIG_FILE", os.DevNull)
	t.Setenv("PIP_INDEX_URL", s.URL+"/simple/")
	t.Setenv("PYTHON", filepath.Join(t.TempDir(), "none"))
	t.Setenv("PATH", t.TempDir())
}
