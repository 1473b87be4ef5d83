"""Writes matrix.zip: the same rows as Parquet files of every writer, version, page version, codec
and encoding, and rows.jsonl, what they hold. pyarrow and DuckDB must both read that out of each
file.

    pip install -r requirements.txt && python make_matrix.py
"""

import base64
import datetime as dt
import decimal
import io
import itertools
import json
import uuid
import zipfile

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

D = decimal.Decimal
N = 30
r = np.random.default_rng(7)


def cycle(values, nulls=True):
    """N values in turn, with a null after each seven."""
    it = itertools.cycle(values)
    return [None if nulls and i % 8 == 7 else next(it) for i in range(N)]


def ints(bits, signed):
    lo, hi = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return [lo, hi, 0, 1, hi - 1, lo + 1, 100, hi // 3]


floats = [0.1, -0.0, 1e-30, float("inf"), -1.5, 2.0**100, 3.0]
words = ["", "a", "ab", "abc", "abcd", "é\n\"", "abx", "z" * 40]
blobs = [b"", b"\xff\x00", b"abc", b"abcd", b"\x00" * 9]
day = dt.date(2020, 2, 29)
moment = dt.datetime(2020, 2, 29, 12, 34, 56, 789012)

COLUMNS = {
    "bool": pa.array(cycle([True, True, False, True, True, True, True, True, True, False])),
    "bool_required": pa.array(cycle([True], nulls=False)),
    "int8": pa.array(cycle(ints(8, True)), pa.int8()),
    "int16": pa.array(cycle(ints(16, True)), pa.int16()),
    "int32": pa.array(cycle(ints(32, True)), pa.int32()),
    "int64": pa.array(cycle(ints(64, True)), pa.int64()),
    "uint8": pa.array(cycle(ints(8, False)), pa.uint8()),
    "uint16": pa.array(cycle(ints(16, False)), pa.uint16()),
    "uint32": pa.array(cycle(ints(32, False)), pa.uint32()),
    "uint64": pa.array(cycle(ints(64, False)), pa.uint64()),
    "int64_required": pa.array(cycle(range(1000, 1000 + 3 * N, 3), nulls=False), pa.int64()),
    "float16": pa.array([None if v is None else np.float16(v) for v in cycle([0.1, -0.0, 1.5, 65504])], pa.float16()),
    "float32": pa.array(cycle(floats), pa.float32()),
    "float64": pa.array(cycle(floats), pa.float64()),
    "string": pa.array(cycle(words)),
    "binary": pa.array(cycle(blobs), pa.binary()),
    "fixed": pa.array(cycle([b"abc", b"abd", b"\xff\x00\xff"]), pa.binary(3)),
    "decimal9": pa.array(cycle([D("1.50"), D("-9999999.99"), D("0.01")]), pa.decimal128(9, 2)),
    "decimal18": pa.array(cycle([D("1.500"), D("-999999999999999.999")]), pa.decimal128(18, 3)),
    "decimal38": pa.array(cycle([D("1." + "0" * 9), D("-12345678901234567890123456789.123456789")]), pa.decimal128(38, 9)),
    "date": pa.array(cycle([day, dt.date(1, 1, 1), dt.date(9999, 12, 31)]), pa.date32()),
    "time_ms": pa.array(cycle([dt.time(1, 2, 3, 4000), dt.time(23, 59, 59, 999000)]), pa.time32("ms")),
    "time_us": pa.array(cycle([dt.time(1, 2, 3, 4), dt.time(23, 59, 59, 999999)]), pa.time64("us")),
    "ts_ms": pa.array(cycle([dt.datetime(1970, 1, 1), dt.datetime(1900, 1, 1, 1, 2, 3, 4000)]), pa.timestamp("ms")),
    "ts_us": pa.array(cycle([moment, dt.datetime(1, 1, 1)]), pa.timestamp("us")),
    "ts_utc": pa.array(cycle([moment, dt.datetime(1969, 12, 31, 23, 59, 59, 999999)]), pa.timestamp("us", "UTC")),
    "list": pa.array(cycle([[1, None, 3], [], [2**40], None]), pa.list_(pa.int64())),
    "lists": pa.array(cycle([[["a"], [], None], [], [["b", None]]]), pa.list_(pa.list_(pa.string()))),
    "struct": pa.array(cycle([{"a": 1, "b": ["x"]}, {"a": None, "b": []}, {"a": 2, "b": None}]), pa.struct([("a", pa.int32()), ("b", pa.list_(pa.string()))])),
    "structs": pa.array(cycle([[{"k": 1, "v": "x"}, None], [], [{"k": None, "v": None}]]), pa.list_(pa.struct([("k", pa.int8()), ("v", pa.string())]))),
    "map": pa.array(cycle([[("k", 1), ("l", None)], [], None]), pa.map_(pa.string(), pa.int64())),
}
table = pa.table(COLUMNS)
required = {"bool_required", "int64_required"}
table = table.cast(pa.schema([pa.field(f.name, f.type, nullable=f.name not in required) for f in table.schema]))

# the encodings of each physical type, but for plain and dictionaries
ENCODINGS = {
    "BYTE_STREAM_SPLIT": ["int32", "int64", "float32", "float64", "fixed", "float16", "decimal38", "int8", "uint64", "date", "ts_us"],
    "DELTA_BINARY_PACKED": ["int8", "int32", "int64", "uint32", "uint64", "int64_required", "date", "ts_us", "list"],
    "DELTA_LENGTH_BYTE_ARRAY": ["string", "binary"],
    "DELTA_BYTE_ARRAY": ["string", "binary", "fixed", "decimal38"],
    "RLE": ["bool", "bool_required"],
    "PLAIN": ["int32", "int64", "string", "float64", "bool", "fixed", "lists"],
}


def text(v, t):
    """The value as the project's JSON."""
    if v is None:
        return "null"
    if pa.types.is_boolean(t):
        return "true" if v else "false"
    if pa.types.is_floating(t):
        v = {16: np.float16, 32: np.float32, 64: np.float64}[t.bit_width](v)
        if np.isinf(v):
            return "Infinity" if v > 0 else "-Infinity"
        s = repr(float(v)) if t.bit_width == 64 else str(np.float32(v))
        return s if s == "-0.0" else s.removesuffix(".0")
    if pa.types.is_decimal(t):
        return f"{v:f}"
    if pa.types.is_string(t) or pa.types.is_large_string(t):
        return json.dumps(v, ensure_ascii=False)
    if pa.types.is_binary(t) or pa.types.is_large_binary(t) or pa.types.is_fixed_size_binary(t):
        try:
            return json.dumps(v.decode(), ensure_ascii=False)
        except UnicodeDecodeError:
            return json.dumps({"b64": base64.b64encode(v).decode()}, separators=(",", ":"))
    if pa.types.is_timestamp(t):
        v = v.replace(tzinfo=None)
        return '"' + fraction(v.isoformat()) + ("Z" if t.tz else "") + '"'
    if pa.types.is_date(t) or pa.types.is_time(t):
        return '"' + fraction(v.isoformat()) + '"'
    if pa.types.is_map(t):
        return "{" + ",".join(text(k, t.key_type) + ":" + text(x, t.item_type) for k, x in v) + "}"
    if pa.types.is_struct(t):
        return "{" + ",".join(json.dumps(f.name) + ":" + text(v[f.name], f.type) for f in t) + "}"
    if pa.types.is_list(t) or pa.types.is_large_list(t):
        return "[" + ",".join(text(x, t.value_type) for x in v) + "]"
    return str(v)


def fraction(s):
    return s.rstrip("0").rstrip(".") if "." in s else s


def rows(t):
    columns = [[text(v, f.type) for v in t.column(i).to_pylist()] for i, f in enumerate(t.schema)]
    return [dict(zip(t.schema.names, row)) for row in zip(*columns)]


want = rows(table)


def write(**options):
    b = io.BytesIO()
    names = options.pop("names", table.schema.names)
    pq.write_table(table.select(names), b, row_group_size=20, data_page_size=1, write_batch_size=7, **options)
    return b.getvalue()


files = {}
for version, pages in itertools.product(["1.0", "2.4", "2.6"], ["1.0", "2.0"]):
    for codec in ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]:
        if codec in ("none", "zstd") or version == "2.6":
            files[f"pyarrow_{version}_{pages}_{codec}"] = write(version=version, data_page_version=pages, compression=codec, write_page_checksum=codec == "gzip")
