package runner

import (
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
	"strconv"
	"strings"
	"time"
)

// part is an output file on its way. Until it is whole it has another name in the same directory, ".NAME.tfrun-part", beside a journal,
// ".NAME.tfrun-journal". After a line that says what the run is, the journal has lines
//
//	ROWS SIZE SUM [SIZE SUM…] [STATE]
//
// that say how many rows the first SIZE bytes hold, with their checksum, for the file and for those that help it on: values or rows that wait for others
// (".NAME.tfrun-part1", …). STATE is JSON, for the writer of the format. A process that is killed leaves all of them, and a later one goes on from the last line that
// is true of them.
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

// openPart begins a file, or goes on with one where resume is set and there is something to go on with; rows is then what it holds. The first head bytes of the
// file are known last.
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

// openLocked opens the file and makes it this run's own. A file that has lost its name meanwhile is another run's that has just ended, or its directory is
// gone: opening it again tells.
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

// side returns the next of the files that help the output on: as the last line of the journal says it was, or empty.
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
	notes, err := p.parseNotes(rest)
	if err != nil {
		return false, err
	}
	k, err := p.lastTrue(notes)
	if err != nil || k < 0 {
		return false, err
	}
	n := notes[k]
	p.rows, p.state = n.rows, n.state
	for i, s := range p.spools() {
		of := spoolNote{}
		if i < len(n.files) {
			of = n.files[i]
		}
		if err := s.cut(of); err != nil {
			return false, err
		}
	}
	return true, p.writeJournal(nil, int64(len(first)+1)+n.end)
}

// partNote is a line of the journal.
type partNote struct {
	rows  int64
	files []spoolNote
	state []byte
	end   int64 // of the line, counted from the first
}

// append adds the line to b.
func (n partNote) append(b []byte) []byte {
	b = strconv.AppendInt(b, n.rows, 10)
	for _, f := range n.files {
		b = fmt.Appendf(b, " %d %08x", f.size, f.sum)
	}
	if len(n.state) > 0 {
		b = append(append(b, ' '), n.state...)
	}
	return append(b, '\n')
}

// parseNote reads a line without its end.
func parseNote(line []byte) (n partNote, ok bool) {
	if i := bytes.IndexAny(line, "{["); i > 0 {
		n.state = bytes.Clone(line[i:])
		line = line[:i]
	}
	fields := strings.Fields(string(line))
	if len(fields)%2 == 0 {
		return n, false
	}
	rows, err := strconv.ParseInt(fields[0], 10, 64)
	n.rows = rows
	for i := 1; i < len(fields); i += 2 {
		size, err1 := strconv.ParseInt(fields[i], 10, 64)
		sum, err2 := strconv.ParseUint(fields[i+1], 16, 32)
		err = errors.Join(err, err1, err2)
		n.files = append(n.files, spoolNote{size: size, sum: uint32(sum)})
	}
	return n, err == nil && rows >= 0 && len(n.files) > 0
}

// parseNotes reads the lines of the journal after its first, and opens the files that they tell of.
func (p *part) parseNotes(text []byte) ([]partNote, error) {
	var notes []partNote
	end := int64(0)
	for line := range bytes.Lines(text) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // killed while it was written
		}
		end += int64(len(line))
		n, ok := parseNote(line[:len(line)-1])
		if !ok || len(n.files) > maxSides {
			return nil, &ResumeError{Output: p.path, Msg: damaged}
		}
		n.end = end
		notes = append(notes, n)
		for len(p.sides) < len(n.files)-1 {
			s, err := openSpool(p.path, sideName(p.path, len(p.sides)), 0)
			if err != nil {
				return nil, err
			}
			p.sides = append(p.sides, s)
		}
	}
	return notes, nil
}

const (
	damaged  = "what the interrupted run has left is damaged"
	maxSides = 1 << 10
)

// lastTrue returns the last of the notes that is true of the files, or -1 where they are shorter than any says. Files that hold something else are an error.
func (p *part) lastTrue(notes []partNote) (int, error) {
	spools := p.spools()
	have := make([]map[int64]uint32, len(spools))
	for i, s := range spools {
		var lengths []int64
		for _, n := range notes {
			if i < len(n.files) {
				lengths = append(lengths, n.files[i].size)
			}
		}
		var err error
		if have[i], err = s.sums(lengths); err != nil {
			return 0, err
		}
	}
	other := false
	for k := len(notes) - 1; k >= 0; k-- {
		same, short := true, false
		for i, f := range notes[k].files {
			sum, ok := have[i][f.size]
			same, short = same && ok && sum == f.sum, short || !ok
		}
		if same {
			return k, nil
		}
		other = other || !short
	}
	if other {
		return 0, &ResumeError{Output: p.path, Msg: damaged}
	}
	return -1, nil
}

// difference says what is not as it was.
func difference(header []byte, now identity) string {
	var before identity
	if err := json.Unmarshal(header, &before); err != nil {
		return damaged
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

// removeHelpers takes away all but the output: first the journal, without which the others mean nothing.
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
