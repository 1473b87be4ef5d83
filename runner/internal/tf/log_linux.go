//go:build cgo && !notf && linux

package tf

// #define _GNU_SOURCE
// #include <errno.h>
// #include <stdio.h>
// #include <sys/types.h>
// #include <unistd.h>
//
// extern void tfrunLogged(char *text, size_t size); // below
//
// // What happens to text that C code writes to the stream stderr.
// enum { PASS, DROP, TELL };
// static int log_mode = PASS;
//
// static ssize_t log_write(void *cookie, const char *text, size_t size) {
//   (void)cookie;
//   int mode = __atomic_load_n(&log_mode, __ATOMIC_ACQUIRE);
//   if (mode == TELL) tfrunLogged((char *)text, size);
//   for (size_t done = 0; mode == PASS && done < size;) {
//     ssize_t n = write(STDERR_FILENO, text + done, size - done);
//     if (n < 0 && errno != EINTR) break; // like C's own stream, without an error
//     if (n > 0) done += (size_t)n;
//   }
//   return (ssize_t)size;
// }
//
// // tfrun_log_mode replaces C's stream stderr by one of our own, once, and sets what happens to
// // text written to it. It returns 0 if the stream cannot be replaced.
// int tfrun_log_mode(int mode) {
//   static FILE *own;
//   if (own == NULL) {
//     cookie_io_functions_t f = {.write = log_write};
//     own = fopencookie(NULL, "w", f);
//     if (own == NULL) return 0;
//     setvbuf(own, NULL, _IONBF, 0);
//     stderr = own;
//   }
//   __atomic_store_n(&log_mode, mode, __ATOMIC_RELEASE);
//   return 1;
// }
import "C"
