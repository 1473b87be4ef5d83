package tensor

import "unsafe"

// bytesOf returns the memory of values as bytes. T is a fixed-size type without pointers (never
// string), so its memory is plain bytes; the length is exactly the slice's. endian.go keeps
// big-endian machines out.
func bytesOf[T Value](values []T) []byte {
	if len(values) == 0 {
		return []byte{}
	}
	var v T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), len(values)*int(unsafe.Sizeof(v)))
}

// sliceOf returns bytes as values of T. len(b) is a multiple of T's size, since every Tensor is
// built that way. Memory from make is aligned for any T whose size divides its length; a slice of a
// tensor starts at a multiple of T's size.
func sliceOf[T Value](b []byte) []T {
	if len(b) == 0 {
		return []T{}
	}
	var v T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(v)))
}
