"""Writes the files of this folder with pyarrow and pandas, and cases.json, which says what they
hold.

    pip install -r requirements.txt && python make.py
"""

import datetime
import decimal
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather

CASES = []


def spec(dtype, *shape, ragged_rank=None):
    out = {"dtype": dtype, "shape": [None if d < 0 else d for d in shape]}
    if ragged_rank is not None:
        out["ragged_rank"] = ragged_rank
    return out


def number(v):
    v = float(v)
    return "NaN" if np.isnan(v) else "Infinity" if v == np.inf else "-Infinity" if v == -np.inf else v


def case(file, spec, rows, **more):
    CASES.append({"file": file, "spec": spec, "rows": rows, **more})


def write(name, table, stream=False, batch=None, **options):
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    with new(name, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as w:
        w.write_table(table, max_chunksize=batch)


N = 7
rng = np.random.default_rng(3)
ints = {c: rng.integers(np.iinfo(c).min, np.iinfo(c).max, N, dtype=c, endpoint=True) for c in ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]}
floats = {"float16": rng.standard_normal(N).astype("float16"), "float32": rng.standard_normal(N).astype("float32"), "float64": rng.standard_normal(N)}
floats["float32"][:3] = np.nan, np.inf, -np.inf
flags = rng.integers(0, 2, N).astype(bool)
texts = ["", "a", "é€😀", "b", "b", "longer than a view holds inside", "z"]
lists = [[1, 2, 3], [], [4], [5, 6], [], [], [7, 8, 9, 10]]
deep = [[[1], [2, 3]], [], [[]], [[], [4]], [[5, 6, 7]], [[8], [], [9]], [[10]]]
fixed = rng.standard_normal((N, 3)).astype("float32")
words = [["a", "b"], [], ["c"], [""], ["d", "e", "f"], ["g"], ["h"]]
all_rows = [{**{k: int(v[i]) for k, v in ints.items()}, **{k: number(v[i]) for k, v in floats.items()}, "flag": bool(flags[i]), "text": texts[i], "large": texts[i], "view": texts[i],
             "blob": texts[i], "fsb": f"{i:04d}", "cat": texts[i % 3], "list": lists[i], "largelist": lists[i], "deep": deep[i], "fixed": [number(v) for v in fixed[i]], "words": words[i],
             "pairs": [[i, i + 1], [i + 2, i + 3]], "catlist": words[i]} for i in range(N)]
all_spec = {**{k: spec(k) for k in ints}, **{k: spec(k) for k in floats}, "flag": spec("bool"), **{k: spec("string") for k in ["text", "large", "view", "blob", "fsb", "cat"]},
            "list": spec("int64", -1), "largelist": spec("int32", -1), "deep": spec("int32", -1, -1, ragged_rank=1), "fixed": spec("float32", 3), "words": spec("string", -1),
            "pairs": spec("int64", 2, 2), "catlist": spec("string", -1)}
table = pa.table({
    **{k: pa.array(v) for k, v in ints.items()}, **{k: pa.array(v) for k, v in floats.items()}, "flag": pa.array(flags), "text": texts, "large": pa.array(texts, pa.large_string()),
    "view": pa.array(texts, pa.string_view()), "blob": pa.array([t.encode() for t in texts], pa.binary()), "fsb": pa.array([f"{i:04d}".encode() for i in range(N)], pa.binary(4)),
    "cat": pa.array([texts[i % 3] for i in range(N)]).dictionary_encode(), "list": lists, "largelist": pa.array(lists, pa.large_list(pa.int64())), "deep": deep,
    "fixed": pa.FixedSizeListArray.from_arrays(fixed.ravel(), 3), "words": words, "pairs": pa.array([[[i, i + 1], [i + 2, i + 3]] for i in range(N)], pa.list_(pa.list_(pa.int64(), 2), 2)),
    "catlist": pa.ListArray.from_arrays(pa.array(np.cumsum([0] + [len(w) for w in words]), pa.int32()), pa.array([v for w in words for v in w]).dictionary_encode()),
})
for name, kw in [("file.arrow", {}), ("file_batches.arrow", {"batch": 2}), ("stream.arrow", {"stream": True}), ("stream_zstd.arrow", {"stream": True, "compression": "zstd", "batch": 3}),
                 ("file_lz4.arrow", {"compression": "lz4"})]:
    write(name, table, **kw)
    case(name, all_spec, all_rows)
