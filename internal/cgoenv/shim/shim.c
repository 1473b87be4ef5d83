// A stand-in for libtensorflow that opens the real one when it is asked to.
//
// A program linked with libtensorflow pays for it at every start: 0.2 s of dynamic linking for its 788 MB, before main, even for commands
// that never run a model; it cannot start at all where the library is missing; and TensorFlow has read TF_CPP_MIN_LOG_LEVEL before main could
// set it. This archive is found by the linker as -ltensorflow instead. Every function of the C API is here a jump through a slot;
// tfrun_shim_open opens the library and fills the slots, at the latest when a function is called. Arguments pass untouched, whatever their types. TF_SessionRun alone gains something on
// the way: the time that a run may take.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

// Nothing of this file is seen outside the program or library that it is linked into. A library that a program is linked with would else lend its
// functions to TensorFlow, whose own calls of them would come here before the slots are filled, and to a program's other TensorFlow.
#pragma GCC visibility push(hidden)

static void not_exported(void) {
  fputs("tfrun: internal error: this libtensorflow lacks a function that was called; use one of TensorFlow 2.15 or later\n", stderr);
  abort();
}

const char *tfrun_shim_open(const char *path);

// tfrun_open_library opens the library that tfrun finds, and returns NULL or the reason why not. It is in runner/internal/tf, so it is missing,
// and NULL, in programs that call TensorFlow by the binding alone.
__attribute__((weak)) char *tfrun_open_library(void);

// find_library does that for such programs: TFRUN_LIBTENSORFLOW is a file, or a folder with the library in it or in its lib folder; else the
// library lies where the dynamic linker looks, as it does for a program that is linked with it.
static const char *find_library(void) {
  static const char *const names[] = {"libtensorflow_cc.so.2", "libtensorflow.so.2", "libtensorflow.so"};
  const char *named = getenv("TFRUN_LIBTENSORFLOW");
  if (named != NULL && named[0] == '\0') named = NULL;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char inside[4096], below[4096];
    snprintf(inside, sizeof inside, "%s%s%s", named != NULL ? named : "", named != NULL ? "/" : "", names[i]);
    snprintf(below, sizeof below, "%s/lib/%s", named != NULL ? named : "", names[i]);
    if (tfrun_shim_open(inside) == NULL || (named != NULL && tfrun_shim_open(below) == NULL)) return NULL;
  }
  return named != NULL ? tfrun_shim_open(named) : "libtensorflow is not where the dynamic linker looks; TFRUN_LIBTENSORFLOW may name its folder";
}

static void open_once(void) {
  const char *reason = tfrun_open_library != NULL ? tfrun_open_library() : find_library();
  if (reason == NULL) return;
  fprintf(stderr, "tfrun: error: %s\n", reason);
  abort();
}

// tfrun_open_first opens the library for a function that is called before that was done: by a program that uses the binding, or tfgo, beside
// tfrun. What cannot be opened ends the program, as the function has no way to say so.
__attribute__((used)) void tfrun_open_first(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, open_once);
}

