package dataset

import (
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"github.com/tfrun/tfrun/dataset/internal/jsondoc"
	"github.com/tfrun/tfrun/tensor"
)

// SyntaxError says where a row of a file is not as it should be.
type SyntaxError struct {
	File string
	Line int64 // from 1; 0 in a file that has no lines
	Row  int64 // the row's number, from 0, over all files; -1 of a row by itself, see [RowParser]
	// FileRow is the row's number within a file that has no lines, from 1.
	FileRow int64
	// Field is the path of the component at fault, empty when it is the whole row.
	Field string
	Msg   string
	// Err is the cause, such as a *[LimitError], or nil; Msg has its text.
	Err error
	// Extra holds the kept keys or columns of the row, as far as they can be read, in memory of its
	// own.
	Extra []Field
}

// NestingError is the cause of a *[SyntaxError] where a row's value has more axes than its
// component: it may hold several rows.
type NestingError struct{ Msg string }

// Error says what was wanted.
func (e *NestingError) Error() string { return e.Msg }

// Unwrap returns the cause.
func (e *SyntaxError) Unwrap() error { return e.Err }

// Error returns file, line, field and what is wrong: `reviews.jsonl:17: field "text": want an array
// of numbers, got a string`.
func (e *SyntaxError) Error() string {
	s := fmt.Sprintf("%s:%d: ", e.File, e.Line)
	switch {
	case e.File == "" && e.Row < 0:
		s = ""
	case e.File == "":
		s = fmt.Sprintf("row %d: ", e.Row+1)
	case e.Line == 0:
		s = fmt.Sprintf("%s: row %d: ", e.File, e.FileRow)
	}
	if e.Field != "" {
		s += fmt.Sprintf("field %q: ", e.Field)
	}
	return s + e.Msg
}

// FileError says that a file cannot be read any further, and from which line on.
type FileError struct {
	File string
	Line int64 // from 1; 0: the whole file
	Msg  string
	// Err is the cause, or nil; Msg has its text.
	Err error
}

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// Error returns file, line and what is wrong: `rows.json:3: the JSON document ends in the middle`.
func (e *FileError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Msg)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg)
}

// JSONLOptions says how rows of JSON are read. The zero value is right for most.
type JSONLOptions struct {
	// Name is the name of a reader in error messages. "": "input".
	Name string
	// Open opens the files of [JSONLFiles]. nil: [OpenFile].
	Open Opener
	// Keep lists keys whose values go to [Element.Extra] as the row has them, in this order. Keys
	// that a row lacks are left out.
	Keep []string
	// Keys maps a component, by its name in the spec, to the key it is read from where that has
	// another name. Several keys give the component several values, side by side.
	Keys map[string][]string
	// Nulls holds the values that take the place of null, and of keys that a row lacks.
	Nulls Nulls
	// Envelope, if not nil, is called with each key beside the rows in an object that wraps them,
	// such as the signature_name of a request, and its value as JSON, valid during the call. An
	// error ends the reading. Envelope may be called on any goroutine.
	Envelope func(key string, value []byte) error
	// MaxLine bounds a row's bytes, and a quarter of it those of its kept values. 0:
	// [DefaultRowBytes].
	MaxLine int
	// MaxDepth bounds how deep arrays and objects may nest. 0: 64.
	MaxDepth int
	// MaxValues bounds the values of one component of a row. 0: the only bound is MaxLine.
	MaxValues int64
	// MaxLength bounds the size of an axis that the spec leaves open. 0: the only bound is MaxLine.
	MaxLength int64
}

