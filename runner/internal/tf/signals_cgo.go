//go:build cgo && !notf

package tf

// #include <signal.h>
// #include <string.h>
//
// static void default_signals(void) {
//   static const int fatal[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGQUIT};
//   struct sigaction action;
//   memset(&action, 0, sizeof action);
//   action.sa_handler = SIG_DFL;
//   for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++) sigaction(fatal[i], &action, NULL);
// }
import "C"

// DefaultSignals makes fatal signals end the process at once, so that the process that waits for it
// sees which signal it was. Go's handlers would print the stacks of all goroutines, and exit with
// status 2.
func DefaultSignals() { C.default_signals() }
