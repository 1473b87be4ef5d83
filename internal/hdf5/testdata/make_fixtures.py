"""Makes h5py.zip: small HDF5 files as h5py and Keras write them, with what h5py reads in them.

    python make_fixtures.py            # needs h5py, numpy, ml_dtypes, keras and tf_keras

Of each file expect.json lists the objects by path: attributes of texts, shapes, types, and the
SHA-256 of a dataset's values as they are stored ("" where they are in other files, or the reader
does not know the filter).
"""

import hashlib
import json
import os
import sys
import tempfile
import zipfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import h5py
import ml_dtypes
import numpy as np

VERSIONS = ["earliest", "v108", "v110", "latest"]
rng = np.random.default_rng(7)
files = {}


def make(name, libver="earliest", **kw):
    """Registers a function that fills a file."""

    def decorate(fill):
        def write(path):
            low = libver
            with h5py.File(path, "w", libver=(low, "latest") if low != "latest" else "latest", **kw) as f:
                fill(f)

        files[name] = write
        return fill

    return decorate


def each_version(name, **kw):
    def decorate(fill):
        for v in VERSIONS:
            make(f"{name}_{v}", v, **kw)(fill)
        return fill

    return decorate


@each_version("types")
def types(f):
    g = f.create_group("a/b")
    for t in "int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 bool".split():
        g[t] = (rng.random((3, 5)) * 100).astype(t)
    g["big_endian"] = np.arange(7, dtype=">i4")
    g["big_float"] = np.arange(7, dtype=">f8")
    g["scalar"] = np.float32(2.5)
    g["nothing"] = np.zeros((0, 3), "f4")
    g["null"] = h5py.Empty("f4")
    g["fixed"] = np.array([b"ab", b"cde"])
    g["variable"] = ["one", "two", "drei", ""]
    g.create_dataset("bf16", data=np.arange(6).astype(ml_dtypes.bfloat16)).attrs["dtype"] = "bfloat16"
    g["compound"] = np.zeros(3, dtype=[("x", "f4"), ("y", "i8", (2,)), ("z", "S3")])
    g["enum"] = np.array([1, 2], dtype=h5py.enum_dtype({"RED": 1, "BLUE": 2}, "i2"))
    g["ref"] = np.array([f.ref], dtype=h5py.ref_dtype)
    f["a/again"] = g["float32"]
    f.attrs["text"] = "größe"
    f.attrs["bytes"] = b"bytes"
    f.attrs["list"] = [b"a", b"bcd", b""]
    f.attrs["fixed"] = np.array([b"kernel:0", b"bias:0"])
    f.attrs["number"] = 7
    f.attrs["none"] = h5py.Empty("S1")
    f.attrs["long"] = "x" * 70_000
    g.attrs["class"] = np.bytes_("numpy")


def links(n):
    def fill(f):
        for i in range(n):
            f.create_group(f"child_{i}")
        f.attrs["n"] = str(n)

    return fill


for n in (1, 8, 9, 33, 700):
    make(f"links_{n}")(links(n))
    make(f"links_{n}_order", track_order=True)(links(n))
    make(f"links_{n}_v108", "v108")(links(n))


@make("links_long_names", "v108")
def long_names(f):
    for i in range(20):
        f.create_group("n" * (1 + 300 * i))


@make("links_long_names_many", "v108")
def many_long_names(f):
    for i in range(1400):
        f.create_group(f"{i:0500d}")


def attributes(n):
    def fill(f):
        g = f.create_group("g")
        for i in range(n):
            g.attrs[f"weight_names{i}"] = np.array([b"w%d" % i] * 40)

    return fill


make("attrs_200")(attributes(200))
make("attrs_200_order", track_order=True)(attributes(200))
make("attrs_200_latest", "latest")(attributes(200))


@make("attr_60k")
def attr_60k(f):
    f.attrs["layer_names"] = np.array([b"%040d" % i for i in range(1500)])


@make("attr_huge", "v108")
def attr_huge(f):
    f.attrs["layer_names"] = np.array([b"%040d" % i for i in range(5000)])
    f.attrs["small"] = np.array([b"a"])


