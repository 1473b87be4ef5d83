#!/usr/bin/env python3
"""Check that every library that a program or library below a root folder names is there, where the
loader looks.

usage: closure.py ROOT [NAME-FROM-ELSEWHERE]...
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docker"))
import slim  # noqa: E402


def files(root):
    """Yield all dynamic ELF files."""
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.islink(path) or not os.path.isfile(path) or os.path.getsize(path) < slim.EHDR.size:
                continue
            with open(path, "rb") as f:
                if f.read(4) != b"\x7fELF":
                    continue
            yield path


def needs(path):
    """Return the names that an ELF file needs and its search path, or nothing for a static one."""
    try:
        lib = slim.Library(path, kinds=(2, 3))
    except (slim.Malformed, StopIteration, ValueError):
        return [], []
    names = [lib.name(v).decode() for t, v in lib.dynamic if t == slim.DT_NEEDED]
    paths = [lib.name(v).decode() for t, v in lib.dynamic if t in (slim.DT_RPATH, slim.DT_RUNPATH)]
    return names, [p for text in paths for p in text.split(":")]


def configured(root):
    """Return the folders of ld.so.conf.d, and those the loader knows."""
    found = ["/lib", "/usr/lib", "/lib64", "/usr/lib64"]
    for triple in ("x86_64-linux-gnu", "aarch64-linux-gnu"):
        found += ["/lib/" + triple, "/usr/lib/" + triple]
    folder = os.path.join(root, "etc/ld.so.conf.d")
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        found += [line.strip() for line in open(os.path.join(folder, name)) if line.startswith("/")]
    return found


def main():
    root, elsewhere = os.path.realpath(sys.argv[1]), set(sys.argv[2:])
    common, missing, count = configured(root), [], 0
    for path in files(root):
        names, search = needs(path)
        count += 1
        origin = os.path.dirname(path)
        folders = [p.replace("$ORIGIN", origin) for p in search] + [root + p for p in common]
        for name in names:
            if name not in elsewhere and not any(os.path.exists(os.path.join(f, name)) for f in folders):
                missing.append("%s needs %s" % (path[len(root) :], name))
    if missing or not count:
        sys.exit("closure: " + ("\n".join(missing) or "no programs found"))
    print("        %d programs and libraries, all that they need is there" % count)


if __name__ == "__main__":
    main()
