//go:build race

package job

// underRace says that the race detector is on: what TensorFlow computes is then looked at in a
// sample of the models alone.
const underRace = true
