"""Reads what tfrun wrote to written/ with pyarrow and compares it with what was to be written.

    UPDATE=1 go test . && pip install -r testdata/requirements.txt && python testdata/check.py
"""

import math
import pathlib

import pyarrow as pa
import pyarrow.feather as feather

file = str(pathlib.Path(__file__).parent / "written" / "rows.arrow")
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


for table in (pa.ipc.open_file(file).read_all(), feather.read_table(file)):
    table.validate(full=True)
    assert table.schema.names == list(want[0]), table.schema.names
    types = {"b": pa.bool_(), "d": pa.float64(), "h": pa.float16(), "u": pa.uint64(), "raw": pa.binary(), "name": pa.string(), "id": pa.int64(), "score": pa.float64(), "u8": pa.list_(pa.uint8())}
    for name, kind in types.items():
        assert table.schema.field(name).type == kind, (name, table.schema.field(name).type)
    for row, got in zip(want, table.to_pylist(), strict=True):
        for k in row:
            assert same(row[k], got[k]), (k, row[k], got[k])
print("ok")
