//go:build cgo && !notf && !race && linux

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// placeCase is an honest model of which something is not what it has to be: change gets its files,
// below m.
func placeCase(name, model string, change func(h *hostile)) hostileCase {
	return modelCase(name, func(h *hostile) {
		from, err := filepath.Abs(filepath.Join("..", "..", "testdata", "models", model, "model"))
		if err != nil {
			h.Fatal(err)
		}
		if err := os.CopyFS(filepath.Join(h.dir, "m"), os.DirFS(from)); err != nil {
			h.Fatal(err)
		}
		change(h)
	})
}

// instead removes a file, or a directory, and puts something else in its place.
func instead(name string, put func(h *hostile, name string)) func(h *hostile) {
	return func(h *hostile) {
		h.Helper()
		if err := os.RemoveAll(filepath.Join(h.dir, name)); err != nil {
			h.Fatal(err)
		}
		put(h, name)
	}
}

// socket makes a socket.
func (h *hostile) socket(name string) {
	h.Helper()
	path := filepath.Join(h.dir, name)
	if most := 100; len(path) > most { // of which the kernel takes no more
		short, err := os.MkdirTemp("", "t")
		if err != nil {
			h.Fatal(err)
		}
		h.Cleanup(func() { _ = os.RemoveAll(short) })
		h.socketAt(filepath.Join(short, "s"))
		if err := os.Rename(filepath.Join(short, "s"), path); err != nil {
			h.Skipf("a socket cannot be moved here: %v", err)
		}
		return
	}
	h.socketAt(path)
}

func (h *hostile) socketAt(path string) {
	h.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		h.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		h.Fatal(err)
	}
}

// places are what can stand where a file has to.
var places = map[string]func(h *hostile, name string){
	"a directory":                (*hostile).mkdir,
	"a FIFO":                     (*hostile).fifo,
	"a socket":                   (*hostile).socket,
	"a link to nowhere":          func(h *hostile, name string) { h.link(name, "nowhere") },
	"a link to `/proc/self`":     func(h *hostile, name string) { h.link(name, "/proc/self") },
	"a link to `/dev/stdin`":     func(h *hostile, name string) { h.link(name, "/dev/stdin") },
	"50 GB of zeros":             func(h *hostile, name string) { h.sparse(name, 50<<30) },
	"an empty file":              func(h *hostile, name string) { h.file(name, nil) },
	"a link to the model itself": func(h *hostile, name string) { h.link(name, filepath.Join(h.dir, "m")) },
}

