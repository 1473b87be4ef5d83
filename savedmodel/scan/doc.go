// Package scan finds the parts of a model that do more than compute: operations that read or write
// files, start processes, reach the network or run Python; code in the Keras metadata; and graphs
// that end TensorFlow's process.
//
//	result, err := scan.Scan(mg)
//	for _, f := range result.Findings {
//		if f.RunsWith("serving_default") {
//			fmt.Println(f.Severity, f.Kind, f.Op, f.Where())
//		}
//	}
//
// A model is a program. Scanning runs nothing of it, and does not need TensorFlow.
package scan