def chunks(f):
    x = rng.integers(0, 9, (37, 21)).astype("f4")
    one = dict(data=x, chunks=(8, 5))
    f.create_dataset("plain", **one)
    f.create_dataset("gzip", compression="gzip", **one)
    f.create_dataset("gzip9_shuffle", compression="gzip", compression_opts=9, shuffle=True, **one)
    f.create_dataset("shuffle", shuffle=True, **one)
    f.create_dataset("fletcher", fletcher32=True, compression="gzip", **one)
    f.create_dataset("single", data=x, chunks=x.shape)
    f.create_dataset("single_gzip", data=x, chunks=x.shape, compression="gzip")
    f.create_dataset("row", data=np.arange(1000, dtype="i8"), chunks=(7,), compression="gzip", shuffle=True)
    f.create_dataset("deep", data=rng.random((3, 3, 4, 6)).astype("f2"), chunks=(2, 3, 3, 4))
    d = f.create_dataset("holes", (40, 40), "i4", chunks=(8, 8), fillvalue=-3)
    d[10:12, 30:31] = 5
    f.create_dataset("holes_contiguous", (5, 5), "f8", fillvalue=1.5)
    f.create_dataset("never", (5, 5), "f8", chunks=(2, 2))
    d = f.create_dataset("two_open", (6, 6), "f4", maxshape=(None, None), chunks=(4, 4), compression="gzip")
    d[...] = 3
    d.resize((9, 5))
    d[8] = 1
    f.create_dataset("two_open_plain", data=x, maxshape=(None, None), chunks=(4, 4))
    f.create_dataset("one_open", data=np.arange(50), maxshape=(None,), chunks=(8,))
    f.create_dataset("many", data=np.arange(3000, dtype="i4"), chunks=(1,))


each_version("chunks")(chunks)


@each_version("layouts")
def layouts(f):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple((3, 4))
    d = h5py.Dataset(h5py.h5d.create(f.id, b"compact", h5py.h5t.IEEE_F32LE, space, plist))
    d[...] = np.arange(12).reshape(3, 4)
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((2, 3))
    plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    d = h5py.Dataset(h5py.h5d.create(f.id, b"early", h5py.h5t.IEEE_F32LE, space, plist))
    d[...] = np.arange(12).reshape(3, 4)
    f["type"] = np.dtype("f8")
    d = f.create_dataset("named_type", (3,), dtype=f["type"])
    d[...] = 4
    d.attrs.create("a", np.array([b"x"]))


@make("elsewhere")
def elsewhere(f):
    f.create_dataset("inside", data=np.arange(4))
    f["soft"] = h5py.SoftLink("/inside")
    f["out"] = h5py.ExternalLink("/etc/other.h5", "/x")
    f.create_dataset("external", (4,), "i4", external=[("/etc/passwd", 0, 16)])


@make("elsewhere_v110", "v110")
def elsewhere_v110(f):
    elsewhere(f)
    v = h5py.VirtualLayout((4,), "i8")
    v[...] = h5py.VirtualSource("other.h5", "x", (4,))
    f.create_virtual_dataset("virtual", v)


@make("filters")
def filters(f):
    f.create_dataset("lzf", data=np.arange(100), chunks=(10,), compression="lzf")
    f.create_dataset("scaled", data=np.arange(100), chunks=(10,), scaleoffset=4)


@make("bombs")
def bombs(f):
    f.create_dataset("bomb_shape", (1 << 40,), "f4")
    f.create_dataset("bomb_chunks", (1 << 40, 1 << 20), "f4", chunks=(1 << 10, 1 << 10), compression="gzip")
    f.create_dataset("bomb_small_chunks", (1 << 22, 8), "i1", chunks=(1, 1))
    f.create_dataset("bomb_large_chunk", (3, 3), "f8", chunks=(1 << 10, 1 << 17), maxshape=(None, None))


make("userblock", userblock_size=1024)(types)
make("userblock_latest", "latest", userblock_size=512)(types)


def low_level(name, fill, **kw):
    def write(path):
        plist = h5py.h5p.create(h5py.h5p.FILE_CREATE)
        for key, value in kw.items():
            getattr(plist, key)(*value)
        fid = h5py.h5f.create(path.encode(), h5py.h5f.ACC_TRUNC, fcpl=plist)
        with h5py.File(fid) as f:
            fill(f)

    files[name] = write


