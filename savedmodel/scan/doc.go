// Package scan finds what in a model does more than compute: operations that read or write files,
// start processes, reach the network or run Python, code in its Keras metadata, and graphs that
// TensorFlow would not survive.
//
//	result, err := scan.Scan(mg)
//	for _, f := range result.Findings {
//		if f.RunsWith("serving_default") {
//			fmt.Println(f.Severity, f.Kind, f.Op, f.Where())
//		}
//	}
//
// A model is a program. Nothing of it is run here, and TensorFlow is not needed.
package scan
