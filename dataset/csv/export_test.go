package csv

// InChunks returns the options with which so many bytes of a file are parsed at a time.
func InChunks(o Options, bytes int) Options {
	o.chunk = bytes
	return o
}
