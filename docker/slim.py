#!/usr/bin/env python3
"""Make a shared library smaller without touching its code or data.

usage: slim.py [--exports PATTERN] [--partner FILE]... [--runpath PATH] [--relr] LIBRARY OUTPUT

Always: what the loader does not map (symbol and string tables for debuggers, comments) is left out,
as strip does.

With --exports, the library becomes what the linker makes with a version script and -Bsymbolic: of
the symbols that it defines, those that match the pattern or that a partner knows by name stay
visible; of all others name, table entry and hash are gone. References from within to what no
partner knows are resolved here instead of by every process that opens the library. Of
libtensorflow_cc.so.2 that is 100 MB of names and most of the time that opening it takes. A partner
is a library that is opened together with this one. What both of them name (C++ makes many such
definitions: inline functions, type information, static variables of templates) is still resolved by
the loader, so each has one address in the process. Symbols of kinds that only the loader can
resolve (TLS, ifunc, unique) stay as they are.

--runpath replaces the folders in which the library's own libraries are looked for. --relr packs the
relocations that are left after --exports into a few bits each (DT_RELR); the result needs glibc
2.36.

Little-endian ELF for x86-64 and AArch64. Whatever is not understood is an error, never a guess.
"""

import argparse
import mmap
import os
import re
import struct
import sys

EHDR, PHDR, SHDR = struct.Struct("<16sHHIQQQIHHHHHH"), struct.Struct("<IIQQQQQQ"), struct.Struct("<IIQQQQIIQQ")
SYM, RELA, DYN = struct.Struct("<IBBHQQ"), struct.Struct("<QQq"), struct.Struct("<qQ")

PT_LOAD, PT_DYNAMIC, PT_PHDR, PT_NOTE = 1, 2, 6, 4
SHF_ALLOC, SHT_NOBITS = 2, 8
DT_NULL, DT_NEEDED, DT_PLTRELSZ, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_RELA, DT_RELASZ = 0, 1, 2, 4, 5, 6, 7, 8
DT_STRSZ, DT_SONAME, DT_RPATH, DT_PLTREL, DT_JMPREL, DT_RUNPATH = 10, 14, 15, 20, 23, 29
DT_RELRSZ, DT_RELR, DT_RELRENT = 35, 36, 37
DT_GNU_HASH, DT_VERSYM, DT_RELACOUNT = 0x6FFFFEF5, 0x6FFFFFF0, 0x6FFFFFF9
DT_VERDEF, DT_VERDEFNUM, DT_VERNEED, DT_VERNEEDNUM = 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF
STT_TLS, STT_IFUNC, STB_UNIQUE, SHN_ABS = 6, 10, 10, 0xFFF1

# Relocations by machine: RELATIVE, IRELATIVE, and those whose value is the symbol's address plus
# the addend.
RELOCATIONS = {62: (8, 37, {1, 6, 7}), 183: (1027, 1032, {257, 1025, 1026})}

# The tables that --exports rewrites, in the order in which they are laid out again.
TABLES = (".dynsym", ".gnu.version", ".gnu.version_d", ".gnu.version_r", ".gnu.hash", ".dynstr", ".rela.dyn", ".relr.dyn", ".rela.plt")


class Malformed(Exception):
    pass


