"""Writes own.jsonl: random cases over all operations, with what TensorFlow makes of them.

    python make_own.py COUNT SEED > own.jsonl

Needs TensorFlow (recorded with 2.21.0). The cases are in the format of README.md; tfrun.py runs
them.
"""
import json
import math
import random
import re
import sys

import tfrun

R = random.Random(int(sys.argv[2]))
DTYPES = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
          "float16", "bfloat16", "float32", "float64", "complex64", "complex128", "bool", "string"]
WORDS = ["", "a", "the movie", "é", "映画", "👩‍👩‍👧", "tab\t", "nul\0", "\\", '"', {"b64": "/w=="}, {"b64": "gIGC"}]


def scalar(dtype):
    if dtype == "bool":
        return R.random() < 0.5
    if dtype == "string":
        return R.choice(WORDS)
    if dtype.startswith("complex"):
        return [R.randint(-40, 40) / 4, R.choice([0.0, -0.0, 1.5, "NaN", "Infinity"])]
    if "float" in dtype:
        return R.choice([R.randint(-100, 100) / 4, 0.0, -0.0, "NaN", "Infinity", "-Infinity"])
    bits = int(re.sub(r"\D", "", dtype))
    lo, hi = (0, 2**bits - 1) if dtype[0] == "u" else (-2**(bits - 1), 2**(bits - 1) - 1)
    return R.choice([lo, hi, 0, R.randint(max(lo, -100), min(hi, 100))])


def leaf(max_rank=3, unknown_rank=0.12, dtype=None):
    """A leaf spec together with a function that draws the sizes of one element."""
    dtype = dtype or R.choice(DTYPES)
    rank = R.choice([0, 1, 1, 1, 2, 2, 3][: 4 + max_rank])
    static = [R.choice([None, None, R.randint(0, 4)]) for _ in range(rank)]
    if R.random() < unknown_rank:
        ranks = [rank] * 5 + [R.randint(0, 3)]
        return {"dtype": dtype, "shape": None}, lambda: [R.randint(0, 3) for _ in range(R.choice(ranks))]
    same = [R.randint(0, 4) for _ in range(rank)]
    uniform = R.random() < 0.3
    return ({"dtype": dtype, "shape": static},
            lambda: [s if s is not None else same[i] if uniform and R.random() < 0.9 else R.randint(0, 5) for i, s in enumerate(static)])


def structure(depth=0, **kw):
    """A spec and, by path, the functions that draw sizes."""
    k = R.random()
    if depth == 2 or k < (0.45 if depth == 0 else 0.7):
        s, f = leaf(**kw)
        return s, {"": f}
    n = R.randint(1, 3)
    parts = [structure(depth + 1, **kw) for _ in range(n)]
    if R.random() < 0.5:
        return {"tuple": [p[0] for p in parts]}, {f"{i}/{q}" if q else str(i): f for i, p in enumerate(parts) for q, f in p[1].items()}
    keys = R.sample(["b", "a", "z", "label", "A", "é"], n)
    return {"dict": {k: p[0] for k, p in zip(keys, parts)}}, {f"{k}/{q}" if q else k: f for k, p in zip(keys, parts) for q, f in p[1].items()}


def elements(spec, draw, n):
    out = []
    leaves = dict(tfrun.spec_paths(spec))
    for _ in range(n):
        el = {}
        for path, f in draw.items():
            path = path or "."
            shape = f()
            el[path] = {"shape": shape, "values": [scalar(leaves[path]["dtype"]) for _ in range(math.prod(shape))]}
        out.append(el)
    return out


def like(spec, f, keep=1.0):
    """f of every leaf, in spec's structure; now and then another structure."""
    if R.random() > keep:
        return R.choice([{"tuple": [f(l) for _, l in tfrun.spec_paths(spec)]}, {"dict": {"a": f(tfrun.spec_paths(spec)[0][1])}}])
    if "dtype" in spec:
        return f(spec)
    if "tuple" in spec:
        return {"tuple": [like(s, f, keep) for s in spec["tuple"]]}
    return {"dict": {k: like(s, f, keep) for k, s in spec["dict"].items()}}


def padded_shape(l, bucket=False):
    s = l["shape"]
    if s is None:
        s = [None] * R.randint(0, 3)
    s = [R.choice([None, None, None, d if d is not None else R.randint(0, 6), R.randint(3, 6)]) for d in s]
    if R.random() < 0.1 and not bucket:
        s = [-1 if d is None else d for d in s]
    if R.random() < 0.06:
        s = s + [None]
    if R.random() < 0.04:
        s = [R.choice([-1, -2, None]) for _ in s]
    return s


def padding(l):
    if R.random() < 0.3:
        return None
    dtype = l["dtype"] if R.random() < 0.95 else R.choice(DTYPES)
    if R.random() < 0.03:
        return {"dtype": dtype, "shape": [1], "values": [scalar(dtype)]}
    return {"dtype": dtype, "value": scalar(dtype)}


def drop(st):
    if R.random() < 0.35:
        st["drop_remainder"] = R.random() < 0.7
    return st


def size():
    return R.choice([1, 2, 2, 3, 3, 4, 7, 100]) if R.random() < 0.96 else R.choice([0, -1, -5])


def pad_args(st, spec, bucket=False):
    if R.random() < 0.5:
        st["padded_shapes"] = like(spec, lambda l: padded_shape(l, bucket), 0.97)
    if R.random() < 0.5:
        st["padding_values"] = like(spec, padding, 0.97) if R.random() < 0.9 else padding(tfrun.spec_paths(spec)[0][1])
        if st["padding_values"] is None:
            del st["padding_values"]
    return drop(st)