// hostilePlaces lists honest models in bad places: pipes, directories, links and enormous files
// where files have to be.
func hostilePlaces() []hostileCase {
	const (
		graph  = "m/saved_model.pb"
		text   = "m/saved_model.pbtxt"
		index  = "m/variables/variables.index"
		values = "m/variables/variables.data-00000-of-00001"
		asset  = "m/assets/vocab.txt"
	)
	var cases []hostileCase
	for _, c := range []struct{ model, file, what string }{
		{"k3_autoencoder", graph, "a directory"},
		{"k3_autoencoder", graph, "a socket"},
		{"k3_autoencoder", graph, "a link to nowhere"},
		{"k3_autoencoder", graph, "an empty file"},
		{"k3_autoencoder", "m/variables", "a FIFO"},
		{"k3_autoencoder", "m/variables", "a link to `/proc/self`"},
		{"k3_autoencoder", "m/variables", "a link to the model itself"},
		{"k3_autoencoder", index, "a directory"},
		{"k3_autoencoder", index, "a socket"},
		{"k3_autoencoder", index, "a link to `/dev/stdin`"},
		{"k3_autoencoder", index, "an empty file"},
		{"k3_autoencoder", values, "a directory"},
		{"k3_autoencoder", values, "a link to nowhere"},
		{"k3_autoencoder", values, "50 GB of zeros"},
		{"k3_autoencoder", "m/fingerprint.pb", "a FIFO"},
		{"k3_autoencoder", "m/fingerprint.pb", "50 GB of zeros"},
		{"k3_autoencoder", "m/fingerprint.pb", "a directory"},
		{"k3_autoencoder", "m/assets", "a FIFO"},
		{"k2_autoencoder", "m/keras_metadata.pb", "a FIFO"},
		{"k2_autoencoder", "m/keras_metadata.pb", "50 GB of zeros"},
		{"k2_autoencoder", "m/keras_metadata.pb", "a directory"},
		{"mod_vocab_asset", asset, "a FIFO"},
		{"mod_vocab_asset", asset, "a directory"},
		{"mod_vocab_asset", asset, "a link to nowhere"},
		{"mod_vocab_asset", asset, "50 GB of zeros"},
		{"mod_vocab_asset", asset, "an empty file"},
	} {
		what := fmt.Sprintf("an honest model whose `%s` is %s", strings.TrimPrefix(c.file, "m/"), c.what)
		cases = append(cases, placeCase(what, c.model, instead(c.file, places[c.what])))
	}
	only := func(put func(h *hostile)) func(h *hostile) {
		return func(h *hostile) {
			instead(graph, func(*hostile, string) {})(h)
			put(h)
		}
	}
	return append(cases,
		placeCase("`saved_model.pbtxt` alone, nested 200,000 deep", "k3_autoencoder", only(func(h *hostile) {
			h.file(text, []byte(strings.Repeat("meta_graphs { ", 200_000)))
		})),
		placeCase("`saved_model.pbtxt` alone, of 3 GB of zeros", "k3_autoencoder", only(func(h *hostile) { h.sparse(text, 3<<30) })),
		placeCase("`saved_model.pbtxt` alone, a FIFO", "k3_autoencoder", only(func(h *hostile) { h.fifo(text) })),
		placeCase("an honest `saved_model.pb` with 1 GB of zeros behind it", "k3_autoencoder", func(h *hostile) { h.sparse(graph, 1<<30) }),
		placeCase("10,000 shards of values that the index does not know", "k3_autoencoder", func(h *hostile) {
			for i := range 10_000 {
				h.file(fmt.Sprintf("m/variables/variables.data-%05d-of-10000", i), nil)
			}
		}),
		modelCase("a folder of 20,000 versions, all of them empty", func(h *hostile) {
			for i := range 20_000 {
				h.mkdir(fmt.Sprintf("m/%d", i))
			}
		}),
		modelCase("a folder whose only version is a link to itself", func(h *hostile) { h.mkdir("m"); h.link("m/7", "7") }),
		modelCase("a folder whose only version is a FIFO", func(h *hostile) { h.fifo("m/7") }),
		modelCase("the model is a FIFO", func(h *hostile) { h.fifo("m") }),
		modelCase("the model is a socket", func(h *hostile) { h.socket("m") }),
		hostileCase{"model", "an honest `saved_model.pb` cut off in 20 places", func(h *hostile) string {
			return h.eachDamage("k3_autoencoder", "m/saved_model.pb", 20, func(b []byte, i int) []byte { return b[:i*len(b)/20+i%5] })
		}},
		hostileCase{"model", "an honest `saved_model.pb` with four bytes of it made -1, in 40 places", func(h *hostile) string {
			return h.eachDamage("k3_autoencoder", "m/saved_model.pb", 40, func(b []byte, i int) []byte {
				copy(b[i*(len(b)-4)/40:], "\xff\xff\xff\xff")
				return b
			})
		}},
		hostileCase{"model", "an honest `variables.index` with four bytes of it made -1, in 40 places", func(h *hostile) string {
			return h.eachDamage("k3_autoencoder", "m/variables/variables.index", 40, func(b []byte, i int) []byte {
				copy(b[i*(len(b)-4)/40:], "\xff\xff\xff\xff")
				return b
			})
		}},
		hostileCase{"model", "an honest `keras_metadata.pb` with a byte of it changed, in 40 places", func(h *hostile) string {
			return h.eachDamage("k2_autoencoder", "m/keras_metadata.pb", 40, func(b []byte, i int) []byte {
				b[i*(len(b)-1)/40] ^= 0x5a
				return b
			})
		}},
	)
}

// eachDamage damages a file of an honest model in n ways, and looks at what is left with every
// command.
func (h *hostile) eachDamage(model, file string, n int, damage func(b []byte, i int) []byte) string {
	h.Helper()
	whole, err := os.ReadFile(filepath.Join("..", "..", "testdata", "models", model, "model", strings.TrimPrefix(file, "m/")))
	if err != nil {
		h.Fatal(err)
	}
	rows := h.eights(1)
	from, err := filepath.Abs(filepath.Join("..", "..", "testdata", "models", model, "model"))
	err = errors.Join(err, os.CopyFS(filepath.Join(h.dir, "m"), os.DirFS(from)))
	if err != nil {
		h.Fatal(err)
	}
	for i := range n {
		h.file(file, damage(append([]byte{}, whole...), i))
		for _, args := range [][]string{{"shapes", "m", "--explain"}, {"shapes", "m", "--variables", "--stats"}, {"scan", "m"}, {"predict", "m", rows, "--isolate", "-o", "out.jsonl", "-q"}} {
			r := h.run(nil, args...)
			h.want(r, r.code, "")
		}
	}
	return "no more than an error line each"
}