for pages in ["1.0", "2.0"]:
    for encoding, names in ENCODINGS.items():
        files[f"pyarrow_{encoding.lower()}_{pages}"] = write(data_page_version=pages, compression="zstd", use_dictionary=False, column_encoding={n: encoding for n in names}, names=names)
files["pyarrow_int96"] = write(use_deprecated_int96_timestamps=True, names=["int64", "ts_ms"])
files["pyarrow_legacy_lists"] = write(use_compliant_nested_type=False, names=["list", "lists", "structs", "map"])
files["pyarrow_decimal_integers"] = write(store_decimal_as_integer=True, names=["decimal9", "decimal18", "decimal38"])
files["pyarrow_no_schema"] = write(store_schema=False)

con = duckdb.connect()
duck = table.select([n for n in table.schema.names if n not in ("float16", "fixed")])
con.register("t", duck)
for codec, version in itertools.product(["uncompressed", "snappy", "zstd", "lz4_raw"], ["V1", "V2"]):
    con.execute(f"copy t to '/tmp/matrix.parquet' (format parquet, codec '{codec}', parquet_version {version}, row_group_size 2048)")
    files[f"duckdb_{version}_{codec}"] = open("/tmp/matrix.parquet", "rb").read()
frame = pl.from_arrow(table.select([n for n in table.schema.names if n not in ("map", "fixed", "float16")]))
for codec in ["uncompressed", "snappy", "zstd", "lz4", "gzip", "brotli"]:
    b = io.BytesIO()
    frame.write_parquet(b, compression=codec, row_group_size=20, data_page_size=64)
    files[f"polars_{codec}"] = b.getvalue()


