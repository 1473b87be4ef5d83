package source

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/internal/regular"
	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/runner/internal/option"
)

// kindHead is the number of a file's first bytes that kindOf looks at: a tar archive is recognised
// by bytes after 257 others.
const kindHead = 512

// kind is a kind of file, recognised by its first bytes.
type kind struct {
	what   string // "compressed with bzip2", "an Excel workbook"
	format string // the format, for kinds that are read; otherwise ""
	// unpack is a command that writes the contents of a file to standard output; the file's name
	// follows it.
	unpack string
	// advice says what to do if there is no such command. FILE in it stands for the name in a
	// shell, NAME for the name in Python.
	advice string
}

// signature is the bytes that files of a kind have.
type signature struct {
	magic string
	at    int // place of the bytes
	kind
	// binary says that a text may have these bytes too: the file is of the kind only if a zero byte
	// follows.
	binary bool
}

var signatures = []signature{
	{magic: "\xfd7zXZ\x00", kind: kind{what: "compressed with xz", unpack: "xz -dc"}},
	{magic: "\x5d\x00\x00", kind: kind{what: "compressed with lzma", unpack: "xz -dc --format=lzma"}},
	{magic: "LZIP\x01", kind: kind{what: "compressed with lzip", unpack: "lzip -dc"}},
	{magic: "\x04\x22\x4d\x18", kind: kind{what: "compressed with lz4", unpack: "lz4 -dc"}},
	{magic: "\x02\x21\x4c\x18", kind: kind{what: "compressed with lz4", unpack: "lz4 -dc"}},
	{magic: "\xff\x06\x00\x00sNaPpY", kind: kind{what: "compressed with Snappy", unpack: "snzip -dc"}},
	{magic: "\x1f\x9d", kind: kind{what: "compressed with compress", unpack: "gzip -dc"}},
	{magic: "ustar", at: 257, kind: kind{what: "a tar archive", unpack: "tar -xOf"}, binary: true},
	{magic: "7z\xbc\xaf\x27\x1c", kind: kind{what: "a 7z archive", unpack: "7z x -so"}},
	{magic: "Rar!\x1a\x07", kind: kind{what: "a RAR archive", unpack: "unrar p -inul"}},
	{magic: "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", kind: workbook},
	{magic: "PAR1", kind: kind{what: "a Parquet file", format: "parquet"}, binary: true},
	{magic: "PARE", kind: kind{what: "an encrypted Parquet file", advice: "write it without encryption"}, binary: true},
	{magic: "ARROW1\x00\x00", kind: kind{what: "an Arrow file", format: "arrow"}},
	{magic: "FEA1", kind: kind{what: "a Feather file of version 1", advice: "write it as version 2: pyarrow.feather.write_feather(table, NAME)"}, binary: true},
	{magic: "ORC", kind: kind{what: "an ORC file", advice: "write it as Parquet: pyarrow.parquet.write_table(pyarrow.orc.read_table(NAME), 'rows.parquet')"}, binary: true},
	{magic: "Obj\x01", kind: kind{what: "an Avro file", advice: "write it as Parquet: polars.read_avro(NAME).write_parquet('rows.parquet')"}},
	{magic: "\x93NUMPY", kind: kind{what: "a NumPy array", format: "npy"}},
	{magic: "\x89HDF\r\n\x1a\n", kind: kind{what: "an HDF5 file", advice: "write its table as Parquet: pandas.read_hdf(NAME).to_parquet('rows.parquet')"}},
	{magic: "SQLite format 3\x00", kind: kind{what: "an SQLite database", advice: "write the table as CSV: sqlite3 -csv -header FILE 'select * from TABLE' > rows.csv"}},
	{magic: "\x80\x04\x95", kind: pickle},
	{magic: "\x80\x05\x95", kind: pickle},
	{magic: "%PDF-", kind: kind{what: "a PDF document", advice: "save its rows as CSV"}},
	{magic: "version https://git-lfs.github.com/spec/v1\n", kind: kind{what: "a pointer of Git LFS, and not the file itself", advice: "get the file: git lfs pull"}},
	{magic: "\xff\xfe\x00\x00", kind: kind{what: "text in UTF-32", unpack: "iconv -f UTF-32 -t UTF-8"}},
	{magic: "\x00\x00\xfe\xff", kind: kind{what: "text in UTF-32", unpack: "iconv -f UTF-32 -t UTF-8"}},
}

var (
	workbook = kind{what: "a workbook of Excel or the like", advice: "save the sheet as CSV UTF-8, or write it so: pandas.read_excel(NAME).to_csv('rows.csv', index=False)"}
	pickle   = kind{what: "a pickle of Python", advice: "write it as Parquet: pandas.read_pickle(NAME).to_parquet('rows.parquet')"}
)

