package getlib

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// wanted lists the members of a wheel that are unpacked, each with the folder that it goes to.
var wanted = []struct {
	member *regexp.Regexp
	folder string
}{
	{regexp.MustCompile(`^tensorflow/(lib\w+\.so\.2)$`), "lib"},
	{regexp.MustCompile(`^tensorflow/include/((?:tensorflow/c|tsl|xla/tsl/c)/.+\.h)$`), "include"},
	{regexp.MustCompile(`^tensorflow/include/(tensorflow/core/platform/ctstring\w*\.h)$`), "include"},
	{regexp.MustCompile(`^tensorflow/(THIRD_PARTY_NOTICES\.txt)$`), "licenses"},
	{regexp.MustCompile(`^tensorflow[\w.-]*\.dist-info/(?:licenses/)?(LICENSE[\w.]*|METADATA)$`), "licenses"},
}

// target returns where a member goes below the library's folder; "" if it is not unpacked.
func target(member string) string {
	if slices.Contains(strings.Split(member, "/"), "..") {
		return ""
	}
	for _, w := range wanted {
		if m := w.member.FindStringSubmatch(member); m != nil {
			return path.Join(w.folder, m[1])
		}
	}
	return ""
}

// unpack unpacks the wanted members of a wheel. Every byte is checked against the archive's CRC-32.
func unpack(ctx context.Context, wheel, dir string, progress func(string, int64, int64)) error {
	archive, err := zip.OpenReader(wheel)
	if err != nil {
		return fmt.Errorf("is no wheel: %w", err)
	}
	defer archive.Close() //nolint:errcheck // it was read only
	var members []*zip.File
	var total int64
	names := map[string]bool{}
	for _, m := range archive.File {
		if target(m.Name) != "" {
			members = append(members, m)
			names[m.Name] = true
			total += int64(min(m.UncompressedSize64, 1<<40)) //nolint:gosec // below
		}
	}
	for _, name := range fileNames {
		if !names["tensorflow/"+name] {
			return fmt.Errorf("holds no tensorflow/%s", name)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "lib"), 0o755); err != nil { //nolint:gosec // for all users
		return err
	}
	if have, known := free(dir); known && have < total {
		return fmt.Errorf("needs %d MB in %s, which has %d MB free", total/1e6, filepath.Dir(filepath.Dir(dir)), have/1e6)
	}
	done := int64(0)
	for _, m := range members {
		count := func(n int64) { done += n; progress("unpacking", done, total) }
		if err := extract(ctx, m, filepath.Join(dir, filepath.FromSlash(target(m.Name))), count); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	for i, link := range linkNames {
		if err := os.Symlink(fileNames[i], filepath.Join(dir, "lib", link)); err != nil {
			return err
		}
	}
	return nil
}

// extract writes a member to a new file.
func extract(ctx context.Context, m *zip.File, file string, count func(int64)) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // for all users
		return err
	}
	mode := os.FileMode(0o644)
	if strings.Contains(filepath.Base(file), ".so.") {
		mode = 0o755
	}
	from, err := m.Open()
	if err != nil {
		return err
	}
	defer from.Close() //nolint:errcheck // it was read only
	to, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	// Not more than the archive says, which was compared with the free space.
	left := int64(min(m.UncompressedSize64, 1<<40)) + 1 //nolint:gosec // bounded
	_, err = io.Copy(to, countingReader{io.LimitReader(stopping{ctx, from}, left), count})
	return errors.Join(err, to.Close())
}

// countingReader is a reader that reports how much was read.
type countingReader struct {
	r     io.Reader
	count func(int64)
}

func (c countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.count(int64(n))
	return n, err
}

