//go:build !cgo || notf

package runner

import "context"

// HasTensorFlow reports whether this program was built with libtensorflow.
const HasTensorFlow = false

// OpenLibrary returns [ErrNoTensorFlow].
func OpenLibrary(string) (Library, error) { return Library{}, ErrNoTensorFlow }

func loadEngine(context.Context, string, []string, Options) (engine, error) {
	return nil, ErrNoTensorFlow
}

// SelfTest returns [ErrNoTensorFlow].
func SelfTest(context.Context, Options) ([]DeviceTest, error) { return nil, ErrNoTensorFlow }
