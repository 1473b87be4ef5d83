"""Writes the files of this folder with pyarrow, pandas, DuckDB and fastparquet, and cases.json,
which says what they hold.

    pip install -r requirements.txt && python make.py
"""

import datetime
import decimal
import json

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

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


N = 7
rng = np.random.default_rng(3)
ints = {c: rng.integers(np.iinfo(c).min, np.iinfo(c).max, N, dtype=c, endpoint=True) for c in ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]}
floats = {"float16": rng.standard_normal(N).astype("float16"), "float32": rng.standard_normal(N).astype("float32"), "float64": rng.standard_normal(N)}
floats["float32"][:3] = np.nan, np.inf, -np.inf
flags = rng.integers(0, 2, N).astype(bool)
texts = ["", "a", "é€😀", "b", "b", "longer text", "z"]
blobs = [b"", b"a", b"bc", b"def", b"x", b"y", b"z"]
lists = [[1, 2, 3], [], [4], [5, 6], [], [], [7, 8, 9, 10]]
deep = [[[1], [2, 3]], [], [[]], [[], [4]], [[5, 6, 7]], [[8], [], [9]], [[10]]]
fixed = rng.standard_normal((N, 3)).astype("float32")
words = [["a", "b"], [], ["c"], [""], ["d", "e", "f"], ["g"], ["h"]]
# JSON has no bytes but in base64.
all_rows = [{**{k: int(v[i]) for k, v in ints.items()}, **{k: number(v[i]) for k, v in floats.items()}, "flag": bool(flags[i]), "text": texts[i],
             "blob": blobs[i].decode(), "list": lists[i], "deep": deep[i], "fixed": [number(v) for v in fixed[i]], "words": words[i]} for i in range(N)]
all_spec = {**{k: spec(k) for k in ints}, **{k: spec(k) for k in floats}, "flag": spec("bool"), "text": spec("string"), "blob": spec("string"),
            "list": spec("int64", -1), "deep": spec("int32", -1, -1, ragged_rank=1), "fixed": spec("float32", 3), "words": spec("string", -1)}


def pyarrow_files():
    table = pa.table({**{k: pa.array(v) for k, v in ints.items()}, **{k: pa.array(v) for k, v in floats.items()}, "flag": pa.array(flags), "text": texts,
                      "blob": pa.array(blobs, pa.binary()), "list": lists, "deep": deep, "fixed": pa.FixedSizeListArray.from_arrays(fixed.ravel(), 3), "words": words})
    for name, kw in [("pyarrow", {}), ("pyarrow_v2_pages", {"data_page_version": "2.0"}), ("pyarrow_plain", {"use_dictionary": False, "compression": "none"}),
                     ("pyarrow_zstd_groups", {"compression": "zstd", "row_group_size": 2}), ("pyarrow_small_pages", {"data_page_size": 1, "compression": "gzip", "write_batch_size": 1}),
                     ("pyarrow_brotli", {"compression": "brotli", "version": "1.0", "column_encoding": None})]:
        t = table.drop_columns(["float16"]) if name == "pyarrow_brotli" else table
        pq.write_table(t, name + ".parquet", **kw)
        s = {k: v for k, v in all_spec.items() if k in t.column_names}
        case(name + ".parquet", s, [{k: r[k] for k in s} for r in all_rows])
    pq.write_table(table.select(["int64", "float32", "text"]), "pyarrow_encodings.parquet", use_dictionary=False,
                   column_encoding={"int64": "DELTA_BINARY_PACKED", "float32": "BYTE_STREAM_SPLIT", "text": "DELTA_BYTE_ARRAY"})
    case("pyarrow_encodings.parquet", {k: all_spec[k] for k in ["int64", "float32", "text"]}, [{k: r[k] for k in ["int64", "float32", "text"]} for r in all_rows])
    required = pa.schema([pa.field("a", pa.float32(), nullable=False), pa.field("l", pa.list_(pa.field("element", pa.int64(), nullable=False)), nullable=False)])
    pq.write_table(pa.table({"a": floats["float64"].astype("float32"), "l": lists}, schema=required), "pyarrow_required.parquet")
    case("pyarrow_required.parquet", {"a": spec("float64"), "l": spec("float32", -1)}, [{"a": number(np.float32(floats["float64"][i])), "l": lists[i]} for i in range(N)])


def many_columns():
    x = rng.standard_normal((50, 8)).astype("float32")
    table = pa.table({f"f{i}": x[:, i] for i in range(8)} | {"id": np.arange(50)})
    pq.write_table(table, "columns.parquet", row_group_size=17)
    case("columns.parquet", {"x": spec("float32", 8)}, [{"x": [number(v) for v in r], "id": i} for i, r in enumerate(x)], columns={"x": ["f*"]}, keep=["id"])
    case("columns.parquet", {"x": spec("float32", 2, 4)}, [{"x": [[number(v) for v in r[:4]], [number(v) for v in r[4:]]], "id": i} for i, r in enumerate(x)], keep=["id"], name="all that are left")
    case("columns.parquet", {"x": spec("float64", -1)}, [{"x": [number(r[7]), i]} for i, r in enumerate(x)], columns={"x": ["f7", "id"]}, name="of two types")
    case("columns.parquet", {"idd": spec("int64")}, [], error='did you mean "id"?', name="missing")
    case("columns.parquet", {"id": spec("int64", 2)}, [], error="want values of shape (2,), the column holds single ones of type int64", name="wrong shape")


