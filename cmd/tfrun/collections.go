package main

import "runtime/debug"

// fewerCollections has Go collect garbage the first time when 16 MB are in use, and not 4, until
// restore is called: while a model is loaded there is little garbage, and TensorFlow needs the
// processor. A GOGC that the user has set stays.
func fewerCollections() (restore func()) {
	const usual = 100
	if before := debug.SetGCPercent(4 * usual); before != usual {
		debug.SetGCPercent(before)
		return func() {}
	}
	return func() { debug.SetGCPercent(usual) }
}
