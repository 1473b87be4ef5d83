package crash

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoOther holds that what users run starts goroutines by this package alone: a panic in any
// other would end the process with the stacks of all of them.
func TestNoOther(t *testing.T) {
	root := filepath.Join("..", "..")
	looked := 0
	for _, dir := range []string{"tensor", "savedmodel", "internal", "dataset", "runner", "cmd"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "testdata", d.IsDir() && d.Name() == "crash":
				return filepath.SkipDir
			case !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
				return nil
			}
			looked++
			files := token.NewFileSet()
			f, err := parser.ParseFile(files, name, nil, 0)
			if err != nil {
				return err
			}
			for _, spec := range f.Imports {
				if strings.Contains(spec.Path.Value, "errgroup") {
					t.Errorf("%s imports errgroup, whose goroutines may panic: use crash.Group", name)
				}
			}
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GoStmt:
					t.Errorf("%s: a goroutine that may panic: use crash.Go", files.Position(n.Pos()))
				case *ast.CallExpr:
					if withoutError(n) {
						t.Errorf("%s: a goroutine that may panic: use crash.Go", files.Position(n.Pos()))
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if looked < 300 {
		t.Errorf("only %d files were looked at", looked)
	}
}

// withoutError reports whether a call is as one of sync.WaitGroup.Go, whose function has no error;
// the functions of a [Group] have one.
func withoutError(call *ast.CallExpr) bool {
	if len(call.Args) != 1 {
		return false
	}
	method, isMethod := call.Fun.(*ast.SelectorExpr)
	f, isFunc := call.Args[0].(*ast.FuncLit)
	return isMethod && method.Sel.Name == "Go" && isFunc && f.Type.Results == nil
}
