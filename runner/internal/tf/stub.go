//go:build !cgo || notf

package tf

import "context"

// HasTensorFlow reports whether this program was built with libtensorflow.
const HasTensorFlow = false

// OpenLibrary returns [ErrNoTensorFlow].
func OpenLibrary(string) (Library, error) { return Library{}, ErrNoTensorFlow }

// LoadOpLibrary returns [ErrNoTensorFlow].
func LoadOpLibrary(string) ([]string, error) { return nil, ErrNoTensorFlow }

// Operations returns [ErrNoTensorFlow].
func Operations() ([]string, error) { return nil, ErrNoTensorFlow }

// Load returns [ErrNoTensorFlow].
func Load(context.Context, Model, Config) (Engine, error) {
	return nil, ErrNoTensorFlow
}

// SelfTest returns [ErrNoTensorFlow].
func SelfTest(context.Context, Config) ([]DeviceTest, error) { return nil, ErrNoTensorFlow }

// ExamineGPU returns [ErrNoTensorFlow].
func ExamineGPU(string) (GPUReport, error) { return GPUReport{}, ErrNoTensorFlow }

func findGPUs(Config) ([]Device, error) { return nil, ErrNoTensorFlow }

// DefaultSignals does nothing without TensorFlow.
func DefaultSignals() {}
