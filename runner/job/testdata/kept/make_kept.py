"""Writes rows of kept columns of many types in every format, and what results are to hold of them.

    python runner/job/testdata/kept/make_kept.py

The files are written by pyarrow, NumPy and TensorFlow, and those of text by Python. want.json has,
for each kind of file ("typed", "npz", "text", "tfrecord"), each column with its type in Arrow's
words, and its values as JSON lines have them: pyarrow's own, by scripts/corpora/texts.py.
"""

import datetime as dt
import decimal
import json
import pathlib
import sys
import uuid

import numpy as np
import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

here = pathlib.Path(__file__).parent
sys.path.append(str(here / "../../../scripts/corpora"))
from texts import texts  # noqa: E402

D = decimal.Decimal
columns = {
    "bool": pa.array([True, False, None]),
    "i8": pa.array([-128, 127, None], pa.int8()),
    "i32": pa.array([-(2**31), 2**31 - 1, None], pa.int32()),
    "i64": pa.array([-(2**63), 2**53 + 1, 0], pa.int64()),
    "u8": pa.array([0, 255, None], pa.uint8()),
    "u64": pa.array([2**64 - 1, 2**63, 1], pa.uint64()),
    "f16": pa.array(np.array([0.5, -0.0, np.nan], np.float16)),
    "f32": pa.array([0.1, None, -0.0], pa.float32()),
    "f64": pa.array([0.1, 1e300, 5e-324]),
    "str": pa.array(["é\n\"", "", None]),
    "large": pa.array(["a", "b", "c"], pa.large_string()),
    "bin": pa.array([b"\xff\x00", b"ab", None]),
    "fixed": pa.array([b"\x00\x01\x02", b"abc", None], pa.binary(3)),
    "date": pa.array([dt.date(2024, 2, 29), dt.date(1, 1, 1), None]),
    "ts": pa.array([dt.datetime(2024, 2, 29, 1, 2, 3, 456789), dt.datetime(1900, 1, 1), None], pa.timestamp("us")),
    "tz": pa.array([dt.datetime(2024, 2, 29, 1, 2, 3), None, dt.datetime(1970, 1, 1)], pa.timestamp("ms", "UTC")),
    "time": pa.array([dt.time(1, 2, 3, 4), None, dt.time(0)], pa.time64("us")),
    "dec": pa.array([D("12345678901234567890.123456789"), D("-0.000000001"), None], pa.decimal128(38, 9)),
    "list": pa.array([[1, None, 3], [], None], pa.list_(pa.int64())),
    "words": pa.array([["a"], ["b", "c"], []], pa.list_(pa.string())),
    "struct": pa.array([{"a": 1, "b": ["x"]}, {"a": None, "b": []}, None], pa.struct([("a", pa.int8()), ("b", pa.list_(pa.string()))])),
    "map": pa.array([[("k", 1)], [], None], pa.map_(pa.string(), pa.int32())),
    "null": pa.nulls(3),
}
uuids = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([uuid.UUID(int=i).bytes for i in range(3)], pa.binary(16)))
table = pa.table({"x": pa.array([1, 2, 3], pa.float32()), **columns, "uuid": uuids})


def said(t):
    return {n: {"type": str(t.schema.field(n).type), "values": texts(t[n])} for n in t.schema.names if n != "x"}


want = {"typed": said(table)}
pq.write_table(table, here / "rows.parquet", store_schema=True)
pq.write_table(table, here / "rows_v2.parquet", data_page_version="2.0", compression="zstd", version="2.6")
for name, options in {"rows.arrow": {}, "rows_lz4.arrow": {"compression": "lz4"}}.items():
    with ipc.new_file(here / name, table.schema, options=ipc.IpcWriteOptions(**options)) as w:
        w.write_table(table)
with ipc.new_stream(here / "rows.arrows", table.schema) as w:
    w.write_table(table, max_chunksize=2)

