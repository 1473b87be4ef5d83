package source

import (
	"context"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/arrow"
)

// KeptTypes returns the types of kept columns, for results in a format whose columns have one: each
// the narrowest that holds all values of all files exactly. Formats with types are asked for them;
// files of others are read through, JSON as rows of the spec. What can be read once, such as
// standard input, cannot be asked before: its columns are text, or what the one file says.
func (src Source) KeptTypes(ctx context.Context, f Format, spec dataset.Spec) (map[string]dataset.FieldType, error) {
	src.Read = nil // it counts the rows' own reading
	again := true
	for _, name := range src.Files {
		if _, spooled := src.Stdin.(*Spooled); name == "-" && spooled {
			continue
		}
		_, regular := Size(name)
		again = again && regular
	}
	if f.kept == nil {
		rows := dataset.FromElements(spec)
		if again {
			rows = src.keptRows(f, spec)
		}
		return arrow.TypesOf(ctx, rows, src.Keep)
	}
	types := map[string]dataset.FieldType{}
	for _, name := range src.Files {
		if !again {
			break
		}
		own, err := f.kept(src, name)
		if err != nil {
			return nil, nil //nolint:nilerr // whoever reads it will say what is wrong
		}
		for i, t := range own {
			if t != nil {
				types[src.Keep[i]] = arrow.JoinTypes(types[src.Keep[i]], t)
			}
		}
	}
	return types, nil
}

// keptRows returns rows for the sake of their kept columns. Which objects of JSON are rows depends
// on the keys that rows have; elsewhere the inputs are left out.
func (src Source) keptRows(f Format, spec dataset.Spec) *dataset.Dataset {
	if f.Name != "jsonl" {
		spec, src.Columns, src.Nulls = dataset.Dict(map[string]dataset.Spec{}), nil, nil
	}
	src.Envelope = nil
	return src.Rows(f, spec)
}
