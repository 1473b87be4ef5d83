//go:build cgo && !notf && !race && linux

package main

import (
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"time"
)

// hostileListen lists what clients of --listen do that want nothing but memory.
func hostileListen() []hostileCase {
	const claimed = 60 << 20
	metadata := binary.LittleEndian.AppendUint32([]byte{0xff, 0xff, 0xff, 0xff}, claimed)
	return []hostileCase{
		{"limit", "`--listen`: 40 clients that each send metadata of 60 MB but for its last byte", func(h *hostile) string {
			return h.besieged(append(metadata, make([]byte, claimed-1)...), false)
		}},
		{"limit", "`--listen`: 40 clients that each send a record batch of 40 MB but for its last bytes", func(h *hostile) string {
			stream := streamOfRows(1.5e6, 4)
			return h.besieged(stream[:len(stream)-100], false)
		}},
		{"limit", "`--listen`: 40 clients that each send 20 MB of rows, and take no results", func(h *hostile) string {
			return h.besieged(streamOfRows(7e5, 4), true)
		}},
	}
}

// besieged lets 40 clients send bytes to one process, and then nothing, and checks that it answers
// another meanwhile.
func (h *hostile) besieged(sent []byte, whole bool) string {
	const clients = 40
	dir, err := os.MkdirTemp("", "listen") // a socket's path may have 107 bytes
	if err != nil {
		h.Fatal(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	path := filepath.Join(dir, "s")
	cmd := h.command("predict", h.model("k3_compiled"), "--listen", "unix:"+path, "--listen-idle", "1s", "--keep", "id", "-q")
	ended := make(chan hostileRun)
	go func() { ended <- h.wait(cmd) }()
	var all [clients]*net.UnixConn
	for i := range all {
		all[i] = dial(h, path)
		go func() {
			_, _ = all[i].Write(sent) // it may have to wait
			if whole {
				_ = all[i].CloseWrite()
			}
		}()
	}
	time.Sleep(h.limit / 4)
	start := time.Now()
	ids, _, err := ask(dial(h, path), streamOfRows(64, 4))
	if took := time.Since(start); err != nil || len(ids) != 64 || took > h.limit/4 {
		h.Errorf("another client has %d results of 64 after %v, %v", len(ids), took, err)
	}
	for _, c := range all {
		_ = c.Close()
	}
	return h.want(<-ended, 0, "") + ": another is answered meanwhile"
}
