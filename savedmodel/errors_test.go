package savedmodel_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tfrun/tfrun/internal/rewrite"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/sizes"
)

// TestErrorsInLine puts names into errors that a model may hold: none breaks the line, and none
// that can be printed is changed.
func TestErrorsInLine(t *testing.T) {
	const odd = "a/\nb\x1b[31m\xff\u202e"
	errs := []error{
		&savedmodel.FileError{File: odd, Msg: "is missing"},
		&savedmodel.FormatError{File: odd, Msg: odd, Offset: 3},
		&savedmodel.FormatError{File: odd, Msg: odd, Offset: -1},
		&savedmodel.TagError{Model: odd, Want: []string{odd}, Have: [][]string{{odd}}},
		&savedmodel.TagError{Model: odd, Have: [][]string{{odd, odd}}},
		&savedmodel.SignatureError{Model: odd, Want: odd, Have: []string{odd}},
		&savedmodel.SignatureError{Model: odd, Have: []string{odd, odd}},
		&savedmodel.SignatureError{Model: odd, Want: odd, Have: []string{odd}, DidYouMean: odd},
		&sizes.SizeError{Signature: odd, Msg: odd},
		&rewrite.CompileError{Signature: odd, Msg: odd},
		&savedmodel.UninitializedError{Signature: odd, Variables: []string{odd, odd}},
	}
	for _, err := range errs {
		if got := err.Error(); strings.ContainsAny(got, "\n\x1b\u202e") || !utf8.ValidString(got) || !strings.Contains(got, `a/\nb\x1b[31m\xff\u202e`) {
			t.Errorf("%T: %q", err, got)
		}
	}
	const plain = "modèle/ünï 模型.pb"
	if got, want := (&savedmodel.FileError{File: plain, Msg: "is missing"}).Error(), plain+": is missing"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
