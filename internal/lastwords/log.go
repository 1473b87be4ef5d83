package lastwords

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tfrun/tfrun/internal/crash"
)

// Log sorts what TensorFlow and others write to standard error. Lines of TensorFlow's log become
// records of a logger, and everything else is passed on byte for byte. A text that may be the
// beginning of a line of the log waits for the line's end; other text does not wait.
//
// A message of several lines becomes one record if it is written in one piece, which TensorFlow
// does.
//
// Write may be called from many goroutines. The logger is called from another goroutine, in order,
// so a slow handler does not hold TensorFlow up.
type Log struct {
	To   *slog.Logger
	Rest io.Writer // gets what is not the log's

	mu      sync.Mutex
	line    []byte // beginning of a line that may be the log's
	passing bool   // in the middle of a line that is not the log's

	queue   []entry
	dropped int
	busy    chan struct{} // closed when the queue is empty; nil while nobody empties it
}

// entry is a line of the log, with the lines that belong to it.
type entry struct {
	level      slog.Level
	text, file string
	line       int
	fatal      bool
}

// mostQueued bounds the records that wait for a slow handler. Records beyond it are only counted.
const mostQueued = 10_000

// head matches the beginning of a line of TensorFlow's log, before release 2.20 and since:
//
//	2026-01-31 12:00:00.000000: I tensorflow/core/platform/cpu_feature_guard.cc:210] …
//	I0000 00:00:1769860800.000000    1234 port.cc:153] …
var head = regexp.MustCompile(`^(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: ([IWEF]) |([IWEF])\d{4} \d\d:\d\d:\d+\.\d+\s+\d+ )([^ :\]]+):(\d+)\] `)

// templates are the beginnings of the log's lines: 0 stands for any digit, L for the letter of a
// level.
var templates = []string{"0000-00-00 00:00:00.000", "L0000 00:00:00"}

// mayBegin reports whether a text may be the beginning of a line of the log.
func mayBegin(text []byte) bool {
	if n := min(len(text), len(preface)); string(text[:n]) == preface[:n] {
		return true
	}
	for _, t := range templates {
		fits := true
		for i := 0; i < min(len(t), len(text)) && fits; i++ {
			switch c := text[i]; t[i] {
			case '0':
				fits = c >= '0' && c <= '9'
			case 'L':
				fits = strings.IndexByte("IWEF", c) >= 0
			default:
				fits = c == t[i]
			}
		}
		if fits {
			return true
		}
	}
	return false
}

// Write takes the next bytes written to standard error.
func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var last *entry // the record that these bytes began
	for rest := b; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		rest = after
		switch {
		case l.passing:
			l.pass(line, whole)
		case len(l.line) == 0 && last != nil && whole && !mayBegin(line):
			last.text += "\n" + string(line)
		default:
			l.line = append(l.line, line...)
			if !mayBegin(l.line) || len(l.line) > maxWord {
				l.passLine(whole)
			} else if whole {
				last = l.takeLine()
			}
		}
	}
	if len(l.queue) > 0 && l.busy == nil {
		l.busy = make(chan struct{})
		crash.Go(func() error {
			l.drain()
			return nil
			// A panic of the logger has nowhere to be reported.
		}, func(error) {})
	}
	if last != nil && last.fatal {
		l.await()
	}
	return len(b), nil
}

// await gives the logger a moment to empty the queue. It is called for a fatal line, after which
// the process ends.
func (l *Log) await() {
	busy := l.busy
	l.mu.Unlock()
	defer l.mu.Lock()
	select {
	case <-busy:
	case <-time.After(time.Second):
	}
}

// pass passes on a part of a line that is not the log's.
func (l *Log) pass(line []byte, whole bool) {
	l.passing = !whole
	if whole {
		line = append(bytes.Clone(line), '\n')
	}
	// An error means that nobody reads what is printed.
	_, _ = l.Rest.Write(line)
}

// passLine passes on a text that was taken for the beginning of a line of the log.
func (l *Log) passLine(whole bool) {
	l.pass(l.line, whole)
	l.line = l.line[:0]
}

// takeLine handles a whole line. It returns the record that the line began, or nil if the line is
// not the log's.
func (l *Log) takeLine() *entry {
	text := string(l.line)
	m := head.FindStringSubmatchIndex(text)
	switch {
	case m == nil && strings.TrimRight(text, "\r") == preface:
		l.line = l.line[:0]
		return nil // useless where nothing goes to standard error
	case m == nil:
		l.passLine(true)
		return nil
	}
	l.line = l.line[:0]
	part := func(i int) string {
		if m[2*i] < 0 {
			return ""
		}
		return text[m[2*i]:m[2*i+1]]
	}
	e := entry{text: text[m[1]:], file: part(3)}
	e.line, _ = strconv.Atoi(part(4))
	switch part(1) + part(2) {
	case "I":
		e.level = slog.LevelInfo
	case "W":
		e.level = slog.LevelWarn
	case "F":
		e.fatal = true
		// The process is about to end, and its last words are looked for there.
		_, _ = io.WriteString(l.Rest, text+"\n")
		fallthrough
	default:
		e.level = slog.LevelError
	}
	if len(l.queue) >= mostQueued {
		l.dropped++
		return &e
	}
	l.queue = append(l.queue, e)
	return &l.queue[len(l.queue)-1]
}

// SetLogger sets the logger for later records.
func (l *Log) SetLogger(to *slog.Logger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.To = to
}

// drain calls the logger with queued records until there are none.
func (l *Log) drain() {
	for {
		l.mu.Lock()
		queue, dropped := l.queue, l.dropped
		l.queue, l.dropped = nil, 0
		if len(queue) == 0 {
			close(l.busy)
			l.busy = nil
			l.mu.Unlock()
			return
		}
		to := l.To
		l.mu.Unlock()
		ctx := context.Background()
		for _, e := range queue {
			to.LogAttrs(ctx, e.level, strings.TrimRight(e.text, "\r\n "), slog.String("file", e.file), slog.Int("line", e.line))
		}
		if dropped > 0 {
			to.LogAttrs(ctx, slog.LevelWarn, "lines of TensorFlow's log were left out: the handler is too slow", slog.Int("lines", dropped))
		}
	}
}
