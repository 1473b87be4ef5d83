// A stand-in for libtensorflow that opens the real one when it is asked to.
//
// A program linked with libtensorflow pays for it at every start: 0.2 s of dynamic linking for its 788 MB, before main, even for commands
// that never run a model; it cannot start at all where the library is missing; and TensorFlow has read TF_CPP_MIN_LOG_LEVEL before main could
// set it. This archive is found by the linker as -ltensorflow instead. Every function of the C API is here a jump through a slot;
// tfrun_shim_open opens the library and fills the slots. Arguments pass untouched, whatever their types.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

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
#include "symbols.h"
#undef TF

static const struct {
  const char *name;
  void (**slot)(void);
} slots[] = {
#define TF(name) {#name, &tfrun_slot_##name},
#include "symbols.h"
#undef TF
};

// tfrun_shim_open opens the library at path and binds every function of the C API to it. It returns NULL, or the reason why not as the dynamic
// linker says it; the text is the linker's own and lasts until the thread's next dl call. It is not for two threads at once.
const char *tfrun_shim_open(const char *path) {
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
