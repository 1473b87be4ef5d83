"""Records what referees read out of other projects' files, for make corpora.

    python scripts/corpora/record.py CORPORA | gzip -9n > dataset/testdata/corpora.jsonl.gz

A line is {"file", "column", "rows", "sum"}: the column's values as the project's JSON, a line each,
by their SHA-256; or {"file", "error"} where the referee refuses the file. It is pyarrow for Parquet
and Arrow, where "duckdb" says whether DuckDB reads the same values, NumPy for its own files, and
for text those of plain.py. Other corpora: add a reader.
"""

import hashlib
import json
import pathlib
import sys

import duckdb
import numpy as np
import plain
import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
from texts import texts

root = pathlib.Path(sys.argv[1])


def tables():
    for path in sorted(root.rglob("*")):
        name = path.name
        if not path.is_file():
            continue
        if name.endswith(".parquet") or path.parent.name == "fuzzing":
            yield path, lambda p: pq.ParquetFile(p).read()
        elif name.endswith((".arrow_file", ".feather", ".ipc", ".arrow")):
            yield path, lambda p: ipc.open_file(p.read_bytes()).read_all()
        elif name.endswith(".stream"):
            yield path, lambda p: ipc.open_stream(p.read_bytes()).read_all()
        elif name.endswith(".npz"):
            yield path, lambda p: pa.table({k: list(v) for k, v in np.load(p, allow_pickle=False).items()})


def ducks(path, name, t):
    """A column as DuckDB reads it, None where it refuses the file or has another type."""
    if not path.name.endswith(".parquet"):
        return None
    try:
        quoted_name = '"' + name.replace('"', '""') + '"'
        rel = duckdb.sql(f"select {quoted_name} from read_parquet('{path}', binary_as_string=false)")
        column = rel.to_arrow_table().column(0)
        return texts(column) if column.type == t else None
    except Exception:
        return None


for path, read in tables():
    file = str(path.relative_to(root))
    try:
        table = read(path)
    except Exception as e:
        print(json.dumps({"file": file, "error": str(e)[:100]}))
        continue
    for i, name in enumerate(table.schema.names):
        if table.schema.names.count(name) > 1:
            continue
        try:
            values = texts(table.column(i))
        except Exception as e:
            print(file, name, e, file=sys.stderr)
            continue
        total = hashlib.sha256("".join(v + "\n" for v in values).encode(errors="surrogatepass")).hexdigest()
        line = {"file": file, "column": name, "rows": len(values), "sum": total[:16]}
        other = ducks(path, name, table.schema.types[i])
        if other is not None:
            line["duckdb"] = other == values
        print(json.dumps(line))
for line in [*plain.csvs(root), *plain.jsons(root)]:
    print(json.dumps(line))
