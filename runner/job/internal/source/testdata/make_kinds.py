"""make_kinds.py writes kinds.json: the first bytes of files of kinds that are no files of rows, or
of another format than their names say, as other programs write them. It needs pyarrow, pandas,
polars and h5py.
"""

import base64
import bz2
import io
import json
import lzma
import os
import sqlite3
import tarfile
import tempfile
import zipfile

import h5py
import numpy
import pandas
import polars
import pyarrow
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet

TEXT = b"x,y\n1,2\n3,4\n"
table = pyarrow.table({"x": [1, 2], "y": ["a", "b"]})
kinds = {}


def made(name, write):
    """Notes the first bytes of the file that write writes under a name."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "file")
        write(path)
        with open(path, "rb") as f:
            kinds[name] = base64.b64encode(f.read(512)).decode()


def plain(data):
    """Returns a function that writes bytes to a file."""
    def write(path):
        with open(path, "wb") as f:
            f.write(data)
    return write


def zipped(*members):
    """Returns the bytes of an archive of members of some names."""
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w") as z:
        for m in members:
            z.writestr(m, TEXT)
    return b.getvalue()


def tarred():
    b = io.BytesIO()
    with tarfile.open(fileobj=b, mode="w") as t:
        info = tarfile.TarInfo("rows.csv")
        info.size = len(TEXT)
        t.addfile(info, io.BytesIO(TEXT))
    return b.getvalue()


def database(path):
    with sqlite3.connect(path) as c:
        c.execute("create table t (x)")


made("bzip2", plain(bz2.compress(TEXT)))
made("bzip2 of nothing", plain(bz2.compress(b"")))
made("xz", plain(lzma.compress(TEXT)))
made("lzma", plain(lzma.compress(TEXT, format=lzma.FORMAT_ALONE)))
stream = io.BytesIO()
with pyarrow.CompressedOutputStream(stream, "lz4") as out:
    out.write(TEXT)
    out.flush()
    lz4 = stream.getvalue()
made("lz4", plain(lz4))
made("zip", plain(zipped("rows.csv")))
made("Excel", plain(zipped("[Content_Types].xml", "_rels/.rels", "xl/workbook.xml")))
made("OpenDocument", plain(zipped("mimetype", "content.xml")))
made("tar", plain(tarred()))
made("ORC", lambda path: pyarrow.orc.write_table(table, path))
made("Avro", lambda path: polars.from_arrow(table).write_avro(path))
made("Parquet", lambda path: pyarrow.parquet.write_table(table, path))
made("Arrow", lambda path: pyarrow.feather.write_feather(table, path, compression="uncompressed"))
made("Feather 1", lambda path: pyarrow.feather.write_feather(table, path, version=1))
made("npy", lambda path: numpy.save(open(path, "wb"), numpy.arange(3)))
made("npz", lambda path: numpy.savez(open(path, "wb"), x=numpy.arange(3)))
made("HDF5", lambda path: h5py.File(path, "w").close())
made("SQLite", database)
made("pickle", lambda path: pandas.DataFrame({"x": [1]}).to_pickle(path))
made("Git LFS", plain(b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12\n"))
made("UTF-16 without a mark", plain(TEXT.decode().encode("utf-16-le")))
made("UTF-16BE without a mark", plain(TEXT.decode().encode("utf-16-be")))
made("UTF-32", plain(TEXT.decode().encode("utf-32")))

with open(os.path.join(os.path.dirname(__file__), "kinds.json"), "w") as f:
    json.dump(kinds, f, indent=1)
    f.write("\n")
