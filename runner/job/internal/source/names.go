package source

import (
	"path/filepath"
	"strings"
)

// Text is the name of the format of lines of text, which have no columns.
const Text = "txt"

// stdinFormat is the format of standard input if no option names one.
const stdinFormat = "jsonl"

// byExtension maps extensions of file names to formats.
var byExtension = map[string]string{
	".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".txt": Text, ".text": Text, ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".npy": "npy", ".npz": "npz",
	".tfrecord": "tfrecord", ".tfrecords": "tfrecord", ".parquet": "parquet", ".pq": "parquet", ".arrow": "arrow", ".arrows": "arrow", ".feather": "arrow", ".ipc": "arrow",
}

// extension returns the extension of a file's name, without that of a compression, in lower case.
func extension(file string) string {
	return strings.ToLower(filepath.Ext(strings.TrimSuffix(strings.TrimSuffix(file, ".gz"), ".zst")))
}
