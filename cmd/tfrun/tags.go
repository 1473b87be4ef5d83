package main

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/tfrun/tfrun/savedmodel"
)

// tagsValue is the value of --tags: tags with commas between them, or "" or "[]" for a graph
// without tags.
type tagsValue struct{ tags *[]string }

// addTags adds the flag --tags.
func addTags(f *pflag.FlagSet, tags *[]string, usage string) {
	f.Var(tagsValue{tags}, "tags", usage)
}

// String returns the tags as they are typed.
func (v tagsValue) String() string {
	if v.tags == nil {
		return ""
	}
	return strings.Join(*v.tags, ",")
}

// Set adds tags.
func (v tagsValue) Set(s string) error {
	if s = strings.TrimSpace(s); s == "[]" {
		s = savedmodel.NoTags
	}
	*v.tags = append(*v.tags, strings.Split(s, ",")...)
	return nil
}

// Type returns the name of the value in help.
func (v tagsValue) Type() string { return "TAG,…" }
