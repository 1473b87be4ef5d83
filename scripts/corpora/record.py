"""Records what referees read out of other projects' files, for make corpora.

    python scripts/corpora/record.py CORPORA | gzip -9n > dataset/testdata/corpora.jsonl.gz

A line is {"file", "column", "rows", "sum"}: the column's values as the project's JSON, a line each,
by their SHA-256; or {"file", "error"} where the referee refuses the file. It is pyarrow for Parquet
and Arrow, where "duckdb" says whether DuckDB reads the same values, NumPy for its own files, and for
text those of plain.py. Other corpora: add a reader.
"""

import base64
import datetime as dt
import gzip
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

root = pathlib.Path(sys.argv[1])


def text(v, t):
    """The value as the project's JSON."""
    if v is None:
        return "null"
    if isinstance(t, pa.BaseExtensionType):
        return json.dumps(str(v)) if str(t) == "extension<arrow.uuid>" else text(v, t.storage_type)
    if pa.types.is_dictionary(t) or pa.types.is_run_end_encoded(t):
        return text(v, t.value_type)
    if pa.types.is_boolean(t):
        return "true" if v else "false"
    if pa.types.is_floating(t):
        v = {16: np.float16, 32: np.float32, 64: np.float64}[t.bit_width](v)
        if not np.isfinite(v):
            return "NaN" if np.isnan(v) else "Infinity" if v > 0 else "-Infinity"
        s = np.format_float_positional(np.float32(v) if t.bit_width < 64 else v, unique=True, trim="-")
        a = abs(float(v))
        if a != 0 and (a < 1e-6 or a >= 1e21):
            s = np.format_float_scientific(np.float32(v) if t.bit_width < 64 else v, unique=True, trim="-")
        return "-0.0" if s == "-0" else s
    if pa.types.is_decimal(t):
        return f"{v:f}"
    if any(f(t) for f in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)):
        return quoted(v)
    if any(f(t) for f in (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view)):
        try:
            return quoted(v.decode())
        except UnicodeDecodeError:
            return '{"b64":"' + base64.b64encode(v).decode() + '"}'
    if pa.types.is_map(t):
        if pa.types.is_string(t.key_type):
            return "{" + ",".join(text(k, t.key_type) + ":" + text(x, t.item_type) for k, x in v) + "}"
        return "[" + ",".join('{"key":' + text(k, t.key_type) + ',"value":' + text(x, t.item_type) + "}" for k, x in v) + "]"
    if pa.types.is_struct(t):
        return "{" + ",".join(quoted(f.name) + ":" + text(v[f.name], f.type) for f in t) + "}"
    if hasattr(t, "value_type"):
        return "[" + ",".join(text(x, t.value_type) for x in v) + "]"
    if pa.types.is_integer(t):
        return str(v)
    raise TypeError(f"{t}: no text")


def quoted(s):
    out = json.dumps(s, ensure_ascii=False).replace("\\b", "\\u0008").replace("\\f", "\\u000c")
    return out


def moment(n, t):
    """Integers of a date or a time as ISO 8601."""
    if n is None:
        return "null"
    if pa.types.is_date32(t):
        return str(n) if not -719162 <= n <= 2932896 else f'"{dt.date(1970, 1, 1) + dt.timedelta(days=n)}"'
    unit = "ms" if pa.types.is_date64(t) else t.unit
    per = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    sec, rest = divmod(n, per)
    if not -719162 * 86400 <= sec < 2932897 * 86400:
        return str(n)
    when = dt.datetime(1970, 1, 1) + dt.timedelta(seconds=sec)
    fraction = f".{rest:0{len(str(per)) - 1}d}".rstrip("0").rstrip(".") if per > 1 else ""
    if pa.types.is_time(t):
        return f'"{when.time().isoformat()}{fraction}"'
    return f'"{when.isoformat()}{fraction}{"Z" if pa.types.is_timestamp(t) and t.tz else ""}"'


def texts(column):
    t = column.type
    if pa.types.is_temporal(t) and not pa.types.is_interval(t):
        ints = column.cast(pa.int32() if t.bit_width == 32 else pa.int64()).to_pylist()
        return [str(n) if n is not None else "null" for n in ints] if pa.types.is_duration(t) else [moment(n, t) for n in ints]
    return [text(v, t) for v in column.to_pylist()]


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
