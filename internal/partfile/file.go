package partfile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// File is an output file while it is being written. Until it is whole it has another name in the
// same directory, ".NAME.tfrun-part", beside a journal, ".NAME.tfrun-journal". After a line that
// says which run it is, the journal has lines
//
//	ROWS[:BAD] SIZE SUM [SIZE SUM…] [STATE]
//
// that say how many rows, BAD of them with an error, the first SIZE bytes hold, with their
// checksum: of the file, and of each side file (".NAME.tfrun-part1", …), which holds values or rows
// that cannot be written in their place yet. STATE is JSON for the writer of the format. A process
// that is killed leaves all of these files, and a later one goes on from the last line that is true
// of them.
type File struct {
	path    string
	mode    fs.FileMode
	stop    func() error // the error that ends the run, or nil
	*Spool               // becomes the output
	sides   []*Spool     // the side files
	taken   int          // of sides, by the writer
	journal *os.File

	rows  int64  // that the files hold
	bad   int64  // of these, rows with an error
	state []byte // of the writer, after these rows
	last  struct {
		size int64
		at   time.Time
	} // line of the journal
}

// The journal gets a line when this many bytes were written since the last line, or when the last
// line is this old.
const (
	lineBytes = 4 << 20
	lineEvery = 250 * time.Millisecond
)

// Open begins a file, or goes on with an interrupted one where resume is set and one is found:
// [File.Rows] then says how many rows it holds. Of the file's first head bytes the content is known
// last, so they are no part of the checksums. Once ctx is done, writing fails with its error. The
// errors are *[ResumeError] and *[OutputFileError].
func Open(ctx context.Context, path string, id Identity, resume bool, head int64) (_ *File, err error) {
	path, mode, err := target(path)
	if err != nil {
		return nil, err
	}
	data, journal := workNames(path)
	p := &File{path: path, mode: mode, stop: ctx.Err}
	if p.Spool, err = openLocked(path, data, mode, head); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if p.journal, err = openOwn(journal, mode); err != nil {
		return nil, outputError(path, err)
	}
	return p, p.begin(id, resume)
}

// Rows returns how many rows the file holds, those of an interrupted run among them, as of the last
// [File.Checkpoint].
func (p *File) Rows() int64 { return p.rows }

// Bad returns how many of these rows have an error, as of the last [File.Checkpoint].
func (p *File) Bad() int64 { return p.bad }

// SetBad says how many rows have an error of those that the next [File.Checkpoint] is about.
func (p *File) SetBad(n int64) { p.bad = n }

// State returns what the writer of the format had to say at the last [File.Checkpoint]; nil in a
// file that has just begun.
func (p *File) State() []byte { return p.state }

// openLocked opens the file and makes it this run's own. A file that has lost its name meanwhile is
// another run's that has just ended, or its directory is gone: opening it again tells.
func openLocked(path, data string, mode fs.FileMode, head int64) (*Spool, error) {
	const tries = 10 // runs that end one after the other
	for range tries {
		s, err := openSpool(path, data, mode, head)
		if err != nil {
			return nil, err
		}
		if err = lockFile(s.file); err == nil && sameFile(s.file, data) {
			return s, nil
		}
		closed := s.close()
		if err != nil && !errors.Is(err, errLocked) {
			return nil, errors.Join(outputError(path, err), closed)
		}
		if err != nil {
			break
		}
	}
	return nil, fmt.Errorf("output %q: another run is writing it", path)
}

// Side returns the next side file: as the last line of the journal says it was, or empty. A writer
// that goes on asks for its side files in the same order as before.
func (p *File) Side() (*Spool, error) {
	if p.taken == len(p.sides) {
		s, err := openSpool(p.path, sideName(p.path, p.taken), p.mode, 0)
		if err != nil {
			return nil, err
		}
		p.sides = append(p.sides, s)
		if err := s.truncate(spoolMark{}); err != nil {
			return nil, err
		}
	}
	p.taken++
	return p.sides[p.taken-1], nil
}

// sideName is the name of side file i.
func sideName(path string, i int) string {
	data, _ := workNames(path)
	return fmt.Sprint(data, i+1)
}

// sameFile reports whether an open file still has its name: a run that ended meanwhile has renamed
// its own.
func sameFile(f *os.File, name string) bool {
	a, err := f.Stat()
	b, err2 := os.Lstat(name)
	return err == nil && err2 == nil && os.SameFile(a, b)
}

