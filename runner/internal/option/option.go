// Package option has the error of an option that makes no sense, which all layers of the runner
// share.
package option

// Error says that a field of an options struct has a value that makes no sense.
type Error struct {
	Option string // the field's name, or several
	Msg    string
}

// Error names the option and what was wanted.
func (e *Error) Error() string { return "option " + e.Option + ": " + e.Msg }
