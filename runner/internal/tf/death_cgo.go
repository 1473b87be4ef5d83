//go:build cgo && !notf && linux && (amd64 || arm64)

package tf

// #cgo LDFLAGS: -ldl
// #define _GNU_SOURCE
// #include <dlfcn.h>
// #include <errno.h>
// #include <fcntl.h>
// #include <link.h>
// #include <poll.h>
// #include <signal.h>
// #include <stdint.h>
// #include <stdlib.h>
// #include <string.h>
// #include <sys/syscall.h>
// #include <sys/uio.h>
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
// static volatile int watched;  // watch_go sees when Go ends the process
// static volatile int finished; // Go has said all that it says then
// enum { size = 16 << 10 };
// static char recent[size]; // what was printed last, up to a NUL
// static void *recently(void) { return recent; }
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
// // say writes to standard error as it was, at once: another thread may be ending the process.
// static void say(const char *const words[], int n) {
//   struct iovec parts[n];
//   for (int i = 0; i < n; i++) parts[i] = (struct iovec){(void *)words[i], strlen(words[i])};
//   ssize_t written = writev(errors, parts, n);
//   (void)written;
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
//   say(words, sizeof words / sizeof *words);
// }
//
// // heard is what one pipe said: the line that has begun, and the last one in which Go's runtime
// // says why it ends the process.
// static struct heard {
//   char line[512], why[512];
//   size_t length; // of line
// } from_crash, from_printed;
//
// // hear looks in what came from a pipe for such a line.
// static void hear(struct heard *h, const char *text, size_t n) {
//   static const char *const marks[] = {"fatal error: ", "panic: ", "SIG"};
//   for (size_t i = 0; i < n; i++) {
//     if (text[i] != '\n') {
//       char c = text[i] < ' ' || text[i] > '~' ? '?' : text[i];
//       if (h->length + 1 < sizeof h->line) h->line[h->length++] = c;
//       continue;
//     }
//     h->line[h->length] = 0;
//     h->length = 0;
//     for (size_t m = 0; m < sizeof marks / sizeof *marks; m++) {
//       if (strncmp(h->line, marks[m], strlen(marks[m])) == 0) {
//         strcpy(h->why, m == 0 ? h->line + strlen(marks[m]) : h->line);
//       }
//     }
//   }
// }
//
// // watch_go waits until Go's runtime writes to the pipe crash, which it does when it ends the
// // process, where no other code of Go's runs any more. What it has said and says comes from the
// // pipe printed: watch_go passes it on, with stacks, says in one line why the process ends, and
// // ends it. A panic is heard from crash: of what is printed the program may have taken a piece
// // before it stopped. A fatal error is only printed, before it stops. No signal may stop the
// // thread: at SIGQUIT Go has each one that takes it print its stack and wait, and nothing would
// // be read.
// static void watch_go(int crash, int printed, int stacks) {
//   char some[4096];
//   sigset_t all;
//   sigfillset(&all);
//   pthread_sigmask(SIG_BLOCK, &all, NULL);
//   watched = 1;
//   while (read(crash, some, 1) < 0 && errno == EINTR) {
//   }
//   hear(&from_crash, some, 1);
//   struct pollfd more[] = {{crash, POLLIN, 0}, {printed, POLLIN, 0}};
//   hear(&from_printed, recent, strlen(recent));
//   for (int idle = 0; idle < 20;) {
//     if (poll(more, 2, 100) <= 0) {
//       if (finished) break;
//       idle++;
//       continue;
//     }
//     ssize_t got = 0;
//     if (more[0].revents != 0) {
//       got = read(crash, some, sizeof some);
//       hear(&from_crash, some, got > 0 ? got : 0);
//     }
//     if (more[1].revents != 0) {
//       got = read(printed, some, sizeof some);
//       hear(&from_printed, some, got > 0 ? got : 0);
//       if (stacks && got > 0) got = write(errors, some, got);
//     }
//     if (got <= 0) break;
//   }
//   const char *why = from_printed.why;
//   if (strncmp(from_crash.why, "panic: ", 7) == 0 || why[0] == 0) why = from_crash.why;
//   if (why[0] == 0) why = "it did not say why";
//   int lacks = strstr(why, "memory") != NULL || strstr(why, "newosproc") != NULL;
//   const char *const words[] = {
//     "tfrun: error: Go's runtime has ended the process: ", why,
//     lacks ? "\ntfrun: hint: see what there is, and may be taken: free -m; ulimit -a\n"
//           : "\ntfrun: hint: please report it, with the model or the rows that do it, and with "
//             "what the same command says with -v\n",
//   };
//   say(words, sizeof words / sizeof *words);
//   for (;;) syscall(SYS_exit_group, status);
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
// // Where Go ends the process for one, that handler reads the stacks of goroutines that run on,
// // and may fault itself: what it has said until then is all. Any other fault is a library's: its
// // thread stops, and Go has a moment to report it and to end the process.
// static void die(int sig, siginfo_t *info, void *context) {
//   static __thread volatile sig_atomic_t handling;
//   if (own(at(context)) && !handling) {
//     if (watched && sig == SIGABRT && info->si_code == SI_TKILL) {
//       finished = 1; // it is the last thing that Go does, and watch_go ends the process
//       for (;;) pause();
//     }
//     for (size_t i = 0; i < count; i++) {
//       if (fatal[i] == sig && (before[i].sa_flags & SA_SIGINFO)) {
//         handling = 1;
//         before[i].sa_sigaction(sig, info, context);
//         handling = 0;
//         return;
//       }
//     }
//   }
//   if (handling) finished = 1;
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
//     action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER;
//     sigfillset(&action.sa_mask);
//     for (size_t k = 0; k < count; k++) sigdelset(&action.sa_mask, fatal[k]);
//     if (sigaction(fatal[i], &action, &before[i]) != 0) return -1;
//   }
//   return 0;
// }
import "C"

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tfrun/tfrun/internal/crash"
)

