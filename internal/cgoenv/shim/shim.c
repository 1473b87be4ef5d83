// A stand-in for libtensorflow that opens the real one when it is asked to.
//
// A program linked with libtensorflow pays for it at every start: 0.2 s of dynamic linking for its 788 MB, before main, even for commands
// that never run a model; it cannot start at all where the library is missing; and TensorFlow has read TF_CPP_MIN_LOG_LEVEL before main could
// set it. This archive is found by the linker as -ltensorflow instead. Every function of the C API is here a jump through a slot;
// tfrun_shim_open opens the library and fills the slots. Arguments pass untouched, whatever their types. TF_SessionRun alone gains something on
// the way: the time that a run may take.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static void not_open(void) {
  fputs("tfrun: internal error: libtensorflow was called before it was opened\n", stderr);
  abort();
}

static void not_exported(void) {
  fputs("tfrun: internal error: this libtensorflow lacks a function that was called; use one of TensorFlow 2.15 or later\n", stderr);
  abort();
}

#if defined(__x86_64__)
#define JUMP(name) "jmp *tfrun_slot_" #name "(%rip)\n"
#elif defined(__aarch64__)
#define JUMP(name)                       \
  "adrp x16, tfrun_slot_" #name "\n"     \
  "ldr x16, [x16, :lo12:tfrun_slot_" #name "]\n" \
  "br x16\n"
#else
#error "no trampoline for this architecture: link libtensorflow itself (make env LINK=direct)"
#endif

#define TF(name)                                                             \
  __attribute__((visibility("hidden"))) void (*tfrun_slot_##name)(void) = not_open; \
  __asm__(".text\n.globl " #name "\n.type " #name ", %function\n" #name ":\n" JUMP(name) ".size " #name ", .-" #name "\n");
#define RUN(name) __attribute__((visibility("hidden"))) void (*tfrun_slot_##name)(void) = not_open;
#include "symbols.h"
#undef RUN
#undef TF

static const struct {
  const char *name;
  void (**slot)(void);
} slots[] = {
#define TF(name) {#name, &tfrun_slot_##name},
#define RUN TF
#include "symbols.h"
#undef RUN
#undef TF
};

// Milliseconds after which TensorFlow ends the runs that this thread begins; 0 for none.
static _Thread_local uint64_t run_timeout;

void tfrun_shim_timeout(uint64_t ms) { run_timeout = ms; }

// TF_SessionRun is more than a jump: the binding passes no RunOptions, which a bound on one run is one of. Pointers that are only passed on
// have no types here: the headers are not needed to compile the archive.
void TF_SessionRun(void *session, const void *options, const void *inputs, const void *input_values, int ninputs, const void *outputs,
                   void *output_values, int noutputs, const void *targets, int ntargets, void *metadata, void *status) {
  unsigned char bytes[11] = {2 << 3};  // RunOptions.timeout_in_ms, a varint
  struct {                             // TF_Buffer
    const void *data;
    size_t length;
    void (*deallocator)(void *, size_t);
  } buffer = {bytes, 1, NULL};
  if (options == NULL && run_timeout > 0) {
    for (uint64_t ms = run_timeout; ms > 0; ms >>= 7) bytes[buffer.length++] = (ms & 0x7f) | (ms > 0x7f ? 0x80 : 0);
    options = &buffer;
  }
  void (*run)(void *, const void *, const void *, const void *, int, const void *, void *, int, const void *, int, void *, void *) =
      (void *)tfrun_slot_TF_SessionRun;
  run(session, options, inputs, input_values, ninputs, outputs, output_values, noutputs, targets, ntargets, metadata, status);
}

// make_room makes the heap that this thread takes memory from 32 MiB larger at once, and asks the kernel for large pages there. TensorFlow takes
// 24 MB in a hundred thousand pieces while it is opened: glibc would ask for each page of that by a call of its own, each would be a page fault, and
// looking through TensorFlow's kernels, which a model's first run does a hundred times, would miss the processor's list of pages as often.
static void make_room(void) {
  enum { PIECES = 280, PIECE = 120 << 10 };  // a piece of 128 KiB or more would not lie in the heap
  char *pieces[PIECES];
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  uintptr_t begin = 0, end = 0;  // the pieces that lie one after the other; the last ones are at the end of the heap
  int n = 0;
  for (; n < PIECES && (pieces[n] = malloc(PIECE)) != NULL; n++) {
    uintptr_t at = (uintptr_t)pieces[n];
    if (at < end || at - end > page) begin = at;
    end = at + PIECE;
  }
  begin = (begin + page - 1) / page * page;
  end = end / page * page;
  // The last one last: then glibc gives the pages back once, and not with each piece, and none is left that was filled already.
  for (int i = 0; i < n; i++) free(pieces[i]);
  // A kernel without large pages says no, which is no matter.
  if (begin < end) (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

// tfrun_shim_open opens the library at path and binds every function of the C API to it. It returns NULL, or the reason why not as the dynamic
// linker says it; the text is the linker's own and lasts until the thread's next dl call. It is not for two threads at once.
const char *tfrun_shim_open(const char *path) {
  make_room();
  // RTLD_GLOBAL as a linked library has it: libraries of custom ops look for TensorFlow's symbols.
  void *lib = dlopen(path, RTLD_LAZY | RTLD_GLOBAL);
  if (lib == NULL) return dlerror();
  if (dlsym(lib, "TF_Version") == NULL) return dlerror();
  for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++) {
    void (*f)(void) = (void (*)(void))dlsym(lib, slots[i].name);
    *slots[i].slot = f != NULL ? f : not_exported;
  }
  return NULL;
}
