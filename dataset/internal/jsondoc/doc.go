// Package jsondoc reads rows out of JSON documents: files of JSON whose rows do not stand one a
// line. Rows may be spread over lines, or stand in arrays, in a request of TensorFlow Serving
// ({"instances": […]}), in an answer of a web interface ({"data": […]}), or in columns ({"inputs":
// {"a": […], "b": […]}}).
package jsondoc
