package runner

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// part is an output file on its way. Until it is whole it has another name in the same directory, ".NAME.tfrun-part", beside a journal,
// ".NAME.tfrun-journal", that says how many rows its first bytes hold. A process that is killed leaves both, and a later one goes on from the journal's last line.
type part struct {
	path    string
	file    *os.File
	journal *os.File
	w       *bufio.Writer

	offset int64 // bytes written
	rows   int64 // rows that these bytes hold
	noted  struct {
		offset int64
		at     time.Time
	}
}

// The journal gets a line when this much was written, or this long ago was the last one.
const (
	noteBytes = 4 << 20
	noteEvery = time.Second
)

func partNames(path string) (data, journal string) {
	dir, base := filepath.Split(path)
	return dir + "." + base + ".tfrun-part", dir + "." + base + ".tfrun-journal"
}

// identity is what has to be the same for a run to go on where another stopped: names with values, for people to read.
type identity map[string]string

// ResumeError says why an interrupted run cannot be gone on with.
type ResumeError struct {
	Output string
	Msg    string
}

// Error names the output and the reason.
func (e *ResumeError) Error() string {
	return fmt.Sprintf("output %q: cannot resume: %s", e.Output, e.Msg)
}

// Hints says what to type instead.
func (e *ResumeError) Hints() []string { return []string{"start anew: leave --resume out"} }

// openPart begins a file, or goes on with one where resume is set and there is something to go on with; rows is then what it holds.
func openPart(path string, id identity, resume bool) (*part, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("output %q: is a directory; name a file", path)
	}
	data, journal := partNames(path)
	p := &part{path: path}
	var err error
	if p.file, err = os.OpenFile(data, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return nil, outputError(path, err)
	}
	if lockFile(p.file) != nil || !sameFile(p.file, data) {
		return nil, errors.Join(fmt.Errorf("output %q: another run is writing it", path), p.file.Close())
	}
	if p.journal, err = os.OpenFile(journal, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return nil, errors.Join(outputError(path, err), p.file.Close())
	}
	if err := p.begin(id, resume); err != nil {
		return nil, errors.Join(err, p.close())
	}
	p.w = bufio.NewWriterSize(p.file, 256<<10)
	return p, nil
}

// sameFile reports whether an open file still has its name: a run that ended meanwhile has renamed its own.
func sameFile(f *os.File, name string) bool {
	a, err := f.Stat()
	b, err2 := os.Stat(name)
	return err == nil && err2 == nil && os.SameFile(a, b)
}

// begin finds out what is there already and brings both files to the journal's last line.
func (p *part) begin(id identity, resume bool) error {
	text, err := json.Marshal(id)
	if err != nil {
		return err
	}
	header := append(text, '\n')
	if resume {
		switch found, err := p.recall(header, id); {
		case err != nil:
			return err
		case found:
			return nil
		}
	}
	p.rows, p.offset = 0, 0
	if err := errors.Join(p.file.Truncate(0), p.journal.Truncate(0)); err != nil {
		return outputError(p.path, err)
	}
	if _, err := p.journal.WriteAt(header, 0); err != nil {
		return outputError(p.path, err)
	}
	_, err = p.journal.Seek(0, io.SeekEnd)
	return err
}

// recall reads the journal of an interrupted run; found is false where there is none.
func (p *part) recall(header []byte, id identity) (found bool, err error) {
	journal, err := io.ReadAll(p.journal)
	if err != nil {
		return false, outputError(p.path, err)
	}
	first, rest, ok := bytes.Cut(journal, []byte("\n"))
	if !ok {
		return false, nil // killed before anything was written
	}
	if !bytes.Equal(first, bytes.TrimSuffix(header, []byte("\n"))) {
		return false, &ResumeError{Output: p.path, Msg: difference(first, id)}
	}
	info, err := p.file.Stat()
	if err != nil {
		return false, outputError(p.path, err)
	}
	end := int64(len(first) + 1)
	for line := range bytes.Lines(rest) {
		var rows, offset int64
		if _, err := fmt.Sscanf(string(line), "%d %d\n", &rows, &offset); err != nil || !bytes.HasSuffix(line, []byte("\n")) || offset > info.Size() {
			break
		}
		p.rows, p.offset = rows, offset
		end += int64(len(line))
	}
	if err := errors.Join(p.file.Truncate(p.offset), p.journal.Truncate(end)); err != nil {
		return false, outputError(p.path, err)
	}
	_, err1 := p.file.Seek(p.offset, io.SeekStart)
	_, err2 := p.journal.Seek(end, io.SeekStart)
	p.noted.offset, p.noted.at = p.offset, time.Now()
	return true, errors.Join(err1, err2)
}