// Each function is a jump through its slot. At first that leads to its tfrun_first_… and so to tfrun_first, which keeps the registers in which
// arguments are passed, opens the library, which fills the slots, and goes where the slot then says. Arguments on the stack stay where they are.
#if defined(__x86_64__)
#define JUMP(name) "jmp *tfrun_slot_" #name "(%rip)\n"
#define FIRST(name) "lea tfrun_slot_" #name "(%rip), %r11\n" "jmp tfrun_first\n"
__asm__(
    ".text\n.type tfrun_first, %function\ntfrun_first:\n"
    "push %rbp\n mov %rsp, %rbp\n sub $192, %rsp\n"
    "mov %rdi, (%rsp)\n mov %rsi, 8(%rsp)\n mov %rdx, 16(%rsp)\n mov %rcx, 24(%rsp)\n"
    "mov %r8, 32(%rsp)\n mov %r9, 40(%rsp)\n mov %rax, 48(%rsp)\n mov %r11, 56(%rsp)\n"
    "movaps %xmm0, 64(%rsp)\n movaps %xmm1, 80(%rsp)\n movaps %xmm2, 96(%rsp)\n movaps %xmm3, 112(%rsp)\n"
    "movaps %xmm4, 128(%rsp)\n movaps %xmm5, 144(%rsp)\n movaps %xmm6, 160(%rsp)\n movaps %xmm7, 176(%rsp)\n"
    "call tfrun_open_first\n"
    "mov (%rsp), %rdi\n mov 8(%rsp), %rsi\n mov 16(%rsp), %rdx\n mov 24(%rsp), %rcx\n"
    "mov 32(%rsp), %r8\n mov 40(%rsp), %r9\n mov 48(%rsp), %rax\n mov 56(%rsp), %r11\n"
    "movaps 64(%rsp), %xmm0\n movaps 80(%rsp), %xmm1\n movaps 96(%rsp), %xmm2\n movaps 112(%rsp), %xmm3\n"
    "movaps 128(%rsp), %xmm4\n movaps 144(%rsp), %xmm5\n movaps 160(%rsp), %xmm6\n movaps 176(%rsp), %xmm7\n"
    "leave\n jmp *(%r11)\n.size tfrun_first, .-tfrun_first\n");
#elif defined(__aarch64__)
#define SLOT(name) "adrp x16, tfrun_slot_" #name "\n"
#define JUMP(name) SLOT(name) "ldr x16, [x16, :lo12:tfrun_slot_" #name "]\n" "br x16\n"
#define FIRST(name) SLOT(name) "add x16, x16, :lo12:tfrun_slot_" #name "\n" "b tfrun_first\n"
__asm__(
    ".text\n.type tfrun_first, %function\ntfrun_first:\n"
    "stp x29, x30, [sp, #-224]!\n mov x29, sp\n"
    "stp x0, x1, [sp, #16]\n stp x2, x3, [sp, #32]\n stp x4, x5, [sp, #48]\n stp x6, x7, [sp, #64]\n stp x8, x16, [sp, #80]\n"
    "stp q0, q1, [sp, #96]\n stp q2, q3, [sp, #128]\n stp q4, q5, [sp, #160]\n stp q6, q7, [sp, #192]\n"
    "bl tfrun_open_first\n"
    "ldp x0, x1, [sp, #16]\n ldp x2, x3, [sp, #32]\n ldp x4, x5, [sp, #48]\n ldp x6, x7, [sp, #64]\n ldp x8, x16, [sp, #80]\n"
    "ldp q0, q1, [sp, #96]\n ldp q2, q3, [sp, #128]\n ldp q4, q5, [sp, #160]\n ldp q6, q7, [sp, #192]\n"
    "ldp x29, x30, [sp], #224\n ldr x16, [x16]\n br x16\n.size tfrun_first, .-tfrun_first\n");
#else
#error "no trampoline for this architecture: link libtensorflow itself (make env LINK=direct)"
#endif

#define RUN(name)                                       \
  void tfrun_first_##name(void);                        \
  void (*tfrun_slot_##name)(void) = tfrun_first_##name; \
  __asm__(".text\n.type tfrun_first_" #name ", %function\ntfrun_first_" #name ":\n" FIRST(name) ".size tfrun_first_" #name ", .-tfrun_first_" #name "\n");
#define TF(name) \
  RUN(name)      \
  __asm__(".text\n.globl " #name "\n.hidden " #name "\n.type " #name ", %function\n" #name ":\n" JUMP(name) ".size " #name ", .-" #name "\n");
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
// linker says it; the text is the linker's own and lasts until the thread's next dl call. It is not for two threads at once. Another thread may call
// a function meanwhile: its slot leads to the library, or waits in tfrun_open_first.
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

#pragma GCC visibility pop
