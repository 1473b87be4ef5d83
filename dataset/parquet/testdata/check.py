"""Reads what tfrun wrote to written/ with pyarrow and DuckDB and compares it with what was to be
written.

    UPDATE=1 go test . && pip install -r testdata/requirements.txt && python testdata/check.py
"""

import math
import pathlib

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

file = str(pathlib.Path(__file__).parent / "written" / "rows.parquet")
nan = float("nan")
want = [
    {"b": True, "c": [1, -2], "d": 0.5, "f": [[1, 2], [3, nan]], "h": 0.25, "i": -(2**63), "r": [[1], [], [2, 3]], "raw": b"\xff\x00", "s": ["é", ""], "u": 2**64 - 1, "u8": [1, 255],
     "z": [1, 2], "name": "n", "id": 7, "more": "[1]", "score": 1.0},
    {"b": False, "c": [0, 0], "d": -2, "f": [], "h": -1, "i": 1, "r": [], "raw": b"plain", "s": [], "u": 0, "u8": [0, 0], "z": [], "name": None, "id": 8, "more": '{"a": 1}', "score": 0.5},
    {k: None for k in ["b", "c", "d", "f", "h", "i", "r", "raw", "s", "u", "u8", "z"]} | {"name": "no values", "id": None, "more": None, "score": None},
]


def same(a, b):
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b)


table = pq.read_table(file)
assert table.schema.names == list(want[0]), table.schema.names
types = {"b": pa.bool_(), "d": pa.float64(), "h": pa.float32(), "u": pa.uint64(), "raw": pa.binary(), "name": pa.string(), "id": pa.int64(), "score": pa.float64()}
for name, kind in types.items():
    assert table.schema.field(name).type == kind, (name, table.schema.field(name).type)
assert table.schema.field("u8").type.value_type == pa.uint8() and table.schema.field("r").type.value_type.value_type == pa.int32()
for row, got in zip(want, table.to_pylist(), strict=True):
    for k in row:
        assert same(row[k], got[k]), (k, row[k], got[k])
cursor = duckdb.execute(f"select * from '{file}'")
names = [c[0] for c in cursor.description]
for row, got in zip(want, cursor.fetchall(), strict=True):
    for k, v in zip(names, got, strict=True):
        assert same(row[k], v), ("duckdb", k, row[k], v)
print("ok")