def nulls_and_conversions():
    table = pa.table({"v": pa.array([1.5, None, 2.5, 1e300]), "n": pa.array([1, 2**40, None, 3]), "l": pa.array([[1], None, [None, 2], []], pa.list_(pa.int64())), "t": ["a", None, "c", "d"]})
    pq.write_table(table, "nulls.parquet")
    null = "the value is null"
    case("nulls.parquet", {"v": spec("float64")}, [{"v": 1.5}, {"$error": f'nulls.parquet: row 2: field "v": {null}'}, {"v": 2.5}, {"v": 1e300}])
    case("nulls.parquet", {"v": spec("float32"), "n": spec("int32")},
         [{"v": 1.5, "n": 1}, {"$error": "row 2: "}, {"$error": f'row 3: field "n": {null}'}, {"$error": 'row 4: field "v": 1e+300 does not fit float32'}], name="to narrower types")
    case("nulls.parquet", {"v": spec("float64")}, [{"v": "NaN" if v is None else v} for v in [1.5, None, 2.5, 1e300]], name="null is NaN", nulls={"v": "NaN"})
    case("nulls.parquet", {"l": spec("int64", -1)}, [{"l": [1]}, {"$error": 'row 2: field "l": the list is null'}, {"$error": 'row 3: field "l": the list is null, or holds a null'}, {"l": []}], name="lists")
    case("nulls.parquet", {"t": spec("string")}, [{"t": "a"}, {"$error": null}, {"t": "c"}, {"t": "d"}], name="strings")
    pq.write_table(pa.table({"id": list(range(4)), "v": table["v"], "l": table["l"], "t": table["t"]}), "kept.parquet")
    case("kept.parquet", {"id": spec("int64")},
         [{"id": 0, "v": 1.5, "l": [1], "t": "a"}, {"id": 1, "v": None, "l": None, "t": None}, {"id": 2, "v": 2.5, "l": [None, 2], "t": "c"}, {"id": 3, "v": 1e300, "l": [], "t": "d"}], keep=["v", "l", "t"])
    w = pa.table({"w": pa.array([[1, 2], [3], [4, 5]]), "r": pa.array([[[1], [2, 3]], [], [[4], [5]]])})
    pq.write_table(w, "unequal.parquet")
    case("unequal.parquet", {"w": spec("float32", 2)}, [{"w": [1, 2]}, {"$error": 'field "w": want the shape (2,), got (1,)'}, {"w": [4, 5]}], name="fixed shape")
    case("unequal.parquet", {"r": spec("float32", -1, -1)}, [{"$error": "lists of unequal lengths, 1 and 2: the component is not ragged"}, {"r": []}, {"r": [[4], [5]]}], name="dense lists of lists")
    case("unequal.parquet", {"r": spec("float32", -1)}, [], error="want 1 levels of lists, the column has 2", name="too deep")


def logical_types():
    day, stamp = datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 12, 30, 0, 250000)
    table = pa.table({
        "day": pa.array([day]), "ms": pa.array([stamp], pa.timestamp("ms")), "us": pa.array([stamp], pa.timestamp("us", tz="UTC")), "ns": pa.array([stamp], pa.timestamp("ns")),
        "time": pa.array([stamp.time()], pa.time64("us")), "d9": pa.array([decimal.Decimal("-1.25")], pa.decimal128(9, 2)), "d38": pa.array([decimal.Decimal("123456789012345678.5")], pa.decimal128(38, 4)),
        "s": pa.array([{"a": 1, "b": {"c": [1.5, 2.5]}}]), "ls": pa.array([[{"k": 1, "v": "x"}, {"k": 2, "v": "y"}]]), "cat": pa.array(["blue"]).dictionary_encode(),
        "fsb": pa.array([b"abcd"], pa.binary(4)), "large": pa.array(["large"], pa.large_string()), "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
    })
    pq.write_table(table, "logical.parquet")
    us = int(stamp.replace(tzinfo=datetime.timezone.utc).timestamp() * 1e6)
    case("logical.parquet", {"day": spec("int32"), "ms": spec("int64"), "us": spec("int64"), "d9": spec("float32"), "d38": spec("float64"), "s.a": spec("int64"), "s.b.c": spec("float32", -1),
                             "ls.k": spec("int64", -1), "cat": spec("string"), "fsb": spec("string"), "large": spec("string")},
         [{"day": 19782, "ms": us // 1000, "us": us, "d9": -1.25, "d38": 123456789012345678.5, "s.a": 1, "s.b.c": [1.5, 2.5], "ls.k": [1, 2], "cat": "blue", "fsb": "abcd", "large": "large",
           "ns": "2024-02-29T12:30:00.25", "time": "12:30:00.25"}], keep=["ns", "time"])
    case("logical.parquet", {"d9": spec("float32")}, [{"d9": -1.25, "day": "2024-02-29", "ms": "2024-02-29T12:30:00.25", "us": "2024-02-29T12:30:00.25Z", "s.b.c": [1.5, 2.5], "ls.v": ["x", "y"]}],
         keep=["day", "ms", "us", "s.b.c", "ls.v"], name="kept")


