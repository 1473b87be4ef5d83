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

// memberBytes is about how many bytes of output a member of a compressed file holds.
const memberBytes = 1 << 20

// members is an output file that is compressed in members of gzip, or frames of zstd, one after the
// other. A member ends when it holds memberBytes, after a batch of results, and never because of
// the time. So a run that goes on after a member writes the same bytes.
type members struct {
	file fileOutput
	z    interface {
		io.WriteCloser
		Reset(w io.Writer)
	}
	size int64 // bytes in the open member; -1: none is open
	some bool  // the file has a member
}

// compressor returns the output that compresses for a file's name, nil if the name does not ask for
// it. A format that compresses by itself, or that knows its first bytes last, cannot be compressed
// as a whole: an *[runner.OptionError].
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

// Write compresses b into the member, and opens one if necessary.
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

// finish completes the file. A file without rows has one empty member.
func (m *members) finish() error {
	if !m.some && m.file.Rows() == 0 {
		if _, err := m.Write(nil); err != nil {
			return err
		}
	}
	return m.end()
}