feather.write_feather(table.drop_columns(["view"]), "pyarrow.feather")
case("pyarrow.feather", {k: v for k, v in all_spec.items() if k != "view"}, [{k: v for k, v in r.items() if k != "view"} for r in all_rows])
write("sliced.arrow", table.slice(2, 4))
case("sliced.arrow", all_spec, all_rows[2:6])
case("file.arrow", {"x": spec("float32", 3), "y": spec("string", 2)}, [{"x": [r["int8"], number(r["int16"]), r["uint8"]], "y": [r["text"], r["cat"]], "list": r["list"], "cat": r["cat"]} for r in all_rows],
     name="side by side", columns={"x": ["int8", "int16", "uint8"], "y": ["text", "cat"]}, keep=["list", "cat"])
case("file.arrow", {"fixed": spec("float64", -1), "list": spec("int64", -1, ragged_rank=0)}, [{"fixed": r["fixed"], "list": r["list"]} for r in all_rows], name="other types and shapes")
case("file.arrow", {"flot32": spec("float32")}, [], error='did you mean "float32"?', name="missing")
case("file.arrow", {"text": spec("float32")}, [], error="want float32 numbers, the column's type is utf8", name="wrong type")

nulls = pa.table({"v": pa.array([1.5, None, 2.5, 1e300]), "n": pa.array([1, 2**40, None, 3]), "l": pa.array([[1], None, [None, 2], []], pa.list_(pa.int64())), "t": ["a", None, "c", "d"],
                  "s": pa.array([{"a": 1}, None, {"a": None}, {"a": 4}]), "c": pa.array(["x", None, "y", "x"]).dictionary_encode(), "id": [0, 1, 2, 3]})
write("nulls.arrow", nulls)
null = "the value is null"
case("nulls.arrow", {"v": spec("float64")}, [{"v": 1.5}, {"$error": f'nulls.arrow: row 2: field "v": {null}'}, {"v": 2.5}, {"v": 1e300}])
case("nulls.arrow", {"v": spec("float32"), "n": spec("int32")},
     [{"v": 1.5, "n": 1}, {"$error": "row 2: "}, {"$error": f'row 3: field "n": {null}'}, {"$error": 'row 4: field "v": 1e+300 does not fit float32'}], name="to narrower types")
case("nulls.arrow", {"v": spec("float64"), "s.a": spec("float32")}, [{"v": "NaN" if v is None else v, "s.a": a} for v, a in zip([1.5, None, 2.5, 1e300], [1, "NaN", "NaN", 4])], name="null is NaN", nulls={"v": "NaN", "s.a": "NaN"})
case("nulls.arrow", {"l": spec("int64", -1)}, [{"l": [1]}, {"$error": 'row 2: field "l": the list is null'}, {"$error": 'row 3: field "l": the list is null, or holds a null'}, {"l": []}], name="lists")
case("nulls.arrow", {"t": spec("string"), "c": spec("string")}, [{"t": "a", "c": "x"}, {"$error": null}, {"t": "c", "c": "y"}, {"t": "d", "c": "x"}], name="strings")
case("nulls.arrow", {"id": spec("int64")}, [{"id": 0, "v": 1.5, "l": [1], "t": "a", "s.a": 1, "c": "x"}, {"id": 1, "v": None, "l": None, "t": None, "s.a": None, "c": None},
                                           {"id": 2, "v": 2.5, "l": [None, 2], "t": "c", "s.a": None, "c": "y"}, {"id": 3, "v": 1e300, "l": [], "t": "d", "s.a": 4, "c": "x"}], keep=["v", "l", "t", "s.a", "c"], name="kept")

