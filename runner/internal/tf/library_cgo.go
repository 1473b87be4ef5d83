//go:build cgo && !notf

package tf

// #cgo LDFLAGS: -ldl
// #define _GNU_SOURCE
// #include <dlfcn.h>
// #include <link.h>
// #include <stdlib.h>
// #include <string.h>
//
// // In shim/shim.c. Missing, and so NULL, where the program is linked with libtensorflow itself.
// __attribute__((weak)) const char *tfrun_shim_open(const char *path);
//
// static int has_shim(void) { return tfrun_shim_open != NULL; }
//
// static const char *shim_open(const char *path) { return tfrun_shim_open(path); }
//
// // loaded_path returns the path of a library that is open, to be freed by the caller, or NULL.
// // name is one that dlopen takes.
// static char *loaded_path(const char *name) {
//   void *lib = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
//   if (lib == NULL) return NULL;
//   struct link_map *map = NULL;
//   char *path = NULL;
//   if (dlinfo(lib, RTLD_DI_LINKMAP, &map) == 0 && map != NULL) path = strdup(map->l_name);
//   dlclose(lib);
//   return path;
// }
//
// static int interpreted(struct dl_phdr_info *program, size_t size, void *found) {
//   for (int i = 0; i < program->dlpi_phnum; i++) {
//     if (program->dlpi_phdr[i].p_type == PT_INTERP) *(int *)found = 1;
//   }
//   return 1; // the program is the first; the libraries do not count
// }
//
// // is_static reports whether the program is linked statically: no dynamic linker has started it.
// static int is_static(void) {
//   int found = 0;
//   dl_iterate_phdr(interpreted, &found);
//   return !found;
// }
//
// // set_log_level sets the level of Abseil's log, through which TensorFlow 2.20 logs without
// // telling it of TF_CPP_MIN_LOG_LEVEL. The names are absl::SetMinLogLevel(
// // absl::LogSeverityAtLeast) of the Abseil in TensorFlow 2.15, 2.16 to 2.19, 2.20 and 2.21.
// static void set_log_level(int level) {
//   static const char *const names[] = {
//     "_ZN4absl12lts_2023012514SetMinLogLevelENS0_18LogSeverityAtLeastE",
//     "_ZN4absl12lts_2023080214SetMinLogLevelENS0_18LogSeverityAtLeastE",
//     "_ZN4absl12lts_2025012714SetMinLogLevelENS0_18LogSeverityAtLeastE",
//     "_ZN4absl12lts_2025081414SetMinLogLevelENS0_18LogSeverityAtLeastE",
//   };
//   for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
//     void (*set)(int) = (void (*)(int))dlsym(RTLD_DEFAULT, names[i]);
//     if (set != NULL) set(level < 3 ? level : 3);
//   }
// }
import "C"

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"golang.org/x/sys/cpu"

	"github.com/tfrun/tfrun/internal/crash"
)

// HasTensorFlow reports whether this program was built with libtensorflow.
const HasTensorFlow = true

var library struct {
	sync.Mutex
	open bool
	file string // the file that was opened, with its whole path
	Library
}

// OpenLibrary opens libtensorflow, once for the whole process; later calls return what the first
// successful one found. named is a file, or a folder with the library in it or in its lib folder.
// With "" these are tried: TFRUN_LIBTENSORFLOW, the program's folder and lib below and beside it,
// the folder known at build time, the places where the dynamic linker looks, and tfrun's cache. An
// error is a *[LibraryError], also if another library than the named one is open already: no
// process can have two. Where the process may not take the memory that the library needs, it is
// another error, which names the limit.
//
// [Load] calls OpenLibrary. Calling it earlier, at the same time as other work, hides the 0.2 s
// that opening takes. TensorFlow reads TF_CPP_MIN_LOG_LEVEL, which silences its log, during this
// call, but writes two lines before that. So, if the level is 1 or more, what C code writes to its
// stream stderr is dropped while the library is opened. File descriptor 2 is not changed.
func OpenLibrary(named string) (Library, error) {
	library.Lock()
	defer library.Unlock()
	if !library.open && C.has_shim() == 0 {
		library.open, library.Version, library.file = true, tf.Version(), loadedFile(libraryNames...)
	}
	if library.open {
		if named != "" {
			if err := isOpen(named, library.file); err != nil {
				return Library{}, err
			}
		}
		return library.Library, nil
	}
	if err := checkLimits(); err != nil {
		return Library{}, err
	}
	// ICU, of which TensorFlow holds a copy, would look there for the encodings that a model names,
	// and outside by names such as ../x. TensorFlow's copy has all that it needs.
	if err := os.Unsetenv("ICU_DATA"); err != nil {
		return Library{}, err
	}
	makeThreads(min(runtime.GOMAXPROCS(0), 8) + 2)
	// The text of dlerror belongs to the thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	level, err := strconv.Atoi(os.Getenv("TF_CPP_MIN_LOG_LEVEL"))
	quiet := err == nil && level > 0
	if quiet {
		defer quietLog()()
	}
	var tried []LibraryTry
	for _, path := range libraryFiles(named) {
		if reason := cannotRun(path, cpu.X86.HasAVX, C.is_static() != 0); reason != "" {
			tried = append(tried, LibraryTry{Path: path, Reason: reason})
			continue
		}
		cPath := C.CString(path)
		reason := C.shim_open(cPath)
		C.free(unsafe.Pointer(cPath))
		if reason == nil {
			if quiet {
				C.set_log_level(C.int(level))
				setHiddenLevel(tf.Version(), level)
			}
			if tooOld(tf.Version()) {
				return Library{}, &LibraryError{Tried: []LibraryTry{{Path: path, Reason: "is TensorFlow " + tf.Version() + "; 2.15 or later is needed"}}}
			}
			library.open, library.Library, library.file = true, Library{Path: path, Version: tf.Version()}, loadedFile(path)
			return library.Library, nil
		}
		tried = append(tried, LibraryTry{Path: path, Reason: whyNot(path, strings.TrimPrefix(C.GoString(reason), path+": "))})
	}
	return Library{}, &LibraryError{Tried: tried}
}

// loadedFile returns the file of the first of these libraries that is open, or "".
func loadedFile(names ...string) string {
	for _, name := range names {
		cName := C.CString(name)
		path := C.loaded_path(cName)
		C.free(unsafe.Pointer(cName))
		if path != nil {
			defer C.free(unsafe.Pointer(path))
			return C.GoString(path)
		}
	}
	return ""
}

// makeThreads has Go make so many threads, which wait for work when it returns. While a library is
// opened the C library makes no thread: Go would stand still at the first one that it needs, with
// the timers of deadlines and the work beside which the library is opened, for up to a second.
func makeThreads(n int) {
	var there, gone sync.WaitGroup
	leave := make(chan struct{})
	for range n {
		there.Add(1)
		gone.Add(1)
		crash.Go(func() error {
			runtime.LockOSThread() // so each has a thread of its own
			defer runtime.UnlockOSThread()
			there.Done()
			<-leave
			return nil
		}, func(error) { gone.Done() })
	}
	there.Wait()
	close(leave)
	gone.Wait()
}
