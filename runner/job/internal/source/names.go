package source

import (
	"path/filepath"
	"strings"
)

// Text is the name of the format of lines of text, which have no columns.
const Text = "txt"

// stdinFormat is the format of standard input where nothing is said.
const stdinFormat = "jsonl"

// byExtension are the names of formats that files' names tell.
var byExtension = map[string]string{
	".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".txt": Text, ".text": Text, ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".npy": "npy", ".npz": "npz",
	".tfrecord": "tfrecord", ".tfrecords": "tfrecord", ".parquet": "parquet", ".pq": "parquet", ".arrow": "arrow", ".arrows": "arrow", ".feather": "arrow", ".ipc": "arrow",
}

// extension is what stands at the end of a file's name before that of a compression, in lower case.
func extension(file string) string {
	return strings.ToLower(filepath.Ext(strings.TrimSuffix(strings.TrimSuffix(file, ".gz"), ".zst")))
}
