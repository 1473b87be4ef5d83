"""Opens what TestKeptMatrix has written with pyarrow, DuckDB, Polars and pandas: `make written`.

    python scripts/corpora/written.py FOLDER

Types and values of every kept column must be those of runner/job/testdata/kept/want.json, as
pyarrow reads them; the others must open every file, and count its rows and its columns. Files of
tables without types are read as text: NumPy's as strings, cells, lines of JSON.
"""

import csv
import gzip
import io
import json
import pathlib
import sys

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
from texts import texts

here = pathlib.Path(__file__).parent
wanted = json.loads((here / "../../runner/job/testdata/kept/want.json").read_text())
KINDS = {"npz": "npz", "jsonl": "text", "json": "text", "csv": "text", "tsv": "text", "tfrecord": "tfrecord"}


def plain(path):
    data = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(data)
    if path.suffix == ".zst":
        return pa.CompressedInputStream(pa.BufferReader(data), "zstd").read()
    return data


def unquoted(v):
    """A value of JSON lines as a cell has it."""
    if v == "null":
        return ""
    return json.loads(v) if v.startswith('"') else v


def check_typed(path, want):
    table = pq.ParquetFile(path).read() if path.suffix == ".parquet" else ipc.open_file(path).read_all()
    for name, w in want.items():
        got = table[name]
        said = str(table.schema.field(name).type).replace("element: ", "item: ").replace(" ('map')", "")
        if said != w["type"] and w["type"] != "extension<arrow.uuid>":
            yield f"{name}: type {said}, want {w['type']}"
        if texts(got) != w["values"]:
            yield f"{name}: {texts(got)}, want {w['values']}"
    if path.suffix == ".parquet":
        frames = {"DuckDB": duckdb.read_parquet(str(path)).to_arrow_table(), "Polars": pl.read_parquet(path), "pandas": pd.read_parquet(path)}
    else:
        frames = {"Polars": pl.read_ipc(path), "pandas": table.to_pandas()}
    for reader, frame in frames.items():
        if frame.shape != table.shape:
            yield f"{reader} has {frame.shape}, pyarrow {table.shape}"
    # whole numbers to the last digit, whoever reads them
    for name, w in want.items():
        if w["type"] in ("int64", "uint64"):
            for reader in frames.keys() - {"pandas"}:
                column = frames[reader][name]
                got = ["null" if v is None else str(v) for v in (column.to_list() if reader == "Polars" else column.to_pylist())]
                if got != w["values"]:
                    yield f"{reader}, {name}: {got}, want {w['values']}"


def check_cells(path, want, comma):
    text = plain(path).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=comma))
    for name, w in want.items():
        got = [r[name] for r in rows]
        if got != list(map(unquoted, w.get("lines", w["values"]))):
            yield f"{name}: {got}, want {w['values']}"
    shape = (len(rows), len(rows[0]))
    frames = {
        "DuckDB": duckdb.read_csv(str(path), delimiter=comma, header=True, all_varchar=True),
        "Polars": pl.read_csv(text.encode(), separator=comma, infer_schema=False), "pandas": pd.read_csv(io.StringIO(text), sep=comma, dtype=str),
    }
    for reader, frame in frames.items():
        if tuple(frame.shape) != shape:
            yield f"{reader} has {frame.shape}, csv {shape}"


def check_lines(path, want):
    # each value is to stand as it was written, and Python's json is to read it
    decoder, rows = json.JSONDecoder(), []
    for line in plain(path).decode().splitlines():
        json.loads(line)
        row, at = {}, 1
        while line[at] != "}":
            key, at = decoder.raw_decode(line, at + (line[at] == ","))
            value, end = decoder.raw_decode(line, at + 1)
            row[key], at = line[at + 1 : end], end
        rows.append(row)
    for name, w in want.items():
        got = [r.get(name, "null") for r in rows]
        if got != w.get("lines", w["values"]):
            yield f"{name}: {got}, want {w.get('lines', w['values'])}"
    if not any(v in ("NaN", "Infinity") for r in rows for v in r.values()):
        text = plain(path)
        frames = {"Polars": pl.read_ndjson(text, infer_schema_length=None), "pandas": pd.read_json(io.BytesIO(text), lines=True)}
        for reader, frame in frames.items():
            if frame.shape[0] != len(rows):
                yield f"{reader} has {frame.shape[0]} rows, want {len(rows)}"


def check_npz(path, want):
    arrays = np.load(path)
    for name, w in want.items():
        a = arrays[name]
        if len(a) != len(w["values"]):
            yield f"{name}: {len(a)} rows"
        if w["type"] in ("int64", "uint64") and [str(v) for v in a.tolist()] != [v if v != "null" else "" for v in w["values"]]:
            yield f"{name}: {a}, want {w['values']}"


def check_records(path, want):
    data, n = plain(path), 0
    while data:
        size = int.from_bytes(data[:8], "little")
        data, n = data[16 + size :], n + 1
    if n != 3:
        yield f"{n} records"


checks = {"parquet": check_typed, "arrow": check_typed, "jsonl": check_lines, "npz": check_npz, "tfrecord": check_records}
checks |= {"csv": lambda p, w: check_cells(p, w, ","), "tsv": lambda p, w: check_cells(p, w, "\t")}
opened = wrong = 0
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    source, sink = path.name.split(".")[0].split("_")[-1], path.name.split(".")[1]
    opened += 1
    try:
        bad = list(checks[sink](path, wanted[KINDS.get(source, "typed")]))
    except Exception as e:
        bad = [f"{type(e).__name__}: {e}"]
    wrong += bool(bad)
    for what in bad:
        print(f"{path.name}: {what}")
print(f"WRITTEN: opened {opened}, wrong {wrong}")
sys.exit(wrong > 0 or opened == 0)
