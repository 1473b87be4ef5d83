"""Executes one golden case (decoded JSON) against real tf.data.

Nothing in here knows expected values: make_own.py uses it to obtain them.
"""
import base64
import hashlib
import json
import os
import re

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import tensorflow as tf

HASH_ABOVE = 600      # components with more scalars than this are hashed
EPOCH_CAP = 100000    # runaway guard

# ---------------------------------------------------------------- structure


def is_leaf_spec(s):
    return "dtype" in s


def spec_paths(spec, prefix=""):
    """Leaf paths in tf.data flattening order (dict keys sorted)."""
    if is_leaf_spec(spec):
        return [(prefix or ".", spec)]
    out = []
    if "tuple" in spec:
        items = [(str(i), s) for i, s in enumerate(spec["tuple"])]
    else:
        items = sorted(spec["dict"].items())
    for k, s in items:
        out += spec_paths(s, f"{prefix}/{k}" if prefix else k)
    return out


def build(spec, get, prefix=""):
    """Python structure for spec, leaves supplied by get(path, leaf)."""
    if is_leaf_spec(spec):
        return get(prefix or ".", spec)
    if "tuple" in spec:
        return tuple(build(s, get, f"{prefix}/{i}" if prefix else str(i))
                     for i, s in enumerate(spec["tuple"]))
    return {k: build(s, get, f"{prefix}/{k}" if prefix else k)
            for k, s in spec["dict"].items()}


def flatten(value, prefix=""):
    if isinstance(value, tuple):
        out = []
        for i, v in enumerate(value):
            out += flatten(v, f"{prefix}/{i}" if prefix else str(i))
        return out
    if isinstance(value, dict):
        out = []
        for k in sorted(value):
            out += flatten(value[k], f"{prefix}/{k}" if prefix else k)
        return out
    return [(prefix or ".", value)]


def lookup(value, path):
    return dict(flatten(value))[path]


# ------------------------------------------------------------------- values


def np_dtype(name):
    if name == "string":
        return np.dtype(object)
    return np.dtype(tf.as_dtype(name).as_numpy_dtype)


def dec_scalar(v, dtype):
    if dtype == "string":
        if isinstance(v, dict):
            return base64.b64decode(v["b64"])
        return v.encode("utf-8")
    if dtype.startswith("complex"):
        return complex(dec_float(v[0]), dec_float(v[1]))
    if dtype.startswith("float") or dtype == "bfloat16":
        return dec_float(v)
    return v


def dec_float(v):
    if isinstance(v, str):
        return {"NaN": float("nan"), "Infinity": float("inf"),
                "-Infinity": float("-inf")}[v]
    return float(v)


def enc_float(x):
    x = float(x)
    if x != x:
        return "NaN"
    if x in (float("inf"), float("-inf")):
        return "Infinity" if x > 0 else "-Infinity"
    return x


def dec_array(shape, values, dtype):
    vals = [dec_scalar(v, dtype) for v in values]
    if dtype == "string":
        a = np.empty(len(vals), dtype=object)
        a[:] = vals
    elif dtype == "bfloat16":
        a = np.array(vals, np.float64).astype(np_dtype(dtype))
    else:
        a = np.array(vals, dtype=np_dtype(dtype))
    return a.reshape(shape)


def enc_values(a, dtype):
    flat = a.reshape(-1)
    if dtype == "string":
        out = []
        for b in flat.tolist():
            if isinstance(b, str):
                b = b.encode("utf-8")
            try:
                out.append(b.decode("utf-8"))
            except UnicodeDecodeError:
                out.append({"b64": base64.b64encode(b).decode("ascii")})
        return out
    if dtype.startswith("complex"):
        return [[enc_float(c.real), enc_float(c.imag)] for c in flat]
    if dtype.startswith("float") or dtype == "bfloat16":
        return [enc_float(c) for c in flat.astype(np.float64)]
    if dtype == "bool":
        return [bool(c) for c in flat]
    return [int(c) for c in flat]