def column_of(referee, read):
    try:
        return read()
    except (duckdb.Error, OSError) as e:
        print(f"{referee} does not read {name}, {column}: {str(e)[:100]}")
        return None


bad = 0
for name, data in files.items():
    schema = pq.read_schema(io.BytesIO(data))
    open("/tmp/matrix.parquet", "wb").write(data)
    for column in schema.names:
        wanted = [w[column] for w in want]
        referees = {
            "pyarrow": lambda: pq.read_table(io.BytesIO(data), columns=[column]).column(0),
            "duckdb": lambda: con.sql(f'select "{column}" from \'/tmp/matrix.parquet\'').to_arrow_table().column(0),
        }
        agree = 0
        for referee, read in referees.items():
            own = column_of(referee, read)
            if own is None:
                continue
            # where a referee has another type, its values count
            if any([text(v, t) for v in own.to_pylist()] == wanted for t in (own.type, schema.field(column).type)):
                agree += 1
            else:
                print(referee, name, column, own.type, own.to_pylist()[:4], wanted[:4])
                bad += 1
        bad += agree == 0

with zipfile.ZipFile("matrix.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
    def put(name, data):
        z.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)

    put("rows.jsonl", "".join("{" + ",".join(json.dumps(k) + ":" + v for k, v in w.items()) + "}\n" for w in want))
    for name, data in sorted(files.items()):
        put(name + ".parquet", data)
print(len(files), "files,", bad, "columns on which the referees differ")