// kindOf returns the kind of a file, by its first bytes. ok is false for text and for unknown
// kinds.
func kindOf(head []byte) (k kind, ok bool) {
	for _, s := range signatures {
		if len(head) >= s.at && bytes.HasPrefix(head[s.at:], []byte(s.magic)) && (!s.binary || bytes.IndexByte(head, 0) > 0) {
			return s.kind, true
		}
	}
	switch {
	case isBzip2(head):
		return kind{what: "compressed with bzip2", unpack: "bzip2 -dc"}, true
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return zipKind(head), true
	case bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return kind{what: "a zip archive without files", format: "npz"}, true
	}
	return utf16Kind(head)
}

// isBzip2 looks for the size of the blocks, and for the number that the first block begins with,
// or, in an empty archive, the number at its end.
func isBzip2(head []byte) bool {
	if len(head) < 10 || string(head[:3]) != "BZh" || head[3] < '1' || head[3] > '9' {
		return false
	}
	next := string(head[4:10])
	return next == "\x31\x41\x59\x26\x53\x59" || next == "\x17\x72\x45\x38\x50\x90"
}

// zipKind tells kinds of zip archives apart by the name of their first file.
func zipKind(head []byte) kind {
	const nameAt = 30
	if len(head) < nameAt {
		return kind{what: "a zip archive", unpack: "unzip -p"}
	}
	name := string(head[nameAt:min(nameAt+int(binary.LittleEndian.Uint16(head[26:])), len(head))])
	switch {
	case strings.HasSuffix(name, ".npy"):
		return kind{what: "an archive of NumPy arrays", format: "npz"}
	case name == "[Content_Types].xml", name == "mimetype", strings.HasPrefix(name, "_rels/"), strings.HasPrefix(name, "xl/"), strings.HasPrefix(name, "docProps/"):
		return workbook
	}
	return kind{what: fmt.Sprintf("a zip archive that holds %q", name), unpack: "unzip -p"}
}

// utf16Kind recognises text of Latin letters in UTF-16 without a byte order mark: every second byte
// is zero.
func utf16Kind(head []byte) (k kind, ok bool) {
	if len(head) < 4 || len(head)%2 != 0 && len(head) < kindHead {
		return k, false
	}
	head = head[:min(len(head), 64)&^1]
	for zeros, name := range []string{"UTF-16BE", "UTF-16LE"} {
		all := true
		for i := 0; i < len(head); i += 2 {
			all = all && head[i+zeros] == 0 && head[i+1-zeros] >= '\t' && head[i+1-zeros] < 0x7f
		}
		if all {
			return kind{what: "text in UTF-16 without a mark that says so", unpack: "iconv -f " + name + " -t UTF-8"}, true
		}
	}
	return k, false
}

// KindError says that a file is of a kind that is not read, or of another format than the options
// say.
type KindError struct {
	err  *option.Error
	hint string
}

// Error says what the file is.
func (e *KindError) Error() string { return e.err.Error() }

// Unwrap returns the error of the option.
func (e *KindError) Unwrap() error { return e.err }

// Hints returns what the user can type instead.
func (e *KindError) Hints() []string { return []string{e.hint} }

// misread returns the error of reading a file of this kind in a format; nil if it is that format's
// kind. If the format is "", the error says which one to name.
func (k kind) misread(name, format string) error {
	if k.format == format && format != "" {
		return nil
	}
	file := words.ShellFile(name)
	hint := strings.NewReplacer("FILE", file, "NAME", strconv.Quote(name)).Replace(k.advice)
	switch {
	case k.format != "":
		hint = "say so: --input-format " + k.format
	case k.unpack != "" && name == "-":
		hint = fmt.Sprintf("unpack it first: … | %s | tfrun predict MODEL -", k.unpack)
	case k.unpack != "":
		hint = fmt.Sprintf("unpack it first: %s %s | tfrun predict MODEL - --input-format %s", k.unpack, file, innerFormat(name, format))
	}
	what := strconv.Quote(name)
	if name == "-" {
		what = "standard input"
	}
	return &KindError{&option.Error{Option: "Files", Msg: what + " is " + k.what}, hint}
}

// innerFormat returns the format of a file's contents when they are unpacked, as far as the name
// shows.
func innerFormat(name, format string) string {
	if format != "" {
		return format
	}
	return cmp.Or(byExtension[extension(strings.TrimSuffix(name, filepath.Ext(name)))], "csv")
}

// unnamed returns an error about a file whose name shows no format, by its contents; err if these
// do not show it either.
func unnamed(name string, err error) error {
	if k, ok := kindOf(regular.Head(name, kindHead)); ok {
		return k.misread(name, "")
	}
	return err
}

// readsText reports whether a format's files are text.
func readsText(format string) bool {
	return slices.Contains([]string{"jsonl", "csv", "tsv", Text}, format)
}