low_level("short_addresses", types, set_sizes=(4, 4))


def edited(path):
    """A file that was written to several times."""
    with h5py.File(path, "w") as f:
        types(f)
    for i in range(12):
        with h5py.File(path, "a") as f:
            f["a/b"].attrs[f"later{i}"] = "again" * i
            f["a"].attrs[f"later{i}"] = "more"
            f[f"later/{i}"] = np.arange(i)
            if i % 3 == 0:
                del f[f"later/{i}"]
                del f["a/b"].attrs[f"later{i}"]
    with h5py.File(path, "a") as f:
        del f["a/b/int8"]
        f.move("a/b/int16", "a/b/renamed")


files["edited"] = edited


def keras3(path):
    import keras

    keras.utils.set_random_seed(1)
    m = keras.Sequential([keras.Input((4,))] + [keras.layers.Dense(3) for _ in range(12)] + [keras.layers.BatchNormalization()])
    m.compile("adam", "mse")
    m.fit(np.ones((4, 4)), np.ones((4, 3)), verbose=0)
    return m


def keras3_weights(path):
    keras3(path).save_weights(path + ".weights.h5")
    os.rename(path + ".weights.h5", path)


def keras3_legacy(path):
    keras3(path).save(path + ".h5")
    os.rename(path + ".h5", path)


def keras2_legacy(path):
    import tf_keras

    m = tf_keras.Sequential([tf_keras.Input((4,))] + [tf_keras.layers.Dense(3) for _ in range(12)])
    m.compile("adam", "mse")
    m.fit(np.ones((4, 4)), np.ones((4, 3)), verbose=0)
    m.save(path + ".h5")
    os.rename(path + ".h5", path)


files["keras3.weights.h5"] = keras3_weights
files["keras3.h5"] = keras3_legacy
files["keras2.h5"] = keras2_legacy

EXTENSIBLE = ("one_open",)


def texts(v):
    """An attribute as a list of texts; None for what is no text."""
    if isinstance(v, h5py.Empty):
        return [] if v.dtype.kind in "SO" else None
    v = np.asarray(v)
    if v.dtype.kind not in "SOU":
        return None
    return [x.decode() if isinstance(x, bytes) else str(x) for x in v.ravel().tolist()]


def describe(name, f):
    out = {}

    def attributes(o):
        return {k: texts(v) for k, v in o.attrs.items()}

    def walk(g, path):
        for key in g:
            link = g.get(key, getlink=True)
            at = path + "/" + key
            if isinstance(link, h5py.SoftLink):
                out[at] = {"link": "soft", "target": link.path}
                continue
            if isinstance(link, h5py.ExternalLink):
                out[at] = {"link": "external", "target": link.filename + ":" + link.path}
                continue
            o = g[key]
            if isinstance(o, h5py.Group):
                out[at] = {"attributes": attributes(o)}
                walk(o, at)
            elif isinstance(o, h5py.Dataset):
                out[at] = {"attributes": attributes(o), "shape": o.shape, "dtype": str(o.dtype), "sha256": digest(name, key, o)}

    out["/"] = {"attributes": attributes(f)}
    walk(f, "")
    return out


def digest(name, key, o):
    latest = not name.startswith(("chunks_earliest", "chunks_v108"))
    if o.external or o.is_virtual or key in ("lzf", "scaled") or key.startswith("bomb") or key in EXTENSIBLE and latest:
        return ""
    if o.shape is None:
        return hashlib.sha256(b"").hexdigest()
    if o.dtype.kind == "O":
        return None  # references and variable length: addresses
    return hashlib.sha256(np.ascontiguousarray(o[()]).tobytes()).hexdigest()


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    expect = {}
    with tempfile.TemporaryDirectory() as tmp, zipfile.ZipFile(os.path.join(here, "h5py.zip"), "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
        for name, write in files.items():
            path = os.path.join(tmp, name)
            write(path)
            with h5py.File(path, "r") as f:
                expect[name] = describe(name, f)
            z.write(path, name)
            print(name, os.path.getsize(path), file=sys.stderr)
        z.writestr("expect.json", json.dumps(expect, indent=1))


main()
