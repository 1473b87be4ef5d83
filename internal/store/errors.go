package store

import (
	"errors"
	"io/fs"
)

// Kind is the kind of an error of a store.
type Kind uint8

// The kinds of errors; 0 stands for any other.
const (
	_             Kind = iota
	NotFound           // there is no such object
	NoBucket           // there is no such bucket
	Denied             // the credentials do not allow the request
	NoCredentials      // there are no credentials
	Region             // the bucket is in another region
	Changed            // the object was replaced since it was looked at
	Usage              // the name is no valid name of an object
)

// Error is an error of a store.
type Error struct {
	Name string // "s3://bucket/key"
	Kind Kind
	Msg  string // "access denied to read it"
	Near string // an existing name like the missing one
	Err  error
}

// Error names the object and what is wrong.
func (e *Error) Error() string {
	if e.Near != "" {
		return e.Name + ": " + e.Msg + "; there is " + e.Near
	}
	return e.Name + ": " + e.Msg
}

// Unwrap returns the cause; for an object that does not exist, [fs.ErrNotExist] as well.
func (e *Error) Unwrap() []error {
	list := []error{}
	if e.Kind == NotFound || e.Kind == NoBucket {
		list = append(list, fs.ErrNotExist)
	}
	if e.Err != nil {
		list = append(list, e.Err)
	}
	return list
}

// Hints returns what the user can type next.
func (e *Error) Hints() []string {
	switch e.Kind {
	case NoBucket:
		return []string{"another store than Amazon's is named with AWS_ENDPOINT_URL, or behind the name: ?endpoint=http://HOST:PORT"}
	case Denied:
		return []string{"other credentials: AWS_PROFILE=NAME, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"}
	case NoCredentials:
		return []string{"name them as for the AWS CLI: AWS_PROFILE=NAME, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", "a public bucket needs none: ?anonymous=true behind the name"}
	case Region:
		return []string{"name its region: AWS_REGION=NAME, or ?region=NAME behind the name"}
	case Changed:
		return []string{"run again: what is read has to stay as it is meanwhile"}
	}
	return nil
}

// KindOf returns the kind of an error; 0 for one that is no *[Error].
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 0
}

// named sets the name of the object in an error of its bucket.
func named(name string, err error) error {
	if e, ok := err.(*Error); ok && e.Name == "" { //nolint:errorlint // the bucket's own
		c := *e
		c.Name = name
		return &c
	}
	return err
}
