// Package option has the error of an invalid option, which all packages of the runner share.
package option

// Error says that a field of an options struct has an invalid value.
type Error struct {
	Option string // name of the field, or of several
	Msg    string
}

// Error names the option and what was wanted.
func (e *Error) Error() string { return "option " + e.Option + ": " + e.Msg }
