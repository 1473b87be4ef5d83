"""Writes the arrays of this folder with NumPy, and cases.json, which says what they hold.

    pip install -r requirements.txt && python make.py
"""

import json

import ml_dtypes
import numpy as np

CASES = []


def spec(dtype, *shape, ragged_rank=None):
    out = {"dtype": dtype, "shape": [None if d < 0 else d for d in shape]}
    if ragged_rank is not None:
        out["ragged_rank"] = ragged_rank
    return out


def value(v):
    """A NumPy value as tfrun's JSON."""
    if isinstance(v, np.ndarray) and v.ndim:
        return [value(x) for x in v]
    if isinstance(v, np.ndarray):
        v = v[()]
    if isinstance(v, np.bool_):
        return bool(v)
    if isinstance(v, np.integer):
        return int(v)
    if isinstance(v, np.complexfloating):
        return [value(v.real), value(v.imag)]
    if isinstance(v, (bytes, np.bytes_)):
        return v.decode()
    if isinstance(v, str):
        return str(v)
    v = float(v)
    return "NaN" if np.isnan(v) else "Infinity" if v == np.inf else "-Infinity" if v == -np.inf else v


def case(file, spec, rows, **more):
    CASES.append({"file": file, "spec": spec, "rows": rows, **more})


def npy(name, array, dtype, shape=None, **more):
    np.save(name + ".npy", array)
    shape = array.shape[1:] if shape is None else shape
    case(name + ".npy", {"x": spec(dtype, *shape)}, [{"x": value(r)} for r in np.asarray(array)], **more)


def types():
    rng = np.random.default_rng(11)
    for code, name in [("i1", "int8"), ("i2", "int16"), ("i4", "int32"), ("i8", "int64"), ("u1", "uint8"), ("u2", "uint16"), ("u4", "uint32"),
                       ("u8", "uint64"), ("f2", "float16"), ("f4", "float32"), ("f8", "float64"), ("c8", "complex64"), ("c16", "complex128"),
                       ("?", "bool")]:
        if code == "?":
            a = rng.integers(0, 2, (5, 3)).astype("?")
        elif code[0] in "iu":
            info = np.iinfo(code)
            a = rng.integers(info.min, info.max, (5, 3), dtype=code, endpoint=True)
            a[0, :2] = info.min, info.max
        elif code[0] == "f":
            a = rng.standard_normal((5, 3)).astype(code)
            a[0] = np.nan, np.inf, -np.inf
        else:
            a = (rng.standard_normal((5, 3)) + 1j * rng.standard_normal((5, 3))).astype(code)
        npy(name, a, name)
        if code != "?" and code[-1] != "1":
            npy(name + "_big", a.astype(">" + code), name)
        npy(name + "_fortran", np.asfortranarray(a), name)
    npy("bfloat16", np.array([[1.5, -2], [0.1, np.inf]], ml_dtypes.bfloat16), "bfloat16")


def shapes():
    a = np.arange(2 * 3 * 4 * 5, dtype=np.int32).reshape(2, 3, 4, 5)
    npy("rank4", a, "int32")
    npy("rank4_fortran", np.asfortranarray(a), "int32")
    case("rank4_fortran.npy", {"x": spec("int64", -1, 4, -1)}, [{"x": value(r)} for r in a], name="unknown sizes, another type")
    case("rank4.npy", {"x": {"dtype": "int32"}}, [{"x": value(r)} for r in a], name="unknown rank")
    case("rank4.npy", {"x": spec("int32", -1, -1, -1, ragged_rank=2)}, [{"x": value(r)} for r in a], name="ragged")
    case("rank4.npy", {"x": spec("int32", 3, 4)}, [], error="want rows of shape (3, 4), the array's are (3, 4, 5)", name="wrong rank")
    npy("vector", np.arange(5, dtype=np.float32), "float32")
    case("vector.npy", {"x": spec("float32", 1)}, [{"x": [float(v)]} for v in range(5)], name="a scalar for a list of one")
    npy("one", np.arange(5, dtype=np.float32).reshape(5, 1), "float32")
    case("one.npy", {"x": spec("float32")}, [{"x": float(v)} for v in range(5)], name="a list of one for a scalar")
    npy("no_rows", np.zeros((0, 3), np.float32), "float32")
    npy("no_values", np.zeros((3, 0, 2), np.float32), "float32", shape=(-1, 2))
    np.save("scalar.npy", np.float32(1))
    case("scalar.npy", {"x": spec("float32")}, [], error="a single value, without an axis of rows")


