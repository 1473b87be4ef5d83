package dataset

import "unsafe"

// stringOf returns b as a string without copying it. The string is only used while b does not
// change: strconv's parsers, which get it, copy it into an error before they keep it.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
