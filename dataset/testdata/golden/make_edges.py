"""Writes edges.json: what TensorFlow makes of the edges of tf.data that a random case does not
meet.

    python make_edges.py > edges.json

Needs TensorFlow (recorded with 2.21.0). Ranges that pass the end of int64 are left out:
TensorFlow's counter overflows there, and gives numbers for ever.
"""
import itertools
import json
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf

D = tf.data.Dataset
LAST, FIRST = 2**63 - 1, -(2**63)


def some(ds, n):
    return [int(x) for x in itertools.islice(iter(ds), n)]


def steps(ds, n):
    """The first n things that an iterator gives: elements, "error", or at last "end"."""
    it, out = iter(ds), []
    for _ in range(n):
        try:
            out.append(str(int(next(it))))
        except StopIteration:
            return out + ["end"]
        except tf.errors.OpError:
            out.append("error")
    return out


def ranges():
    for start, stop, step in [(FIRST, LAST, 1), (FIRST, LAST - 1, 1), (LAST, FIRST, -1), (FIRST, 0, 1), (FIRST, LAST - 1, 2**62), (LAST, FIRST + 1, -(2**62)), (0, LAST, 1), (-5, LAST, 1),
                              (LAST - 2, LAST, 1), (-1, -4, -1), (5, 5, 1), (5, 4, 1)]:
        yield {"start": start, "stop": stop, "step": step, "first": some(D.range(start, stop, step), 4)}


def enumerations():
    for start in [-5, -(2**62), FIRST, LAST - 1, LAST, 0]:
        ds = D.range(10, 13).enumerate(start)
        yield {"start": start, "pairs": [[int(i), int(x)] for i, x in ds], "cardinality": int(ds.cardinality())}


def refuse(x):
    return tf.debugging.check_numerics(tf.cast(x, tf.float32) / 0.0, "refused")


def repeats():
    bad = D.range(3).map(refuse)
    mixed = D.range(3).map(lambda x: tf.debugging.check_numerics(tf.where(x == 1, 1.0, float("inf")), "refused"))
    return {"bad for ever": steps(bad.repeat(), 10), "bad twice": steps(bad.repeat(2), 10), "mixed for ever": steps(mixed.repeat(), 8), "nothing for ever": steps(D.range(0).repeat(), 3),
            "bad, then mixed": steps(mixed.skip(2).repeat(), 5)}


def operations():
    endless, unknown, finite = inputs()
    texts = lambda ds: ds.map(lambda x: tf.fill([x], x))
    bucket = lambda drop: lambda ds: texts(ds).bucket_by_sequence_length(lambda x: tf.shape(x)[0], [2], [2, 2], drop_remainder=drop)
    return {
        "bucket": bucket(False), "bucket, drop": bucket(True), "padded_batch": lambda ds: texts(ds).padded_batch(2), "ragged_batch": lambda ds: texts(ds).ragged_batch(2),
        "batch": lambda ds: ds.batch(2), "batch, drop": lambda ds: ds.batch(2, drop_remainder=True), "unbatch": lambda ds: ds.batch(2).unbatch(),
        "unbatch, drop": lambda ds: ds.batch(2, drop_remainder=True).unbatch(), "filter": lambda ds: ds.filter(lambda x: True), "take": lambda ds: ds.take(2), "take all": lambda ds: ds.take(-1),
        "take 0": lambda ds: ds.take(0), "skip": lambda ds: ds.skip(2), "skip 0": lambda ds: ds.skip(0), "skip all": lambda ds: ds.skip(-1), "shard": lambda ds: ds.shard(2, 1),
        "shuffle": lambda ds: ds.shuffle(2), "repeat 0": lambda ds: ds.repeat(0), "repeat": lambda ds: ds.repeat(), "repeat 2": lambda ds: ds.repeat(2), "zip finite": lambda ds: D.zip(ds, finite),
        "zip endless": lambda ds: D.zip(ds, endless), "zip unknown": lambda ds: D.zip(ds, unknown), "enumerate": lambda ds: ds.enumerate(), "enumerate -5": lambda ds: ds.enumerate(-5),
        "prefetch": lambda ds: ds.prefetch(1), "map": lambda ds: ds.map(lambda x: x), "interleave": lambda ds: ds.interleave(lambda x: D.range(x), cycle_length=2),
    }


def inputs():
    return D.range(3).repeat(), D.range(3).filter(lambda x: True), D.range(7)


def cardinalities():
    return {name: [int(op(ds).cardinality()) for ds in inputs()] for name, op in operations().items()}


def unopened():
    """When each operation says that its input cannot be iterated over: "iterator", "first" element, or "never"."""
    out = {}
    for name, op in operations().items():
        ds = op(D.range(7).shard(-1, 0))
        try:
            it = iter(ds)
        except tf.errors.OpError:
            out[name] = "iterator"
            continue
        out[name] = {"error": "first", "end": "never"}[steps(ds, 1)[0]]
        del it
    return out


def lists(ds):
    return [x.to_list() if isinstance(x, tf.RaggedTensor) else x.numpy().tolist() for x in ds]


def ragged():
    flat = D.from_generator(lambda: iter([[1, 2], [3], [], [4, 5, 6], [7]]), output_signature=tf.TensorSpec([None], tf.int32)).ragged_batch(2).unbatch()
    deep = D.from_tensor_slices(tf.ragged.constant([[[1, 2], [3]], [[4]], []], ragged_rank=2)).batch(2).unbatch()
    return {"flat": lists(flat), "flat, map": lists(flat.map(lambda x: x)), "flat, filter": lists(flat.filter(lambda x: True)), "deep": lists(deep), "deep, map": lists(deep.map(lambda x: x))}


print(json.dumps({"ranges": list(ranges()), "enumerations": list(enumerations()), "repeats": repeats(), "cardinalities": cardinalities(), "unopened": unopened(), "ragged": ragged()}, indent=1))
