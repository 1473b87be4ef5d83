package job

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/internal/partfile"
	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/runner"
)

// BadRowsError says that there are more bad rows than [Job.MaxBadRows] or [Job.MaxBadShare] allow.
type BadRowsError struct {
	Bad, Rows int64 // bad rows, of all rows so far, those of interrupted runs included
	Limit     string
	Last      error // what is wrong with the last bad row
}

// Error gives the count, the limit, and the last error.
func (e *BadRowsError) Error() string {
	return fmt.Sprintf("%d of %d rows are bad, more than %s; the last: %v", e.Bad, e.Rows, e.Limit, e.Last)
}

// Unwrap returns the last error.
func (e *BadRowsError) Unwrap() error { return e.Last }

// shareFrom is the number of rows from which on the share of bad ones counts; before that it counts
// only at the end.
const shareFrom = 1000

// checkBad returns a *[BadRowsError] if there are too many bad rows. last is the error of the last
// one.
func (j Job) checkBad(bad, rows int64, end bool, last error) error {
	e := &BadRowsError{Bad: bad, Rows: rows, Last: last}
	switch {
	case j.MaxBadRows > 0 && bad > j.MaxBadRows:
		e.Limit = fmt.Sprint(j.MaxBadRows)
	case j.MaxBadShare > 0 && (end || rows >= shareFrom) && float64(bad) > j.MaxBadShare*float64(rows):
		e.Limit = fmt.Sprintf("%.6g %%", 100*j.MaxBadShare)
	default:
		return nil
	}
	return e
}

// badRow is a line of the file of bad rows, [Job.Errors].
type badRow struct {
	// Result is the number of the output's row, from 1; File, Line and Row are the row's place in
	// the input.
	Result int64                      `json:"result"`
	File   string                     `json:"file,omitempty"`
	Line   int64                      `json:"line,omitempty"`
	Row    int64                      `json:"row,omitempty"`
	Input  string                     `json:"input,omitempty"`
	Error  string                     `json:"error"`
	Keep   map[string]json.RawMessage `json:"keep,omitempty"`
}

// errorFile writes bad rows, a line of JSON each, as they come. A nil errorFile writes nothing. A
// resumed run cuts the file off after the rows that are done.
type errorFile struct{ f *os.File }

// openErrors opens the file, and cuts it off after the lines about the first done rows.
func openErrors(name string, done int64) (*errorFile, error) {
	if name == "" {
		return nil, nil
	}
	if err := partfile.RefuseModel(name); err != nil {
		return nil, err
	}
	if partfile.IsStream(name) {
		f, err := partfile.OpenStream(name)
		if err != nil {
			return nil, fmt.Errorf("errors: %w", err)
		}
		return &errorFile{f}, nil
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666) //nolint:gosec // the user named it
	if err != nil {
		return nil, fmt.Errorf("errors: %w", err)
	}
	size, err := keptErrors(f, done)
	if err == nil {
		err = f.Truncate(size)
	}
	if err == nil {
		_, err = f.Seek(size, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("errors %q: %w", name, err), f.Close())
	}
	return &errorFile{f}, nil
}

// keptErrors returns how many bytes of the file are whole lines about the first done rows.
func keptErrors(f io.Reader, done int64) (size int64, err error) {
	r := bufio.NewReader(f)
	for done > 0 {
		n, ok, err := skipBad(r, done)
		if err != nil || !ok {
			return size, err
		}
		size += n
	}
	return size, nil
}

// skipBad reads a line as [errorFile.write] writes it, about one of the first done rows, and
// returns how long it is; ok is false at the end, and for any other line. What a bad row keeps may
// be long, and what was left may be no file of bad rows: of a line its two ends are looked at.
func skipBad(r *bufio.Reader, done int64) (size int64, ok bool, err error) {
	const before, after = `{"result":`, "}\n"
	part, err := r.ReadSlice('\n')
	number, _, _ := bytes.Cut(bytes.TrimPrefix(part, []byte(before)), []byte(","))
	result, notOne := strconv.ParseInt(string(number), 10, 64)
	if !bytes.HasPrefix(part, []byte(before)) || notOne != nil || result < 1 || result > done {
		if errors.Is(err, io.EOF) || errors.Is(err, bufio.ErrBufferFull) {
			err = nil
		}
		return 0, false, err
	}
	var end []byte
	for {
		size += int64(len(part))
		end = append(end, part[max(0, len(part)-len(after)):]...)
		end = end[max(0, len(end)-len(after)):]
		if !errors.Is(err, bufio.ErrBufferFull) {
			break
		}
		part, err = r.ReadSlice('\n')
	}
	if errors.Is(err, io.EOF) {
		return 0, false, nil
	}
	return size, string(end) == after, err
}

// write adds row n of the output, from 1.
func (e *errorFile) write(n int64, r *runner.Result) error {
	if e == nil {
		return nil
	}
	line := badRow{Result: n, Error: r.Err.Error()}
	var syntax *dataset.SyntaxError
	var row *runner.RowError
	switch {
	case errors.As(r.Err, &row):
		line.File, line.Line, line.Row, line.Input = row.Place.File, row.Place.Line, row.Place.Row, row.Input
	case errors.As(r.Err, &syntax):
		line.File, line.Line, line.Row, line.Input = syntax.File, syntax.Line, syntax.FileRow, syntax.Field
	}
	for _, x := range r.Extra {
		if line.Keep == nil {
			line.Keep = map[string]json.RawMessage{}
		}
		if v := x.AppendJSON(nil); json.Valid(v) {
			line.Keep[x.Key] = v
		} else { // NaN and infinities
			line.Keep[x.Key] = dataset.AppendJSONString(nil, string(v))
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(line); err != nil {
		return err
	}
	if _, err := e.f.Write(words.JSON(b.Bytes())); err != nil {
		return fmt.Errorf("errors: %w", err)
	}
	return nil
}

func (e *errorFile) close() error {
	if e == nil {
		return nil
	}
	return e.f.Close()
}
