//go:build !cgo || notf

package runner

// ExamineGPU returns [ErrNoTensorFlow].
func ExamineGPU(string) (GPUReport, error) { return GPUReport{}, ErrNoTensorFlow }

func requireGPU(Options) error { return ErrNoTensorFlow }