// CatchDeath makes died be called, in a goroutine, when a library ends the process: by a failed
// check of TensorFlow's, a fault in one of its kernels, or a call of exit. cause is the signal or
// the call. The thread in which it happens stops; other threads go on for three seconds, and then
// the process ends with status 5, after a line on what is standard error at this call. A fault in
// Go's own code stays a panic; see [CatchFatal]. CatchDeath may be called once.
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

// printed reads what was printed, and keeps the end of it where C code finds it when Go's has
// stopped.
type printed struct {
	from *os.File
	kept int // bytes in C's recent
}

func (p *printed) Read(b []byte) (int, error) {
	recent := unsafe.Slice((*byte)(C.recently()), C.size)
	if p.kept > len(recent)/2 {
		p.kept = copy(recent, recent[p.kept-len(recent)/8:p.kept])
		clear(recent[p.kept:])
	}
	n, err := p.from.Read(recent[p.kept : p.kept+min(len(b), len(recent)/4)])
	copy(b, recent[p.kept:p.kept+n])
	p.kept += n
	return n, err
}

// CatchFatal makes a line on standard error, and status 5, of the end that Go's runtime puts to the
// process: where memory or threads run out, at a stack that is too large, at a panic that nothing
// recovers. The line begins with "tfrun: error: Go's runtime has ended the process". What Go prints
// then, the stacks of all goroutines, goes before it if stacks says so, else nowhere. from is the
// end of a pipe to which the caller lets descriptor 2 lead, and must be read by the reader that is
// returned. Call it once, after [CatchDeath].
func CatchFatal(from *os.File, stacks bool) (io.Reader, error) {
	raw, err := from.SyscallConn()
	if err != nil {
		return from, err
	}
	said, failed := -1, error(nil)
	err = raw.Control(func(fd uintptr) { said, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3) })
	var ends [2]int
	if err := errors.Join(err, failed, unix.Pipe2(ends[:], unix.O_CLOEXEC)); err != nil {
		return from, err
	}
	w := os.NewFile(uintptr(ends[1]), "crash")
	if err := errors.Join(debug.SetCrashOutput(w, debug.CrashOptions{}), w.Close()); err != nil {
		return from, err
	}
	debug.SetTraceback("crash") // Go raises SIGABRT last, where it would exit
	pass := C.int(0)
	if stacks {
		pass = 1
	}
	crash.Go(func() error {
		C.watch_go(C.int(ends[0]), C.int(said), pass)
		return nil
	}, func(error) {})
	return &printed{from: from}, nil
}
