// Package peer is how the benchmark's harness asks a program for measurements: a line of JSON with
// a job and its arguments, answered by a line of JSON.
package peer

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
)

// Job does what a request asks for. arguments is the whole request; the answer is written as JSON.
type Job func(arguments json.RawMessage) (answer any, err error)

// Serve says that the program is ready, and answers requests until r ends. An error of a job ends
// it too, once the other side was told.
func Serve(r io.Reader, w io.Writer, jobs map[string]Job) error {
	out := json.NewEncoder(w)
	if err := out.Encode(map[string]any{"ready": map[string]string{"Go": strings.TrimPrefix(runtime.Version(), "go")}}); err != nil {
		return err
	}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		answer, err := do(jobs, lines.Bytes())
		if err != nil {
			// err is returned, and says more
			_ = out.Encode(map[string]string{"error": err.Error()})
			return err
		}
		if err := out.Encode(answer); err != nil {
			return err
		}
	}
	return lines.Err()
}

func do(jobs map[string]Job, line []byte) (any, error) {
	var request struct{ Job string }
	if err := json.Unmarshal(line, &request); err != nil {
		return nil, err
	}
	job, ok := jobs[request.Job]
	if !ok {
		return nil, fmt.Errorf("no job is called %q", request.Job)
	}
	return job(line)
}
