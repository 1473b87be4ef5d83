package sizes

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/kerasfile"
	"github.com/tfrun/tfrun/savedmodel/layers"
	"github.com/tfrun/tfrun/tensor"
)

// atRun is a run of a model: what it was given, and what its layers gave.
type atRun struct {
	Inputs map[string][]int64
	Layers map[string][]tensor.Shape
}

// TestAtOfModels puts sizes into the models of testdata/tables and of the folders that TFRUN_MODELS
// names, and compares the shapes in the table with those that Keras' layers gave when they ran on
// such inputs (testdata/tables/make_tables.py with AT=1). It prints a line for each form of export:
// shapes that are right; that stay open; that are stated and wrong, of which there may be none.
func TestAtOfModels(t *testing.T) {
	t.Parallel()
	folders := append([]string{filepath.Join(modeltest.Models(), "..", "tables")},
		strings.FieldsFunc(os.Getenv("TFRUN_MODELS"), func(r rune) bool { return r == ',' || r == filepath.ListSeparator })...)
	type score struct{ runs, right, open, wrong int }
	forms := map[string]*score{}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*", "expect.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			var recorded struct {
				Form string
				At   []atRun
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(data, &recorded); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			s := forms[recorded.Form]
			if s == nil {
				s = &score{}
				forms[recorded.Form] = s
			}
			for _, run := range recorded.At {
				rows, err := rowsAt(filepath.Dir(file), run.Inputs)
				if err != nil {
					t.Errorf("%s at %v: %v", filepath.Dir(file), run.Inputs, err)
				}
				s.runs += min(len(rows), 1)
				for _, row := range rows {
					want := run.Layers[row.Layer.Name]
					switch fits, exact := compareAt(row, want); {
					case len(want) == 0 || slices.Contains(row.Layer.Guessed, "name"):
					case !fits:
						s.wrong++
						t.Errorf("%s at %v: layer %s gives %v, not %v", filepath.Dir(file), run.Inputs, row.Layer.Name, want, row.Output)
					case exact:
						s.right++
					default:
						s.open++
						t.Logf("%s at %v: layer %s gives %v, of which %v is known", filepath.Dir(file), run.Inputs, row.Layer.Name, want, row.Output)
					}
				}
			}
		}
	}
	lines := []string{fmt.Sprintf("%-20s %6s %6s %6s %6s", "form", "models", "right", "open", "wrong")}
	for _, form := range slices.Sorted(maps.Keys(forms)) {
		s := forms[form]
		lines = append(lines, fmt.Sprintf("%-20s %6d %6d %6d %6d", form, s.runs, s.right, s.open, s.wrong))
	}
	t.Logf("sizes put in, run by run\n%s", strings.Join(lines, "\n"))
}

// TestAtOfFirstCall: a model of Keras 2 that was given no input has the batch size that is put in,
// though its table shows that of its first call.
func TestAtOfFirstCall(t *testing.T) {
	t.Parallel()
	rows, err := rowsAt("../../testdata/tables/first_call__k2save", map[string][]int64{"dense_input": {3, 4}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range rows {
		got = append(got, fmt.Sprintf("%v at 3: %v", row.Layer.Output, row.Output))
	}
	if want := []string{"(32, 3) at 3: (3, 3)", "(32, 2) at 3: (3, 2)"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// compareAt compares a row with the shapes of all results of its layer, of which the table of an
// export may have some alone.
func compareAt(row layers.At, want []tensor.Shape) (fits, exact bool) {
	got := row.Output.Shapes
	if len(got) > len(want) || len(got) < len(want) && !slices.Contains(row.Layer.Guessed, "output_shape") {
		return len(got) == 0, false
	}
	if slices.Contains(row.Layer.Guessed, "output_shape") && len(got) == len(want) && !row.Output.Shapes[0].Admits(want[0].Dims()) {
		return true, false // marked
	}
	fits, exact = true, row.Exact && len(got) > 0
	for i, s := range got {
		admits := func(w tensor.Shape) bool { return !s.Ranked() || s.Admits(w.Dims()) }
		if len(got) == len(want) && !slices.Contains(row.Layer.Guessed, "output_shape") {
			fits = fits && admits(want[i])
		} else {
			fits = fits && slices.ContainsFunc(want, admits)
		}
	}
	return fits, exact
}

// rowsAt puts the shapes of a run's inputs into the table of the model in a folder. It returns no
// rows where the inputs of a signature have other names than the model's.
func rowsAt(dir string, inputs map[string][]int64) ([]layers.At, error) {
	for _, name := range []string{"model.keras", "model.h5"} {
		m, err := kerasfile.Open(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		defer m.Close()
		table, err := m.Layers()
		if err != nil || len(table.Takes) == 0 {
			return nil, err
		}
		var names []string
		for _, p := range table.Takes {
			names = append(names, p.Name)
		}
		shapes, err := PutTable(table, Sizes{Inputs: renamed(inputs, names)})
		if err != nil {
			return nil, err
		}
		return table.At(shapes), RefusedTable(table, shapes) // which the model ran on
	}
	m, err := savedmodel.Open(filepath.Join(dir, "model"))
	if err != nil {
		return nil, err
	}
	mg := m.MetaGraphs[0]
	table, err := layers.Of(mg)
	if err != nil || table == nil || mg.Signatures[table.Signature] == nil {
		return nil, err
	}
	sig := mg.Signatures[table.Signature]
	given := renamed(inputs, sig.InputNames())
	if given == nil {
		return nil, nil
	}
	of := Of(mg, sig, table)
	shapes, err := of.Put(Sizes{Inputs: given})
	if err != nil {
		return nil, err
	}
	return table.At(shapes), of.Refused(shapes)
}

// renamed gives inputs the names that a signature has for them: those of the model, or any where
// there is one; nil where they are others.
func renamed(inputs map[string][]int64, names []string) map[string][]int64 {
	if len(inputs) == 1 && len(names) == 1 {
		for _, dims := range inputs {
			return map[string][]int64{names[0]: dims}
		}
	}
	for _, name := range names {
		if inputs[name] == nil {
			return nil
		}
	}
	return inputs
}
