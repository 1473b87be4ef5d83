"""Writes what TensorFlow in Python answers for rows that tests then run through tfrun.

For each case: rows (parity/NAME.rows.jsonl) with random lengths and values, batched with tf.data's
padded_batch, run through the signature of a model of testdata/models, and the answers, one a row:
padded, and each row alone (parity/NAME.want.json, with TensorFlow's version).

    python make_parity.py        # needs tensorflow-cpu==2.21.0; run from the repository's root
"""
import json
import os
import random

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

MODELS = "testdata/models"
OUT = "runner/testdata/parity"


def lengths(rng, n, lo, hi):
    return [rng.randint(lo, hi) for _ in range(n)]


def ids(rng, n, top):
    return [rng.randint(1, top) for _ in range(n)]


def tokens(name, dtype, rows, lo, hi, top):
    """rows of one ragged input: {name: [ids…]}"""
    def make(rng):
        return [{name: ids(rng, k, top)} for k in lengths(rng, rows, lo, hi)]
    return make, {name: (dtype, [None])}


def cases():
    yield "seed_k3", "full_seed/k3/model", 64, *tokens("inputs", tf.float32, 150, 1, 90, 8184)
    yield "seed_k2", "full_seed/k2/model", 64, *tokens("embedding_input", tf.float32, 70, 1, 90, 8184)
    yield "masked_k3", "k3_masked/model", 8, *tokens(None, None, 30, 1, 40, 20)

    def multi(rng):
        return [{"title": ids(rng, rng.randint(1, 9), 60), "body": ids(rng, rng.randint(1, 30), 60),
                 "tags": [round(rng.uniform(-2, 2), 3) for _ in range(5)]} for _ in range(21)]
    yield "multi_io_k3", "k3_multi_io/model", 4, multi, {"title": (tf.float32, [None]), "body": (tf.float32, [None]), "tags": (tf.float32, [5])}

    def texts(rng):
        words = "the a good bad movie was not very é 😀".split()
        return [{"text": [" ".join(rng.choice(words) for _ in range(rng.randint(1, 9)))]} for _ in range(10)]
    yield "textvec_k2", "k2_textvec/model", 3, texts, {"text": (tf.string, [1])}


def main():
    os.makedirs(OUT, exist_ok=True)
    for number, (name, model, batch, make, spec) in enumerate(cases()):
        f = tf.saved_model.load(f"{MODELS}/{model}").signatures["serving_default"]
        (_, inputs) = f.structured_input_signature
        if None in spec or len(inputs) == 1:  # a single input has its own name
            key, t = next(iter(inputs.items()))
            old = next(iter(spec))
            spec = {key: (t.dtype, spec[old][1])}
            rows = [{key: r[old]} for r in make(random.Random(number))]
        else:
            rows = make(random.Random(number))
        signature = {k: tf.TensorSpec(s, d) for k, (d, s) in spec.items()}
        ds = tf.data.Dataset.from_generator(lambda: iter(rows), output_signature=signature)
        want = []
        for b in ds.padded_batch(batch, padded_shapes={k: s for k, (_, s) in spec.items()}):
            out = {k: v.numpy() for k, v in f(**b).items()}
            n = len(next(iter(out.values())))
            want += [{k: v[i].astype(np.float64).tolist() for k, v in out.items()} for i in range(n)]
        alone = []
        for r in rows:
            one = {k: tf.constant([r[k]], d) for k, (d, _) in spec.items()}
            alone.append({k: v.numpy()[0].astype(np.float64).tolist() for k, v in f(**one).items()})
        with open(f"{OUT}/{name}.rows.jsonl", "w") as w:
            for r in rows:
                w.write(json.dumps(r, ensure_ascii=False) + "\n")
        with open(f"{OUT}/{name}.want.json", "w") as w:
            json.dump({"model": model, "batch_size": batch, "tensorflow": tf.__version__, "padded": want, "alone": alone}, w)
        print(name, len(rows), "rows")


main()
