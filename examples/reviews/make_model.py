#!/usr/bin/env python3
"""Makes the example: the model of TensorFlow's text-classification RNN tutorial, trained.

Usage:
    python make_model.py             remakes everything below from nothing but this folder's sources
    python make_model.py --check     runs the stored model and compares it with expected.jsonl
    python make_model.py --corpus F  only writes the training corpus to F (JSONL: text, label)

Sources: grammar.txt (what the training reviews are made of), reviews.jsonl (held-out reviews).
Makes: model/ (SavedModel), vocab.subwords (tfds subword vocabulary), reviews.txt, expected.jsonl,
expected.json, summary.txt. Needs the packages of requirements.txt. One seed decides everything; on
another kind of processor floats are added in another order, so the weights differ in the last
digits.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tensorflow_datasets as tfds  # noqa: E402

import corpus  # noqa: E402

HERE = Path(__file__).resolve().parent
MODEL = HERE / "model"
VOCABULARY = HERE / "vocab"  # tfds adds ".subwords"
REVIEWS = HERE / "reviews.jsonl"
EXPECTED = HERE / "expected.jsonl"
EXPECTED_ABOUT = HERE / "expected.json"

SEED = 20240607
CORPUS_SIZE = 200_000
VOCABULARY_SAMPLE = 30_000
VALIDATION_SIZE = 2_000
TUTORIAL_SHARE = 8  # one in so many reviews also goes through the tutorial's own pipeline
VOCABULARY_SIZE = 2**12
BUFFER_SIZE = 10_000  # of shuffle, as in the tutorial
BATCH_SIZE = 64  # of padded_batch, as in the tutorial
SMALL_BATCH_SIZE = 16  # a second batch size, so that reviews.txt makes several batches
PAD_TO = 64  # of pad_to_size, as in the tutorial
TOLERANCE = 1e-6
WAYS = ("alone", "pad_to_64", "padded_batch_64", "padded_batch_16")  # of feeding a review


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare the stored model with expected.jsonl")
    parser.add_argument("--corpus", type=Path, metavar="FILE", help="only write the training corpus")
    parser.add_argument("--threads", type=int, default=1, help="threads of TensorFlow (default 1)")
    args = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    tf.config.threading.set_inter_op_parallelism_threads(args.threads)
    if args.corpus:
        write_jsonl(args.corpus, ({"text": t, "label": l} for t, l in make_corpus()))
        return 0
    if args.check:
        return check()
    make()
    return 0


def make() -> None:
    """Remakes every file of this folder that is not a source."""
    tf.keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    samples = make_corpus()
    encoder = tfds.deprecated.text.SubwordTextEncoder.build_from_corpus(
        (text for text, _ in samples[:VOCABULARY_SAMPLE]), target_vocab_size=VOCABULARY_SIZE
    )
    encoder.save_to_file(str(VOCABULARY))
    print(f"vocabulary: {encoder.vocab_size} ids, {len(encoder.subwords)} subwords", flush=True)

    encoded = [(encoder.encode(text), label) for text, label in samples]
    model = build_model(encoder.vocab_size, steps=CORPUS_SIZE // BATCH_SIZE)
    write_summary(model)
    model.fit(
        training_batches(encoded[VALIDATION_SIZE:]),
        validation_data=padded(to_dataset(encoded[:VALIDATION_SIZE])),
        verbose=2,
    )
    export(model)
    write_expected(encoder)


def make_corpus() -> list[tuple[str, int]]:
    """Returns the training reviews, half of them positive (label 1), in random order."""
    rng = random.Random(SEED)
    grammar = corpus.Grammar.load(HERE / "grammar.txt")
    return [(corpus.review(grammar, rng, label == 1), label) for label in balanced(rng, CORPUS_SIZE)]


def balanced(rng: random.Random, size: int) -> list[int]:
    """Returns as many ones as zeros, in random order."""
    labels = [i % 2 for i in range(size)]
    rng.shuffle(labels)
    return labels


def build_model(vocab_size: int, steps: int) -> tf.keras.Model:
    """Returns the tutorial's model, compiled to be trained in so many steps."""
    model = tf.keras.Sequential(
        [
            tf.keras.layers.Embedding(vocab_size, 64),
            tf.keras.layers.Bidirectional(tf.keras.layers.LSTM(64)),
            tf.keras.layers.Dense(64, activation="relu"),
            tf.keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.build((None, None))
    rate = tf.keras.optimizers.schedules.CosineDecay(2e-3, steps, alpha=0.02)
    model.compile(
        loss=tf.keras.losses.BinaryCrossentropy(label_smoothing=0.05),
        optimizer=tf.keras.optimizers.Adam(rate, clipnorm=1.0),
        metrics=["accuracy"],
    )
    return model


def to_dataset(encoded: list[tuple[list[int], int]]) -> tf.data.Dataset:
    """Returns the dataset of (ids, label) that tfds gives the tutorial."""
    return tf.data.Dataset.from_generator(
        lambda: iter(encoded),
        output_signature=(tf.TensorSpec([None], tf.int64), tf.TensorSpec([], tf.int64)),
    )


def padded(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Batches as the tutorial does: every row padded with zeros to the longest of its batch."""
    return dataset.padded_batch(BATCH_SIZE, tf.compat.v1.data.get_output_shapes(dataset))


def training_batches(encoded: list[tuple[list[int], int]]) -> tf.data.Dataset:
    """Returns the batches of the one epoch: the corpus is so large that none is seen twice in one
    form.

    The model has no mask, so it must learn what to make of padding. The tutorial's pipeline shows
    it short reviews only before long runs of zeros, and takes long over them; so a part of the
    reviews goes that way, and all of them in batches of like length, with little padding or a
    random amount.
    """
    dataset = to_dataset(encoded).map(blur)
    tutorial = padded(dataset.shuffle(BUFFER_SIZE, seed=SEED).take(len(encoded) // TUTORIAL_SHARE))
    like_length = (
        dataset.shuffle(BUFFER_SIZE, seed=SEED + 1)
        .bucket_by_sequence_length(
            lambda ids, _: tf.size(ids),
            bucket_boundaries=[4, 6, 8, 10, 13, 17, 24, 32, 48, 64, 96, 128],
            bucket_batch_sizes=[BATCH_SIZE] * 13,
        )
        .map(widen)
    )
    weights = [1 / (1 + TUTORIAL_SHARE), TUTORIAL_SHARE / (1 + TUTORIAL_SHARE)]
    return tf.data.Dataset.sample_from_datasets([tutorial, like_length], weights, seed=SEED).prefetch(2)


def blur(ids: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Replaces one id in 40 of all but the shortest reviews, so that no single one decides."""
    chosen = tf.random.uniform(tf.shape(ids)) < tf.where(tf.size(ids) > 8, 0.025, 0.0)
    other = tf.random.uniform(tf.shape(ids), 1, VOCABULARY_SIZE - 100, tf.int64)
    return tf.where(chosen, other, ids), label


def widen(ids: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Appends columns of zeros to about half of the batches."""
    columns = tf.maximum(0, tf.random.uniform([], -100, 100, tf.int32))
    return tf.pad(ids, [[0, 0], [0, columns]]), labels


def pad_to_size(ids: list[int], size: int) -> list[int]:
    """Extends ids with zeros to size, as the tutorial's function does: it never cuts."""
    return ids + [0] * (size - len(ids))


def export(model: tf.keras.Model) -> None:
    """Writes the SavedModel beside the old one, then takes its place."""
    new = MODEL.with_name("model.new")
    shutil.rmtree(new, ignore_errors=True)
    model.export(new, verbose=False)
    shutil.rmtree(MODEL, ignore_errors=True)
    new.rename(MODEL)


def write_summary(model: tf.keras.Model) -> None:
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    (HERE / "summary.txt").write_text("\n".join(lines) + "\n", "utf-8")


class Stored:
    """The SavedModel on disk, called through its default signature."""

    def __init__(self):
        self._loaded = tf.saved_model.load(str(MODEL))
        self.function = self._loaded.signatures["serving_default"]
        (self.input,) = self.function.structured_input_signature[1].values()
        (self.output,) = self.function.structured_outputs

    def probabilities(self, rows: list[list[int]]) -> np.ndarray:
        """Runs one batch of rows of equal length."""
        feed = tf.constant(rows, self.input.dtype)
        return self.function(**{self.input.name: feed})[self.output].numpy()[:, 0]

    def padded_batches(self, rows: list[list[int]], size: int) -> list[float]:
        """Runs rows through padded_batch(size), in order."""
        dataset = to_dataset([(row, 0) for row in rows])
        batches = dataset.map(lambda ids, _: ids).padded_batch(size)
        return [float(p) for batch in batches for p in self.probabilities(batch.numpy())]


def expected_rows(encoder: tfds.deprecated.text.SubwordTextEncoder, stored: Stored) -> list[dict]:
    """Returns what the stored model says of each held-out review, fed in four ways."""
    reviews = read_jsonl(REVIEWS)
    ids = [encoder.encode(review["text"]) for review in reviews]
    batched = stored.padded_batches(ids, BATCH_SIZE)
    small = stored.padded_batches(ids, SMALL_BATCH_SIZE)
    return [
        {
            "id": review["id"],
            "text": review["text"],
            "label": review["label"],
            "ids": row,
            "alone": shortest(stored.probabilities([row])[0]),
            "pad_to_64": shortest(stored.probabilities([pad_to_size(row, PAD_TO)])[0]),
            "padded_batch_64": shortest(batched[i]),
            "padded_batch_16": shortest(small[i]),
        }
        for i, (review, row) in enumerate(zip(reviews, ids))
    ]


def write_expected(encoder: tfds.deprecated.text.SubwordTextEncoder) -> None:
    stored = Stored()
    rows = expected_rows(encoder, stored)
    write_jsonl(EXPECTED, rows)
    (HERE / "reviews.txt").write_text("".join(row["text"] + "\n" for row in rows), "utf-8")
    about = {
        "tensorflow": tf.__version__,
        "keras": tf.keras.__version__,
        "tensorflow_datasets": tfds.__version__,
        "seed": SEED,
        "signature": "serving_default",
        "input": describe(stored.input.name, stored.input),
        "output": describe(stored.output, stored.function.structured_outputs[stored.output]),
        "vocab_size": encoder.vocab_size,
        "pad_value": 0,
        "accuracy": {way: accuracy(rows, way) for way in WAYS},
    }
    EXPECTED_ABOUT.write_text(json.dumps(about, indent=2) + "\n", "utf-8")
    print(json.dumps(about["accuracy"]))


def describe(name: str, spec: tf.TensorSpec) -> dict:
    return {"name": name, "dtype": spec.dtype.name, "shape": spec.shape.as_list()}


def accuracy(rows: list[dict], way: str) -> float:
    right = sum((row[way] > 0.5) == (row["label"] == 1) for row in rows)
    return round(right / len(rows), 4)


def check() -> int:
    """Returns 0 if the stored model and vocabulary give what expected.jsonl holds."""
    encoder = tfds.deprecated.text.SubwordTextEncoder.load_from_file(str(VOCABULARY))
    wanted = read_jsonl(EXPECTED)
    got = expected_rows(encoder, Stored())
    if [row["id"] for row in wanted] != [row["id"] for row in got]:
        print("expected.jsonl and reviews.jsonl hold different reviews", file=sys.stderr)
        return 1
    worst, wrong = 0.0, 0
    for want, have in zip(wanted, got):
        gap = max(abs(want[way] - have[way]) for way in WAYS)
        worst = max(worst, gap)
        if want["ids"] != have["ids"] or not gap <= TOLERANCE:
            wrong += 1
            print(f"review {want['id']}: want {want}, got {have}", file=sys.stderr)
    print(f"{len(wanted) - wrong} of {len(wanted)} reviews agree, largest difference {worst:.1e}")
    return 1 if wrong else 0


def shortest(value: np.float32) -> float:
    """Returns the double whose shortest text is the shortest that reads back to the float32."""
    return float(str(np.float32(value)))


def read_jsonl(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def write_jsonl(path: Path, rows) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
