//go:build cgo && !notf && linux

package tf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// ownLines is how many lines the child writes to its own standard error, at the least.
const ownLines = 5000

// TestLogChild is the process of [TestLog]: it writes to standard error all the while, as fast as
// it can, and loads a model meanwhile.
func TestLogChild(t *testing.T) {
	how := os.Getenv("TFRUN_LOG_CHILD")
	if how == "" {
		t.Skip("the process of TestLog")
	}
	if how == "logger" {
		LogTo(slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	}
	done, ended := make(chan struct{}), make(chan int)
	go func() {
		for i := 0; ; i++ {
			fmt.Fprintf(os.Stderr, "mine %d\n", i)
			select {
			case <-done:
				if i > ownLines {
					ended <- i
					return
				}
			default:
			}
		}
	}()
	loadModel(t, "mod_scalar/model", Config{})
	close(done)
	fmt.Fprintf(os.Stderr, "lines %d\n", <-ended)
}

// While the library is opened and a model loaded, every line that the program itself writes to
// standard error arrives, in order; TensorFlow's go to the logger, nowhere, or there too.
func TestLog(t *testing.T) {
	if _, err := OpenLibrary(""); err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"logger", "quiet", "loud"} {
		t.Run(how, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLogChild$", "-test.v")
			cmd.Env = append(os.Environ(), "TFRUN_LOG_CHILD="+how, "TF_CPP_MIN_LOG_LEVEL=")
			if how == "quiet" {
				cmd.Env = append(cmd.Env, "TF_CPP_MIN_LOG_LEVEL=3")
			}
			var out, errs bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &errs
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v\n%s", err, out.String())
			}
			next, said, others := 0, -1, 0
			for line := range strings.Lines(errs.String()) {
				var n int
				switch {
				case line == fmt.Sprintf("mine %d\n", next):
					next++
				case strings.HasPrefix(line, "lines "):
					_, _ = fmt.Sscanf(line, "lines %d", &n)
					said = n
				default:
					others++
				}
			}
			if said < ownLines || next != said+1 {
				t.Errorf("%d lines in order, the program wrote %d", next, said+1)
			}
			if (others > 0) != (how == "loud") {
				t.Errorf("%d lines of others on standard error", others)
			}
			records := 0
			for line := range strings.Lines(out.String()) {
				var r struct{ Msg, File, Level string }
				if json.Unmarshal([]byte(line), &r) == nil && r.Msg != "" && strings.HasSuffix(r.File, ".cc") && r.Level == "INFO" {
					records++
				}
			}
			if (records > 0) != (how == "logger") {
				t.Errorf("%d records of the logger:\n%s", records, out.String())
			}
		})
	}
}
