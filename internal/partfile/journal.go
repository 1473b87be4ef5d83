package partfile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Identity is what must be the same for a run to go on where an earlier one stopped: names with
// values, which error messages show.
type Identity map[string]string

// ResumeError says why an interrupted run cannot go on.
type ResumeError struct {
	Output string
	Msg    string
}

// Error names the output and the reason.
func (e *ResumeError) Error() string {
	return fmt.Sprintf("output %q: cannot resume: %s", e.Output, e.Msg)
}

// Hints returns what the user can type instead.
func (e *ResumeError) Hints() []string { return []string{"start anew: leave --resume out"} }

// resume reads the journal of an interrupted run; found is false where there is none.
func (p *File) resume(header []byte, id Identity) (found bool, err error) {
	journal := bufio.NewReader(p.journal)
	first, err := p.readLine(journal)
	if err != nil || first == nil {
		return false, err // nil: killed before anything was written
	}
	if !bytes.Equal(first, header) {
		return false, &ResumeError{Output: p.path, Msg: Difference(first, id)}
	}
	lines, err := p.parseLines(journal)
	if err != nil {
		return false, err
	}
	k, err := p.lastTrue(lines)
	if err != nil || k < 0 {
		return false, err
	}
	n := lines[k]
	p.rows, p.bad, p.state = n.rows, n.bad, n.state
	for i, s := range p.spools() {
		of := spoolMark{}
		if i < len(n.files) {
			of = n.files[i]
		}
		if err := s.truncate(of); err != nil {
			return false, err
		}
	}
	return true, p.writeJournal(nil, int64(len(first))+n.end)
}

// journalLine is a line of the journal.
type journalLine struct {
	rows  int64
	bad   int64 // number of rows with an error
	files []spoolMark
	state []byte
	end   int64 // place in the journal where the line ends
}

// append adds the line to b, after its checksum: the files' own do not say how many rows they hold.
func (n journalLine) append(b []byte) []byte {
	text := n.text()
	return append(fmt.Appendf(b, "%08x ", crc32.Checksum(text, castagnoli)), text...)
}

func (n journalLine) text() []byte {
	b := strconv.AppendInt(nil, n.rows, 10)
	if n.bad > 0 {
		b = fmt.Appendf(b, ":%d", n.bad)
	}
	for _, f := range n.files {
		b = fmt.Appendf(b, " %d %08x", f.size, f.sum)
	}
	if len(n.state) > 0 {
		b = append(append(b, ' '), n.state...)
	}
	return append(b, '\n')
}

// parseLine reads a line, given without its newline.
func parseLine(line []byte) (n journalLine, ok bool) {
	sum, line, _ := bytes.Cut(line, []byte(" "))
	if want := crc32.Checksum(slices.Concat(line, []byte("\n")), castagnoli); string(sum) != fmt.Sprintf("%08x", want) {
		return n, false
	}
	if i := bytes.IndexAny(line, "{["); i > 0 {
		n.state = bytes.Clone(line[i:])
		line = line[:i]
	}
	fields := strings.Fields(string(line))
	if len(fields)%2 == 0 {
		return n, false
	}
	count, bad, some := strings.Cut(fields[0], ":")
	rows, err := strconv.ParseInt(count, 10, 64)
	n.rows = rows
	if some && err == nil {
		n.bad, err = strconv.ParseInt(bad, 10, 64)
	}
	for i := 1; i < len(fields); i += 2 {
		size, err1 := strconv.ParseInt(fields[i], 10, 64)
		sum, err2 := strconv.ParseUint(fields[i+1], 16, 32)
		err = errors.Join(err, err1, err2)
		n.files = append(n.files, spoolMark{size: size, sum: uint32(sum)})
	}
	return n, err == nil && n.bad >= 0 && rows >= n.bad && len(n.files) > 0
}

// maxLine bounds a line of the journal, which holds the state of the format's writer.
const maxLine = 64 << 20

// readLine reads a line of the journal, with its newline; nil at the end, also where the last line
// is cut off: the run was killed while it wrote it. A line beyond maxLine is none: a file without
// newlines may be of any size.
func (p *File) readLine(journal *bufio.Reader) (line []byte, err error) {
	for len(line) <= maxLine {
		part, err := journal.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line, nil
		case errors.Is(err, io.EOF):
			return nil, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, outputError(p.path, err)
		}
	}
	return nil, &ResumeError{Output: p.path, Msg: damaged}
}

// parseLines reads the journal's lines after the first, and opens the side files that they mention.
func (p *File) parseLines(journal *bufio.Reader) ([]journalLine, error) {
	var lines []journalLine
	end := int64(0)
	for {
		line, err := p.readLine(journal)
		if err != nil {
			return nil, err
		}
		if line == nil {
			return lines, nil
		}
		end += int64(len(line))
		n, ok := parseLine(line[:len(line)-1])
		if !ok || len(n.files) > maxSides {
			return nil, &ResumeError{Output: p.path, Msg: damaged}
		}
		n.end = end
		lines = append(lines, n)
		for len(p.sides) < len(n.files)-1 {
			s, err := openSpool(p.path, sideName(p.path, len(p.sides)), p.mode, 0)
			if err != nil {
				return nil, err
			}
			p.sides = append(p.sides, s)
		}
	}
}

const (
	damaged  = "what the interrupted run has left is damaged"
	maxSides = 1 << 10
)

// lastTrue returns the index of the last line that is true of the files, or -1 where the files are
// shorter than every line says. Files with other contents are an error.
func (p *File) lastTrue(lines []journalLine) (int, error) {
	spools := p.spools()
	have := make([]map[int64]uint32, len(spools))
	for i, s := range spools {
		var lengths []int64
		for _, n := range lines {
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
	for k := len(lines) - 1; k >= 0; k-- {
		same, short := true, false
		for i, f := range lines[k].files {
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

// Difference describes what differs between an identity written as JSON and now.
func Difference(header []byte, now Identity) string {
	var before Identity
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

// OpenLines opens a journal of lines of its own, for which there is no output of that name, and
// locks it for this run until it is closed. Other processes may read it meanwhile.
func OpenLines(name string) (*os.File, error) {
	f, err := openOwn(name, 0o666)
	if err != nil {
		return nil, outputError(name, err)
	}
	if err := lockFile(f); errors.Is(err, errLocked) {
		return nil, errors.Join(anotherRun(name), f.Close())
	} else if err != nil {
		return nil, errors.Join(outputError(name, err), f.Close())
	}
	return f, nil
}
