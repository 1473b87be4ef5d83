//go:build !race

package savedmodel

// raceEnabled says that the tests run under the race detector.
const raceEnabled = false