// begin finds out what is there already and brings both files to the journal's last line.
func (p *File) begin(id Identity, resume bool) error {
	text, err := json.Marshal(id)
	if err != nil {
		return err
	}
	header := append(text, '\n')
	if resume {
		switch found, err := p.resume(header, id); {
		case err != nil:
			return err
		case found:
			return nil
		}
	}
	return errors.Join(p.startAnew(), p.writeJournal(header, 0))
}

// startAnew empties the files.
func (p *File) startAnew() error {
	p.rows, p.bad, p.state = 0, 0, nil
	err := errors.Join(p.closeSides(), p.truncate(spoolMark{}))
	for i := 0; err == nil; i++ {
		if rm := os.Remove(sideName(p.path, i)); rm != nil {
			break
		}
	}
	return err
}

// writeJournal ends the journal with a line, at the given place.
func (p *File) writeJournal(line []byte, at int64) error {
	if err := p.journal.Truncate(at); err != nil {
		return outputError(p.path, err)
	}
	if _, err := p.journal.WriteAt(line, at); err != nil {
		return outputError(p.path, err)
	}
	if _, err := p.journal.Seek(0, io.SeekEnd); err != nil {
		return outputError(p.path, err)
	}
	p.last.size, p.last.at = p.written(), time.Now()
	return nil
}

// Write adds bytes, unless the context given to [Open] is done.
func (p *File) Write(b []byte) (int, error) {
	if err := p.stop(); err != nil {
		return 0, err
	}
	return p.Spool.Write(b)
}

// spools lists the files in the order of the journal.
func (p *File) spools() []*Spool { return append([]*Spool{p.Spool}, p.sides...) }

// written counts the bytes of all files.
func (p *File) written() int64 {
	total := p.size
	for _, s := range p.sides {
		total += s.size
	}
	return total
}

// CheckpointDue reports whether it is time for a [File.Checkpoint].
func (p *File) CheckpointDue(now time.Time) bool {
	return p.written()-p.last.size >= lineBytes || now.Sub(p.last.at) >= lineEvery
}

// wrote says that the files so far hold the given number of rows, and lines it in the journal.
func (p *File) Checkpoint(rows int64, state []byte) error {
	if data, _ := workNames(p.path); !sameFile(p.file, data) {
		return outputError(p.path, errGone)
	}
	p.rows, p.state = rows, state
	line := journalLine{rows: rows, bad: p.bad, state: state}
	for _, s := range p.spools() {
		if err := s.flush(); err != nil {
			return err
		}
		line.files = append(line.files, s.mark())
	}
	p.writeBack(lineBytes)
	_, err := p.journal.Write(line.append(nil))
	p.last.size, p.last.at = p.written(), time.Now()
	if err != nil {
		return outputError(p.path, err)
	}
	return nil
}

// errGone says that nobody would find the file in the end.
var errGone = errors.New("its directory, or what was written of it, is gone")

// Commit gives the whole file its name, and takes its helpers away.
func (p *File) Commit() error {
	data, _ := workNames(p.path)
	err := p.flush()
	if err == nil {
		err = finish(p.file, data, p.path)
	}
	if err != nil {
		return errors.Join(outputError(p.path, err), p.close())
	}
	return errors.Join(p.removeHelpers(), p.close())
}

func (p *File) close() error {
	err := errors.Join(p.closeSides(), p.Spool.close())
	if p.journal != nil {
		err = errors.Join(err, p.journal.Close())
	}
	return err
}

func (p *File) closeSides() error {
	var err error
	for _, s := range p.sides {
		err = errors.Join(err, s.close())
	}
	p.sides = nil
	return err
}

// Leave ends an interrupted run so that a later one can go on from the journal's last line.
func (p *File) Leave() error { return p.close() }

// Remove takes away what a failed run has written.
func (p *File) Remove() error {
	data, _ := workNames(p.path)
	return errors.Join(p.removeHelpers(), p.Spool.close(), os.Remove(data))
}

// removeHelpers takes away all but the output: first the journal, without which the others mean
// nothing.
func (p *File) removeHelpers() error {
	sides := len(p.sides)
	_, journal := workNames(p.path)
	err := errors.Join(p.journal.Close(), os.Remove(journal), p.closeSides())
	p.journal = nil
	for i := range sides {
		err = errors.Join(err, os.Remove(sideName(p.path, i)))
	}
	return err
}