def digest(a, dtype):
    h = hashlib.sha256()
    if dtype == "string":
        for b in a.reshape(-1).tolist():
            h.update(len(b).to_bytes(8, "little") + b)
    else:
        h.update(np.ascontiguousarray(a).tobytes())  # host is little endian
    return h.hexdigest()


def enc_tensor(a, dtype, force_hash=False):
    r = {"dtype": dtype, "shape": [int(d) for d in a.shape]}
    if force_hash or a.size > HASH_ABOVE:
        r["sha256"] = digest(a, dtype)
    else:
        r["values"] = enc_values(a, dtype)
    return r


def enc_component(v, force_hash=False):
    if isinstance(v, tf.RaggedTensor):
        fv = v.flat_values
        r = {"dtype": v.dtype.name,
             "ragged": {"row_splits_dtype": v.row_splits.dtype.name,
                        "nested_row_splits": [[int(x) for x in s.numpy()]
                                              for s in v.nested_row_splits]}}
        ft = enc_tensor(fv.numpy(), v.dtype.name, force_hash)
        ft.pop("dtype")
        r["ragged"]["flat_values"] = ft
        return r
    a = v.numpy()
    if not isinstance(a, np.ndarray):
        if v.dtype == tf.string:
            o = np.empty((), dtype=object)
            o[()] = a
            a = o
        else:
            a = np.asarray(a)
    return enc_tensor(a, v.dtype.name, force_hash)


def enc_item(item, force_hash=False):
    return {p: enc_component(v, force_hash) for p, v in flatten(item)}


def enc_out_spec(spec):
    out = {}
    for p, s in flatten(spec):
        e = {"dtype": s.dtype.name,
             "shape": None if s.shape.rank is None else s.shape.as_list()}
        if isinstance(s, tf.RaggedTensorSpec):
            e["ragged_rank"] = int(s.ragged_rank)
            e["row_splits_dtype"] = s.row_splits_dtype.name
        out[p] = e
    return out


# ------------------------------------------------------------------- source

MASK = (1 << 64) - 1


class SplitMix64:
    def __init__(self, seed):
        self.s = seed & MASK

    def next(self):
        self.s = (self.s + 0x9E3779B97F4A7C15) & MASK
        z = self.s
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def between(self, lo, hi):
        return lo + self.next() % (hi - lo + 1)


def materialize(case):
    """List of {path: ndarray}."""
    leaves = dict(spec_paths(case["element_spec"]))
    if "elements" in case:
        return [{p: dec_array(c["shape"], c["values"], leaves[p]["dtype"])
                 for p, c in el.items()} for el in case["elements"]]
    g = case["elements_gen"]
    rng = SplitMix64(int(g["seed"]))
    out = []
    for _ in range(g["count"]):
        el = {}
        for c in g["components"]:
            shape = [rng.between(lo, hi) for lo, hi in c["dims"]]
            n = int(np.prod(shape, dtype=np.int64)) if shape else 1
            vals = [rng.between(c["lo"], c["hi"]) for _ in range(n)]
            dt = c["dtype"]
            if dt == "string":
                a = np.empty(n, dtype=object)
                a[:] = [b"t%d" % v for v in vals]
            elif "divide_by" in c:
                a = (np.array(vals, np.float64) / c["divide_by"]).astype(
                    np_dtype(dt))
            else:
                a = np.array(vals, np.int64).astype(np_dtype(dt))
            el[c["path"]] = a.reshape(shape)
        out.append(el)
    return out


def tf_spec(spec):
    return build(spec, lambda p, s: tf.TensorSpec(s["shape"],
                                                  tf.as_dtype(s["dtype"])))


