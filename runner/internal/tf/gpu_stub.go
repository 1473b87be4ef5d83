//go:build !cgo || notf

package tf

// ExamineGPU returns [ErrNoTensorFlow].
func ExamineGPU(string) (GPUReport, error) { return GPUReport{}, ErrNoTensorFlow }

func findGPUs(Config) ([]Device, error) { return nil, ErrNoTensorFlow }
