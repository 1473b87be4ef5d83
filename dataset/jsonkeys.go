package dataset

import (
	"context"
	"errors"
	"fmt"

	"github.com/tfrun/tfrun/dataset/internal/jsonscan"
)

// JSONLKeys reads all rows of the files, as [JSONLFiles] would, and returns the keys of those that
// are objects, in the order in which they first appear. Damaged rows are passed over. A file that
// cannot be read on ends the reading without an error, since reading the rows afterwards reports
// it. More than 16,384 keys are an error: each of them would be looked for in every row.
func JSONLKeys(ctx context.Context, spec Spec, opts JSONLOptions, files ...string) ([]string, error) {
	l := lineReader{files: files, opener: opts.Open}
	if err := l.forRows(spec, opts); err != nil {
		return nil, err
	}
	defer l.close()
	var keys []string
	seen := map[string]bool{}
	s := jsonscan.Scanner{MaxDepth: DefaultDepth}
	for ctx.Err() == nil {
		row, err := l.read()
		if errors.Is(err, errLineTooLong) {
			continue
		}
		if err != nil {
			break
		}
		if s.B, s.I = row, 0; s.Peek() != '{' {
			continue
		}
		// What is wrong with the row is reported when the row itself is read.
		_ = s.Object(func(key []byte) error {
			if len(keys) <= MostKeys && !seen[string(key)] {
				seen[string(key)] = true
				keys = append(keys, string(key))
			}
			return s.Skip(1)
		})
		if len(keys) > MostKeys {
			return nil, fmt.Errorf("%s:%d: the rows up to here have more than %d different keys: name those that are wanted", l.name, l.line, MostKeys)
		}
	}
	return keys, ctx.Err()
}
