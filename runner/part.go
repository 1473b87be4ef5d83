package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// part is an output file on its way. Until it is whole it has another name in the same directory,
// ".NAME.tfrun-part", beside a journal, ".NAME.tfrun-journal". After a line that says what the run
// is, the journal has lines
//
//	ROWS SIZE SUM [SIZE SUM…] [STATE]
//
// that say how many rows the first SIZE bytes hold, with their checksum, for the file and for those
// that help it on: values or rows that wait for others (".NAME.tfrun-part1", …). STATE is JSON, for
// the writer of the format. A process that is killed leaves all of them, and a later one goes on
// from the last line that is true of them.
type part struct {
	path    string
	stop    func() error // says why the run has to end, or nil
	*spool               // becomes the output
	sides   []*spool     // help it on
	taken   int          // of sides, by the writer
	journal *os.File

	rows  int64  // that the files hold
	state []byte // of the writer, after these rows
	noted struct {
		size int64
		at   time.Time
	}
}

// The journal gets a line when this much was written, or this long ago was the last one.
const (
	noteBytes = 4 << 20
	noteEvery = 250 * time.Millisecond
)

func partNames(path string) (data, journal string) {
	dir, base := filepath.Split(path)
	return dir + "." + base + ".tfrun-part", dir + "." + base + ".tfrun-journal"
}

// openPart begins a file, or goes on with one where resume is set and there is something to go on
// with; rows is then what it holds. The first head bytes of the file are known last.
func openPart(path string, id identity, resume bool, head int64) (_ *part, err error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("output %q: is a directory; name a file", path)
	}
	data, journal := partNames(path)
	p := &part{path: path}
	if p.spool, err = openLocked(path, data, head); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if p.journal, err = os.OpenFile(journal, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return nil, outputError(path, err)
	}
	return p, p.begin(id, resume)
}

// openLocked opens the file and makes it this run's own. A file that has lost its name meanwhile is
// another run's that has just ended, or its directory is gone: opening it again tells.
func openLocked(path, data string, head int64) (*spool, error) {
	const tries = 10 // runs that end one after the other
	for range tries {
		s, err := openSpool(path, data, head)
		if err != nil {
			return nil, err
		}
		if err = lockFile(s.file); err == nil && sameFile(s.file, data) {
			return s, nil
		}
		closed := s.Close()
		if err != nil && !errors.Is(err, errLocked) {
			return nil, errors.Join(outputError(path, err), closed)
		}
		if err != nil {
			break
		}
	}
	return nil, fmt.Errorf("output %q: another run is writing it", path)
}

// errLocked says that another run has the file.
var errLocked = errors.New("locked by another process")

// side returns the next of the files that help the output on: as the last line of the journal says
// it was, or empty.
func (p *part) side() (*spool, error) {
	if p.taken == len(p.sides) {
		s, err := openSpool(p.path, sideName(p.path, p.taken), 0)
		if err != nil {
			return nil, err
		}
		p.sides = append(p.sides, s)
		if err := s.cut(spoolNote{}); err != nil {
			return nil, err
		}
	}
	p.taken++
	return p.sides[p.taken-1], nil
}

// sideName is the name of a file that helps the output on, counted from 0.
func sideName(path string, i int) string {
	data, _ := partNames(path)
	return fmt.Sprint(data, i+1)
}

// sameFile reports whether an open file still has its name: a run that ended meanwhile has renamed
// its own.
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
	return errors.Join(p.startAnew(), p.writeJournal(header, 0))
}

// startAnew empties the files.
func (p *part) startAnew() error {
	p.rows, p.state = 0, nil
	err := errors.Join(p.closeSides(), p.cut(spoolNote{}))
	for i := 0; err == nil; i++ {
		if rm := os.Remove(sideName(p.path, i)); rm != nil {
			break
		}
	}
	return err
}

// writeJournal ends the journal with a line, at the given place.
func (p *part) writeJournal(line []byte, at int64) error {
	if err := p.journal.Truncate(at); err != nil {
		return outputError(p.path, err)
	}
	if _, err := p.journal.WriteAt(line, at); err != nil {
		return outputError(p.path, err)
	}
	if _, err := p.journal.Seek(0, io.SeekEnd); err != nil {
		return outputError(p.path, err)
	}
	p.noted.size, p.noted.at = p.written(), time.Now()
	return nil
}

// Write adds bytes, unless the run has to end.
func (p *part) Write(b []byte) (int, error) {
	if p.stop != nil {
		if err := p.stop(); err != nil {
			return 0, err
		}
	}
	return p.spool.Write(b)
}

// spools lists the files in the order of the journal.
func (p *part) spools() []*spool { return append([]*spool{p.spool}, p.sides...) }

// written counts the bytes of all files.
func (p *part) written() int64 {
	total := p.size
	for _, s := range p.sides {
		total += s.size
	}
	return total
}

// due reports whether the journal is to get a line.
func (p *part) due(now time.Time) bool {
	return p.written()-p.noted.size >= noteBytes || now.Sub(p.noted.at) >= noteEvery
}

// wrote says that the files so far hold the given number of rows, and notes it in the journal.
func (p *part) wrote(rows int64, state []byte) error {
	if data, _ := partNames(p.path); !sameFile(p.file, data) {
		return outputError(p.path, errGone)
	}
	p.rows, p.state = rows, state
	n := partNote{rows: rows, state: state}
	for _, s := range p.spools() {
		if err := s.flush(); err != nil {
			return err
		}
		n.files = append(n.files, s.note())
	}
	p.writeBack(noteBytes)
	_, err := p.journal.Write(n.append(nil))
	p.noted.size, p.noted.at = p.written(), time.Now()
	if err != nil {
		return outputError(p.path, err)
	}
	return nil
}

// errGone says that nobody would find the file in the end.
var errGone = errors.New("its directory, or what was written of it, is gone")

// commit gives the whole file its name.
func (p *part) commit() error {
	data, _ := partNames(p.path)
	err := p.flush()
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
	return errors.Join(p.removeHelpers(), p.close())
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

func (p *part) close() error {
	err := errors.Join(p.closeSides(), p.spool.Close())
	if p.journal != nil {
		err = errors.Join(err, p.journal.Close())
	}
	return err
}

func (p *part) closeSides() error {
	var err error
	for _, s := range p.sides {
		err = errors.Join(err, s.Close())
	}
	p.sides = nil
	return err
}

// leave ends an interrupted run so that it can be gone on with from the journal's last line.
func (p *part) leave() error { return p.close() }

// remove takes away a run that has failed.
func (p *part) remove() error {
	data, _ := partNames(p.path)
	return errors.Join(p.removeHelpers(), p.spool.Close(), os.Remove(data))
}

// removeHelpers takes away all but the output: first the journal, without which the others mean
// nothing.
func (p *part) removeHelpers() error {
	sides := len(p.sides)
	_, journal := partNames(p.path)
	err := errors.Join(p.journal.Close(), os.Remove(journal), p.closeSides())
	p.journal = nil
	for i := range sides {
		err = errors.Join(err, os.Remove(sideName(p.path, i)))
	}
	return err
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
