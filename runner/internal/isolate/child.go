package isolate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/tfrun/tfrun/internal/crash"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/tensor"
)

// The file descriptors of the model's process, as os/exec passes ExtraFiles on.
const (
	requestsFD = 3
	answersFD  = 4
)

// Main must be called first thing in main. In a process that was started to serve a model it serves
// the model and does not return; in any other process it does nothing.
func Main() {
	if os.Getenv(markEnv) == "" {
		return
	}
	os.Exit(serveIsolated())
}

// serveIsolated is the main function of the model's process. It returns at the end of the requests:
// when the program that has started the process closes the model, or is gone.
func serveIsolated() int {
	if os.Getenv(markEnv) == "true" {
		_ = tf.BoundMemory("", true) // for as long as it lives
	}
	_ = os.Unsetenv(markEnv)
	tf.DefaultSignals()
	s := &server{
		r:        bufio.NewReaderSize(os.NewFile(requestsFD, "requests"), wireBuffer),
		w:        bufio.NewWriterSize(os.NewFile(answersFD, "answers"), wireBuffer),
		programs: map[int]tf.Program{},
	}
	err := errors.Join(writeFrame(s.w, wireReady, 0), s.w.Flush())
	if err == nil {
		err = crash.Guard(s.serve)
	}
	if errors.Is(err, io.EOF) {
		return 0
	}
	fmt.Fprintf(os.Stderr, "tfrun: the model's process: %v\n", err)
	return 1
}

// server answers the requests for one model. Each request has a goroutine of its own, so that the
// end of the requests is noticed at once.
type server struct {
	r *bufio.Reader

	writing sync.Mutex // guards w
	w       *bufio.Writer

	mu       sync.Mutex // guards the fields below
	engine   tf.Engine
	programs map[int]tf.Program
}

func (s *server) serve() error {
	for {
		kind, id, err := readFrame(s.r)
		if err != nil {
			return err
		}
		if kind == wireRun {
			err = s.run(id)
		} else {
			err = s.control(kind, id)
		}
		if err != nil {
			return err
		}
	}
}

// control reads a request in JSON and answers it. An error is one of reading.
func (s *server) control(kind byte, id uint32) error {
	var work func() (any, error)
	var err error
	switch kind {
	case wireLoad:
		var q loadRequest
		var graph []byte
		if err = readJSON(s.r, &q); err == nil {
			graph, err = readBytes(s.r, maxWireGraph)
		}
		work = func() (any, error) { return nil, s.load(q, graph) }
	case wirePrepare:
		var q prepareRequest
		err = readJSON(s.r, &q)
		work = func() (any, error) { return nil, s.prepare(q) }
	case wireHead:
		var q headRequest
		err = readJSON(s.r, &q)
		work = func() (any, error) { return s.addHead(q) }
	case wireDevices:
		err = readJSON(s.r, &struct{}{})
		work = func() (any, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.engine.Devices()
		}
	default:
		return errWire
	}
	if err != nil {
		return err
	}
	var reply any
	crash.Go(func() (err error) {
		reply, err = work()
		return err
	}, func(err error) {
		s.answer(id, err, func(w *bufio.Writer) error {
			if reply == nil {
				return nil
			}
			return writeJSON(w, reply)
		})
	})
	return nil
}

func (s *server) load(q loadRequest, graph []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := tf.Places(q.Config); err != nil { // a GPU is asked for, and there is none
		return err
	}
	e, err := tf.Load(context.Background(), tf.Model{Graph: graph, Steps: q.Steps}, q.Config)
	if err != nil {
		return err
	}
	s.engine = e
	return limitMemory(q.Memory)
}

func (s *server) prepare(q prepareRequest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.engine.Prepare(q.Feeds, q.Fetches)
	s.programs[q.ID] = p
	return err
}

func (s *server) addHead(q headRequest) ([]tf.HeadTensor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.engine.AddHead(q.Tensor, q.Head)
}

// run reads the feeds of a run into TensorFlow's memory, runs it and answers. An error is one of
// reading.
func (s *server) run(id uint32) error {
	n, err := readUint(s.r, maxWireTensors)
	if err != nil {
		return err
	}
	headers, err := readHeaders(s.r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	p := s.programs[int(n)]
	s.mu.Unlock()
	if p == nil {
		return errWire
	}
	total := int64(0)
	for _, h := range headers {
		total += h.bytes
	}
	values := io.LimitReader(s.r, total)
	feeds := make([]tf.Feed, len(headers))
	for i, h := range headers {
		feeds[i] = tf.Feed{DType: h.dtype, Dims: h.dims, Strings: h.strings, Fill: func(dst []byte) error {
			_, err := io.ReadFull(values, dst)
			return err
		}}
	}
	l, failed := p.Load(feeds, nil)
	// After a failure some values may still be unread.
	if _, err := io.Copy(io.Discard, values); err != nil {
		return err
	}
	var out []tensor.Tensor
	crash.Go(func() (err error) {
		if failed != nil {
			return failed
		}
		out, err = l.Run(context.Background(), nil)
		return err
	}, func(err error) {
		s.answer(id, err, func(w *bufio.Writer) error { return writeTensors(w, out) })
	})
	return nil
}

// answer writes an error, or the body of an answer. Errors of writing mean that the program is
// gone, and then the requests end too.
func (s *server) answer(id uint32, err error, body func(*bufio.Writer) error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err != nil {
		fault := faultOf(err)
		_ = errors.Join(writeFrame(s.w, wireError, id), writeJSON(s.w, fault), s.w.Flush())
		return
	}
	_ = errors.Join(writeFrame(s.w, wireOK, id), body(s.w), s.w.Flush())
}