stamp = datetime.datetime(2024, 2, 29, 12, 30, 0, 250000)
us = int(stamp.replace(tzinfo=datetime.timezone.utc).timestamp() * 1e6)
logical = pa.table({
    "day": pa.array([stamp.date()]), "d64": pa.array([stamp.date()], pa.date64()), "s": pa.array([stamp], pa.timestamp("s")), "us": pa.array([stamp], pa.timestamp("us", tz="UTC")), "time": pa.array([stamp.time()], pa.time64("us")),
    "t32": pa.array([stamp.time()], pa.time32("ms")), "dur": pa.array([datetime.timedelta(seconds=2)], pa.duration("ms")), "dec": pa.array([decimal.Decimal("-1.25")], pa.decimal128(9, 2)),
    "wide": pa.array([decimal.Decimal("123456789012345678.5")], pa.decimal256(60, 4)), "deep": pa.array([{"a": 1, "b": {"c": [1.5, 2.5]}}]), "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), "none": pa.nulls(1),
})
write("logical.arrow", logical)
case("logical.arrow", {"day": spec("int32"), "us": spec("int64"), "dur": spec("int64"), "dec": spec("float32"), "wide": spec("float64"), "deep.a": spec("int64"), "deep.b.c": spec("float32", -1)},
     [{"day": 19782, "us": us, "dur": 2000, "dec": -1.25, "wide": 123456789012345678.5, "deep.a": 1, "deep.b.c": [1.5, 2.5], "d64": "2024-02-29T00:00:00", "s": "2024-02-29T12:30:00", "time": "12:30:00.25", "t32": "12:30:00.25"}],
     keep=["d64", "s", "time", "t32"])
case("logical.arrow", {"map": spec("int64")}, [], error="are not read", name="a map")

frame = pd.DataFrame({"x": [1.5, 2.5], "text": ["a", "b"], "emb": [np.array([1.0, 2.0]), np.array([3.0])], "cat": pd.Categorical(["u", "v"])})
frame.to_feather("pandas.feather")
case("pandas.feather", {"x": spec("float32"), "text": spec("string"), "emb": spec("float32", -1), "cat": spec("string")}, [{"x": 1.5, "text": "a", "emb": [1, 2], "cat": "u"}, {"x": 2.5, "text": "b", "emb": [3], "cat": "v"}])
write("empty.arrow", pa.table({"x": pa.array([], pa.float32())}))
case("empty.arrow", {"x": spec("float32")}, [])
write("none.arrow", pa.table({"x": [1.5, 2.5], "none": pa.nulls(2), "list": pa.array([None, [None]], pa.list_(pa.null()))}))
case("none.arrow", {"x": spec("float32")}, [{"x": 1.5, "none": None, "list": None}, {"x": 2.5, "none": None, "list": [None]}], keep=["none", "list"], name="columns of nothing but null")
case("none.arrow", {"none": spec("float32")}, [{"$error": 'field "none": the value is null'}] * 2, name="nothing but null, wanted")
data = open("stream.arrow", "rb").read()
open("cut.arrow", "wb").write(data[:-2000])
case("cut.arrow", {"int8": spec("int8")}, [], error="cut.arrow: ")
open("other.arrow", "wb").write(b"PAR1 is another format")
case("other.arrow", {"x": spec("float32")}, [], error="other.arrow: not an Arrow file")
open("old.feather", "wb").write(b"FEA1............")
case("old.feather", {"x": spec("float32")}, [], error="the first version of Feather is not read")

with open("cases.json", "w", encoding="utf-8") as f:
    f.write("[\n" + ",\n".join(json.dumps(c, allow_nan=False, ensure_ascii=False) for c in CASES) + "\n]\n")
