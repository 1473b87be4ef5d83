package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/tfrun/tfrun/internal/crash"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job"
)

// The frames that a connection to predict --listen receives. A frame is a byte for its kind, 32
// bits (big-endian) for the number of its bytes, and these bytes.
const (
	frameData    = 'd' // a part of the results, an Arrow stream
	frameSummary = 's' // the last frame: what the run did, as JSON, see --summary
	frameError   = 'e' // the last frame: why the run failed, one line
)

// lastFrameTime is how long a client may take for the last frame.
const lastFrameTime = 10 * time.Second

// framed writes results as frames of data.
type framed struct{ w io.Writer }

// Write writes a frame of data.
func (f framed) Write(b []byte) (int, error) {
	if err := f.frame(frameData, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// frame writes a frame.
func (f framed) frame(kind byte, b []byte) error {
	head := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(b))) //nolint:gosec // what a writer gathers is far smaller
	_, err := (&net.Buffers{head, b}).WriteTo(f.w)
	return err
}

// checkListen checks the options of a run with --listen, whose rows and results go through
// connections.
func (o *predictOptions) checkListen() error {
	const command = "tfrun predict"
	path, ok := strings.CutPrefix(o.listen, "unix:")
	switch {
	case !ok || path == "":
		return usagef(command, "--listen %q: want unix:PATH, the path of a socket", o.listen)
	case len(o.inputs) > 0 || o.output != "" && o.output != "-":
		return usagef(command, "--listen: rows and results come and go by connection: name neither inputs nor -o")
	case o.dryRun || o.resume || o.shard != "" || o.plot != "" || o.errors != "" || o.summary != "":
		return usagef(command, "--listen: --dry-run, --resume, --shard, --plot, --errors and --summary are for one run")
	case o.inputFormat != "" && o.inputFormat != "arrow" || o.format != "" && o.format != "arrow":
		return usagef(command, "--listen: rows and results are Arrow streams")
	}
	o.inputs, o.inputFormat, o.format = []string{"-"}, "arrow", "arrow"
	return nil
}

// listener accepts connections. For each one it runs the rows that come through it.
type listener struct {
	net.Listener
	p    *runner.Predictor
	job  job.Job
	std  stdio
	room *room

	idle time.Duration // ends without a connection for so long; 0: never
	mu   sync.Mutex    // guards the fields below
	open map[net.Conn]struct{}
	end  *time.Timer
	busy sync.WaitGroup
}

// serve runs the job for each connection, until ctx is done, or until there was no connection for a
// while.
func (o *predictOptions) serve(ctx context.Context, _ *runner.Session, p *runner.Predictor, j job.Job, std stdio) error {
	path := strings.TrimPrefix(o.listen, "unix:")
	in, err := listenUnix(path)
	if err != nil {
		return err
	}
	l := &listener{Listener: in, p: p, job: j, std: std, room: newRoom(p.Options().Limits.BatchBytes), idle: o.listenIdle, open: map[net.Conn]struct{}{}}
	l.job.Began, l.job.Progress, l.job.Source = nil, nil, j.Source.Unwaited(p)
	stop := context.AfterFunc(ctx, l.stop)
	defer stop()
	l.left(nil)
	if !o.quiet {
		std.note("listening on %s", o.listen)
	}
	for {
		conn, err := in.Accept()
		if err != nil {
			l.busy.Wait()
			if errors.Is(err, net.ErrClosed) {
				return ctx.Err()
			}
			return err
		}
		l.came(conn)
		crash.Go(func() error {
			l.answer(ctx, conn)
			return nil
		}, func(err error) {
			if err != nil {
				fmt.Fprintf(std.err, "tfrun: error: %s\n", oneLine(err.Error()))
			}
			l.left(conn)
		})
	}
}

// listenUnix makes a socket that only its owner may use. A socket that a dead process has left is
// removed; one with a listener is not.
func listenUnix(path string) (net.Listener, error) {
	if info, err := os.Lstat(path); err == nil {
		if info.Mode()&os.ModeSocket == 0 {
			return nil, fmt.Errorf("--listen %q: exists and is no socket; name another path", path)
		}
		if c, err := net.Dial("unix", path); err == nil {
			return nil, errors.Join(fmt.Errorf("--listen %q: another process listens there", path), c.Close())
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	// It has another name until only its owner may use it.
	temp := fmt.Sprintf("%s.%d", path, os.Getpid())
	in, err := net.ListenUnix("unix", &net.UnixAddr{Name: temp, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("--listen: %w", err)
	}
	in.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(temp, 0o600), os.Rename(temp, path)); err != nil {
		return nil, errors.Join(err, in.Close(), os.Remove(temp))
	}
	return unlinked{in, path}, nil
}

// unlinked is a socket whose file is removed when it is closed.
type unlinked struct {
	net.Listener
	path string
}

// Close removes the file first, so that nobody connects without getting an answer.
func (u unlinked) Close() error { return errors.Join(os.Remove(u.path), u.Listener.Close()) }

// came counts a connection.
func (l *listener) came(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy.Add(1)
	l.open[c] = struct{}{}
	if l.end != nil {
		l.end.Stop()
		l.end = nil
	}
}

// left uncounts a connection that has ended; nil begins the counting. After the last one the time
// of idle begins.
func (l *listener) left(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c != nil {
		delete(l.open, c)
		l.busy.Done()
	}
	if len(l.open) == 0 && l.idle > 0 {
		l.end = time.AfterFunc(l.idle, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			if len(l.open) == 0 {
				_ = l.Close() // Accept returns the error
			}
		})
	}
}

// stop ends the listening and all runs.
func (l *listener) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.Close() // Accept returns the error
	for c := range l.open {
		_ = c.Close() // reading and writing return the error
	}
}

// answer runs the job over the rows of a connection.
func (l *listener) answer(ctx context.Context, c net.Conn) {
	defer c.Close() //nolint:errcheck // the last frame has been written, or cannot be
	mine := l.room.enter(ctx, c)
	defer mine.leave()
	out := framed{mine}
	j := l.job
	j.Source.Stdin, j.Stdout = mine, out
	p, err := l.p.With(func(o *runner.PredictOptions) { o.Room = mine })
	var sum job.Summary
	if err == nil {
		sum, err = j.Run(ctx, p)
	}
	if ended := mine.ended(); ended != nil {
		err = ended
	}
	var text []byte
	if err == nil {
		text, err = json.Marshal(summarize(j, sum, nil))
	}
	kind := byte(frameSummary)
	if err != nil {
		kind, text = frameError, []byte(oneLine(message(err)))
	}
	_ = c.SetWriteDeadline(time.Now().Add(lastFrameTime)) // a client may not listen
	_ = framed{c}.frame(kind, text)                       // an error means that nobody does
}
