package savedmodel_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
)

func TestSignaturesOfEveryModel(t *testing.T) {
	t.Parallel()
	for _, c := range modeltest.Cases(t) {
		if c.Want.Kind == "corrupt" {
			continue
		}
		t.Run(filepath.Base(c.Dir), func(t *testing.T) {
			t.Parallel()
			m, err := savedmodel.Open(c.Model())
			if err != nil {
				t.Fatal(err)
			}
			mg := m.MetaGraphs[0]
			if string(mg.Framework) != c.Want.Framework {
				t.Errorf("framework %q, want %q", mg.Framework, c.Want.Framework)
			}
			if mg.TensorFlowVersion != c.Want.TFVersion && c.Want.TFVersion != "" {
				t.Errorf("version %q, want %q", mg.TensorFlowVersion, c.Want.TFVersion)
			}
			var tags [][]string
			for _, mg := range m.MetaGraphs {
				tags = append(tags, mg.Tags)
			}
			if diff := cmp.Diff(c.Want.TagSets, tags); diff != "" {
				t.Errorf("tag sets (-want +got):\n%s", diff)
			}
			got := map[string]modeltest.ExpectedSignature{}
			for name, s := range mg.Signatures {
				got[name] = modeltest.ExpectedSignature{Inputs: asExpected(t, s.Inputs), Outputs: asExpected(t, s.Outputs), MethodName: s.MethodName}
			}
			if diff := cmp.Diff(c.Want.Signatures, got); diff != "" {
				t.Errorf("signatures (-want +got):\n%s", diff)
			}
			if err := mg.Verify(); err != nil {
				t.Errorf("Verify() = %v, want nil", err)
			}
			for _, name := range mg.SignatureNames() {
				if err := mg.CheckSignature(mg.Signatures[name]); err != nil {
					t.Errorf("CheckSignature(%s) = %v, want nil", name, err)
				}
			}
		})
	}
}

// asExpected writes tensors as expect.json does.
func asExpected(t *testing.T, infos map[string]savedmodel.TensorInfo) map[string]modeltest.ExpectedTensor {
	t.Helper()
	out := map[string]modeltest.ExpectedTensor{}
	for name, info := range infos {
		shape, err := json.Marshal(info.Shape)
		if err != nil {
			t.Fatal(err)
		}
		e := modeltest.ExpectedTensor{DType: info.DType.String(), Shape: shape, Tensor: info.Tensor, Encoding: string(info.Encoding), Class: info.Class}
		for _, c := range info.Components {
			if info.Encoding == savedmodel.CooSparse {
				e.Tensors = append(e.Tensors, c.Tensor)
				continue
			}
			shape, err := json.Marshal(c.Shape)
			if err != nil {
				t.Fatal(err)
			}
			e.Components = append(e.Components, modeltest.ExpectedTensor{DType: c.DType.String(), Shape: shape, Tensor: c.Tensor})
		}
		out[name] = e
	}
	return out
}

// brokenModels holds a part of the one line that says what is wrong with each broken model: the
// file, then how. TensorFlow loads those with an empty text, or finds the fault in the values,
// which Verify does not read.
var brokenModels = map[string][2]string{
	"bad_asset_missing":          {"assets/labels.txt", "is missing"},
	"bad_data_empty":             {"variables.data-00000-of-00001", "cut off: 0 bytes"},
	"bad_data_flipped":           {},
	"bad_data_half":              {"variables.data-00000-of-00001", "cut off: 759 bytes"},
	"bad_data_missing":           {"variables.data-00000-of-00001", "is missing"},
	"bad_empty_dir":              {"bad_empty_dir/model", "directory is empty"},
	"bad_fingerprint_garbage":    {},
	"bad_index_garbage":          {"variables.index", "not a checkpoint index"},
	"bad_index_half":             {"variables.index", "not a checkpoint index, or cut off"},
	"bad_index_missing":          {"variables.index", "is missing"},
	"bad_metadata_bad_json":      {},
	"bad_metadata_garbage":       {},
	"bad_metadata_missing":       {},
	"bad_no_pb":                  {"bad_no_pb/model", "saved_model.pb is missing"},
	"bad_no_variables_dir":       {"model/variables", "is missing"},
	"bad_other_models_variables": {"variables.index", "another model's variables"},
	"bad_pb_empty":               {"saved_model.pb", "is empty"},
	"bad_pb_garbage":             {"saved_model.pb", "is not a SavedModel"},
	"bad_pb_git_lfs":             {"saved_model.pb", "Git LFS pointer"},
	"bad_pb_half":                {"saved_model.pb", "is cut off"},
	"bad_pb_html":                {"saved_model.pb", "is a web page"},
	"bad_shard_missing":          {"variables.data-00001-of-00002", "is missing"},
	"bad_wrong_shard":            {"variables.data-00000-of-00001", "is missing"},
}

func TestBrokenModels(t *testing.T) {
	t.Parallel()
	for _, c := range modeltest.Cases(t) {
		if c.Want.Kind != "corrupt" {
			continue
		}
		t.Run(filepath.Base(c.Dir), func(t *testing.T) {
			t.Parallel()
			m, err := savedmodel.Open(c.Model())
			if err == nil {
				err = m.MetaGraphs[0].Verify()
			}
			want, known := brokenModels[filepath.Base(c.Dir)]
			loads := known && want[0] == "" || !known && c.Want.Load["c_api"].OK
			switch {
			case loads && err != nil:
				t.Errorf("error %v, want none", err)
			case !loads && err == nil:
				t.Error("no error, want one")
			case err != nil && strings.ContainsRune(err.Error(), '\n'):
				t.Errorf("error of several lines: %q", err)
			case known && err != nil && (!strings.Contains(filepath.ToSlash(err.Error()), want[0]+": ") || !strings.Contains(err.Error(), want[1])):
				t.Errorf("error %q, want one with %q", err, want)
			}
		})
	}
}
