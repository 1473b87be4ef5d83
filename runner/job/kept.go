package job

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job/internal/source"
)

// keeping returns a job whose kept columns have names that no other column of the output has. It
// replaces patterns by the columns of the first file that match them; a structure is kept whole.
// For JSON and tf.Examples it takes the keys of all rows, for which a pipe at standard input is
// copied.
func (j Job) keeping(ctx context.Context, p *runner.Predictor, form source.Format) (Job, error) {
	if len(j.Source.Keep) > 0 && slices.Contains(j.Source.Files, "-") {
		in, ok, err := source.Spool(j.Source.Stdin, slices.ContainsFunc(j.Source.Keep, isPattern))
		if err != nil {
			return j, err
		}
		if ok {
			j.Source.Stdin = in
		}
	}
	keep, err := j.Source.matchKeep(ctx, p)
	if err != nil {
		return j, err
	}
	columns, err := j.columns(p, form)
	if err != nil {
		return j, err
	}
	var taken []string
	for _, c := range columns {
		taken = append(taken, c.name)
	}
	if p.Options().SkipBadRows {
		taken = append(taken, errorColumn)
	}
	for i, name := range keep {
		switch {
		case slices.Contains(taken, name):
			return j, &runner.OptionError{Option: "Keep", Msg: fmt.Sprintf("column %q has the name of an output; rename the output, --outputs NAME=OUTPUT, or leave one of them out", name)}
		case slices.Contains(keep[:i], name):
			return j, &runner.OptionError{Option: "Keep", Msg: fmt.Sprintf("column %q is named twice", name)}
		}
	}
	j.Source = j.Source.keeps(keep)
	return j, nil
}

// keeps returns the source with the named columns to keep: columns of rows, and of its partition.
func (src Source) keeps(names []string) Source {
	constant := func(name string) bool {
		return slices.ContainsFunc(src.Partition, func(f dataset.Field) bool { return f.Key == name })
	}
	src.Partition = slices.DeleteFunc(slices.Clone(src.Partition), func(f dataset.Field) bool { return !slices.Contains(names, f.Key) })
	src.Keep = slices.DeleteFunc(slices.Clone(names), constant)
	return src
}

// keptNames lists the kept columns, in the order in which results have them.
func (src Source) keptNames() []string {
	names := slices.Clone(src.Keep)
	for _, f := range src.Partition {
		names = append(names, f.Key)
	}
	return names
}

// matchKeep returns the names of the columns that a source keeps.
func (src Source) matchKeep(ctx context.Context, p *runner.Predictor) ([]string, error) {
	if !slices.ContainsFunc(src.Keep, isPattern) {
		return src.Keep, nil
	}
	f, err := src.files().Find()
	if err != nil {
		return nil, err
	}
	var columns []string
	if f.HasColumns() {
		columns, err = columnNames(f, src.filesFor(p))
	} else {
		columns, err = f.Names(ctx, src.filesFor(p), p.RowSpec())
	}
	if err != nil {
		return nil, err
	}
	for _, f := range src.Partition {
		if !slices.Contains(columns, f.Key) {
			columns = append(columns, f.Key)
		}
	}
	var keep []string
	for _, name := range src.Keep {
		if !isPattern(name) || slices.Contains(columns, name) {
			keep = append(keep, name)
			continue
		}
		matched := false
		for _, column := range columns {
			if !matchesName(name, column) {
				continue
			}
			if matched = true; !slices.Contains(keep, column) {
				keep = append(keep, column)
			}
		}
		if !matched {
			return nil, &runner.OptionError{Option: "Keep", Msg: fmt.Sprintf("no column of %s matches %q", src.Files[0], name)}
		}
	}
	return keep, nil
}

// keptTypes returns the types of the kept columns of a job's output, if the format has types.
func (j Job) keptTypes(ctx context.Context, p *runner.Predictor, form source.Format) (map[string]dataset.FieldType, error) {
	if len(j.Source.keptNames()) == 0 || !slices.Contains([]string{"parquet", "arrow", "npz"}, form.Name) {
		return nil, nil
	}
	in, err := j.Source.files().Find()
	if err != nil {
		return nil, err
	}
	types, err := j.Source.filesFor(p).KeptTypes(ctx, in, p.RowSpec())
	for _, f := range j.Source.Partition {
		if types == nil {
			types = map[string]dataset.FieldType{}
		}
		types[f.Key] = f.Type
	}
	return types, err
}

// Names lists the columns of the source's first file; of JSON, the keys of its first row.
func (src Source) Names() ([]string, error) {
	f, err := src.files().Find()
	if err != nil {
		return nil, err
	}
	if f.HasColumns() {
		return columnNames(f, src.files())
	}
	if f.Name != "jsonl" {
		return nil, nil
	}
	file, err := src.files().Open(src.Files[0])
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was read
	d := json.NewDecoder(file)
	var names []string
	for depth := 0; ; {
		t, err := d.Token()
		if err != nil {
			return names, nil // the run reports what is wrong
		}
		switch t := t.(type) {
		case json.Delim:
			if t == '{' && depth == 0 {
				depth = 1
			} else if t != '[' || depth > 0 {
				return names, nil
			}
		case string:
			names = append(names, t)
			var skipped json.RawMessage
			if err := d.Decode(&skipped); err != nil {
				return names, nil
			}
		default:
			return names, nil
		}
	}
}

// matchesName reports whether a name, or a pattern of names, matches a column.
func matchesName(name, column string) bool {
	ok, err := path.Match(name, strings.ReplaceAll(column, "/", "."))
	return name == column || isPattern(name) && ok && err == nil
}

func isPattern(name string) bool { return strings.ContainsAny(name, "*?[") }

// columnNames lists the columns of a source's first file; structures are listed whole.
func columnNames(f source.Format, src source.Source) ([]string, error) {
	columns, err := f.Columns(src, src.Files[0])
	if err != nil {
		return nil, err
	}
	var names []string
	for _, c := range columns {
		name := c.Name
		if c.Of != "" {
			name = c.Of
		}
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// missing counts the rows of results that lack a kept key. Rows of JSON and of records may lack
// keys, and all rows lack a key that is misspelled.
type missing map[string]int64

// count counts what a row without an error lacks.
func (m missing) count(keep []string, extra []dataset.Field) {
	if len(extra) == len(keep) {
		return
	}
	has := map[string]bool{}
	for _, f := range extra {
		has[f.Key] = true
	}
	for _, key := range keep {
		if !has[key] {
			m[key]++
		}
	}
}
