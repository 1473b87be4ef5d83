// Package cgoenv prepares Go for building programs that use package runner, on a machine without
// libtensorflow.
//
// The binding is compiled against TensorFlow's C API and linked with -ltensorflow, and cgo's flags
// in one package do not reach another. [Install] puts the headers that are needed, and a stand-in
// for the library that opens the real one when the first model is loaded, into a folder. [Write]
// puts that folder's flags into Go's own environment, which every module is built with.
package cgoenv

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

//go:embed include shim
var files embed.FS

// Folder returns the folder for the files, below a cache folder. Its name depends on the files'
// contents, and on the processor that the C compiler makes code for.
func Folder(ctx context.Context, cache, cc string) (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := files.ReadFile(path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(data), data)
		return err
	})
	return filepath.Join(cache, "cgo", archOf(ctx, cc)+"-"+hex.EncodeToString(sum.Sum(nil))[:16]), err
}

// archOf returns Go's name of the processor that a C compiler makes code for: another one than this
// machine's, if it is a cross compiler.
func archOf(ctx context.Context, cc string) string {
	args := append(strings.Fields(cc), "-dumpmachine")
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).Output()
	machine, _, _ := strings.Cut(string(out), "-")
	if arch := map[string]string{"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}[machine]; err == nil && arch != "" {
		return arch
	}
	return runtime.GOARCH
}

// arOf returns the archiver that belongs to a C compiler: aarch64-linux-gnu-ar to
// aarch64-linux-gnu-gcc.
func arOf(cc string) string {
	if prefix, ok := strings.CutSuffix(strings.Fields(cc)[0], "gcc"); ok {
		if _, err := exec.LookPath(prefix + "ar"); err == nil {
			return prefix + "ar"
		}
	}
	return "ar"
}

// Install makes the folder, with include/ and lib/libtensorflow.a, unless it is there, and returns
// it. cc is the C compiler, possibly with arguments: "gcc", "zig cc".
func Install(ctx context.Context, cache, cc string) (string, error) {
	dir, err := Folder(ctx, cache, cc)
	if err != nil {
		return "", err
	}
	archive := filepath.Join(dir, "lib", "libtensorflow.a")
	if _, err := os.Stat(archive); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), "run.")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work) //nolint:errcheck // only where it was not renamed
	if err := lay(ctx, work, cc); err != nil {
		return "", err
	}
	if err := os.Chmod(work, 0o755); err != nil {
		return "", err
	}
	// If two processes make the folder at once, one of the two renames fails, and both folders are
	// the same.
	if err := os.Rename(work, dir); err != nil {
		if _, there := os.Stat(archive); there != nil {
			return "", err
		}
	}
	return dir, nil
}

// lay writes the headers and compiles the stand-in.
func lay(ctx context.Context, dir, cc string) error {
	if err := os.CopyFS(dir, files); err != nil {
		return err
	}
	lib := filepath.Join(dir, "lib")
	if err := os.Mkdir(lib, 0o755); err != nil {
		return err
	}
	object := filepath.Join(lib, "shim.o")
	compiler := append(strings.Fields(cc), "-O2", "-fPIC", "-c", filepath.Join(dir, "shim", "shim.c"), "-o", object)
	for _, args := range [][]string{compiler, {arOf(cc), "rcs", filepath.Join(lib, "libtensorflow.a"), object}} {
		out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
		switch {
		case errors.Is(err, exec.ErrNotFound):
			return fmt.Errorf("%s is missing: install a C compiler with its tools, such as gcc, or name one with CC", args[0])
		case err != nil:
			line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
			return fmt.Errorf("%s: %w: %s", args[0], err, line)
		}
	}
	return os.Remove(object)
}

// Flag is a flag for a variable of Go's environment.
type Flag struct {
	Name  string // of the variable: "CGO_CFLAGS"
	Value string // in quotes where Go needs them
}

// Flags returns the flags for a folder that [Install] made.
func Flags(dir string) []Flag {
	return []Flag{
		{"CGO_CFLAGS", quote("-I" + filepath.Join(dir, "include"))},
		{"CGO_LDFLAGS", quote("-L" + filepath.Join(dir, "lib"))},
	}
}

// quote puts a flag with spaces into quotes, as Go's variables need it.
func quote(flag string) string {
	if strings.ContainsAny(flag, " \t'\"") {
		return "'" + flag + "'"
	}
	return flag
}

// With returns a variable's value with the flag added. Flags for other folders below the same cache
// are removed.
func (f Flag) With(value string) string { return strings.TrimSpace(f.Without(value) + " " + f.Value) }

// Without returns a variable's value without the flag, and without flags that earlier versions set.
func (f Flag) Without(value string) string {
	prefix := f.Value[:strings.LastIndex(f.Value, string(filepath.Separator)+"cgo"+string(filepath.Separator))]
	var kept []string
	for _, field := range fields(value) {
		if !strings.HasPrefix(field, prefix+string(filepath.Separator)+"cgo"+string(filepath.Separator)) {
			kept = append(kept, field)
		}
	}
	return strings.Join(kept, " ")
}

// fields splits a variable's value as Go does, at spaces outside of quotes. The quotes stay.
func fields(value string) []string {
	var list []string
	start, quoted := -1, rune(0)
	for i, c := range value {
		switch {
		case quoted != 0:
			if c == quoted {
				quoted = 0
			}
		case c == ' ' || c == '\t' || c == '\n':
			if start >= 0 {
				list, start = append(list, value[start:i]), -1
			}
			continue
		case c == '\'' || c == '"':
			quoted = c
		}
		if start < 0 {
			start = i
		}
	}
	if start >= 0 {
		list = append(list, value[start:])
	}
	return list
}
