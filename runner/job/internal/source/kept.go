package source

import (
	"context"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/arrow"
)

// KeptTypes returns the types of kept columns, for results in a format with types: for each column
// the narrowest type that holds all its values in all files exactly. Files of formats with types
// say their types; other files are read through, JSON by spec. Files that can be read only once,
// such as standard input, cannot be read beforehand: their columns are text, or have the type that
// the only file says.
func (src Source) KeptTypes(ctx context.Context, f Format, spec dataset.Spec) (map[string]dataset.FieldType, error) {
	src.Read = nil // it counts the bytes of the rows themselves
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

// keptRows returns rows of which only the kept columns are needed. The inputs are left out, but for
// JSON: which of its objects are rows depends on the keys that rows have.
func (src Source) keptRows(f Format, spec dataset.Spec) *dataset.Dataset {
	if f.Name != "jsonl" {
		spec, src.Columns, src.Nulls = dataset.Dict(map[string]dataset.Spec{}), nil, nil
	}
	src.Envelope = nil
	return src.Rows(f, spec)
}
