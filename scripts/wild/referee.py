#!/usr/bin/env python3
"""referee.py MODEL reads what scripts/wild ran as JSON, runs the same in TensorFlow's session, and
writes the answers."""

import base64
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from tensorflow.python.eager import context  # noqa: E402

v1 = tf.compat.v1


def array(v):
    if v["DType"] == "string":
        return np.array([base64.b64decode(t) for t in v["Texts"] or []], object).reshape(v["Shape"])
    return np.frombuffer(base64.b64decode(v["Data"]), tf.as_dtype(v["DType"]).as_numpy_dtype).reshape(v["Shape"])


def value(x, dtype):
    x = np.asarray(x)
    v = {"DType": dtype, "Shape": list(x.shape), "Data": "", "Texts": None}
    if dtype == "string":
        v["Texts"] = [base64.b64encode(t if isinstance(t, bytes) else str(t).encode()).decode() for t in x.reshape(-1)]
    else:
        v["Data"] = base64.b64encode(np.ascontiguousarray(x).tobytes()).decode()
    return v


def by_objects(meta, run, loaded=[]):
    """Runs by Python's own loader what Keras 3 saved with tf.saved_model.save: the session's restores
    copies of the variables that no signature reads."""
    if not loaded:
        loaded.append(tf.saved_model.load(sys.argv[1]))
    for name, sig in meta.signature_def.items():
        inputs = {t.name: key for key, t in sig.inputs.items()}
        outputs = {t.name: key for key, t in sig.outputs.items()}
        if set(run["Feeds"]) == set(inputs) and set(run["Fetches"]) <= set(outputs):
            got = loaded[0].signatures[name](**{inputs[k]: tf.constant(array(v)) for k, v in run["Feeds"].items()})
            return [got[outputs[n]].numpy() for n in sorted(run["Fetches"])]
    raise ValueError("no signature takes and gives these tensors")


def main():
    found = json.load(sys.stdin)
    answers = []
    with v1.Session(graph=tf.Graph()) as session:
        meta = v1.saved_model.loader.load(session, found["Tags"] or [], sys.argv[1])
        for run in found["Runs"]:
            try:
                names = sorted(run["Fetches"])
                try:
                    got = session.run(names, {k: array(v) for k, v in run["Feeds"].items()})
                except tf.errors.FailedPreconditionError:  # a variable without a value
                    with context.eager_mode():
                        got = by_objects(meta, run)
                answers.append({"Fetches": {n: value(x, run["Fetches"][n]["DType"]) for n, x in zip(names, got)}})
            except Exception as e:  # noqa: BLE001 - it is the answer
                answers.append({"Error": str(e).splitlines()[0]})
    json.dump(answers, sys.stdout)


main()
