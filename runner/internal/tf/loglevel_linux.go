//go:build cgo && !notf

package tf

// #define _GNU_SOURCE
// #include <link.h>
// #include <stdint.h>
// #include <string.h>
//
// struct tfrun_loaded {
//   const char *suffix, *path;
//   uintptr_t base;
// };
//
// static int tfrun_is_loaded(struct dl_phdr_info *info, size_t size, void *data) {
//   struct tfrun_loaded *l = data;
//   size_t n = strlen(info->dlpi_name), m = strlen(l->suffix);
//   if (n < m || strcmp(info->dlpi_name + n - m, l->suffix) != 0) return 0;
//   l->path = info->dlpi_name;
//   l->base = info->dlpi_addr;
//   return 1;
// }
//
// // tfrun_find_loaded returns the loaded library whose file name ends in suffix; without one its
// // path is NULL.
// static struct tfrun_loaded tfrun_find_loaded(void) {
//   struct tfrun_loaded l = {"/libtensorflow_cc.so.2", NULL, 0};
//   dl_iterate_phdr(tfrun_is_loaded, &l);
//   return l;
// }
//
// // tfrun_raise_level sets the log level, if it is still Abseil's first one, which logs
// // everything.
// static void tfrun_raise_level(uintptr_t at, int level) {
//   int *p = (int *)at;
//   int none = 0;
//   __atomic_compare_exchange_n(p, &none, level, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
// }
import "C"

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// hiddenLevel is the variable of Abseil's log level in TensorFlow 2.18, whose libtensorflow_cc has
// an Abseil of its own that it does not export. Without setting it, the first run writes two lines
// whatever TF_CPP_MIN_LOG_LEVEL says.
const hiddenLevel = "_ZN4absl12lts_2023080212_GLOBAL__N_113min_log_levelE"

// setHiddenLevel sets that variable, if the open library has it.
func setHiddenLevel(version string, level int) {
	if !strings.HasPrefix(version, "2.18.") {
		return
	}
	loaded := C.tfrun_find_loaded()
	if loaded.path == nil {
		return
	}
	if at := hiddenVariable(C.GoString(loaded.path), hiddenLevel); at != 0 {
		C.tfrun_raise_level(loaded.base+C.uintptr_t(at), C.int(min(level, 3)))
	}
}

// hiddenVariable returns the address of a variable of four bytes whose name begins with name, from
// the symbols that only debuggers read. It returns 0 if the file has none.
func hiddenVariable(path, name string) (at uint64) {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close() //nolint:errcheck // nothing was written
	e, err := elf.NewFile(f)
	if err != nil || e.Class != elf.ELFCLASS64 || e.ByteOrder != binary.LittleEndian {
		return 0
	}
	symbols := e.Section(".symtab")
	if symbols == nil || int(symbols.Link) >= len(e.Sections) {
		return 0
	}
	names := e.Sections[symbols.Link]
	info, err := f.Stat()
	if err != nil || symbols.Offset+symbols.FileSize > uint64(info.Size()) || names.Offset+names.FileSize > uint64(info.Size()) {
		return 0
	}
	// There are a million symbols, and few of their names are needed; reading the sections would
	// take 170 MB.
	data, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return 0
	}
	defer unix.Munmap(data) //nolint:errcheck // it was mapped
	text := data[names.Offset : names.Offset+names.FileSize]
	const size = 4
	for b := data[symbols.Offset : symbols.Offset+symbols.FileSize]; len(b) >= elf.Sym64Size; b = b[elf.Sym64Size:] {
		// The fields are st_name, st_info, st_other, st_shndx, st_value, st_size.
		start := binary.LittleEndian.Uint32(b)
		if elf.ST_TYPE(b[4]) == elf.STT_OBJECT && binary.LittleEndian.Uint64(b[16:]) == size && uint64(start) < uint64(len(text)) &&
			bytes.HasPrefix(text[start:], []byte(name)) {
			return binary.LittleEndian.Uint64(b[8:])
		}
	}
	return 0
}
