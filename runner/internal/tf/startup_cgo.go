//go:build cgo && !notf && linux

package tf

// #include <errno.h>
// #include <fcntl.h>
// #include <stdio.h>
// #include <stdlib.h>
// #include <string.h>
// #include <unistd.h>
//
// // Go opens /dev/null in the place of a standard stream that is closed, so that results go nowhere
// // and no rows are read, without a word. A stream that is open the other way round fails instead.
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
// // Go's own error for a bad GOMEMLIMIT has the stacks of its runtime.
// static void check_memory_limit(void) {
//   const char *limit = getenv("GOMEMLIMIT");
//   if (limit == NULL || *limit == '\0' || strcmp(limit, "off") == 0) return;
//   static const struct { const char *name; long long bytes; } units[] = {
//     {"", 1}, {"B", 1}, {"KiB", 1LL << 10}, {"MiB", 1LL << 20}, {"GiB", 1LL << 30}, {"TiB", 1LL << 40},
//   };
//   size_t digits = strspn(limit, "0123456789");
//   errno = 0;
//   long long n = strtoll(limit, NULL, 10);
//   for (size_t i = 0; digits > 0 && errno == 0 && i < sizeof units / sizeof *units; i++) {
//     if (strcmp(limit + digits, units[i].name) == 0 && !__builtin_mul_overflow(n, units[i].bytes, &n)) return;
//   }
//   static const char text[] = "tfrun: error: the environment variable GOMEMLIMIT: want a number of bytes, such as 2GiB, or off\n";
//   ssize_t written = write(2, text, sizeof text - 1);
//   (void)written;
//   _exit(2);
// }
//
// __attribute__((constructor)) static void startup(void) {
//   keep_closed(0, O_WRONLY);
//   keep_closed(1, O_RDONLY);
//   check_memory_limit();
// }
import "C"
