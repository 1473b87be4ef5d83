//go:build !cgo || notf

package runner

// ExamineGPU returns [ErrNoTensorFlow].
func ExamineGPU(string) (GPUReport, error) { return GPUReport{}, ErrNoTensorFlow }

func findGPUs(Options) ([]Device, error) { return nil, ErrNoTensorFlow }
