"""Values of Arrow's types as the project's JSON: what kept columns become in JSON lines."""

import base64
import datetime as dt
import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def text(v, t):
    """The value as the project's JSON."""
    if v is None:
        return "null"
    if isinstance(t, pa.BaseExtensionType):
        return json.dumps(str(v))
    if pa.types.is_interval(t):
        return f'{{"months":{v.months},"days":{v.days},"nanoseconds":{v.nanoseconds}}}'
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
    if pa.types.is_integer(t):
        return str(v)
    raise TypeError(f"{t}: no text")


STEERS = re.compile(r"[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def quoted(s):
    """A string of JSON, in which characters that steer a terminal are escaped."""
    out = json.dumps(s, ensure_ascii=False)
    out = re.sub(r"\\.", lambda m: {r"\b": r"\u0008", r"\f": r"\u000c"}.get(m[0], m[0]), out)
    return STEERS.sub(lambda m: rf"\u{ord(m[0]):04x}", out)


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
    return [s for chunk in column.chunks for s in told_array(chunk)]


def told_array(a):
    """The texts of an array's values. Values with parts are told by their parts, whose dates and
    times Python could not hold."""
    t = a.type
    if str(t) == "extension<arrow.uuid>":
        return [text(v, t) for v in a.to_pylist()]
    if isinstance(t, pa.BaseExtensionType):
        return told_array(a.storage)
    if pa.types.is_dictionary(t):
        told = told_array(a.dictionary)
        return [told[i] if i is not None else "null" for i in a.indices.to_pylist()]
    if pa.types.is_run_end_encoded(t):
        return told_array(pc.run_end_decode(a))
    if pa.types.is_temporal(t) and not pa.types.is_interval(t):
        ints = a.cast(pa.int32() if t.bit_width == 32 else pa.int64()).to_pylist()
        return [str(n) if n is not None else "null" for n in ints] if pa.types.is_duration(t) else [moment(n, t) for n in ints]
    if pa.types.is_struct(t):
        fields = [(quoted(t.field(i).name), told_array(a.field(i))) for i in range(t.num_fields)]
        return ["{" + ",".join(f"{name}:{told[i]}" for name, told in fields) + "}" if ok else "null" for i, ok in enumerate(a.is_valid().to_pylist())]
    if pa.types.is_nested(t):
        return [told_list(v, t) for v in a]
    return [text(v, t) for v in a.to_pylist()]


def told_list(v, t):
    """A scalar that is a list or a map."""
    if not v.is_valid:
        return "null"
    if not pa.types.is_map(t):
        return "[" + ",".join(told_array(v.values)) + "]"
    keys, items = told_array(v.values.field(0)), told_array(v.values.field(1))
    if pa.types.is_string(t.key_type):
        return "{" + ",".join(f"{k}:{x}" for k, x in zip(keys, items)) + "}"
    return "[" + ",".join(f'{{"key":{k},"value":{x}}}' for k, x in zip(keys, items)) + "]"
