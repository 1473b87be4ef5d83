//go:build cgo && !notf && linux

package tf

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// elfFile is a library with nothing but symbols.
func elfFile(t *testing.T, symbols []elf.Sym64, names string) []byte {
	t.Helper()
	const header, section = 64, 64
	var table bytes.Buffer
	write := func(v any) {
		t.Helper()
		if err := binary.Write(&table, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	sectionNames := "\x00.symtab\x00.strtab\x00"
	at := uint64(header + 3*section)
	size := uint64(len(symbols) * elf.Sym64Size)
	head := elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)}, Type: uint16(elf.ET_DYN),
		Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT), Shoff: header, Ehsize: header, Shentsize: section, Shnum: 3, Shstrndx: 2,
	}
	write(head)
	write(elf.Section64{})
	write(elf.Section64{Name: 1, Type: uint32(elf.SHT_SYMTAB), Off: at, Size: size, Link: 2, Entsize: elf.Sym64Size})
	write(elf.Section64{Name: 9, Type: uint32(elf.SHT_STRTAB), Off: at + size, Size: uint64(len(sectionNames) + len(names))})
	write(symbols)
	return append(table.Bytes(), sectionNames+names...)
}

// A variable of four bytes is found by the symbols for debuggers, where a file has them; a file
// that is damaged has none.
func TestHiddenVariable(t *testing.T) {
	t.Parallel()
	object, code := byte(elf.STT_OBJECT), byte(elf.STT_FUNC)
	names := "level.0\x00level_long\x00"
	const level, long = 17, 25 // behind the sections' names
	file := elfFile(t, []elf.Sym64{
		{},
		{Name: level, Info: code, Value: 1, Size: 4},
		{Name: level, Info: object, Value: 2, Size: 8},
		{Name: 1 << 31, Info: object, Value: 3, Size: 4},
		{Name: long, Info: object, Value: 4, Size: 4},
		{Name: level, Info: object, Value: 5, Size: 4},
	}, names)
	path := filepath.Join(t.TempDir(), "lib.so")
	for _, tt := range []struct {
		data []byte
		name string
		want uint64
	}{
		{file, "level.", 5},
		{file, "level_", 4},
		{file, "other", 0},
		{file[:len(file)-1], "level.", 0},
		{file[:100], "level.", 0},
		{nil, "level.", 0},
	} {
		if err := os.WriteFile(path, tt.data, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := hiddenVariable(path, tt.name); got != tt.want {
			t.Errorf("%q in %d bytes lies at %d, want %d", tt.name, len(tt.data), got, tt.want)
		}
	}
	if got := hiddenVariable(path+"no", "level."); got != 0 {
		t.Errorf("a file that there is not: %d", got)
	}
}
