package tfrunbeam

import (
	"fmt"
	"reflect"
	"strings"
)

// field is a field of a struct that stands for an input or an output.
type field struct {
	name  string
	index int
}

// fieldsOf returns the exported fields of a struct, as Beam's schemas name them.
func fieldsOf(t reflect.Type) ([]field, error) {
	var list []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("beam"), ",")
		switch {
		case name == "-":
			continue
		case !f.IsExported() || f.Anonymous:
			return nil, fmt.Errorf("type %v: field %s is not exported, or embedded", t, f.Name)
		case name == "":
			name = f.Name
		}
		list = append(list, field{name, i})
	}
	return list, nil
}

// namesOf returns the names of a struct's fields, nil of another type.
func namesOf(t reflect.Type) ([]string, error) {
	if t.Kind() != reflect.Struct {
		return nil, nil
	}
	fields, err := fieldsOf(t)
	names := []string{}
	for _, f := range fields {
		names = append(names, f.name)
	}
	return names, err
}
