package dataset

// Room is memory that several sources of rows share, such as those of a server's clients. A source
// takes what it is about to hold, in bytes, before it reads it.
type Room interface {
	// Take waits until there is room for so many bytes more. An error ends the source.
	Take(bytes int64) error
	// Give gives bytes back.
	Give(bytes int64)
	// Owe says that bytes that were taken are now rows of the source, which come after those of
	// earlier calls: they are given back once the results of these rows are delivered.
	Owe(bytes, rows int64)
}
