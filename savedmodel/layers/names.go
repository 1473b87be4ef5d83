package layers

import (
	"regexp"
	"strconv"
	"strings"
)

// bases returns a name, and the name without one, two, … of the numbers at its end: "a_1_2", "a_1",
// "a".
func bases(name string) []string {
	all := []string{name}
	for {
		base, _, ok := cutNumber(name)
		if !ok {
			return all
		}
		name = base
		all = append(all, name)
	}
}

// cutNumber splits "a_12" into "a" and 12.
func cutNumber(name string) (base string, n int, ok bool) {
	i := strings.LastIndexByte(name, '_')
	if i <= 0 || i+1 == len(name) || strings.Trim(name[i+1:], "0123456789") != "" {
		return "", 0, false
	}
	n, err := strconv.Atoi(name[i+1:])
	return name[:i], n, err == nil
}

// defaultBase returns a name without its last number, if there is one.
func defaultBase(name string) string {
	if base, _, ok := cutNumber(name); ok {
		return base
	}
	return name
}

// SnakeCase returns the name that Keras gives to an unnamed object of a class (to_snake_case of
// keras/src/utils/naming.py).
func SnakeCase(class string) string {
	s := notWord.ReplaceAllString(class, "")
	s = snakeWord.ReplaceAllString(s, "${1}_${2}")
	return strings.ToLower(snakeUpper.ReplaceAllString(s, "${1}_${2}"))
}

// camelCase returns the class name that a default name most likely came from: "residual_block" from
// "ResidualBlock".
func camelCase(name string) string {
	var b strings.Builder
	for _, word := range strings.Split(name, "_") {
		if word == "" {
			continue
		}
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// ClassOfName returns the class whose unnamed layers are called so: "dense_2" is a Dense's default
// name.
func ClassOfName(name string) (class string, ok bool) {
	for _, b := range bases(name) {
		if class, ok = classByDefault[b]; ok {
			return class, true
		}
	}
	return "?", false
}

// isDefaultName reports whether a name is a class's default name with at most one number: Keras
// would not make "dense_1_1".
func isDefaultName(name string) bool {
	_, whole := classByDefault[name]
	_, base := classByDefault[defaultBase(name)]
	return whole || base
}

var (
	snakeWord  = regexp.MustCompile(`(.)([A-Z][a-z]+)`)
	snakeUpper = regexp.MustCompile(`([a-z])([A-Z])`)
	notWord    = regexp.MustCompile(`\W+`)
)