class Library:
    """An ELF shared library, read but not changed."""

    def __init__(self, path, kinds=(3,)):
        self.path = path
        with open(path, "rb") as f:
            self.data = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
        (ident, kind, self.machine, _, _, phoff, shoff, self.flags, _, phsize, phnum, _, shnum, shstrndx) = EHDR.unpack_from(self.data)
        if ident[:6] != b"\x7fELF\x02\x01" or kind not in kinds or self.machine not in RELOCATIONS or phsize != PHDR.size:
            raise Malformed("not a 64-bit shared library for x86-64 or AArch64")
        self.ident = ident
        self.segments = [list(PHDR.unpack_from(self.data, phoff + i * PHDR.size)) for i in range(phnum)]
        self.sections = [list(SHDR.unpack_from(self.data, shoff + i * SHDR.size)) for i in range(shnum)]
        if not self.sections:
            raise Malformed("no section headers")
        self.names = [self.string(self.sections[shstrndx][4], s[0]) for s in self.sections]
        self.dynamic = self.read_dynamic()
        dynsym = self.section(".dynsym")
        self.symbols = list(SYM.iter_unpack(self.data[dynsym[4] : dynsym[4] + dynsym[5]]))
        dynstr = self.section(".dynstr")
        self.strings = self.data[dynstr[4] : dynstr[4] + dynstr[5]]

    def section(self, name):
        """Return the header of a section."""
        return self.sections[self.names.index(name)]

    def string(self, table, offset):
        start = table + offset
        return self.data[start : self.data.find(b"\0", start)].decode()

    def name(self, offset):
        """Return a string of the dynamic string table."""
        return self.strings[offset : self.strings.index(b"\0", offset)]

    def read_dynamic(self):
        _, _, offset, _, _, size, _, _ = next(s for s in self.segments if s[0] == PT_DYNAMIC)
        self.dynamic_offset, self.dynamic_size = offset, size
        entries = []
        for tag, value in DYN.iter_unpack(self.data[offset : offset + size]):
            if tag == DT_NULL:
                break
            entries.append((tag, value))
        return entries

    def tag(self, tag, default=0):
        return next((v for t, v in self.dynamic if t == tag), default)

    def symbol_names(self):
        """Return the set of all names in the dynamic symbol table, defined here or not."""
        return {self.name(s[0]) for s in self.symbols[1:]}

    def at(self, address, size):
        """Return size bytes of what the loader maps at an address of the first segment."""
        first = next(s for s in self.segments if s[0] == PT_LOAD)
        offset = address - first[3] + first[2]
        return self.data[offset : offset + size]


class Strings:
    """A string table under construction: each string once."""

    def __init__(self):
        self.data, self.offsets = bytearray(b"\0"), {b"": 0}

    def add(self, s):
        if s not in self.offsets:
            self.offsets[s] = len(self.data)
            self.data += s + b"\0"
        return self.offsets[s]


def gnu_hash(name):
    h = 5381
    for c in name:
        h = (h * 33 + c) & 0xFFFFFFFF
    return h