def conversions():
    npy("to_int", np.array([1.0, -3.0, 2.5, 7.0]), "int32")
    CASES[-1]["rows"][2] = {"$error": 'to_int.npy: row 3: field "x": want an int32, got 2.5'}
    np.save("wide.npy", np.array([[1, 2], [2**40, 3], [4, 2**24 + 1]]))
    case("wide.npy", {"x": spec("int32", 2)}, [{"x": [1, 2]}, {"$error": 'wide.npy: row 2: field "x": 1099511627776 does not fit int32'}, {"x": [4, 2**24 + 1]}])
    case("wide.npy", {"x": spec("float32", 2)}, [{"x": [1, 2]}, {"x": [2**40, 3]}, {"x": [4, 2**24]}], name="to float32")
    case("wide.npy", {"x": spec("string", 2)}, [], name="to strings", error="want strings, the array holds int64 numbers")


def strings():
    s = np.array([["a", "é€😀"], ["", "long enough"]])
    npy("unicode", s, "string")
    npy("unicode_big", s.astype(">U11"), "string")
    npy("unicode_fortran", np.asfortranarray(s), "string")
    npy("bytes", np.array([b"abc", b"", b"x\0y"]), "string")


def refused():
    np.save("structured.npy", np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f4")]))
    case("structured.npy", {"x": spec("float32")}, [], error="arrays of structures are not read")
    np.save("objects.npy", np.array([[1], [1, 2]], dtype=object))
    case("objects.npy", {"x": spec("float32", -1)}, [], error="Python objects")
    np.save("longdouble.npy", np.array([1], dtype=np.longdouble))
    case("longdouble.npy", {"x": spec("float32")}, [], error="values of type <f16 are not read")
    np.save("dates.npy", np.array(["2024-01-01", "1970-01-02"], dtype="M8[D]"))
    case("dates.npy", {"x": spec("int64")}, [{"x": 19723}, {"x": 1}])
    np.save("no_times.npy", np.array([["2024-01-01", "NaT"], ["1970-01-02", "1969-12-31"], ["NaT", "NaT"]], dtype=">M8[s]"))
    nat = {"$error": "the value is NaT"}
    for name in ["int64", "float64"]:
        case("no_times.npy", {"x": spec(name, 2)}, [nat, {"x": [86400, -86400]}, nat], name="NaT for " + name)
        case("no_times.npy", {"x": spec(name, 2)}, [{"x": [1704067200, -7]}, {"x": [86400, -86400]}, {"x": [-7, -7]}], nulls={"x": -7}, name="NaT and what stands in for it, " + name)
    np.save("no_spans.npy", np.array([5, "NaT"], dtype="m8[D]"))
    case("no_spans.npy", {"x": spec("float32")}, [{"x": 5}, nat])


def archives():
    a, b = np.arange(12, dtype=np.float32).reshape(4, 3), np.arange(4)
    words = np.array(["w", "x", "y", "z"])
    for name, save in [("named", np.savez), ("compressed", np.savez_compressed)]:
        save(name + ".npz", a=a, b=b, words=words, f=np.asfortranarray(a))
        rows = [{"a": value(a[i]), "b": int(b[i])} for i in range(4)]
        case(name + ".npz", {"a": spec("float32", 3), "b": spec("int64")}, rows)
        case(name + ".npz", {"t": spec("string"), "f": spec("float64", -1)},
             [{"t": words[i], "f": value(a[i]), "b": int(b[i]), "words": words[i]} for i in range(4)],
             columns={"t": ["words"]}, keep=["b", "words"], name=name + " mapped and kept")
    case("named.npz", {"wrds": spec("string")}, [], error='did you mean "words"?', name="missing")
    u, v, w = np.array([1, 2, 3]), np.array([[0.5], [np.nan], [2.0]]), np.array([True, False, True])
    np.savez("side.npz", u=u, v=v, w=w, s=np.array(["a", "b", "c"]), t=np.array(["x", "y", "z"]))
    case("side.npz", {"x": spec("float32", 3), "text": spec("string", -1)},
         [{"x": [1, 0.5, 1], "text": ["a", "x"]}, {"x": [2, "NaN", 0], "text": ["b", "y"]}, {"x": [3, 2, 1], "text": ["c", "z"]}],
         columns={"x": ["u", "v", "w"], "text": ["s", "t"]}, name="side by side")
    case("side.npz", {"v": spec("int64"), "w": spec("bool", 2)},
         [{"$error": 'row 1: field "v": want an int64, got 0.5'}, {"v": -1, "w": [False, False]}, {"$error": 'row 3: field "w": want true, false, 0 or 1, got 2'}],
         columns={"w": ["w", "v"]}, nulls={"v": -1, "w": False}, name="NaN for an integer")
    case("side.npz", {"x": spec("float32", 2)}, [], columns={"x": ["u", "v", "w"]}, error="3 values do not fill the shape (2,) of a row", name="too many")
    case("named.npz", {"x": spec("float32", 2)}, [], columns={"x": ["a", "b"]}, error="want rows of shape (), the array's are (3,)", name="arrays side by side")
    np.savez("positional.npz", a)
    case("positional.npz", {"x": spec("float32", 3)}, [{"x": value(r)} for r in a])
    np.savez("unequal.npz", a=a, b=b[:3])
    case("unequal.npz", {"a": spec("float32", 3), "b": spec("int64")}, [], error='the arrays "a" and "b" have 4 and 3 rows')


def units():
    """Times of all units, kept as what NumPy converts them to."""
    n = [5, -1, 20000, "NaT"]
    arrays, want = {}, {}
    for kind, unit, to in [("M", "Y", "D"), ("M", "M", "D"), ("M", "W", "D"), ("M", "D", "D"), ("M", "h", "s"), ("M", "m", "s"), ("M", "s", "s"), ("M", "ms", "ms"), ("M", "us", "us"), ("M", "ns", "ns"),
                           ("m", "W", "s"), ("m", "D", "s"), ("m", "h", "s"), ("m", "m", "s"), ("m", "s", "s"), ("m", "ns", "ns")]:
        if unit == "Y":
            n = [5, -1, 2000, "NaT"]
        a = np.array(n, dtype=f"{kind}8[{unit}]")
        name = f"{kind}_{unit}"
        arrays[name] = a
        fine = a.astype(f"{kind}8[{to}]")
        want[name] = [None if np.isnat(v) else (str(v).rstrip("0").rstrip(".") if "." in str(v) else str(v)) if kind == "M" else int(v.astype("i8")) for v in fine]
    np.savez("units.npz", x=np.arange(4), **arrays)
    case("units.npz", {"x": spec("int64")}, [{"x": i, **{k: v[i] for k, v in want.items()}} for i in range(4)], keep=list(arrays), name="times of all units")


types()
shapes()
conversions()
strings()
refused()
archives()
units()
with open("cases.json", "w", encoding="utf-8") as f:
    f.write("[\n" + ",\n".join(json.dumps(c, allow_nan=False, ensure_ascii=False) for c in CASES) + "\n]\n")