def source(case, mode):
    spec = case["element_spec"]
    els = materialize(case)
    if mode == "generator":
        ds = tf.data.Dataset.from_generator(
            lambda: (build(spec, lambda p, s: el[p]) for el in els),
            output_signature=tf_spec(spec))
        return ds.apply(tf.data.experimental.assert_cardinality(len(els)))
    tables = {}
    for p, leaf in spec_paths(spec):
        dt = leaf["dtype"]
        parts = [el[p].reshape(-1) for el in els]
        flat = (np.concatenate(parts) if parts
                else np.zeros((0,), np_dtype(dt)))
        if dt == "string":
            flat = tf.constant(flat.tolist(), tf.string, shape=[flat.size])
        else:
            flat = tf.constant(flat, tf.as_dtype(dt))
        off = np.cumsum([0] + [q.size for q in parts]).astype(np.int64)
        dims = np.concatenate([np.zeros((0,), np.int64)] +
                              [np.array(el[p].shape, np.int64) for el in els])
        doff = np.cumsum([0] + [el[p].ndim for el in els]).astype(np.int64)
        tables[p] = [flat] + [tf.constant(x, tf.int64) for x in (off, dims, doff)]

    def element(i):
        def leaf(p, s):
            flat, off, dims, doff = tables[p]
            t = tf.reshape(flat[off[i]:off[i + 1]], dims[doff[i]:doff[i + 1]])
            return tf.ensure_shape(t, s["shape"])
        return build(spec, leaf)

    ds = tf.data.Dataset.range(len(els)).map(element)
    o = tf.data.Options()
    o.experimental_optimization.apply_default_optimizations = False
    o.experimental_optimization.map_and_batch_fusion = False
    o.autotune.enabled = False
    return ds.with_options(o)


# ------------------------------------------------------------------- stages

ABSENT = object()


def py_shapes(v):
    if isinstance(v, dict):
        if "tuple" in v:
            return tuple(py_shapes(x) for x in v["tuple"])
        return {k: py_shapes(x) for k, x in v["dict"].items()}
    if v is None:
        return tf.TensorShape(None)
    return v


def py_padding(v):
    if v is None:
        return None
    if "tuple" in v:
        return tuple(py_padding(x) for x in v["tuple"])
    if "dict" in v:
        return {k: py_padding(x) for k, x in v["dict"].items()}
    dt = v["dtype"]
    if "values" in v:
        return tf.constant(dec_array(v["shape"], v["values"], dt))
    val = dec_scalar(v["value"], dt)
    if v.get("literal"):
        return val.decode("utf-8") if isinstance(val, bytes) else val
    if dt == "string":
        return tf.constant(val, tf.string)
    return tf.constant(dec_array([], [v["value"]], dt), tf.as_dtype(dt))


def length_fn(d, is_tuple):
    def fn(*args):
        el = args if is_tuple else args[0]
        t = dict(flatten(el))[d["component"]]
        if "axis" in d:
            return tf.shape(t, out_type=tf.as_dtype(d.get("dtype", "int32")))[
                d["axis"]]
        return t
    return fn


def opt(st, *names):
    return {n: st[n] for n in names if n in st}


def apply_stage(ds, st):
    op = st["op"]
    if op in ("padded_batch", "bucket_by_sequence_length"):
        kw = opt(st, "drop_remainder")
        if "padded_shapes" in st:
            kw["padded_shapes"] = py_shapes(st["padded_shapes"])
        if "padding_values" in st:
            kw["padding_values"] = py_padding(st["padding_values"])
        if op == "padded_batch":
            return ds.padded_batch(st["batch_size"], **kw)
        kw.update(opt(st, "pad_to_bucket_boundary", "no_padding"))
        return ds.bucket_by_sequence_length(
            length_fn(st["length"], isinstance(ds.element_spec, tuple)),
            st["bucket_boundaries"],
            st["bucket_batch_sizes"], **kw)
    if op == "batch":
        return ds.batch(st["batch_size"], **opt(st, "drop_remainder"))
    if op == "ragged_batch":
        kw = opt(st, "drop_remainder")
        if "row_splits_dtype" in st:
            kw["row_splits_dtype"] = tf.as_dtype(st["row_splits_dtype"])
        return ds.ragged_batch(st["batch_size"], **kw)
    if op == "unbatch":
        return ds.unbatch()
    if op == "take":
        return ds.take(st["count"])
    if op == "skip":
        return ds.skip(st["count"])
    if op == "repeat":
        return ds.repeat(st["count"])
    if op == "shard":
        return ds.shard(st["num_shards"], st["index"])
    if op == "shuffle":
        return ds.shuffle(st["buffer_size"], seed=st.get("seed"),
                          **opt(st, "reshuffle_each_iteration"))
    raise AssertionError(op)


