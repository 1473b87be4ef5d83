package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// TestCommentsNameTheirSubject holds that a function's or type's comment begins with its name where
// it begins with a name at all: a comment that kept an old one is found by nobody who looks for it.
func TestCommentsNameTheirSubject(t *testing.T) {
	if testing.Short() {
		t.Skip("reads sources: nothing that the race detector sees")
	}
	t.Parallel()
	for _, name := range tracked(t, "*.go") {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, filepath.Join(top, name), nil, parser.ParseComments)
		if err != nil {
			continue // removed and not committed yet, or broken on purpose
		}
		for _, d := range documented(f) {
			first, _, _ := strings.Cut(d.doc.Text(), " ")
			if r := []rune(first); len(r) > 0 && unicode.IsLower(r[0]) && strings.TrimRight(first, ":,") != d.name {
				t.Errorf("%s:%d: the comment of %s begins with %q", name, fset.Position(d.doc.Pos()).Line, d.name, first)
			}
		}
	}
}

// declaration is a function or a type with the comment above it.
type declaration struct {
	name string
	doc  *ast.CommentGroup
}

// documented lists the functions and types of a file that have comments.
func documented(f *ast.File) (list []declaration) {
	add := func(name string, doc *ast.CommentGroup) {
		if doc != nil {
			list = append(list, declaration{name, doc})
		}
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			add(d.Name.Name, d.Doc)
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if s, ok := s.(*ast.TypeSpec); ok {
					add(s.Name.Name, s.Doc)
					if len(d.Specs) == 1 {
						add(s.Name.Name, d.Doc)
					}
				}
			}
		}
	}
	return list
}
