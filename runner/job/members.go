package job

import (
	"compress/gzip"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job/internal/source"
)

// memberBytes is about how much of the output a member of a compressed file holds.
const memberBytes = 1 << 20

// members is an output file that is compressed on its way: in members of gzip, or frames of zstd,
// which stand one after the other. A member ends when it holds enough, after a batch of results,
// and never goes by the time: so a run that goes on after the last one writes the same bytes.
type members struct {
	file fileOutput
	z    interface {
		io.WriteCloser
		Reset(w io.Writer)
	}
	size int64 // of what the member that is open holds; -1: none is
	some bool  // the file has one
}

// compressor returns the output that compresses for a file's name, nil where the name asks for
// none. The formats that compress inside, or know their first bytes last, are not compressed as a
// whole: an *[runner.OptionError].
func compressor(name string, form source.Format) (*members, error) {
	m := &members{size: -1}
	switch ext := filepath.Ext(name); ext {
	case ".gz":
		m.z = gzip.NewWriter(nil)
	case ".zst":
		z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		m.z = z
	default:
		return nil, nil
	}
	if !form.Lines {
		ext := filepath.Ext(name)
		return nil, &runner.OptionError{Option: "Output", Msg: fmt.Sprintf("%q: %s files are not compressed as a whole; leave out %s", name, form.Name, ext)}
	}
	return m, nil
}

// Write compresses.
func (m *members) Write(b []byte) (int, error) {
	if m.size < 0 {
		m.z.Reset(m.file)
		m.size, m.some = 0, true
	}
	m.size += int64(len(b))
	return m.z.Write(b)
}

// CheckpointDue reports whether the member holds enough.
func (m *members) CheckpointDue(time.Time) bool { return m.size >= memberBytes }

// Checkpoint ends the member.
func (m *members) Checkpoint(rows int64, state []byte) error {
	if err := m.end(); err != nil {
		return err
	}
	return m.file.Checkpoint(rows, state)
}

func (m *members) end() error {
	if m.size < 0 {
		return nil
	}
	m.size = -1
	return m.z.Close()
}

// finish makes the file whole: without rows it is a member of nothing.
func (m *members) finish() error {
	if !m.some && m.file.Rows() == 0 {
		if _, err := m.Write(nil); err != nil {
			return err
		}
	}
	return m.end()
}
