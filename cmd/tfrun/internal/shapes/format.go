package shapes

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Format is a way to write a document.
type Format struct {
	Name       string
	extensions []string
	write      func(*Document, io.Writer, Look) error
}

// formats are all formats, the default first.
var formats = []Format{
	{"text", []string{".txt"}, (*Document).WriteText},
	{"json", []string{".json"}, (*Document).WriteJSON},
	{"markdown", []string{".md", ".markdown"}, (*Document).WriteMarkdown},
	{"csv", []string{".csv"}, (*Document).WriteCSV},
	{"html", []string{".html", ".htm"}, (*Document).WriteHTML},
	{"mermaid", []string{".mmd", ".mermaid"}, (*Document).WriteMermaid},
	{"dot", []string{".dot", ".gv"}, (*Document).WriteDOT},
	{"svg", []string{".svg"}, (*Document).WriteSVG},
}

// FormatNames lists the formats, the default first.
func FormatNames() []string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = f.Name
	}
	return names
}

// FormatNamed returns the format with the given name.
func FormatNamed(name string) (Format, bool) {
	i := slices.IndexFunc(formats, func(f Format) bool { return f.Name == name })
	if i < 0 {
		return Format{}, false
	}
	return formats[i], true
}

// FormatOf returns the format that a file's extension shows; text if it has none. known is false
// for an extension of no format.
func FormatOf(file string) (f Format, known bool) {
	ext := strings.ToLower(filepath.Ext(file))
	for _, f := range formats {
		if slices.Contains(f.extensions, ext) {
			return f, true
		}
	}
	return formats[0], ext == "" || ext == ".txt" || file == os.DevNull
}

// Extensions lists the extensions that show a format.
func Extensions() []string {
	list := []string{".txt"}
	for _, f := range formats {
		for _, ext := range f.extensions {
			if ext != "" && ext != ".txt" {
				list = append(list, ext)
			}
		}
	}
	return list
}

// Write writes the document.
func (f Format) Write(w io.Writer, d *Document, look Look) error { return f.write(d, w, look) }
