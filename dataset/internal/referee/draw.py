"""Tables that bytes stand for, of every type, and the files that pyarrow writes of them.

Needs pyarrow and the functions of scripts/corpora/texts.py, which stand before this in the script.
"""

import datetime
import decimal
import io
import random
import resource
import struct

import pyarrow.compute as pc
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

# what a damaged file asks for is an error, and not the machine's memory
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
pa.set_cpu_count(1)


class Choices:
    """Numbers that follow from bytes: the bytes themselves, then random ones that they begin."""

    def __init__(self, data):
        self.left, self.r = list(data), random.Random(data)

    def below(self, n):
        return self.left.pop(0) % n if self.left else self.r.randrange(n)

    def of(self, items):
        return items[self.below(len(items))]

    def yes(self):
        return self.below(2) == 1


def integers(bits, signed):
    lo, hi = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)

    def draw(r):
        return r.choice([lo, hi, 0, 1, hi - 1, lo + 1, hi // 3, r.randint(lo, hi), r.randint(0, min(hi, 300))])

    return draw


def reals(form, size):
    def draw(r):
        bits = struct.unpack(form, r.randbytes(size))[0]
        return r.choice([0.0, -0.0, 1.0, 0.1, -1.5, float("nan"), float("inf"), -float("inf"), 65504.0, 1e-7, bits])

    return lambda r: struct.unpack(form, struct.pack(form, draw(r)))[0]


def word(r):
    return r.choice(["", "a", "ab", "\0", 'é\n"\\', "\u2028😀", "z" * r.randint(0, 400), "".join(r.choices("abcd", k=r.randint(0, 20))), str(r.randint(0, 10**9))])


def blob(r):
    return r.choice([b"", b"\xff\0", b"abc", r.randbytes(r.randint(0, 40)), b"x" * 300])


def decimals(precision, scale):
    limit = 10**precision - 1
    context = decimal.Context(prec=100)

    def draw(r):
        n = r.choice([0, 1, -1, limit, -limit, r.randint(-limit, limit), r.randint(-min(limit, 999), min(limit, 999))])
        return decimal.Decimal(n).scaleb(-scale, context)

    return draw


DAY = 86400
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def moments(unit):
    per = UNITS[unit]
    whole = integers(64, True)

    def draw(r):
        near = r.randint(-(2**33), 2**33) * per + r.randrange(per)
        return r.choice([0, -1, per - 1, whole(r), near if abs(near) < 2**63 else 1])

    return draw


def leaf(c):
    """A type without parts, and what draws its values."""
    kind = c.below(30)
    if kind < 8:
        name = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"][kind]
        return getattr(pa, name)(), integers(int(name.lstrip("uint")), name[0] == "i")
    unit = c.of(list(UNITS))
    fine = c.of(["us", "ns"])
    coarse = c.of(["s", "ms"])
    width = c.of([1, 3, 16, 17])
    make, digits = c.of([(pa.decimal32, [1, 5, 9]), (pa.decimal64, [10, 18]), (pa.decimal128, [2, 19, 38]), (pa.decimal256, [3, 39, 76])])
    precision = c.of(digits)
    scale = c.of([0, 1, precision])
    return [
        (pa.bool_(), lambda r: r.random() < 0.5),
        (pa.float16(), reals("e", 2)),
        (pa.float32(), reals("f", 4)),
        (pa.float64(), reals("d", 8)),
        (pa.string(), word),
        (pa.large_string(), word),
        (pa.string_view(), word),
        (pa.binary(), blob),
        (pa.large_binary(), blob),
        (pa.binary_view(), blob),
        (pa.binary(width), lambda r: r.randbytes(width)),
        (pa.date32(), lambda r: r.choice([0, -1, 18321, -719162, 2932896, integers(32, True)(r)])),
        (make(precision, scale), decimals(precision, scale)),
        (pa.date64(), lambda r: r.randint(-719162, 2932896) * DAY * 1000),
        (pa.time32(coarse), lambda r: r.randrange(DAY * UNITS[coarse])),
        (pa.time64(fine), lambda r: r.randrange(DAY * UNITS[fine])),
        (pa.timestamp(unit), moments(unit)),
        (pa.timestamp(unit, c.of(["UTC", "Europe/Berlin", "+05:30"])), moments(unit)),
        (pa.duration(unit), integers(64, True)),
        (pa.null(), lambda r: None),
    ][min(kind - 8, 19)]


def kind_of(c, depth, dictionaries):
    """A type, of parts up to a depth, and what draws its values."""
    kind = c.below(16) if depth else 0
    if kind < 8:
        return leaf(c)
    if kind == 8:
        if not dictionaries:
            return leaf(c)
        t, draw = leaf(c)
        categories = random.Random(c.below(256))
        values = [v for v in (draw(categories) for _ in range(5)) if v is not None] or [None]
        return pa.dictionary(c.of([pa.int8(), pa.int32(), pa.int64()]), t), lambda r: r.choice(values)
    if kind == 9:
        fields = [(f"f{i}" if i else c.of(["f", "a.b", "", "é"]), *kind_of(c, depth - 1, dictionaries)) for i in range(1 + c.below(3))]
        return pa.struct([(n, t) for n, t, _ in fields]), lambda r: {n: some(d, r) for n, _, d in fields}
    t, draw = kind_of(c, depth - 1, dictionaries)
    if kind == 10:
        n = 1 + c.below(3)
        return pa.list_(t, n), lambda r: [some(draw, r) for _ in range(n)]
    if kind == 11:
        kt, kdraw = c.of([(pa.string(), word), (pa.int64(), integers(64, True))])

        def entries(r):
            keys = {kdraw(r): None for _ in range(r.randrange(4))}
            return [(k, some(draw, r)) for k in keys]

        return pa.map_(kt, t), entries
    make = {12: pa.large_list, 13: pa.list_view, 14: pa.large_list_view}.get(kind, pa.list_) if dictionaries else pa.list_
    return make(t), lambda r: [some(draw, r) for _ in range(r.choice([0, 1, 2, 5]))]


def some(draw, r):
    return None if r.random() < 0.15 else draw(r)


def column(c, n, dictionaries):
    t, draw = kind_of(c, 3, dictionaries)
    nulls = c.of([0, 0.2, 0.2, 1])
    values = [None if c.r.random() < nulls else draw(c.r) for _ in range(n)]
    if c.below(4) == 0:  # runs
        values = [v for v in values[: 1 + n // 5] for _ in range(5)][:n]
        values += [None] * (n - len(values))
    a = pa.array(values, t)
    if t == pa.binary(16) and c.yes():
        return pa.ExtensionArray.from_storage(pa.uuid(), a)
    if not dictionaries:
        return a
    if c.below(8) == 0 and pa.types.is_primitive(t) and not pa.types.is_float16(t):
        return pc.run_end_encode(a)
    if c.below(8) == 0 and n:
        places = [None if c.r.random() < nulls / 2 else c.r.randrange(n) for _ in range(n)]
        return pa.DictionaryArray.from_arrays(pa.array(places, c.of([pa.int16(), pa.uint32(), pa.int64()])), a)
    return a


def draw_table(c, dictionaries):
    """A table; dictionaries says that it may have the types that Parquet does not know."""
    n = c.of([0, 1, 7, 20, 20, 50, 50, 200])
    columns = [column(c, n, dictionaries) for _ in range(1 + c.below(3))]
    fields = [pa.field(f"c{i}", a.type, a.null_count > 0 or c.yes()) for i, a in enumerate(columns)]
    return pa.table(columns, pa.schema(fields))


def write_parquet(c):
    categories = c.below(4) == 0
    table = draw_table(c, categories)
    encodings = ["PLAIN", "DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY", "BYTE_STREAM_SPLIT", "RLE"]
    o = {
        "version": c.of(["1.0", "2.4", "2.6"]), "data_page_version": c.of(["1.0", "2.0"]), "compression": c.of(["none", "snappy", "gzip", "brotli", "lz4", "zstd"]),
        "use_dictionary": c.yes(), "data_page_size": c.of([1, 30, 1 << 20]), "write_batch_size": c.of([1, 7, 1024]), "row_group_size": c.of([3, 30, 1 << 20]),
        "store_schema": c.yes(), "write_page_checksum": c.yes(), "use_compliant_nested_type": c.yes(), "write_statistics": c.yes(), "store_decimal_as_integer": c.yes(),
        # pyarrow wraps times that nanoseconds do not reach, also those of categories that no row
        # has
        "use_deprecated_int96_timestamps": not categories and c.below(5) == 0, "write_page_index": c.yes(), "allow_truncated_timestamps": True,
    }
    if not o["use_dictionary"] and c.yes():
        o["column_encoding"] = c.of(encodings)
    b = io.BytesIO()
    try:
        pq.write_table(table, b, **o)
    except OSError:  # the encoding is for other types
        b = io.BytesIO()
        pq.write_table(table, b, **o | {"column_encoding": None})
    if o["use_deprecated_int96_timestamps"] and told_columns(table) != told_columns(read_parquet(b.getvalue())):
        raise ValueError("pyarrow reads other times than it was given")
    return b.getvalue()


def write_arrow(c):
    table = draw_table(c, True)
    if c.yes():
        table = pa.concat_tables([table.slice(c.below(5)), table.slice(c.below(5), c.below(9))])
    if c.yes():
        table = table.slice(c.below(9), c.of([0, 1, 13, 1000]))
    b = io.BytesIO()
    o = ipc.IpcWriteOptions(compression=c.of([None, "lz4", "zstd"]), emit_dictionary_deltas=c.yes())
    with c.of([ipc.new_stream, ipc.new_file])(b, table.schema, options=o) as w:
        w.write_table(table, max(c.of([1, 4, 1 << 16]), table.num_rows // 20))
    return b.getvalue()


def read_parquet(data):
    file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
    table = file.read(use_threads=False)
    if table.num_rows != file.metadata.num_rows:
        raise ValueError("pyarrow reads other rows than there are")
    return table


def read_arrow(data):
    if data[:6] == b"ARROW1":
        return ipc.open_file(data).read_all()
    return ipc.open_stream(data).read_all()


READ = {"p": read_parquet, "a": read_arrow}
WRITE = {"p": write_parquet, "a": write_arrow}


def told_columns(table):
    return [texts(c) for c in table.columns]


def told(data, read):
    """What a file holds, as JSON."""
    try:
        table = read(data)
        table.validate(full=True)
        if table.num_rows > 5000:
            return {"error": "many rows"}
    except Exception as e:
        return {"error": f"{type(e).__name__}: {e}"[:200]}
    out = {"rows": table.num_rows, "names": table.schema.names, "columns": {}, "types": {}}
    for i, name in enumerate(table.schema.names):
        if table.schema.names.count(name) == 1:
            try:
                out["columns"][name] = texts(table.column(i))
                out["types"][name] = str(table.schema.types[i])
            except Exception as e:
                out.setdefault("untold", []).append(f"{name}: {type(e).__name__}: {e}")
    return out


def answer(question):
    """To "w" and a letter of a format, with bytes: a file that they stand for, behind what it
    holds. To "r" and a letter, with a file: what it holds."""
    what, form, data = chr(question[0]), chr(question[1]), question[2:]
    if what == "w":
        try:
            data = WRITE[form](Choices(data))
        except Exception as e:  # pyarrow does not write all that it has, and older ones have not all
            return framed({"error": f"{type(e).__name__}: {e}"[:200]}, b"")
    return framed(told(data, READ[form]), data if what == "w" else b"")


def framed(value, data):
    head = json.dumps(value).encode()
    return len(head).to_bytes(4, "little") + head + data
