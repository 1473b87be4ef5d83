"""Token rows through a model in Python: signature calls, or Keras' predict, over batches that lie
in memory, padded or of equal length."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from . import answers, make, weights
from .protocol import Answer, serve

BATCH = 64


def batches(path: str) -> tf.data.Dataset:
    """padded_batch of the rows of a file, in tf.data's own memory cache, which a first pass
    fills."""
    with open(path, encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    ds = tf.data.Dataset.from_generator(lambda: iter(rows), output_signature=tf.TensorSpec([None], tf.float32)).padded_batch(BATCH).cache()
    for _ in ds:
        pass
    return ds


def equal_batches(path: str) -> tuple[list[tf.Tensor], np.ndarray]:
    """Batches of rows of one length each, and the numbers of their rows."""
    with open(path, encoding="utf-8") as f:
        rows = [np.array(json.loads(line), np.float32) for line in f]
    order = np.argsort([len(row) for row in rows], kind="stable")
    groups: list[list[np.ndarray]] = []
    for i in order:
        if not groups or len(groups[-1]) == BATCH or len(groups[-1][0]) != len(rows[i]):
            groups.append([])
        groups[-1].append(rows[i])
    return [tf.constant(np.stack(g)) for g in groups], order


class Rows:
    """The jobs of this peer."""

    def __init__(self) -> None:
        self.ds: tf.data.Dataset | list[tf.Tensor]
        self.order: np.ndarray | None = None
        self.predict: Callable[[tf.data.Dataset], np.ndarray]
        self.answers: np.ndarray

    def load(self, model: str, rows: str, keras: bool, equal: bool = False) -> Answer:
        self.predict = keras_predict(model) if keras else signature_calls(model)
        if equal:
            self.ds, self.order = equal_batches(rows)
            self.predict(self.ds[:3])
        else:
            self.ds = batches(rows)
            self.predict(self.ds.take(3))
        return {}

    def run(self) -> Answer:
        start = time.perf_counter()
        self.answers = self.predict(self.ds)
        return {"seconds": time.perf_counter() - start}

    def compare(self, file: str) -> Answer:
        found = self.answers
        if self.order is not None:
            found = np.empty_like(found)
            found[self.order] = self.answers
        return answers.compare(answers.read(file), found)


def signature_calls(model: str) -> Callable[[tf.data.Dataset], np.ndarray]:
    loaded = tf.saved_model.load(model)
    f = loaded.signatures["serving_default"]
    (name,) = f.structured_input_signature[1]

    def predict(ds: tf.data.Dataset) -> np.ndarray:
        return np.concatenate([f(**{name: b})["output_0"].numpy() for b in ds])

    predict.model = loaded  # the functions hold no reference to the variables
    return predict


def keras_predict(model: str) -> Callable[[tf.data.Dataset], np.ndarray]:
    import keras
    from keras import layers

    m = keras.Sequential([
        layers.Input((None,)),
        layers.Embedding(make.TOKENS, 64),
        layers.Bidirectional(layers.LSTM(64)),
        layers.Dense(64, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ])
    m.set_weights(weights.read(model))
    return lambda ds: m.predict(ds, verbose=0)


if __name__ == "__main__":
    jobs = Rows()
    serve(lambda: {"TensorFlow": tf.__version__}, {"load": jobs.load, "run": jobs.run, "compare": jobs.compare})