def stages(case):
    return case["stages"] if case["op"] == "pipeline" else [case]


# ---------------------------------------------------------------------- run


def err_kind(e):
    n = type(e).__name__
    if isinstance(e, tf.errors.OpError):
        return re.sub("Error$", "", n)
    return n


def err_text(e):
    m = str(e)
    # op wrapper prefix and trailer are eager plumbing, not the message
    m = re.sub(r"^\{\{function_node [^}]*\}\} ?", "", m)
    return re.sub(r" \[Op:\w+\] name: ?$", "", m)


def run(case, mode="table"):
    """-> dict(output_spec, cardinality, batches|events, error)."""
    if case["op"] == "pad_to_size":
        return run_pad_to_size(case)
    res = {}
    force = bool(case.get("hash_outputs"))
    src = source(case, mode)
    try:
        ds = src
        for st in stages(case):
            ds = apply_stage(ds, st)
        res["output_spec"] = enc_out_spec(ds.element_spec)
        card = int(ds.cardinality().numpy())
        if card >= -2:      # below: not a cardinality (take(-5), shard hint)
            res["cardinality"] = card
    except Exception as e:  # noqa: BLE001
        return {"error": {"kind": err_kind(e), "at": "build",
                          "text": err_text(e)}}
    if case["op"] == "shuffle":
        return run_shuffle(case, ds, res, lambda: build_again(case, mode))
    try:
        it = iter(ds)
    except Exception as e:  # noqa: BLE001
        res["error"] = {"kind": err_kind(e), "at": "iterator",
                        "text": err_text(e)}
        return res
    cont = case.get("on_error") == "continue"
    events, n = [], 0
    cap = case.get("max_events", EPOCH_CAP)
    while len(events) < cap:
        try:
            item = next(it)
            events.append({"batch": enc_item(item, force)})
            n += 1
        except StopIteration:
            if cont:
                events.append({"end": True})
            break
        except Exception as e:  # noqa: BLE001
            err = {"kind": err_kind(e), "text": err_text(e)}
            if not cont:
                err["at"] = f"batch {n}"
                res["error"] = err
                break
            events.append({"error": err})
    if cont:
        res["events"] = events
    else:
        res["batches"] = [e["batch"] for e in events if "batch" in e]
    return res


def build_again(case, mode):
    ds = source(case, mode)
    for st in stages(case):
        ds = apply_stage(ds, st)
    return ds


def run_pad_to_size(case):
    vec, size = list(case["vec"]), case["size"]
    missing = size - len(vec)
    out = vec
    out.extend([0] * missing)          # a negative count adds nothing
    x = tf.expand_dims(tf.cast(out, tf.float32), 0)
    return {"result": list(out), "model_input": enc_component(x)}


def run_shuffle(case, ds, res, again):
    """Elements are required to be distinct int64 scalars 0..n-1."""
    n = len(materialize(case))
    b = case["buffer_size"]
    eff = n if b == -2 else min(b, n)

    def epoch(d):
        return [int(x.numpy()) for x in d]

    try:
        e1, e2 = epoch(ds), epoch(ds)
    except Exception as e:  # noqa: BLE001
        res["error"] = {"kind": err_kind(e), "at": "batch 0",
                        "text": err_text(e)}
        return res
    r1 = epoch(again())
    for e in (e1, e2, r1):
        assert sorted(e) == list(range(n)), "not a permutation"
        assert all(v - p <= eff - 1 for p, v in enumerate(e)), "too early"
    res["properties"] = {
        "count": n,
        "multiset_equal": True,
        "max_early": max(eff - 1, 0),
        "identity": e1 == list(range(n)),
        "epochs_equal": e1 == e2,
        "rebuild_equal": e1 == r1,
    }
    return res


def dumps(o):
    return json.dumps(o, ensure_ascii=False, separators=(",", ":"),
                      allow_nan=False)