arrays = {"x": np.array([1, 2, 3], np.float32), "bool": np.array([True, False, True]), "i8": np.array([-128, 127, 0], np.int8), "u64": np.array([2**64 - 1, 2**63, 1], np.uint64)}
arrays |= {"f16": np.array([0.5, -0.0, np.nan], np.float16), "f64": np.array([0.1, 1e300, -0.0]), "str": np.array(["é", "", "abc"]), "day": np.array(["2024-02-29", "NaT", "1970-01-01"], "M8[D]")}
arrays |= {"two": np.array([[1, 2], [3, 4], [5, 6]], np.int32)}
np.savez(here / "rows.npz", **arrays)
want["npz"] = said(pa.table({k: pa.array(list(v), pa.list_(pa.int32(), 2)) if k == "two" else pa.array(v) for k, v in arrays.items()}))

rows = [
    {"x": 1, "int": 9007199254740993, "float": 0.1, "late": 1, "big": 2**64 - 1, "flag": True, "name": "é,\"\n", "mixed": 1, "null": None},
    {"x": 2, "int": -1, "float": 1e300, "late": 2, "big": 0, "flag": False, "name": "", "mixed": "a", "null": None},
    {"x": 3, "int": 0, "float": -0.5, "late": 2.5, "big": None, "flag": None, "name": "01", "mixed": True, "null": None},
]
kinds = {"int": "int64", "float": "double", "late": "double", "big": "uint64", "flag": "bool", "name": "string", "mixed": "string", "null": "string"}
want["text"] = {k: {"type": t, "values": [json.dumps(r[k], ensure_ascii=False) for r in rows]} for k, t in kinds.items()}
# a column of numbers and strings is text, in lines of JSON each value is what it was
want["text"]["mixed"] |= {"values": ['"1"', '"a"', '"true"'], "lines": ["1", '"a"', "true"]}
(here / "rows.jsonl").write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))
(here / "rows.json").write_text(json.dumps({"instances": rows}, indent=1, ensure_ascii=False))


def cell(v):
    s = "" if v is None else json.dumps(v, ensure_ascii=False) if not isinstance(v, str) else '"' + v.replace('"', '""') + '"'
    return s


for name, comma in {"rows.csv": ",", "rows.tsv": "\t"}.items():
    lines = [comma.join(rows[0])] + [comma.join(cell(v) for v in r.values()) for r in rows]
    (here / name).write_bytes(("\n".join(lines) + "\n").encode())

import tensorflow as tf  # noqa: E402

features = {"id": [[2**63 - 1], [-1], [0]], "f": [[0.1], [float("nan")], [-0.0]], "s": [["é"], [""], ["a"]], "raw": [[b"\xff"], [b"a"], [b""]], "many": [[1], [], [2, 3]], "words": [["a"], ["b", "c"], []]}
with tf.io.TFRecordWriter(str(here / "rows.tfrecord")) as w:
    for i in range(3):
        out = {"x": tf.train.Feature(float_list=tf.train.FloatList(value=[i + 1]))}
        for k, all_values in features.items():
            v = all_values[i]
            if k in ("id", "many"):
                out[k] = tf.train.Feature(int64_list=tf.train.Int64List(value=v))
            elif k == "f":
                out[k] = tf.train.Feature(float_list=tf.train.FloatList(value=v))
            else:
                out[k] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[s.encode() if isinstance(s, str) else s for s in v]))
        w.write(tf.train.Example(features=tf.train.Features(feature=out)).SerializeToString())
kinds = {"id": pa.int64(), "f": pa.float32(), "s": pa.string(), "raw": pa.binary(), "many": pa.list_(pa.int64()), "words": pa.list_(pa.string())}
values = {k: v if k in ("many", "words") else [x[0] for x in v] for k, v in features.items()}
want["tfrecord"] = said(pa.table({k: pa.array(values[k], t) for k, t in kinds.items()}))
# in lines of JSON a single value stands alone
for k in ("many", "words"):
    want["tfrecord"][k]["lines"] = [json.dumps(v[0] if len(v) == 1 else v, separators=(",", ":")) for v in features[k]]
(here / "want.json").write_text(json.dumps(want, indent=1, ensure_ascii=False) + "\n")
