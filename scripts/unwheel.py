"""Unpack what libtensorflow needs from a TensorFlow wheel.

usage: unwheel.py WHEEL DEST

DEST gets lib/, include/ and licenses/. Every byte is checked against the archive's CRC-32;
whatever goes wrong is one line on stderr and exit status 1.
"""

import os
import re
import shutil
import sys
import zipfile

LIBRARIES = ("tensorflow/libtensorflow_cc.so.2", "tensorflow/libtensorflow_framework.so.2")
WANTED = (
    (re.compile(r"tensorflow/(lib\w+\.so\.2)"), "lib"),
    (re.compile(r"tensorflow/include/((?:tensorflow/c|tsl|xla/tsl/c)/.+\.h)"), "include"),
    (re.compile(r"tensorflow/include/(tensorflow/core/platform/ctstring\w*\.h)"), "include"),
    (re.compile(r"tensorflow/(THIRD_PARTY_NOTICES\.txt)"), "licenses"),
    (re.compile(r"tensorflow[\w.-]*\.dist-info/(?:licenses/)?(LICENSE[\w.]*|METADATA)"), "licenses"),
)


def target(name):
    """Return the path below DEST for an archive member, or None if it is not wanted."""
    for pattern, folder in WANTED:
        match = pattern.fullmatch(name)
        if match and ".." not in name.split("/"):
            return os.path.join(folder, *match.group(1).split("/"))
    return None


def copy(source, sink, progress):
    while True:
        block = source.read(1 << 22)
        if not block:
            return
        sink.write(block)
        progress(len(block))


def percent(total):
    """Return a function that takes bytes done and, on a terminal, shows the share done so far."""
    done = 0

    def add(n):
        nonlocal done
        done += n
        print("\rlibtensorflow: %3d %%" % (100 * done // total), end="", file=sys.stderr, flush=True)
        if done == total:
            print("\r", end="", file=sys.stderr)

    return add if sys.stderr.isatty() else lambda n: None


def unpack(wheel, dest):
    with zipfile.ZipFile(wheel) as archive:
        members = [(m, target(m.filename)) for m in archive.infolist()]
        members = [(m, path) for m, path in members if path]
        names = {m.filename for m, _ in members}
        for library in LIBRARIES:
            if library not in names:
                raise ValueError("holds no " + library)
        total = sum(m.file_size for m, _ in members)
        free = shutil.disk_usage(dest).free
        if free < total:
            raise OSError("needs %.0f MB in %s, which has %.0f MB free" % (total / 1e6, dest, free / 1e6))
        progress = percent(total)
        for member, path in members:
            path = os.path.join(dest, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(member) as source, open(path, "wb") as sink:
                copy(source, sink, progress)
            if ".so." in path:
                os.chmod(path, 0o755)
    print("libtensorflow: %d files, %.0f MB" % (len(members), total / 1e6), file=sys.stderr)


def main():
    wheel, dest = sys.argv[1:]
    try:
        unpack(wheel, dest)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zipfile.zlib.error) as err:
        sys.exit("libtensorflow: error: %s: %s" % (os.path.basename(wheel), err))


if __name__ == "__main__":
    main()
