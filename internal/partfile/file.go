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

// File is an output file while it is being written. Until it is whole it has the name
// ".NAME.tfrun-part", in the same directory, beside a journal, ".NAME.tfrun-journal". The journal's
// first line says which run it is; after it come lines
//
//	ROWS[:BAD] SIZE SUM [SIZE SUM…] [STATE]
//
// Such a line says that the first SIZE bytes of the file hold ROWS rows, BAD of them with an error,
// and have the checksum SUM. There is a SIZE and SUM for the file, and for each side file
// (".NAME.tfrun-part1", …), which holds values or rows that cannot be written in their place yet.
// STATE is JSON of the format's writer. A process that is killed leaves all of these files, and a
// later one goes on from the last line that is true of them.
type File struct {
	path    string
	mode    fs.FileMode
	stop    func() error // returns the error that ends the run, or nil
	*Spool               // becomes the output
	sides   []*Spool     // the side files
	taken   int          // number of sides that the writer has asked for
	journal *os.File

	rows  int64  // number of rows in the files
	bad   int64  // number of these with an error
	state []byte // the writer's state after these rows
	last  struct {
		size int64
		at   time.Time
	} // last line of the journal
}

// A line is added to the journal when this many bytes were written since the last line, or when the
// last line is this old.
const (
	lineBytes = 4 << 20
	lineEvery = 250 * time.Millisecond
)

// Open begins a file. With resume it goes on with an interrupted one, if there is one; [File.Rows]
// then says how many rows that one holds. The file's first head bytes are written last, so they are
// left out of the checksums. Once ctx is done, writing fails with its error. Errors are
// *[ResumeError] and *[OutputFileError].
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

// Rows returns how many rows the file held at the last [File.Checkpoint], those of an interrupted
// run included.
func (p *File) Rows() int64 { return p.rows }

// Bad returns how many of these rows have an error.
func (p *File) Bad() int64 { return p.bad }

// SetBad sets how many rows have an error, for the next [File.Checkpoint].
func (p *File) SetBad(n int64) { p.bad = n }

// State returns the state of the format's writer at the last [File.Checkpoint]; nil for a new file.
func (p *File) State() []byte { return p.state }

// openLocked opens the file and locks it for this run. A file that has lost its name meanwhile
// belongs to a run that has just ended, or its directory is gone; it is opened again to find out.
func openLocked(path, data string, mode fs.FileMode, head int64) (*Spool, error) {
	const tries = 10 // for runs that end one after the other
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
	return nil, anotherRun(path)
}

func anotherRun(path string) error { return fmt.Errorf("output %q: another run is writing it", path) }

// Side returns the next side file: empty, or as the journal's last line describes it. A writer that
// goes on must ask for its side files in the same order as the earlier one.
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

// sideName returns the name of side file i.
func sideName(path string, i int) string {
	data, _ := workNames(path)
	return fmt.Sprint(data, i+1)
}

// begin looks for an interrupted run. It cuts the files off at the journal's last line, or empties
// them.
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

// writeJournal writes a line into the journal at the given place, and cuts the journal off after
// it.
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

// Write appends bytes to the file. It fails once the context given to [Open] is done.
func (p *File) Write(b []byte) (int, error) {
	if err := p.stop(); err != nil {
		return 0, err
	}
	return p.Spool.Write(b)
}

// spools lists the files in the order of the journal.
func (p *File) spools() []*Spool { return append([]*Spool{p.Spool}, p.sides...) }

// written returns the number of bytes in all files.
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

// Checkpoint adds a line to the journal: the files so far hold the given number of rows, and state
// is the state of the format's writer after them.
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

// errGone says that the file has lost its name, so that renaming it in the end would fail.
var errGone = errors.New("its directory, or what was written of it, is gone")

// Commit gives the whole file its name, and removes the journal and the side files.
func (p *File) Commit() error {
	data, _ := workNames(p.path)
	err := p.flush()
	if err == nil {
		err = finish(p.file, data, p.path, (*os.File).Sync)
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

// Remove removes all files of a failed run.
func (p *File) Remove() error {
	data, _ := workNames(p.path)
	return errors.Join(p.removeHelpers(), p.Spool.close(), os.Remove(data))
}

// removeHelpers removes all files but the output. The journal goes first, since without it the
// others are not read.
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
