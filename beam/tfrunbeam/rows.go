package tfrunbeam

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"

	"github.com/tfrun/tfrun/dataset"
)

// appendRow writes a row as JSON.
func appendRow(dst []byte, row reflect.Value) ([]byte, error) {
	switch {
	case !row.IsValid():
		return nil, errors.New("no row")
	case row.Kind() == reflect.String:
		return append(dst, row.String()...), nil
	case row.Kind() == reflect.Slice && row.Type().Elem().Kind() == reflect.Uint8:
		return append(dst, row.Bytes()...), nil
	}
	return appendValue(dst, row)
}

// appendValue writes a value as JSON, as [dataset.JSONL] reads it.
func appendValue(dst []byte, v reflect.Value) ([]byte, error) {
	switch v.Kind() {
	case reflect.Bool:
		return strconv.AppendBool(dst, v.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(dst, v.Int(), 10), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.AppendUint(dst, v.Uint(), 10), nil
	case reflect.Float32, reflect.Float64:
		return appendFloat(dst, v.Float(), v.Type().Bits()), nil
	case reflect.Complex64, reflect.Complex128:
		c := v.Complex()
		dst = append(appendFloat(append(dst, '['), real(c), v.Type().Bits()/2), ',')
		return append(appendFloat(dst, imag(c), v.Type().Bits()/2), ']'), nil
	case reflect.String:
		return dataset.AppendJSONString(dst, v.String()), nil
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 && v.Kind() == reflect.Slice {
			return dataset.AppendJSONString(dst, string(v.Bytes())), nil
		}
		return appendList(dst, '[', ']', v.Len(), func(dst []byte, i int) ([]byte, error) { return appendValue(dst, v.Index(i)) })
	case reflect.Struct:
		fields, err := fieldsOf(v.Type())
		if err != nil {
			return nil, err
		}
		return appendList(dst, '{', '}', len(fields), func(dst []byte, i int) ([]byte, error) {
			dst = append(dataset.AppendJSONString(dst, fields[i].name), ':')
			return appendValue(dst, v.Field(fields[i].index))
		})
	case reflect.Pointer:
		if v.IsNil() {
			return append(dst, "null"...), nil
		}
		return appendValue(dst, v.Elem())
	}
	return nil, fmt.Errorf("a value of type %v: want numbers, bools, strings, []byte, or slices of these", v.Type())
}

func appendList(dst []byte, open, end byte, n int, one func([]byte, int) ([]byte, error)) ([]byte, error) {
	var err error
	dst = append(dst, open)
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = one(dst, i); err != nil {
			return nil, err
		}
	}
	return append(dst, end), nil
}

func appendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	return strconv.AppendFloat(dst, f, 'g', -1, bits)
}
