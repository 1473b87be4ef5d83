// Command arrows shows which files of a package refer to each other: for each package, in the order
// of files that has the fewest arrows against it, how many there are and how many run back up.
//
//	arrows [-v] PACKAGE...
//
// An arrow goes from a file to each other file whose declarations, methods or fields it uses. With
// -v the order is listed, and each arrow that runs back up with what it is for.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	verbose := flag.Bool("v", false, "list the order of the files and the arrows that run back up")
	flag.Parse()
	pkgs, err := load("", os.Environ(), flag.Args()...)
	if err != nil {
		fmt.Fprintln(os.Stderr, "arrows:", err)
		os.Exit(1)
	}
	for _, p := range pkgs {
		p.print(os.Stdout, *verbose)
	}
}

// Package is a package's files and the arrows between them.
type Package struct {
	Path  string
	Files []string                              // from the bottom up
	Uses  map[string]map[string]map[string]bool // what a file uses of another, by name
	Lines int
}

// listed is what `go list` says of a package.
type listed struct {
	ImportPath, Dir, Export string
	CompiledGoFiles         []string
	DepOnly                 bool
}

// load reads packages of the module in dir, "" for the working directory, with their types, as an
// environment builds them. What they import is taken from the build cache.
func load(dir string, env []string, patterns ...string) ([]*Package, error) {
	list := exec.Command("go", append([]string{"list", "-export", "-deps", "-compiled", "-json=ImportPath,Dir,Export,CompiledGoFiles,DepOnly"}, patterns...)...)
	list.Stderr, list.Dir, list.Env = os.Stderr, dir, env
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	exports := map[string]string{}
	var wanted []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		if exports[l.ImportPath] = l.Export; !l.DepOnly {
			wanted = append(wanted, l)
		}
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	var pkgs []*Package
	for _, l := range wanted {
		p, err := read(fset, imports, l)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.ImportPath, err)
		}
		pkgs = append(pkgs, p)
	}
	return pkgs, nil
}

// read finds the arrows of a package.
func read(fset *token.FileSet, imports types.Importer, l listed) (*Package, error) {
	p := &Package{Path: l.ImportPath, Uses: map[string]map[string]map[string]bool{}}
	var files []*ast.File
	for _, name := range l.CompiledGoFiles {
		if !filepath.IsAbs(name) {
			name = filepath.Join(l.Dir, name)
		}
		f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: imports, FakeImportC: true}
	pkg, err := config.Check(l.ImportPath, fset, files, info)
	if err != nil {
		return nil, err
	}
	file := func(pos token.Pos) string { return filepath.Base(fset.Position(pos).Filename) }
	for _, f := range files {
		if name := file(f.Package); p.Uses[name] == nil && !strings.HasPrefix(name, "_cgo") {
			p.Uses[name] = map[string]map[string]bool{}
			p.Files = append(p.Files, name)
			p.Lines += fset.Position(f.End()).Line
		}
	}
	for id, o := range info.Uses {
		from, to := file(id.Pos()), file(o.Pos())
		if o.Pkg() != pkg || from == to || p.Uses[from] == nil || p.Uses[to] == nil {
			continue
		}
		if p.Uses[from][to] == nil {
			p.Uses[from][to] = map[string]bool{}
		}
		p.Uses[from][to][o.Name()] = true
	}
	p.order()
	return p, nil
}

// order puts the files in an order with few arrows against it: from several orders, each file is
// moved to where it has the fewest, until no move helps.
func (p *Package) order() {
	slices.Sort(p.Files)
	random := rand.New(rand.NewPCG(1, 1))
	names, best := slices.Clone(p.Files), slices.Clone(p.Files)
	fewest := len(p.Back())
	for range restarts {
		for before := math.MaxInt; len(p.Back()) < before; {
			before = len(p.Back())
			for _, f := range names {
				p.move(f)
			}
		}
		if n := len(p.Back()); n < fewest {
			fewest, best = n, slices.Clone(p.Files)
		}
		random.Shuffle(len(p.Files), func(i, j int) { p.Files[i], p.Files[j] = p.Files[j], p.Files[i] })
	}
	p.Files = best
}

// restarts is how many orders a search begins with.
const restarts = 40

// move puts a file to where the fewest of its arrows, and of those to it, run back up.
func (p *Package) move(file string) {
	rest := slices.DeleteFunc(slices.Clone(p.Files), func(f string) bool { return f == file })
	bad := 0 // at the bottom, all that it uses is above it
	for _, f := range rest {
		if p.Uses[file][f] != nil {
			bad++
		}
	}
	best, place := bad, 0
	for i, f := range rest {
		if p.Uses[file][f] != nil {
			bad--
		}
		if p.Uses[f][file] != nil {
			bad++
		}
		if bad < best {
			best, place = bad, i+1
		}
	}
	p.Files = slices.Insert(rest, place, file)
}

// Arrows counts the arrows.
func (p *Package) Arrows() int {
	n := 0
	for _, to := range p.Uses {
		n += len(to)
	}
	return n
}

// Back lists the arrows that run back up, each as a file and the one above it that it uses.
func (p *Package) Back() [][2]string {
	var back [][2]string
	for i, from := range p.Files {
		for _, to := range p.Files[i+1:] {
			if p.Uses[from][to] != nil {
				back = append(back, [2]string{from, to})
			}
		}
	}
	return back
}

func (p *Package) print(w io.Writer, verbose bool) {
	back, all := p.Back(), p.Arrows()
	fmt.Fprintf(w, "%s: %d files, %d lines, %d of %d arrows run back up (%.0f %%)\n", p.Path, len(p.Files), p.Lines, len(back), all, 100*float64(len(back))/float64(max(all, 1)))
	if !verbose {
		return
	}
	fmt.Fprintln(w, "  from the bottom up:", strings.Join(p.Files, " "))
	for _, b := range back {
		fmt.Fprintf(w, "  %s → %s: %s\n", b[0], b[1], strings.Join(slices.Sorted(maps.Keys(p.Uses[b[0]][b[1]])), " "))
	}
}
