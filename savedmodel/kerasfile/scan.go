package kerasfile

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/savedmodel/scan"
)

// Scan says what loading a file in Python does beside making layers and filling in numbers:
// bytecode and pickled objects that it runs, files that it reads, functions that it calls by name,
// arrays that are elsewhere or larger than what is stored of them, and parts of an archive that
// different programs read differently. Nothing is run. The worst findings stand first.
func Scan(path string) ([]scan.Finding, error) {
	m, err := open(path, true)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	findings := []scan.Finding{}
	if m.config != nil {
		findings = append(findings, scan.Config(m.config)...)
	}
	if m.noWeights != nil {
		findings = append(findings, scan.Finding{Kind: scan.OddArchive, Severity: scan.Unsafe, Layer: weightsName, Detail: m.noWeights.Error()})
	} else {
		if attrs, err := m.h5.Root().Attributes(); err == nil {
			findings = append(findings, scan.Config([]byte(m.tree.attr(attrs, "training_config")))...)
		}
		findings = append(findings, m.scanArrays()...)
	}
	if m.archive != nil {
		findings = append(findings, m.archive.scan()...)
	}
	scan.Sort(findings)
	return findings, nil
}

// What HDF5 arrays may declare beside what is stored, as Keras has it.
const (
	freeArray = 4 << 30
	maxArray  = 1000
)

// scanArrays judges what the HDF5 file holds.
func (m *Model) scanArrays() []scan.Finding {
	var findings []scan.Finding
	for _, o := range m.tree.odd {
		f := scan.Finding{Kind: scan.ReadsFiles, Severity: scan.Unsafe, Layer: o.path, Detail: o.what}
		if !o.outside {
			f.Kind, f.Severity = scan.OddArchive, scan.Dormant
		}
		findings = append(findings, f)
	}
	for _, v := range m.tree.all {
		stored, err := v.data.Stored()
		if n, ok := v.data.Shape.Count(); err == nil && (!ok || n > freeArray/int64(v.data.Type.Size) && n/maxArray > stored/int64(v.data.Type.Size)) {
			findings = append(findings, scan.Finding{
				Kind: scan.HugeTensor, Severity: scan.Unsafe, Layer: v.Key,
				Detail: fmt.Sprintf("an array of shape %v of which %d bytes are stored", v.Shape, stored),
			})
		}
	}
	return findings
}

// scan judges the parts of a zip.
func (a *archive) scan() []scan.Finding {
	var findings []scan.Finding
	add := func(kind scan.FindingKind, severity scan.Severity, name, format string, args ...any) {
		findings = append(findings, scan.Finding{Kind: kind, Severity: severity, Layer: name, Detail: fmt.Sprintf(format, args...)})
	}
	seen := map[string]bool{}
	for _, e := range a.zip.File {
		clean := strings.ReplaceAll(e.Name, `\`, "/")
		switch {
		case e.Mode()&fs.ModeSymlink != 0:
			add(scan.AssetPath, scan.Unsafe, e.Name, "a link, which may lead out of the folder that the archive is unpacked to")
		case !fs.ValidPath(strings.TrimSuffix(clean, "/")) || strings.Contains(clean, ":"):
			add(scan.AssetPath, scan.Unsafe, e.Name, "a path that leads out of the folder that the archive is unpacked to")
		case seen[clean]:
			add(scan.OddArchive, scan.Unsafe, e.Name, "a name that the archive has twice: which of them is read depends on the program")
		case tooLarge(e):
			add(scan.OddArchive, scan.Unsafe, e.Name, "%d bytes that grow to %d", e.CompressedSize64, e.UncompressedSize64)
		case e.Flags&1 != 0:
			add(scan.OddArchive, scan.Dormant, e.Name, "an encrypted part")
		case !known(clean):
			kind, detail := unknownPart(clean)
			add(kind, scan.Dormant, e.Name, "%s", detail)
		}
		seen[clean] = true
	}
	return append(findings, a.overlaps()...)
}

// known reports whether Keras writes parts of a name.
func known(name string) bool {
	switch name {
	case configName, metaName, weightsName:
		return true
	}
	return strings.HasPrefix(name, "assets/")
}

// unknownPart says what a part that Keras does not write may do.
func unknownPart(name string) (scan.FindingKind, string) {
	switch path.Ext(name) {
	case ".npz", ".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib":
		return scan.RunsPython, "a file of a kind that may hold pickled Python objects"
	}
	return scan.OddArchive, "a file that Keras does not write"
}

// overlaps finds parts that share their bytes, as the bombs do that grow without end.
func (a *archive) overlaps() []scan.Finding {
	type span struct {
		from, to int64
		name     string
	}
	var spans []span
	for _, e := range a.zip.File {
		if at, err := e.DataOffset(); err == nil && e.CompressedSize64 > 0 {
			spans = append(spans, span{at, at + int64(e.CompressedSize64), e.Name})
		}
	}
	slices.SortFunc(spans, func(x, y span) int { return cmp.Compare(x.from, y.from) })
	var findings []scan.Finding
	for i := 1; i < len(spans); i++ {
		if spans[i].from < spans[i-1].to {
			findings = append(findings, scan.Finding{
				Kind: scan.OddArchive, Severity: scan.Unsafe, Layer: spans[i].name, Detail: fmt.Sprintf("it shares its bytes with %q", spans[i-1].name),
			})
		}
	}
	return findings
}
