// Package referee asks Python about bytes that a fuzzer has made up, such as which rows a library
// reads out of them. The answers cannot be recorded beforehand. It leaves the comparing to the
// test.
package referee

import (
	"bufio"
	_ "embed"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// Python is a running interpreter.
type Python struct {
	mu  sync.Mutex
	in  io.WriteCloser
	out *bufio.Reader
}

// Draw is a script that makes tables out of bytes, and files of tables, with pyarrow; see its
// function answer.
//
//go:embed draw.py
var Draw string

// loop is the script's end: it says ok once the script is loaded, then reads questions and writes
// the results of answer, bytes to bytes. Each question and result follows its length.
const loop = `
import sys as _sys
_sys.stdout.buffer.write(b"ok")
_sys.stdout.buffer.flush()
while True:
    _n = _sys.stdin.buffer.read(4)
    if len(_n) < 4:
        break
    _a = answer(_sys.stdin.buffer.read(int.from_bytes(_n, "little")))
    _sys.stdout.buffer.write(len(_a).to_bytes(4, "little") + _a)
    _sys.stdout.buffer.flush()
`

// Start starts Python 3 with a script that defines answer(bytes) -> bytes and needs only the
// standard library and the modules named. The interpreter ends with the test. The environment
// variable PYTHON names another interpreter than python3. Without Python, or without one of the
// modules, the test is skipped and says so.
func Start(t testing.TB, script string, modules ...string) *Python {
	t.Helper()
	name := os.Getenv("PYTHON")
	if name == "" {
		name = "python3"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("NOT TRIED: no %s to ask", name)
	}
	for _, module := range modules {
		if exec.Command(path, "-I", "-c", "import "+module).Run() != nil {
			t.Skipf("NOT TRIED: %s has no module %s", path, module)
		}
	}
	cmd := exec.Command(path, "-I", "-c", script+loop)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	p := &Python{in: in, out: bufio.NewReader(out)}
	// Modules may take long to load. A fuzzing worker that waited for that in its first question
	// would count as hung.
	if _, err := io.ReadFull(p.out, make([]byte, len("ok"))); err != nil {
		t.Fatal(err)
	}
	return p
}

// Ask returns the script's answer.
func (p *Python) Ask(t testing.TB, question []byte) []byte {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	size := binary.LittleEndian.AppendUint32(nil, uint32(len(question))) //nolint:gosec // a fuzzer's input
	if _, err := p.in.Write(append(size, question...)); err != nil {
		t.Fatal(err)
	}
	var n [4]byte
	if _, err := io.ReadFull(p.out, n[:]); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, binary.LittleEndian.Uint32(n[:]))
	if _, err := io.ReadFull(p.out, answer); err != nil {
		t.Fatal(err)
	}
	return answer
}
