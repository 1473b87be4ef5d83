package scan_test

import (
	"fmt"
	"log"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/scan"
)

// What a model does beside computing, before anything of it runs.
func ExampleScan() {
	m, err := savedmodel.Open("../../testdata/models/mod_file_io/model")
	if err != nil {
		log.Fatal(err)
	}
	mg, err := m.MetaGraph()
	if err != nil {
		log.Fatal(err)
	}
	found, err := scan.Scan(mg)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range found.Findings {
		if f.Severity == scan.Unsafe {
			fmt.Println(f.Kind, f.Op, "in", f.Where(), "of", f.Signatures)
		}
	}
	// Output:
	// reads-files ReadFile in __inference_<lambda>_3927 of [serving_default]
	// writes-files WriteFile in __inference_w_3940 of [write]
}
