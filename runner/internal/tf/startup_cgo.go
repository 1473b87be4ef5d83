//go:build cgo && !notf && linux

package tf

// #include <errno.h>
// #include <fcntl.h>
// #include <stdio.h>
// #include <stdlib.h>
// #include <string.h>
// #include <sys/resource.h>
// #include <unistd.h>
//
// // Go opens /dev/null in the place of a standard stream that is closed, so that results go
// // nowhere and no rows are read, without a word. A stream that is open the other way round fails.
// static void keep_closed(int fd, int flags) {
//   if (fcntl(fd, F_GETFD) == -1 && errno == EBADF) {
//     int null = open("/dev/null", flags);
//     if (null != -1 && null != fd) {
//       dup2(null, fd);
//       close(null);
//     }
//   }
// }
//
// // refuse ends the process with an error.
// static void refuse(int code, const char *text) {
//   dprintf(2, "tfrun: error: %s\n", text);
//   _exit(code);
// }
//
// // Go's own error for a bad GOMEMLIMIT has the stacks of its runtime.
// static void check_memory_limit(void) {
//   const char *limit = getenv("GOMEMLIMIT");
//   if (limit == NULL || *limit == '\0' || strcmp(limit, "off") == 0) return;
//   static const struct { const char *name; long long bytes; } units[] = {
//     {"", 1}, {"B", 1}, {"KiB", 1LL << 10}, {"MiB", 1LL << 20},
//     {"GiB", 1LL << 30}, {"TiB", 1LL << 40},
//   };
//   size_t digits = strspn(limit, "0123456789");
//   errno = 0;
//   long long n = strtoll(limit, NULL, 10);
//   for (size_t i = 0; digits > 0 && errno == 0 && i < sizeof units / sizeof *units; i++) {
//     if (strcmp(limit + digits, units[i].name) != 0) continue;
//     if (!__builtin_mul_overflow(n, units[i].bytes, &n)) return;
//   }
//   refuse(2, "the environment variable GOMEMLIMIT: "
//             "want a number of bytes, such as 2GiB, or off");
// }
//
// // Go takes 20 KB for each of its processors, and long to begin with many.
// static void check_processors(void) {
//   const char *n = getenv("GOMAXPROCS");
//   if (n != NULL && strspn(n, "0123456789") == strlen(n) && strtoll(n, NULL, 10) > 4096) {
//     refuse(2, "the environment variable GOMAXPROCS: want 4096 at most");
//   }
// }
//
// // Below these limits Go itself ends, soon or later, with the stacks of its runtime. It raises
// // the number of open files to the hard limit.
// static void check_limits(void) {
//   static const struct {
//     int what;
//     rlim_t least;
//     const char *text;
//   } limits[] = {
//     {RLIMIT_AS, 2ULL << 30,
//      "the limit of the address space (ulimit -v) is too low: "
//      "want 2 GiB or more, and 3 GiB to run a model"},
//     {RLIMIT_DATA, 192ULL << 20,
//      "the limit of data (ulimit -d) is too low: "
//      "want 192 MiB or more, and 384 MiB to run a model"},
//     {RLIMIT_NOFILE, 16,
//      "the limit of open files (ulimit -n) is too low: "
//      "want 16 or more, and 64 to run a model"},
//   };
//   for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
//     struct rlimit limit;
//     if (getrlimit(limits[i].what, &limit) != 0) continue;
//     rlim_t n = limits[i].what == RLIMIT_NOFILE ? limit.rlim_max : limit.rlim_cur;
//     if (n < limits[i].least) refuse(1, limits[i].text);
//   }
// }
//
// __attribute__((constructor)) static void startup(void) {
//   keep_closed(0, O_WRONLY);
//   keep_closed(1, O_RDONLY);
//   check_memory_limit();
//   check_processors();
//   check_limits();
// }
import "C"
