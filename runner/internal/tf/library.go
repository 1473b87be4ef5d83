package tf

import (
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/internal/cache"
)

// Library is the libtensorflow in use.
type Library struct {
	Path    string // "": the program is linked with the library itself
	Version string // TensorFlow's version: "2.21.0"
}

// libraryDir lists the folders, the best first and separated by colons, in which the build found
// libtensorflow. It is set with -ldflags "-X
// github.com/tfrun/tfrun/runner/internal/tf.libraryDir=…".
var libraryDir string

// libraryNames are the names of files with the C API: the Python wheel's, then those of the C
// distribution.
var libraryNames = []string{"libtensorflow_cc.so.2", "libtensorflow.so.2", "libtensorflow.so"}

// libraryFiles lists the files to try, in order. If a library is named, that one alone; else, if
// the environment variable TFRUN_LIBTENSORFLOW names one, that one alone. Otherwise libraries in
// the program's folder, in lib below it and beside it, in the folder that the build knew, where the
// dynamic linker looks, and in tfrun's cache. Only a name for the dynamic linker has no whole path.
func libraryFiles(named string) []string {
	if named == "" {
		named = os.Getenv("TFRUN_LIBTENSORFLOW")
	}
	if named != "" {
		if whole, err := filepath.Abs(named); err == nil {
			named = whole
		}
		if info, err := os.Stat(named); err == nil && !info.IsDir() {
			return []string{named}
		}
		return libraryIn(named, filepath.Join(named, "lib"))
	}
	var dirs []string
	if exe, err := os.Executable(); err == nil {
		if exe, err = filepath.EvalSymlinks(exe); err == nil {
			dirs = besideProgram(filepath.Dir(exe))
		}
	}
	dirs = append(dirs, filepath.SplitList(libraryDir)...)
	return append(append(libraryIn(dirs...), libraryNames...), cachedLibraries()...)
}

// besideProgram lists the folders that belong to a program in dir; ../lib belongs to bin.
func besideProgram(dir string) []string {
	return []string{dir, filepath.Join(dir, "lib"), filepath.Join(filepath.Dir(dir), "lib")}
}

// isOpen returns an error if the named library is another one than the open one.
func isOpen(named, open string) error {
	is, err := os.Stat(open)
	e := &LibraryError{}
	for _, file := range libraryFiles(named) {
		want, there := os.Stat(file)
		if there == nil && err == nil && os.SameFile(want, is) {
			return nil
		}
		e.Tried = append(e.Tried, LibraryTry{Path: file, Reason: fmt.Sprintf("this process has opened another one already, %q", open)})
	}
	return e
}

// cachedLibraries lists the libraries in tfrun's cache, the newest version first. Of one version
// the copy that opens faster comes first, and the CPU build before the GPU build.
func cachedLibraries() []string {
	dir, err := cache.Dir()
	if err != nil {
		return nil
	}
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	files, _ := filepath.Glob(filepath.Join(dir, "libtensorflow", runtime.GOOS+"-"+machine, "*", "*", libraryNames[0]))
	slices.SortFunc(files, func(a, b string) int {
		buildA, versionA := cachedBuild(a)
		buildB, versionB := cachedBuild(b)
		return cmp.Or(slices.Compare(versionB, versionA), cmp.Compare(buildA, buildB), cmp.Compare(a, b))
	})
	return files
}

// cachedBuild returns the build, "cpu" or "gpu", and the numbers of the version, from a path that
// ends in cpu-2.21.0/lib/libtensorflow_cc.so.2.
func cachedBuild(path string) (build string, version []int) {
	build, numbers, _ := strings.Cut(filepath.Base(filepath.Dir(filepath.Dir(path))), "-")
	for n := range strings.SplitSeq(numbers, ".") {
		i, _ := strconv.Atoi(n)
		version = append(version, i)
	}
	return build, version
}

// libraryIn returns the libraries that exist in dirs; if there are none, the name that each would
// have.
func libraryIn(dirs ...string) []string {
	var found, wanted []string
	for _, dir := range dirs {
		for _, name := range libraryNames {
			path := filepath.Join(dir, name)
			if _, err := os.Stat(path); err == nil {
				found = append(found, path)
			}
		}
		wanted = append(wanted, filepath.Join(dir, libraryNames[0]))
	}
	if len(found) == 0 {
		return wanted
	}
	return found
}

// tooOld reports whether a version is before 2.15, the oldest that was tried. A version newer than
// all that were tried is opened without a warning, since the C API is kept compatible from release
// to release.
func tooOld(version string) bool { return OlderThan(version, 2, 15) }

// OlderThan compares the first two numbers of a version. A version without numbers is not older.
func OlderThan(version string, major, minor int) bool {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	x, err := strconv.Atoi(first)
	y, err2 := strconv.Atoi(second)
	return err == nil && err2 == nil && (x < major || x == major && y < minor)
}

// cannotRun returns why a library of TensorFlow's must not be opened by this program, or on this
// processor, or "".
//
// All builds for x86-64 use AVX from the start: without it the whole process would end at once, by
// SIGILL or by TensorFlow's own check. The environment variable TFRUN_NO_AVX says that the library
// was built to run without AVX. In a program that is linked statically the library would come with
// a second C library, and the process would end, too.
func cannotRun(path string, avx, static bool) string {
	if static {
		return "a program that is linked statically can open no library: link it without -static"
	}
	if file := cutOff(path); file != "" {
		return fmt.Sprintf("%s is cut off: get it anew", filepath.Base(file))
	}
	if avx || runtime.GOARCH != "amd64" || os.Getenv("TFRUN_NO_AVX") != "" {
		return ""
	}
	if _, err := os.Stat(path); err != nil && filepath.IsAbs(path) {
		return "" // opening it reports the reason
	}
	return "needs a processor with AVX, which this one, or the virtual machine's, does not have (TFRUN_NO_AVX=1 opens a build that does without)"
}

// cutOff returns which of the two files of a library ends too soon, or "": the dynamic linker would
// map what is not there, and the process would end by SIGBUS. The table of an ELF file's sections
// is its end.
func cutOff(path string) string {
	for _, file := range []string{path, filepath.Join(filepath.Dir(path), "libtensorflow_framework.so.2")} {
		if !filepath.IsAbs(file) {
			continue // where the dynamic linker looks
		}
		f, err := elf.Open(file)
		if err == nil {
			_ = f.Close() // it was read only
		} else if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return file
		}
	}
	return ""
}

// whyNot returns why a file cannot be opened as a library. The dynamic linker's reason may be
// misleading: for a library of another processor it says that the file does not exist.
func whyNot(path, reason string) string {
	f, err := elf.Open(path)
	if err != nil {
		return reason
	}
	defer f.Close() //nolint:errcheck // it was read only
	want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[runtime.GOARCH]
	if want != elf.EM_NONE && f.Machine != want {
		return fmt.Sprintf("is built for another processor (%s, this is %s)", strings.TrimPrefix(f.Machine.String(), "EM_"), strings.TrimPrefix(want.String(), "EM_"))
	}
	return reason
}
