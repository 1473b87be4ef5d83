package kerasnames

import (
	"regexp"
	"strconv"
	"strings"
)

// Bases returns a name, and the name without one, two, … of the numbers at its end: "a_1_2", "a_1",
// "a".
func Bases(name string) []string {
	all := []string{name}
	for {
		base, _, ok := CutNumber(name)
		if !ok {
			return all
		}
		name = base
		all = append(all, name)
	}
}

// CutNumber splits "a_12" into "a" and 12.
func CutNumber(name string) (base string, n int, ok bool) {
	i := strings.LastIndexByte(name, '_')
	if i <= 0 || i+1 == len(name) || strings.Trim(name[i+1:], "0123456789") != "" {
		return "", 0, false
	}
	n, err := strconv.Atoi(name[i+1:])
	return name[:i], n, err == nil
}

// WithoutNumber returns a name without its last number, if there is one.
func WithoutNumber(name string) string {
	if base, _, ok := CutNumber(name); ok {
		return base
	}
	return name
}

var (
	snakeWord  = regexp.MustCompile(`(.)([A-Z][a-z]+)`)
	snakeUpper = regexp.MustCompile(`([a-z])([A-Z])`)
	notWord    = regexp.MustCompile(`\W+`)
)

// SnakeCase returns the name that Keras gives to an unnamed object of a class (to_snake_case of
// keras/src/utils/naming.py).
func SnakeCase(class string) string {
	s := notWord.ReplaceAllString(class, "")
	s = snakeWord.ReplaceAllString(s, "${1}_${2}")
	return strings.ToLower(snakeUpper.ReplaceAllString(s, "${1}_${2}"))
}

// CamelCase returns the class that an unnamed layer most likely is of, by the layer's name:
// "ResidualBlock" for "residual_block".
func CamelCase(name string) string {
	var b strings.Builder
	for _, word := range strings.Split(name, "_") {
		if word == "" {
			continue
		}
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// ByDefault has the classes of Keras' layers by the name of an unnamed layer: Dense by "dense".
var ByDefault = func() map[string]string {
	classes := map[string]string{}
	for _, class := range Classes {
		classes[SnakeCase(class)] = class
	}
	return classes
}()

// ClassOf returns the class whose unnamed layers are called so: "dense_2" is a Dense's default
// name.
func ClassOf(name string) (class string, ok bool) {
	for _, b := range Bases(name) {
		if class, ok = ByDefault[b]; ok {
			return class, true
		}
	}
	return "?", false
}

// IsDefault reports whether a name is a class's default name with at most one number: Keras
// would not make "dense_1_1".
func IsDefault(name string) bool {
	_, whole := ByDefault[name]
	_, base := ByDefault[WithoutNumber(name)]
	return whole || base
}