def hash_table(hashes, first):
    """Return the order of symbols by bucket, and DT_GNU_HASH's table for symbols that start at
    index first."""
    n = len(hashes)
    buckets = max(1, n // 4)
    words = 1 << max(0, (n * 12 // 64).bit_length())
    order = sorted(range(n), key=lambda i: hashes[i] % buckets)
    bloom, starts, chain = [0] * words, [0] * buckets, []
    for position, i in enumerate(order):
        h = hashes[i]
        bloom[h // 64 % words] |= 1 << h % 64 | 1 << (h >> 26) % 64
        b = h % buckets
        starts[b] = starts[b] or first + position
        last = position + 1 == n or hashes[order[position + 1]] % buckets != b
        chain.append(h & ~1 | last)
    table = struct.pack("<IIII", buckets, first, words, 26)
    return order, table + struct.pack("<%dQ" % words, *bloom) + struct.pack("<%dI" % (buckets + n), *starts, *chain)


def copy_versions(lib, section, strings, definitions):
    """Return a section of version definitions or needs with its strings moved to the new table."""
    if section not in lib.names:
        return b""
    header = lib.section(section)
    data = bytearray(lib.data[header[4] : header[4] + header[5]])

    def move(offset):
        (old,) = struct.unpack_from("<I", data, offset)
        struct.pack_into("<I", data, offset, strings.add(lib.name(old)))

    at = 0
    while True:
        if definitions:
            _, _, _, count, _, child, following = struct.unpack_from("<HHHHIII", data, at)
        else:
            _, count, _, child, following = struct.unpack_from("<HHIII", data, at)
            move(at + 4)
        aux = at + child
        for _ in range(count):
            move(aux if definitions else aux + 8)
            (step,) = struct.unpack_from("<I", data, aux + (4 if definitions else 12))
            aux += step
        if following == 0:
            return bytes(data)
        at += following


def need_relr(needs, definitions, strings):
    """Add to libc's entry of the version needs what glibc asks of a library with DT_RELR."""
    data, at, libc, used = bytearray(needs), 0, None, max(1, definitions)
    while True:
        _, count, file, child, following = struct.unpack_from("<HHIII", data, at)
        aux = at + child
        for i in range(count):
            _, _, other, _, step = struct.unpack_from("<IHHII", data, aux)
            used = max(used, other & 0x7FFF)
            if i + 1 < count:
                aux += step
        if strings.data.startswith(b"libc.so.6\0", file):
            libc = (at, aux)
        if following == 0:
            break
        at += following
    if libc is None:
        raise Malformed("it needs no version of libc")
    entry, last = libc
    marker = b"GLIBC_ABI_DT_RELR"
    struct.pack_into("<H", data, entry + 2, struct.unpack_from("<H", data, entry + 2)[0] + 1)
    struct.pack_into("<I", data, last + 12, len(data) - last)
    # Definitions and needs are numbered together.
    return bytes(data) + struct.pack("<IHHII", sysv_hash(marker), 0, used + 1, strings.add(marker), 0)


def sysv_hash(name):
    """The hash of version names: ELF's first one."""
    h = 0
    for c in name:
        h = (h << 4) + c
        g = h & 0xF0000000
        h = (h ^ g >> 24) & ~g & 0xFFFFFFFF
    return h


def pack_relr(addresses):
    """Return DT_RELR's table for sorted addresses, multiples of 8: an address, then bitmaps of the
    63 words that follow."""
    words, i = [], 0
    while i < len(addresses):
        words.append(addresses[i])
        base = addresses[i] + 8
        i += 1
        while i < len(addresses) and addresses[i] < base + 63 * 8:
            bits = 0
            while i < len(addresses) and addresses[i] < base + 63 * 8:
                bits |= 1 << (addresses[i] - base) // 8
                i += 1
            words.append(bits << 1 | 1)
            base += 63 * 8
    return struct.pack("<%dQ" % len(words), *words)


def choose(lib, pattern, partners):
    """Return two sets of symbol indices: which stay, and which of these the loader has to
    resolve."""
    known = set()
    for p in partners:
        known |= p.symbol_names()
    wanted = re.compile(pattern.encode())
    _, _, resolvable = RELOCATIONS[lib.machine]
    stay, dynamic = set(), set()
    for i, (name, info, _, shndx, _, _) in enumerate(lib.symbols):
        text = lib.name(name)
        if i == 0:
            continue
        special = info & 15 in (STT_TLS, STT_IFUNC) or info >> 4 == STB_UNIQUE or shndx == SHN_ABS
        if shndx == 0 or special or text in known:
            dynamic.add(i)
        elif wanted.fullmatch(text):
            stay.add(i)
    for _, info, _ in relocations(lib):
        if info >> 32 and info & 0xFFFFFFFF not in resolvable:
            dynamic.add(info >> 32)
    return stay | dynamic, dynamic


def relocations(lib):
    yield from RELA.iter_unpack(lib.at(lib.tag(DT_RELA), lib.tag(DT_RELASZ)))
    yield from RELA.iter_unpack(lib.at(lib.tag(DT_JMPREL), lib.tag(DT_PLTRELSZ)))


def relocate(lib, index, dynamic):
    """Return all relocations: relative ones, sorted, and the packed table of the others.

    Those of symbols that the loader need not resolve become relative. Slots of the procedure
    linkage table are among them, and the indices in its code no longer fit: the loader fills what
    is left of it at once, not at the first call.
    """
    relative, irelative, _ = RELOCATIONS[lib.machine]
    fixed, symbolic, last = [], [], []
    for offset, info, addend in relocations(lib):
        kind, symbol = info & 0xFFFFFFFF, info >> 32
        if kind == relative:
            fixed.append((offset, relative, addend))
        elif kind == irelative:
            last.append((offset, info, addend))
        elif symbol == 0 or symbol in dynamic:
            symbolic.append((offset, index.get(symbol, 0) << 32 | kind, addend))
        else:
            fixed.append((offset, relative, lib.symbols[symbol][4] + addend))
    symbolic.sort(key=lambda r: (r[1] >> 32, r[0]))  # the loader remembers the last symbol that it looked up
    return sorted(fixed), b"".join(RELA.pack(*r) for r in symbolic + last)


def make_tables(lib, stay, runpath, relr):
    """Return the new tables of names by section, the map of symbol indices, and the strings."""
    strings = Strings()
    undefined = [i for i in sorted(stay) if lib.symbols[i][3] == 0]
    defined = [i for i in sorted(stay) if lib.symbols[i][3] != 0]
    texts = [lib.name(lib.symbols[i][0]) for i in defined]
    order, hashes = hash_table([gnu_hash(t) for t in texts], 1 + len(undefined))
    final = undefined + [defined[k] for k in order]
    symbols = [SYM.pack(0, 0, 0, 0, 0, 0)]
    for i in final:
        name, *rest = lib.symbols[i]
        symbols.append(SYM.pack(strings.add(lib.name(name)), *rest))
    tables = {".dynsym": b"".join(symbols), ".gnu.hash": hashes}
    if ".gnu.version" in lib.names:
        header = lib.section(".gnu.version")
        old = struct.unpack("<%dH" % len(lib.symbols), lib.data[header[4] : header[4] + header[5]])
        tables[".gnu.version"] = struct.pack("<%dH" % (len(final) + 1), 0, *(old[i] for i in final))
    tables[".gnu.version_d"] = copy_versions(lib, ".gnu.version_d", strings, True)
    tables[".gnu.version_r"] = copy_versions(lib, ".gnu.version_r", strings, False)
    if relr:
        tables[".gnu.version_r"] = need_relr(tables[".gnu.version_r"], lib.tag(DT_VERDEFNUM), strings)
    for tag, value in lib.dynamic:
        if tag in (DT_NEEDED, DT_SONAME) or tag in (DT_RPATH, DT_RUNPATH) and runpath is None:
            strings.add(lib.name(value))
    if runpath is not None:
        strings.add(runpath.encode())
    tables[".dynstr"] = bytes(strings.data)
    return tables, {old: new + 1 for new, old in enumerate(final)}, strings


class Plan:
    """What the new file holds: pieces of bytes by file offset, and the headers."""

    def __init__(self, lib):
        self.segments = [list(s) for s in lib.segments]
        self.sections = [list(s) for s in lib.sections]
        self.pieces = []  # (new offset, bytes)


def place(lib, tables):
    """Lay the new tables out at the start of the file; return section addresses, their end, and
    where the rest begins."""
    mapped = [(s[3], n) for s, n in zip(lib.sections, lib.names) if s[2] & SHF_ALLOC and s[5]]
    rest = min(a for a, n in mapped if n not in TABLES)
    if any(a >= rest for a, n in mapped if n in TABLES):
        raise Malformed("its tables are not at its start, in the order that is understood")
    first = next(s for s in lib.segments if s[0] == PT_LOAD)
    if first[2] != 0 or first[3] != 0 or DT_HASH in dict(lib.dynamic):
        raise Malformed("its first segment or hash table is of a kind that is not understood")
    at = EHDR.size + (len(lib.segments) + 1) * PHDR.size
    addresses = {}
    for name in TABLES:
        if tables.get(name):
            at = (at + 15) & ~15
            addresses[name] = at
            at += len(tables[name])
    if rest >= first[5]:
        raise Malformed("its first segment holds tables alone")
    page = first[7]
    if (at + page - 1) // page * page > rest // page * page:
        raise Malformed("nothing to gain")
    return addresses, at, rest // page * page, page


def new_dynamic(lib, tables, addresses, strings, relative, runpath):
    """Return the dynamic section: same place, same size."""
    replaced = {
        DT_STRTAB: addresses[".dynstr"], DT_STRSZ: len(tables[".dynstr"]), DT_SYMTAB: addresses[".dynsym"], DT_GNU_HASH: addresses[".gnu.hash"],
        DT_RELA: addresses[".rela.dyn"], DT_RELASZ: len(tables[".rela.dyn"]), DT_RELACOUNT: relative,
        DT_VERSYM: addresses.get(".gnu.version"), DT_VERDEF: addresses.get(".gnu.version_d"), DT_VERNEED: addresses.get(".gnu.version_r"),
    }  # fmt: skip
    gone = {DT_JMPREL, DT_PLTRELSZ, DT_PLTREL} | ({DT_RPATH, DT_RUNPATH} if runpath is not None else set()) | (set() if relative else {DT_RELACOUNT})
    entries = []
    for tag, value in lib.dynamic:
        if tag in (DT_NEEDED, DT_SONAME, DT_RPATH, DT_RUNPATH) and tag not in gone:
            value = strings.add(lib.name(value))
        if tag not in gone:
            entries.append((tag, replaced.get(tag, value)))
    if runpath is not None:
        entries.append((DT_RUNPATH, strings.offsets[runpath.encode()]))
    if ".relr.dyn" in addresses:
        entries += [(DT_RELR, addresses[".relr.dyn"]), (DT_RELRSZ, len(tables[".relr.dyn"])), (DT_RELRENT, 8)]
    data = b"".join(DYN.pack(*e) for e in entries)
    if len(data) + DYN.size > lib.dynamic_size:
        raise Malformed("no room for another entry in its dynamic section")
    return data.ljust(lib.dynamic_size, b"\0")


def split_relative(lib, fixed, relr):
    """Divide relative relocations into those for DT_RELA and those for DT_RELR; only what is at its
    word can be packed."""
    if not relr:
        return fixed, []
    if DT_RELR in dict(lib.dynamic):
        raise Malformed("its relocations are packed already")
    return [r for r in fixed if r[0] % 8], [r for r in fixed if not r[0] % 8]


def hide(lib, pattern, partners, runpath, relr):
    """Plan the library with only the wanted exports."""
    stay, dynamic = choose(lib, pattern, partners)
    tables, index, strings = make_tables(lib, stay, runpath, relr)
    fixed, others = relocate(lib, index, dynamic)
    plain, packed = split_relative(lib, fixed, relr)
    tables[".rela.dyn"] = b"".join(RELA.pack(*r) for r in plain) + others
    tables[".relr.dyn"] = pack_relr([r[0] for r in packed])
    addresses, end, rest, page = place(lib, tables)
    plan, moved = Plan(lib), rest - (end + page - 1) // page * page
    split_segment(plan, end, rest, moved)
    for s, name in zip(plan.sections, lib.names):
        if name in TABLES:
            s[3] = s[4] = addresses.get(name, end)
            s[5] = len(tables.get(name, b""))
        elif s[2] & SHF_ALLOC and s[4] >= rest:
            s[4] -= moved
        if name == ".dynsym":
            s[7] = 1
    plan.pieces += [(addresses[n], tables[n]) for n in addresses]
    words = {r[0]: r[2] & 0xFFFFFFFFFFFFFFFF for r in packed}
    for s in (s for s in lib.segments if s[0] == PT_LOAD):
        start = max(s[2], rest)
        plan.pieces.append((start - moved, with_words(lib.data[start : s[2] + s[5]], s[3] + start - s[2], words)))
    dynamic_section = new_dynamic(lib, tables, addresses, strings, len(plain), runpath)
    plan.pieces.append((lib.dynamic_offset - moved, dynamic_section))
    return plan


def with_words(data, address, words):
    """Return data that is mapped at address with the words in it that packed relocations add the
    base to."""
    mine = [a for a in words if address <= a < address + len(data)]
    if not mine:
        return data
    data = bytearray(data)
    for a in mine:
        struct.pack_into("<Q", data, a - address, words[a])
    return data


def split_segment(plan, end, rest, moved):
    """Let the first segment end after the new tables, and map what followed the old ones by a
    segment of its own."""
    for s in plan.segments:
        if s[2] >= rest:
            s[2] -= moved
    first = next(i for i, s in enumerate(plan.segments) if s[0] == PT_LOAD)
    whole = plan.segments[first]
    second = list(whole)
    second[2], second[3], second[4] = rest - moved, rest, rest
    second[5] = second[6] = whole[5] - rest
    whole[5] = whole[6] = end
    plan.segments.insert(first + 1, second)
    for s in plan.segments:
        if s[0] == PT_PHDR:
            s[5] = s[6] = len(plan.segments) * PHDR.size


def strip(lib):
    """Plan the library as it is, less what is not mapped."""
    plan = Plan(lib)
    plan.pieces += [(s[2], lib.data[s[2] : s[2] + s[5]]) for s in lib.segments if s[0] == PT_LOAD]
    return plan


def write(lib, plan, path):
    """Write the planned file, with the section headers of what is mapped at its end."""
    keep = [i for i, s in enumerate(plan.sections) if i == 0 or s[2] & SHF_ALLOC]
    if keep != list(range(len(keep))):
        raise Malformed("a section that is not mapped precedes one that is: symbols would lose their sections")
    names = Strings()
    headers = []
    for i in keep:
        s = list(plan.sections[i])
        s[0] = names.add(lib.names[i].encode())
        s[6] = s[6] if s[6] < len(keep) else 0
        headers.append(s)
    own = names.add(b".shstrtab")
    end = (max(at + len(b) for at, b in plan.pieces) + 15) & ~15
    headers.append([own, 3, 0, 0, end, len(names.data), 0, 0, 1, 0])
    table = (end + len(names.data) + 15) & ~15
    with open(path, "wb") as f:
        for at, piece in plan.pieces:
            f.seek(at)
            f.write(piece)
        f.seek(0)
        f.write(EHDR.pack(lib.ident, 3, lib.machine, 1, 0, EHDR.size, table, lib.flags, EHDR.size, PHDR.size, len(plan.segments), SHDR.size, len(headers), len(headers) - 1))
        f.write(b"".join(PHDR.pack(*s) for s in plan.segments))
        f.seek(end)
        f.write(names.data)
        f.seek(table)
        f.write(b"".join(SHDR.pack(*s) for s in headers))
    os.chmod(path, 0o755)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n")[2][7:])
    parser.add_argument("--exports")
    parser.add_argument("--partner", action="append", default=[])
    parser.add_argument("--runpath")
    parser.add_argument("--relr", action="store_true")
    parser.add_argument("library")
    parser.add_argument("output")
    o = parser.parse_args()
    try:
        lib = Library(o.library)
        plan = strip(lib) if o.exports is None else hide(lib, o.exports, [Library(p) for p in o.partner], o.runpath, o.relr)
        write(lib, plan, o.output)
    except (OSError, ValueError, Malformed, struct.error, StopIteration) as err:
        sys.exit("slim: error: %s: %s" % (o.library, err))
    before, after = os.path.getsize(o.library), os.path.getsize(o.output)
    print("slim: %s: %.1f MB, was %.1f MB" % (os.path.basename(o.output), after / 1e6, before / 1e6), file=sys.stderr)


if __name__ == "__main__":
    main()
