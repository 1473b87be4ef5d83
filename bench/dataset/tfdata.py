"""The Python half of the dataset benchmark: runs tf.data pipelines on request.

Started by bench/dataset (Go), which writes the data's parameters and then the names of pipelines,
one a line, to standard input. Each answer is a line of JSON: seconds, rows, values in the batches
and the sum of the tokens, by which both halves are known to have done the same work.
"""
import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import tensorflow as tf


def rows(n, lo, hi):
    """Lengths and values of the rows: the same numbers as in main.go."""
    i = np.arange(n, dtype=np.uint64)
    lengths = (lo + (i * np.uint64(2654435761) % np.uint64(2**32)) % np.uint64(hi - lo + 1)).astype(np.int64)
    splits = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    flat = (np.arange(splits[-1], dtype=np.int64) * 7919) % 8184 + 1
    return flat, splits


def source(n, lo, hi):
    """(tokens, label) pairs out of memory, by the quickest way that was found: rows that an earlier
    pass has put into a cache."""
    flat, splits = (tf.constant(x) for x in rows(n, lo, hi))

    def element(i):
        return tf.ensure_shape(flat[splits[i]:splits[i + 1]], [None]), i % 2

    ds = tf.data.Dataset.range(n).map(element, num_parallel_calls=PARALLEL).cache()
    for _ in ds:
        pass
    return ds


def pipelines(ds, batch, boundaries):
    return {
        "padded_batch": lambda: ds.padded_batch(batch),
        "shuffle, padded_batch": lambda: ds.shuffle(10000, seed=1).padded_batch(batch),
        "bucket": lambda: ds.bucket_by_sequence_length(lambda x, y: tf.shape(x)[0], boundaries, [batch] * (len(boundaries) + 1)),
    }


def main():
    cfg = json.loads(sys.stdin.readline())
    global PARALLEL
    PARALLEL = tf.data.AUTOTUNE if cfg["parallel"] else None
    made = pipelines(source(cfg["rows"], cfg["lo"], cfg["hi"]), cfg["batch"], cfg["boundaries"])
    print(json.dumps({"python": sys.version.split()[0], "tensorflow": tf.__version__}), flush=True)
    for line in sys.stdin:
        ds = made[line.strip()]()
        if cfg["parallel"]:
            ds = ds.prefetch(tf.data.AUTOTUNE)
        n = values = passes = 0
        seconds = 0.0
        start = time.perf_counter()
        while seconds < cfg["seconds"]:
            for tokens, labels in ds:
                n += int(labels.shape[0])
                values += int(tokens.shape[0]) * int(tokens.shape[1])
            passes += 1
            seconds = time.perf_counter() - start
        total = sum(int(tf.reduce_sum(t)) for t, _ in ds)
        print(json.dumps({"seconds": seconds, "passes": passes, "rows": n, "values": values, "sum": total}), flush=True)


PARALLEL = None
main()