// difference says what is not as it was.
func difference(header []byte, now identity) string {
	var before identity
	if err := json.Unmarshal(header, &before); err != nil {
		return "the journal of the interrupted run is damaged"
	}
	for _, key := range slices.Sorted(maps.Keys(now)) {
		if before[key] != now[key] {
			return fmt.Sprintf("%s was %s, is %s", key, orNothing(before[key]), orNothing(now[key]))
		}
	}
	return "it was begun by another version of tfrun"
}

func orNothing(s string) string {
	if s == "" {
		return "not given"
	}
	return s
}

// Write adds bytes.
func (p *part) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.offset += int64(n)
	if err != nil {
		return n, outputError(p.path, err)
	}
	return n, nil
}

// due reports whether the journal is to get a line.
func (p *part) due() bool {
	return p.offset-p.noted.offset >= noteBytes || time.Since(p.noted.at) >= noteEvery
}

// wrote says that the bytes so far hold the given number of rows, and notes it in the journal.
func (p *part) wrote(rows int64) error {
	p.rows = rows
	return p.note()
}

// Seek moves to a place in the file, for formats whose header is known last.
func (p *part) Seek(offset int64, whence int) (int64, error) {
	if err := p.w.Flush(); err != nil {
		return 0, outputError(p.path, err)
	}
	at, err := p.file.Seek(offset, whence)
	if err != nil {
		return at, outputError(p.path, err)
	}
	return at, nil
}

// note writes out what is buffered, and then a line of the journal.
func (p *part) note() error {
	err := p.w.Flush()
	if err == nil {
		_, err = fmt.Fprintf(p.journal, "%d %d\n", p.rows, p.offset)
	}
	p.noted.offset, p.noted.at = p.offset, time.Now()
	if err != nil {
		return outputError(p.path, err)
	}
	return nil
}

// commit gives the whole file its name.
func (p *part) commit() error {
	data, journal := partNames(p.path)
	err := p.w.Flush()
	if err == nil {
		err = p.keepMode()
	}
	if err == nil {
		err = p.file.Sync()
	}
	if err == nil {
		err = os.Rename(data, p.path)
	}
	if err != nil {
		return errors.Join(outputError(p.path, err), p.close())
	}
	return errors.Join(p.close(), os.Remove(journal))
}

// keepMode gives the file the mode of the one that it replaces.
func (p *part) keepMode() error {
	info, err := os.Stat(p.path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return p.file.Chmod(info.Mode().Perm())
}

func (p *part) close() error { return errors.Join(p.journal.Close(), p.file.Close()) }

// leave ends an interrupted run so that it can be gone on with from the journal's last line.
func (p *part) leave() error { return p.close() }

// remove takes away a run that has failed.
func (p *part) remove() error {
	data, journal := partNames(p.path)
	return errors.Join(p.close(), os.Remove(data), os.Remove(journal))
}

// outputError names the output in an error of the file system, and not the temporary name.
func outputError(path string, err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	var linkErr *os.LinkError
	if errors.As(err, &linkErr) {
		err = linkErr.Err
	}
	return &OutputFileError{Path: path, Err: err}
}

// OutputFileError is an error of writing an output: a disk that is full, a directory that is gone.
type OutputFileError struct {
	Path string
	Err  error
}

// Error names the output and the cause.
func (e *OutputFileError) Error() string {
	return fmt.Sprintf("output %q: %s", e.Path, strings.TrimSpace(e.Err.Error()))
}

// Hints says what to type next, where the run has begun.
func (e *OutputFileError) Hints() []string {
	if data, _ := partNames(e.Path); fileExists(data) {
		return []string{"what is finished is kept: mend that and go on with --resume"}
	}
	return nil
}

func fileExists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// Unwrap returns the cause.
func (e *OutputFileError) Unwrap() error { return e.Err }