def length(spec):
    paths = tfrun.spec_paths(spec)
    scalars = [p for p, l in paths if l["shape"] == [] and l["dtype"] == "int32"]
    if scalars and R.random() < 0.6:
        return {"component": R.choice(scalars), "value": True}
    ranked = [(p, l) for p, l in paths if l["shape"]]
    if ranked:
        p, l = R.choice(ranked)
        return {"component": p, "axis": R.choice([0, 0, len(l["shape"]) - 1, -1, 3 if R.random() < 0.1 else 0])}
    return {"component": paths[0][0], "axis": 0}


def stage(spec, ops=None):
    op = R.choice(ops or ["padded_batch"] * 5 + ["bucket_by_sequence_length"] * 4 + ["batch", "ragged_batch", "ragged_batch", "unbatch", "take",
                                                                                      "skip", "repeat", "shard", "shuffle", "shuffle"])
    st = {"op": op}
    if op == "padded_batch":
        st["batch_size"] = size()
        return pad_args(st, spec)
    if op == "bucket_by_sequence_length":
        n = R.randint(0, 3)
        st["length"] = length(spec)
        st["bucket_boundaries"] = sorted(R.sample(range(0, 7), n)) if R.random() < 0.9 else [R.randint(-2, 6) for _ in range(n)]
        st["bucket_batch_sizes"] = [R.choice([1, 2, 2, 3]) if R.random() < 0.96 else R.choice([0, -1]) for _ in range(n + (1 if R.random() < 0.97 else 0))]
        if R.random() < 0.35:
            st["pad_to_bucket_boundary"] = True
        if R.random() < 0.15:
            st["no_padding"] = True
        return pad_args(st, spec, True)
    if op in ("batch", "ragged_batch"):
        st["batch_size"] = size()
        if op == "ragged_batch" and R.random() < 0.3:
            st["row_splits_dtype"] = R.choice(["int32", "int64"])
        return drop(st)
    if op in ("take", "skip", "repeat"):
        st["count"] = R.choice([-7, -2, -1, 0, 1, 2, 3, 5, 50])
        if op == "repeat" and st["count"] in (-7, -2, -1, 50):
            st["count"] = 2
    if op == "shard":
        st["num_shards"] = R.choice([1, 2, 2, 3, 5, 0, -1, -4]) if R.random() < 0.2 else R.choice([1, 2, 3])
        st["index"] = R.randint(-1, 3) if R.random() < 0.2 else 0
    if op == "shuffle":
        st["buffer_size"] = R.choice([1, 2, 3, 5, 100, -2]) if R.random() < 0.95 else R.choice([0, -1])
        st["seed"] = R.choice([0, 1, 7, 123456789, -5, 2**40])
        if R.random() < 0.4:
            st["reshuffle_each_iteration"] = R.random() < 0.5
    return st


def facts(text):
    """What a message says, apart from its words."""
    out = re.findall(r"rank \d+|component \d+|component\d+|'u?int\d+'|'float\d+'|'string'|greater than zero|smaller size|not compatible|unknown rank", text)
    out += re.findall(r"(?<=shape )\[[\d,]*\]|length \d+|non-scalar|scalar|SHARD_HINT|INVALID_ARGUMENT|out of bounds|RaggedTensorSpec|num_shards = -?\d+|index = -?\d+", text)
    out += re.findall(r"\((?:None|\d+)(?:, (?:None|\d+))*,?\)", text) if "not compatible" in text else []
    return sorted(set(out))


def record(case):
    """The case with its outcome."""
    r = tfrun.run(case)
    expect = {k: r[k] for k in ("output_spec", "cardinality", "batches", "events", "result", "model_input") if k in r}
    for e in expect.get("events", []):
        if "error" in e:
            e["error"] = {"kind": e["error"]["kind"]}
    if expect:
        case["expect"] = expect
    if "error" in r:
        case["expect_error"] = {"kind": r["error"]["kind"], "at": r["error"]["at"], "message_contains": facts(r["error"]["text"])}
    return case


def random_case(i):
    spec, draw = structure()
    n = R.choice([0, 1, 2, 3, 5, 6, 8, 9])
    case = {"id": f"own/random-{i}", "element_spec": spec, "elements": elements(spec, draw, n)}
    first = stage(spec)
    stages = [first]
    leaves = [l for _, l in tfrun.spec_paths(spec)]
    while R.random() < 0.45:
        # A stage after a batch sees another spec, so only those that take any.
        ops = ["take", "skip", "repeat", "shard", "shuffle", "padded_batch", "batch", "ragged_batch", "unbatch"]
        st = stage({"tuple": leaves}, ops)
        st.pop("padded_shapes", None)
        st.pop("padding_values", None)
        stages.append(st)
    if any(s["op"] == "unbatch" for s in stages) and any(0 in e["shape"] for el in case["elements"] for e in el.values()):
        return None         # this TensorFlow crashes on some of those
    if len(stages) == 1 and first["op"] != "shuffle":
        case.update(first)
    else:
        case.update(op="pipeline", stages=stages)
    if R.random() < 0.4:
        case.update(on_error="continue", max_events=30)
    case["category"] = "own." + (case["op"] if case["op"] != "pipeline" else "pipeline." + stages[-1]["op"])
    return case


def main():
    done = 0
    while done < int(sys.argv[1]):
        case = random_case(done)
        if case is None:
            continue
        print(f"case {done}: {case['op']}", file=sys.stderr, flush=True)
        print(tfrun.dumps(record(case)), flush=True)
        done += 1


main()
