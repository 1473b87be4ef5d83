//go:build !race

package modeltest

// raceEnabled says that the tests run under the race detector.
const raceEnabled = false
