//go:build cgo && !notf && unix

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// TestListen sends streams of rows to predict --listen, several at a time, broken ones among them:
// each is answered by itself, and the process ends when nobody comes any more.
func TestListen(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "listen") // a socket's path may have 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	leftBehind(t, path)
	model := filepath.Join("..", "..", "testdata", "models", "k3_compiled", "model")
	args := []string{"predict", model, "--listen", "unix:" + path, "--listen-idle", "1s", "--keep", "id"}
	var said bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(context.Background(), args, stdio{in: strings.NewReader(""), out: io.Discard, err: &said})
	}()

	first := dial(t, path)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket has mode %v, %v, want 0600", info.Mode().Perm(), err)
	}
	if code, _, stderr := command(args...); code == 0 || !strings.Contains(stderr, "another process listens there") {
		t.Errorf("a second one: exit code %d, %s", code, stderr)
	}
	var busy sync.WaitGroup
	for i := range 4 {
		busy.Go(func() {
			rows := 1000 * (i + 1)
			c := first
			if i > 0 {
				c = dial(t, path)
			}
			ids, sum, err := ask(c, streamOfRows(rows, 4))
			if err != nil || len(ids) != rows || sum.Rows != int64(rows) || !sum.Whole {
				t.Errorf("%d rows gave %d, %+v, %v", rows, len(ids), sum, err)
			}
			for k, id := range ids {
				if id != int64(k) {
					t.Errorf("of %d rows, row %d has the id of row %d", rows, k, id)
					return
				}
			}
		})
	}
	for name, c := range map[string]struct {
		stream []byte
		want   string
	}{
		"rows of another width": {streamOfRows(3, 5), "want the shape (4,), got (5,)"},
		"a stream that is cut":  {streamOfRows(3000, 4)[:30000], "cut"},
		"no stream":             {[]byte("rows? none"), "Arrow"},
	} {
		busy.Go(func() {
			if _, _, err := ask(dial(t, path), c.stream); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", name, err, c.want)
			}
		})
	}
	busy.Go(func() { // one that goes away
		c := dial(t, path)
		_, _ = c.Write(streamOfRows(3000, 4)[:20000])
		_ = c.Close()
	})
	busy.Wait()
	select {
	case code := <-ended:
		if code != 0 {
			t.Errorf("exit code %d, %s", code, said.String())
		}
	case <-time.After(time.Minute):
		t.Fatal("it goes on though nobody comes")
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}

// leftBehind makes a socket on which nobody listens.
func leftBehind(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// dial connects once somebody listens.
func dial(t testing.TB, path string) *net.UnixConn {
	t.Helper()
	for range 3000 {
		if c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"}); err == nil {
			return c
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("nobody listens")
	return &net.UnixConn{}
}

// streamOfRows is an Arrow stream of rows with an id and width numbers.
func streamOfRows(rows, width int) []byte {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "keras_tensor", Type: arrow.ListOf(arrow.PrimitiveTypes.Float32)},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	list := b.Field(1).(*array.ListBuilder)
	for i := range rows {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		list.Append(true)
		for k := range width {
			list.ValueBuilder().(*array.Float32Builder).Append(float32(i%7) + float32(k))
		}
	}
	var out bytes.Buffer
	w := ipc.NewWriter(&out, ipc.WithSchema(schema))
	record := b.NewRecordBatch()
	defer record.Release()
	if err := errors.Join(w.Write(record), w.Close()); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// ask sends a stream, and returns the ids of the results and the summary, or the error of the last
// frame.
func ask(c *net.UnixConn, stream []byte) (ids []int64, sum summaryDoc, err error) {
	defer c.Close()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = c.Write(stream) // where it is not taken the answer says why
		_ = c.CloseWrite()
	}()
	defer func() { <-sent }()
	var results bytes.Buffer
	for {
		var head [5]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return nil, sum, fmt.Errorf("no last frame: %w", err)
		}
		data := make([]byte, binary.BigEndian.Uint32(head[1:]))
		if _, err := io.ReadFull(c, data); err != nil {
			return nil, sum, err
		}
		switch head[0] {
		case frameData:
			results.Write(data)
			continue
		case frameError:
			return nil, sum, errors.New(string(data))
		}
		if err := json.Unmarshal(data, &sum); err != nil {
			return nil, sum, err
		}
		break
	}
	r, err := ipc.NewReader(&results)
	if err != nil {
		return nil, sum, err
	}
	defer r.Release()
	for r.Next() {
		at := r.Schema().FieldIndices("id")[0]
		ids = append(ids, r.RecordBatch().Column(at).(*array.Int64).Int64Values()...)
	}
	return ids, sum, r.Err()
}