def others():
    frame = pd.DataFrame({"x": [1.5, np.nan, 2.5], "n": [1, 2, 3], "text": ["a", "b", "c"], "emb": [np.array([1.0, 2.0]), np.array([]), np.array([3.0])]}, index=pd.Index([10, 20, 30]))
    frame.to_parquet("pandas.parquet")
    case("pandas.parquet", {"n": spec("int64"), "text": spec("string"), "emb": spec("float32", -1)}, [{"n": i + 1, "text": t, "emb": e} for i, (t, e) in enumerate(zip("abc", [[1, 2], [], [3]]))])
    case("pandas.parquet", {"x": spec("float32")}, [{"x": 1.5}, {"x": "NaN"}, {"x": 2.5}], name="pandas' NaN", nulls={"x": "NaN"})
    frame[["n"]].to_parquet("pandas_index.parquet")
    case("pandas_index.parquet", {"whatever": spec("int32")}, [{"whatever": i + 1} for i in range(3)], name="the only column beside the index")
    pd.DataFrame({"n": [1, 2, 3], "x": [0.5, 1.5, 2.5], "text": ["a", "b", "é"]}).to_parquet("fastparquet.parquet", engine="fastparquet", index=False)
    case("fastparquet.parquet", {"n": spec("int64"), "x": spec("float32"), "text": spec("string")}, [{"n": i + 1, "x": i + 0.5, "text": t} for i, t in enumerate("abé")])
    con = duckdb.connect()
    for name, how in [("duckdb", ""), ("duckdb_zstd", ", compression zstd, row_group_size 2048")]:
        con.execute(f"""copy (select i::integer as id, i * 0.5 as x, (i * 0.25)::float as f, 't' || i as text, [i, i + 1] as l, [[i], []::bigint[]] as d, {{'a': i, 'b': [1.5]}} as s, i % 2 = 0 as flag,
            array_value(i::float, 2.0::float) as arr, i::utinyint as u from range(5) t(i)) to '{name}.parquet' (format parquet{how})""")
        case(name + ".parquet", {"id": spec("int32"), "x": spec("float32"), "f": spec("float32"), "text": spec("string"), "l": spec("int64", 2), "d": spec("int64", -1, -1, ragged_rank=1), "s.a": spec("int64"),
                                 "s.b": spec("float32", -1), "flag": spec("bool"), "arr": spec("float32", 2), "u": spec("uint8")},
             [{"id": i, "x": i * 0.5, "f": i * 0.25, "text": f"t{i}", "l": [i, i + 1], "d": [[i], []], "s.a": i, "s.b": [1.5], "flag": i % 2 == 0, "arr": [i, 2], "u": i} for i in range(5)])
    # what DuckDB writes of them as text is in the second column
    con.execute("""copy (select i, i::varchar as t from (values (interval '1 day'), (interval '14 months 3 days 01:02:03.456'), (interval '0 days'), (interval '2 years'), (interval '1 month'),
        (interval '100 hours'), (interval '250 milliseconds'), (null)) v(i)) to 'intervals.parquet' (format parquet)""")
    pq.write_table(pa.table({"x": pa.array([], pa.float32())}), "empty.parquet")
    case("empty.parquet", {"x": spec("float32")}, [])
    pq.write_table(pa.table({"x": [1.5, 2.5], "none": pa.nulls(2), "list": pa.array([None, [None]], pa.list_(pa.null()))}), "none.parquet")
    case("none.parquet", {"x": spec("float32")}, [{"x": 1.5, "none": None, "list": None}, {"x": 2.5, "none": None, "list": [None]}], keep=["none", "list"], name="columns of nothing but null")
    case("none.parquet", {"none": spec("float32")}, [{"$error": 'field "none": the value is null'}] * 2, name="nothing but null, wanted")
    data = open("pyarrow_plain.parquet", "rb").read()
    open("cut.parquet", "wb").write(data[:-100])
    case("cut.parquet", {"int8": spec("int8")}, [], error="cut.parquet: not a Parquet file, or one that is cut off")
    open("other.parquet", "wb").write(b"id,x\n1,2\n")
    case("other.parquet", {"x": spec("float32")}, [], error="other.parquet: not a Parquet file")


pyarrow_files()
many_columns()
nulls_and_conversions()
logical_types()
others()
with open("cases.json", "w", encoding="utf-8") as f:
    f.write("[\n" + ",\n".join(json.dumps(c, allow_nan=False, ensure_ascii=False) for c in CASES) + "\n]\n")
