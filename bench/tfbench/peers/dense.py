"""A million rows of 32 floats through a small dense model in Python, each way at its best: read,
run, and write the answers as .npy."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import tensorflow as tf

from . import answers
from .make import COLUMNS
from .protocol import Answer, serve

SLICE = 65_536
NAMES = [f"c{i}" for i in range(COLUMNS)]


def slices(file: str) -> Iterator[np.ndarray]:
    x = np.load(file)
    for i in range(0, len(x), SLICE):
        yield x[i : i + SLICE]


def tfdata(file: str) -> Iterable[tf.Tensor]:
    return tf.data.Dataset.from_tensor_slices(np.load(file)).batch(4096).prefetch(tf.data.AUTOTUNE)


def jsonl(file: str) -> Iterator[np.ndarray]:
    rows = []
    with open(file, encoding="utf-8") as f:
        for line in f:
            rows.append(json.loads(line)["x"])
            if len(rows) == SLICE:
                yield np.array(rows, np.float32)
                rows.clear()
    if rows:
        yield np.array(rows, np.float32)


def csv(file: str) -> Iterable[tf.Tensor]:
    rows = tf.data.experimental.CsvDataset(file, [tf.float32] * COLUMNS, header=True)
    return rows.batch(4096).map(lambda *columns: tf.stack(columns, 1), num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def columns(file: str) -> Iterator[np.ndarray]:
    import pyarrow.parquet as pq

    for b in pq.ParquetFile(file).iter_batches(SLICE, columns=NAMES):
        yield np.stack([c.to_numpy() for c in b.columns], axis=1)


def lists(file: str) -> Iterator[np.ndarray]:
    import pyarrow.parquet as pq

    for b in pq.ParquetFile(file).iter_batches(SLICE, columns=["x"]):
        yield b.column(0).flatten().to_numpy().reshape(-1, COLUMNS)


WAYS: dict[str, Callable[[str], Iterable]] = {"slices": slices, "tfdata": tfdata, "jsonl": jsonl, "csv": csv, "columns": columns, "lists": lists}


class Dense:
    """The jobs of this peer."""

    def __init__(self) -> None:
        self.out = ""

    def load(self, model: str, out: str) -> Answer:
        self.out = out
        self.model = tf.saved_model.load(model)
        self.f = self.model.signatures["serving_default"]
        (self.name,) = self.f.structured_input_signature[1]
        self.call(np.zeros((SLICE, COLUMNS), np.float32))
        return {}

    def call(self, x: np.ndarray | tf.Tensor) -> np.ndarray:
        return self.f(**{self.name: tf.convert_to_tensor(x)})["output_0"].numpy()

    def run(self, way: str, file: str) -> Answer:
        start = time.perf_counter()
        y = np.concatenate([self.call(x) for x in WAYS[way](file)])
        with open(self.out, "wb") as f:
            np.save(f, y)
        return {"seconds": time.perf_counter() - start, "rows": len(y)}

    def compare(self, file: str) -> Answer:
        return answers.compare(answers.read(file), np.load(self.out))


if __name__ == "__main__":
    jobs = Dense()
    serve(lambda: {"TensorFlow": tf.__version__}, {"load": jobs.load, "run": jobs.run, "compare": jobs.compare})