// JSONL returns a dataset of the rows of JSON that r holds. It can be iterated once; for files,
// which can be iterated again, see [JSONLFiles].
//
// Rows stand one a line, or in documents. A document is a row that is spread over lines, with the
// next one after it; an array of rows; or an object that wraps rows, such as a request of
// TensorFlow Serving: {"instances": [row, …]}, or in columns {"inputs": {"a": […], "b": […]}}. A
// document that is damaged or cut off is a *[FileError], after the rows before that place.
//
// A row of a dictionary spec is an object with a key per component. Keys of no component are passed
// over, or kept, see [JSONLOptions]. Where there is a single component, its bare value will do for
// a row. A row of a tuple is an array of its parts, one of a nested structure a nested value, and
// one of a bare spec just the value.
//
// Values are scalars or nested arrays, as deep as the component has dimensions, and rectangular
// unless the component is ragged. One value, bare or in an array, will do wherever a row has room
// for one value. Integers are exact, floats are rounded to the nearest; NaN, Infinity and -Infinity
// are numbers. true and false are 1 and 0 for a number, and 1 and 0 are true and false for a
// boolean. A number beyond the range of its type is an error. Complex numbers are [re, im]. Strings
// may be {"b64": "…"}, and may hold bytes that are not UTF-8, as TensorFlow's do. Empty lines are
// skipped.
//
// A row that does not fit is a *[SyntaxError], after which the iteration may go on with the next
// row.
func JSONL(r io.Reader, spec Spec, options ...JSONLOptions) *Dataset {
	opts, err := one(options)
	if err != nil {
		return failed(buildErr(ValueError, "jsonl", "%v", err))
	}
	if opts.Name == "" {
		opts.Name = "input"
	}
	used := new(atomic.Bool)
	return jsonl(spec, opts, func() (lineReader, error) {
		if used.Swap(true) {
			return lineReader{}, runErr(FailedPrecondition, "jsonl", -1, -1, "%s: a reader can be iterated only once; give the file's name to JSONLFiles", opts.Name)
		}
		return lineReader{files: []string{opts.Name}, reader: r}, nil
	})
}

// JSONLFiles is [JSONL] for files, read one after the other. Row numbers go on from file to file.
func JSONLFiles(spec Spec, opts JSONLOptions, files ...string) *Dataset {
	return jsonl(spec, opts, func() (lineReader, error) {
		return lineReader{files: files, opener: opts.Open}, nil
	})
}

func jsonl(spec Spec, opts JSONLOptions, lines func() (lineReader, error)) *Dataset {
	if err := new(lineReader).forRows(spec, opts); err != nil {
		return failed(buildErr(InvalidArgument, "jsonl", "%v", err))
	}
	return newDataset(spec, UnknownCardinality, func(o openOptions) (iterator, error) {
		l, err := lines()
		if err == nil {
			err = l.forRows(spec, opts)
		}
		if err != nil {
			return nil, err
		}
		return newJSONLRows(l, spec, opts), nil
	})
}

// forRows sets the reader up for rows of JSON.
func (l *lineReader) forRows(spec Spec, opts JSONLOptions) error {
	d, err := newRowDecoder(spec, opts)
	if err != nil {
		return err
	}
	l.docs = &jsondoc.Options{Keys: slices.Clone(opts.Keep), Envelope: opts.Envelope}
	for _, key := range d.root.keys {
		l.docs.Keys = append(l.docs.Keys, key.name)
	}
	l.skipBOM = true
	if l.max = opts.MaxLine; l.max == 0 {
		l.max = DefaultRowBytes
	}
	return nil
}

func blank(line []byte) bool {
	for _, c := range line {
		if c != ' ' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}

// ParseTensor reads one value of the component from JSON, by the rules of [JSONL]: nested arrays,
// or a scalar. The component must be dense.
func ParseTensor(c Component, text []byte) (tensor.Tensor, error) {
	if c.Ragged {
		return tensor.Tensor{}, fmt.Errorf("parse %v: a ragged value is no single tensor", c)
	}
	d, err := newRowDecoder(Leaf(c), JSONLOptions{})
	if err != nil {
		return tensor.Tensor{}, err
	}
	d.arena.Keep = true
	var e Element
	if err := d.decode(text, &e); err != nil {
		return tensor.Tensor{}, fmt.Errorf("parse %v: %w", c, err)
	}
	return e.Tensors[0], nil
}
