package job

import (
	"reflect"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/csv"
	"github.com/tfrun/tfrun/runner"
)

// TestIdentityKnowsEveryOption holds that each field of what describes a run is either told apart
// by --resume, as TestIdentity tries, or is named here with the reason why no byte of the results
// depends on it. A new field belongs into one of the two.
func TestIdentityKnowsEveryOption(t *testing.T) {
	t.Parallel()
	const (
		speed = "how fast it goes"
		said  = "what is called or written beside the results"
		ends  = "when the run ends, not what a row's result is"
	)
	known := map[reflect.Type]map[string]string{
		reflect.TypeFor[Job](): {
			"Source": "", "NullNaN": "", "Squeeze": "", "Wide": "",
			"Output": "the journal lies beside it", "Format": "added when the output is opened",
			"Stdout": said, "MaxBadRows": ends, "MaxBadShare": ends, "Errors": said, "State": said,
			"Resume": "the question itself", "Began": said, "Progress": said,
		},
		reflect.TypeFor[Source](): {
			"Files": "", "Format": "", "Columns": "", "Nulls": "", "CSV": "", "Keep": "", "Part": "", "Parts": "",
			"Partition": "", "Vocabulary": "", "Text": "",
			"Stdin": "standard input is one file", "Encoder": "Vocabulary is its digest",
		},
		reflect.TypeFor[csv.Options](): {
			"Header": "", "Comma": "", "Quote": "", "NoQuotes": "", "Comment": "", "Null": "",
			"Open": "Source has its own", "Columns": "Source has its own", "Keep": "Source has its own", "Nulls": "Source has its own",
			"Sniffed": said, "MaxRow": "Limits has it", "Workers": speed,
		},
		reflect.TypeFor[runner.PredictOptions](): {
			"Signature": "", "Outputs": "", "Heads": "", "NoBatch": "", "BatchSize": "", "Batching": "",
			"PaddingMayChangeResults": "", "MaxTokens": "", "Window": "", "WindowMemory": "", "Pad": "", "PadTo": "",
			"PaddedShapes": "", "Sequences": "", "Limits": "", "Shard": "", "Shards": "", "SkipBadRows": "",
			"Measured": said, "JSON": "of ParseRow", "Split": said, "From": "where the run goes on", "Workers": speed,
			"Halved": said, "Room": speed, "Stats": said, "Batch": said,
		},
		reflect.TypeFor[dataset.Limits](): {
			"RowBytes": "", "Depth": "", "Elements": "", "Length": "", "BatchBytes": "", "Ratio": "",
		},
		reflect.TypeFor[runner.Sequences](): {
			"PadSide": "", "Truncate": "", "MaxLen": "", "Lengths": "", "Masks": "", "Set": "",
		},
		reflect.TypeFor[runner.Options](): {
			"Tags": "", "XLA": "", "Optimizer": "", "OpLibraries": "", "Device": "",
			"Signatures": "what else is loaded", "NoPrune": "what else is loaded", "IntraOp": speed, "InterOp": speed,
			"Timeout": ends, "Exact": "Batching says whether it is used", "WarmUp": speed, "XLAShapes": "XLA is measured or not",
			"XLAFallback": said, "GPUMemoryFraction": speed, "AllowOps": "whether it runs at all",
			"AllowLinks": "the digest of the model has what they lead to", "Isolate": "whose process it is",
			"IsolateMemory": ends, "InTurn": speed, "Library": "of this machine", "Logger": said,
		},
	}
	for typ, fields := range known {
		for i := range typ.NumField() {
			f := typ.Field(i)
			if _, ok := fields[f.Name]; f.IsExported() && !ok {
				t.Errorf("%s.%s: does a result depend on it? Then it belongs into Job.identity, else here", typ, f.Name)
			}
		}
		for name := range fields {
			if _, ok := typ.FieldByName(name); !ok {
				t.Errorf("%s has no field %s", typ, name)
			}
		}
	}
}
