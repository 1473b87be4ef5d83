//go:build cgo && !notf && linux && (amd64 || arm64)

package tf

// #cgo LDFLAGS: -ldl
// #define _GNU_SOURCE
// #include <dlfcn.h>
// #include <errno.h>
// #include <fcntl.h>
// #include <link.h>
// #include <signal.h>
// #include <stdint.h>
// #include <stdlib.h>
// #include <string.h>
// #include <sys/syscall.h>
// #include <time.h>
// #include <ucontext.h>
// #include <unistd.h>
//
// static const int fatal[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
// enum { count = sizeof fatal / sizeof fatal[0], patience = 3, status = 5 };
// static struct sigaction before[count];
// static int told = -1;
// static int errors = -1; // standard error as it was, whatever descriptor 2 leads to by now
// static pid_t self;
// static volatile sig_atomic_t dying;
// static uintptr_t begin, end; // of the program's code, see find_own
//
// static uintptr_t at(void *context) {
//   ucontext_t *c = context;
// #ifdef __x86_64__
//   return (uintptr_t)c->uc_mcontext.gregs[REG_RIP];
// #else
//   return (uintptr_t)c->uc_mcontext.pc;
// #endif
// }
//
// // unheard says what Go has not said in time: it may lack memory, or a thread to run on.
// static void unheard(int sig) {
//   static const char *const names[] = {"SIGABRT", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL"};
//   const char *name = "a call of exit";
//   for (size_t i = 0; i < count; i++) {
//     if (fatal[i] == sig) name = names[i];
//   }
//   const char *const words[] = {
//     "tfrun: error: ", name,
//     " has ended the process; it may lack memory or threads: see ulimit -a\n",
//   };
//   for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
//     ssize_t written = write(errors, words[i], strlen(words[i]));
//     (void)written;
//   }
// }
//
// // last passes a signal, or an exit code, to Go, waits a moment, and ends the process.
// static void last(int sig, int code) {
//   unsigned char words[2] = {(unsigned char)sig, (unsigned char)code};
//   int first = !dying;
//   if (first) {
//     dying = 1;
//     ssize_t written = write(told, words, sizeof words);
//     (void)written;
//   }
//   struct timespec left = {patience, 0};
//   while (nanosleep(&left, &left) != 0 && errno == EINTR) {
//   }
//   if (first) unheard(sig);
//   for (;;) syscall(SYS_exit_group, status);
// }
//
// // own reports whether code is the program's and not a library's.
// static int own(uintptr_t pc) { return pc >= begin && pc < end; }
//
// // die handles fatal signals. A fault in the program's own code becomes a panic, by Go's handler.
// // Any other fault is a library's: its thread stops, and Go has a moment to report it and to end
// // the process.
// static void die(int sig, siginfo_t *info, void *context) {
//   if (own(at(context))) {
//     for (size_t i = 0; i < count; i++) {
//       if (fatal[i] == sig && (before[i].sa_flags & SA_SIGINFO)) {
//         before[i].sa_sigaction(sig, info, context);
//         return;
//       }
//     }
//   }
//   last(sig, 0);
// }
//
// // ended is called when code asks the C library to end the process. Go itself ends without the C
// // library, so that code is a library's, and its exit status, which may be 0, says nothing about
// // tfrun's work. (Opened libraries find the symbols of the program before those of the C
// // library.) A child that a library has forked may end, and so may the program's own C code, such
// // as the race detector's at the end of Go.
// static void ended(int code, void *caller) {
//   if (told >= 0 && getpid() == self && !own((uintptr_t)caller)) last(0, code);
// }
//
// static _Noreturn void leave(int code) {
//   for (;;) syscall(SYS_exit_group, code);
// }
//
// // These three stand before those of the C library wherever that is linked dynamically. They are
// // weak, and give way to its own in a program that is linked statically.
// __attribute__((weak)) void _exit(int code) {
//   ended(code, __builtin_return_address(0));
//   leave(code);
// }
//
// void _Exit(int code) __attribute__((weak, alias("_exit")));
//
// __attribute__((weak)) void exit(int code) {
//   ended(code, __builtin_return_address(0));
//   void (*libc)(int) = (void (*)(int))dlsym(RTLD_NEXT, "exit");
//   if (libc != NULL) libc(code);
//   leave(code);
// }
//
// // find_own finds where the code lies that this file is linked into: Go's, too. It may be a
// // library itself, of -buildmode=c-shared.
// static int find_own(struct dl_phdr_info *object, size_t size, void *unused) {
//   for (int i = 0; i < object->dlpi_phnum; i++) {
//     const ElfW(Phdr) *part = &object->dlpi_phdr[i];
//     uintptr_t from = object->dlpi_addr + part->p_vaddr, to = from + part->p_memsz;
//     if (part->p_type != PT_LOAD || (part->p_flags & PF_X) == 0) continue;
//     if ((uintptr_t)die >= from && (uintptr_t)die < to) {
//       begin = from;
//       end = to;
//       return 1;
//     }
//   }
//   return 0;
// }
//
// static int catch_death(int fd) {
//   if (dl_iterate_phdr(find_own, NULL) == 0) return -1;
//   told = fd;
//   errors = fcntl(2, F_DUPFD_CLOEXEC, 3);
//   self = getpid();
//   for (size_t i = 0; i < count; i++) {
//     struct sigaction action;
//     memset(&action, 0, sizeof action);
//     action.sa_sigaction = die;
//     action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
//     sigfillset(&action.sa_mask);
//     if (sigaction(fatal[i], &action, &before[i]) != 0) return -1;
//   }
//   return 0;
// }
import "C"

import (
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tfrun/tfrun/internal/crash"
)

// CatchDeath makes died be called, in a goroutine, when a library ends the process: by a failed
// check of TensorFlow's, a fault in one of its kernels, or a call of exit. cause is the signal or
// the call. The thread in which it happens stops; other threads go on for three seconds, and then
// the process ends with status 5, after a line on what is standard error at this call. A fault in
// Go's own code stays a panic. CatchDeath may be called once.
func CatchDeath(died func(cause string)) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	fd, err := unix.FcntlInt(w.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return err
	}
	_ = w.Close() // the copy of its descriptor stays open
	var words [2]byte
	crash.Go(func() error {
		_, err := io.ReadFull(r, words[:])
		return err
	}, func(err error) {
		switch sig := syscall.Signal(words[0]); {
		case err != nil:
		case sig == 0:
			died(fmt.Sprintf("exit(%d)", words[1]))
		default:
			died(unix.SignalName(sig))
		}
	})
	if C.catch_death(C.int(fd)) != 0 {
		return os.NewSyscallError("sigaction", syscall.EINVAL)
	}
	return nil
}
