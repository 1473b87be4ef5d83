package main

import "runtime/debug"

// fewerCollections makes Go collect garbage at 16 MB in use instead of 4, until restore is called.
// While a model is loaded there is little garbage, and TensorFlow needs the processor. A GOGC of
// the user's is not changed.
func fewerCollections() (restore func()) {
	const usual = 100
	if before := debug.SetGCPercent(4 * usual); before != usual {
		debug.SetGCPercent(before)
		return func() {}
	}
	return func() { debug.SetGCPercent(usual) }
}