// wheelIdentity returns a wheel's project and version, from its METADATA.
func wheelIdentity(file string) (project, version string, err error) {
	archive, err := zip.OpenReader(file)
	if errors.Is(err, zip.ErrFormat) {
		err = errors.New("is no wheel: not a zip file")
	}
	if err != nil {
		return "", "", withoutPath(err)
	}
	defer archive.Close() //nolint:errcheck // it was read only
	for _, m := range archive.File {
		if dir, name := path.Split(m.Name); name != "METADATA" || !strings.HasSuffix(dir, ".dist-info/") || strings.Count(m.Name, "/") != 1 {
			continue
		}
		r, err := m.Open()
		if err != nil {
			return "", "", err
		}
		head, err := textproto.NewReader(bufio.NewReader(io.LimitReader(r, 1<<20))).ReadMIMEHeader()
		_ = r.Close()
		if err != nil && !errors.Is(err, io.EOF) {
			return "", "", fmt.Errorf("METADATA: %w", err)
		}
		project, version = normalized(head.Get("Name")), head.Get("Version")
		if project == "tensorflow" || project == "tensorflow-cpu" {
			return project, version, nil
		}
		return "", "", fmt.Errorf("is the wheel of %q, want tensorflow or tensorflow-cpu", project)
	}
	return "", "", errors.New("is no wheel: it holds no METADATA")
}

// withoutPath removes the path from an error that already follows the path.
func withoutPath(err error) error {
	var e *os.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// check returns what is wrong with an unpacked library: another version, another processor, cut
// off, without TensorFlow's C API, or impossible to open.
func (g *getter) check(ctx context.Context, wheel, dir string) error {
	_, version, err := wheelIdentity(wheel)
	if err != nil {
		return err
	}
	if version != g.version {
		return fmt.Errorf("it is TensorFlow %s, want %s", version, g.version)
	}
	for i, name := range fileNames {
		symbols := []string{"TF_Version", "TF_NewGraph", "TF_SessionRun", "TF_AllocateTensor"}
		if i > 0 {
			symbols = nil
		}
		if err := checkELF(filepath.Join(dir, "lib", name), g.machine, symbols); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if g.Try == nil {
		return nil
	}
	switch version, err = g.Try(ctx, filepath.Join(dir, "lib")); {
	case err != nil:
		return err
	case version != g.version:
		return fmt.Errorf("it says that it is TensorFlow %s, want %s", version, g.version)
	}
	return nil
}

// checkELF returns what is wrong with a shared library for a machine. Its segments must be within
// the file, and the symbols among the names that it exports or imports.
func checkELF(file, machine string, symbols []string) error {
	f, err := elf.Open(file)
	if err != nil {
		return errors.New("it is no shared library")
	}
	defer f.Close() //nolint:errcheck // it was read only
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	want := map[string]elf.Machine{"x86_64": elf.EM_X86_64, "aarch64": elf.EM_AARCH64}[machine]
	if f.Machine != want || f.Type != elf.ET_DYN {
		return fmt.Errorf("it is built for another processor (%s, want %s)", f.Machine, want)
	}
	for _, p := range f.Progs {
		if p.Off+p.Filesz > uint64(info.Size()) { //nolint:gosec // no file is of negative size
			return errors.New("it is cut short")
		}
	}
	return exports(f, symbols)
}

// exports looks for names in the table of dynamic strings, piece by piece, since TensorFlow's table
// has 100 MB.
func exports(f *elf.File, symbols []string) error {
	table := f.Section(".dynstr")
	if table == nil {
		return errors.New("it exports nothing")
	}
	missing := slices.Clone(symbols)
	r, overlap := table.Open(), 64
	buf := make([]byte, overlap+1<<20)
	kept := 0
	for len(missing) > 0 {
		n, err := io.ReadFull(r, buf[kept:])
		piece := buf[:kept+n]
		missing = slices.DeleteFunc(missing, func(name string) bool { return bytes.Contains(piece, []byte("\x00"+name+"\x00")) })
		if err != nil {
			break
		}
		kept = copy(buf, piece[len(piece)-overlap:])
	}
	if len(missing) > 0 {
		return fmt.Errorf("it has no %s", missing[0])
	}
	return nil
}
