"""Measure tfrun over folders and on Spark: what `make scale-bench` prints.

usage: scale_bench.py TFRUN ROUNDS

Runs from the repository's top folder. Each row of the table is the ratio of two ways to score the
same rows, by turns in one run: the median of the rounds, the least and the greatest. Needs pyarrow
and pandas; TensorFlow for mapInPandas; pyspark and Java 17 for Spark.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

DENSE, RECURRENT = "testdata/models/k3_compiled/model", "examples/reviews/model"
DENSE_ROWS, PARTITIONS = 2_000_000, 50
FILE_ROWS = 24_000_000  # as many as make what Spark takes to begin a small part
RECURRENT_ROWS, FEW = 160_000, 40_000  # as many as make Spark's own part a small one; for Python workers


def timed(work):
    start = time.monotonic()
    work()
    return time.monotonic() - start


def compare(name, goal, rounds, ours, theirs):
    """Print the rows/s of ours in those of theirs; goal is what they are to be at least, or
    None."""
    ratios = []
    for i in range(rounds + 1):
        a, b = (timed(ours), timed(theirs)) if i % 2 else reversed((timed(theirs), timed(ours)))
        if i:  # the first round warms caches, workers and executors
            ratios.append(b / a)
    middle = statistics.median(ratios)
    said = "≥ %g %s" % (goal, "✓" if middle >= goal else "✗") if goal else "–"
    print("| %s | %.2f (%.2f–%.2f) | %s |" % (name, middle, min(ratios), max(ratios), said), flush=True)


class Folders:
    """Rows in one file, and the same ones in many."""

    def __init__(self, folder, tfrun, rows, files):
        self.folder, self.tfrun, self.runs = folder, tfrun, 0
        table = pa.table({"id": np.arange(rows), "x": lists(rows)})
        self.one = os.path.join(folder, "one.parquet")
        pq.write_table(table, self.one)
        self.many = os.path.join(folder, "many-%d" % files)
        os.mkdir(self.many)
        for i in range(files):
            first, end = rows * i // files, rows * (i + 1) // files
            pq.write_table(table.slice(first, end - first), os.path.join(self.many, "%05d.parquet" % i))

    def run(self, source, out):
        """Score a file or a folder into a new one: to replace files is another work."""
        self.runs += 1
        out = "%d-%s" % (self.runs, out)
        flags = ["--column", "keras_tensor=x", "--keep", "id", "-q"]
        subprocess.run([self.tfrun, "predict", DENSE, source, "-o", os.path.join(self.folder, out), *flags], check=True)


def lists(rows):
    x = np.random.default_rng(3).standard_normal((rows, 4), dtype=np.float32)
    return pa.FixedSizeListArray.from_arrays(pa.array(x.reshape(-1)), 4).cast(pa.list_(pa.float32()))


def folders(tfrun, rounds):
    for rows, files, goal, name in ((DENSE_ROWS, 200, 0.9, "200 files, to one"), (5_000_000, 5000, 0.5, "5,000 files of 1,000 rows, to one")):
        with tempfile.TemporaryDirectory() as folder:
            f = Folders(folder, tfrun, rows, files)
            compare("folder of %s file of the same rows" % name, goal, rounds, lambda f=f: f.run(f.many, "out"), lambda f=f: f.run(f.one, "out.parquet"))


class Work:
    """Rows of a model, in two files and as a DataFrame of 50 partitions, and the ways to score them."""

    def __init__(self, folder, tfrun, session, model, column, values):
        self.folder, self.tfrun, self.session, self.model, self.column, self.runs = folder, tfrun, session, model, column, 0
        self.table = pa.table({"id": np.arange(len(values)), column: values})
        self.cut = os.path.join(folder, "halves")
        os.mkdir(self.cut)
        half = len(values) // 2
        for i in range(2):
            pq.write_table(self.table.slice(i * half, half), os.path.join(self.cut, "%d.parquet" % i))

    def frame(self):
        """Make the DataFrame, and have it in memory."""
        source = os.path.join(self.folder, "rows.parquet")
        pq.write_table(self.table, source, row_group_size=-(-len(self.table) // PARTITIONS))
        self.df = self.session.read.parquet(source).repartition(PARTITIONS).cache()
        self.df.count()

    def on_spark(self):
        from tfrun import spark

        columns = {"keras_tensor": self.column}
        scored = spark.predict(self.df, self.model, keep=["id"], columns=columns, tfrun=self.tfrun)
        scored.write.mode("overwrite").parquet(os.path.join(self.folder, "spark"))

    def files_on_spark(self):
        from tfrun import spark

        self.runs += 1
        out, columns = os.path.join(self.folder, "files%d" % self.runs), {"keras_tensor": self.column}
        flags = ["--batching", "exact"]  # as a DataFrame's
        spark.predict_files(self.session, self.cut, self.model, out, keep=["id"], columns=columns, flags=flags, tfrun=self.tfrun)

    def untouched(self):
        """Read the rows, send them to Python and back, and write their ids: Spark's own part."""
        out = os.path.join(self.folder, "untouched")
        self.df.mapInArrow(lambda batches: (b.select(["id"]) for b in batches), "id long").write.mode("overwrite").parquet(out)

    def by_hand(self):
        flags = ["--column", "keras_tensor=" + self.column, "--keep", "id", "-q", "--workers", "1", "--intra-op", "1", "--batching", "exact"]
        both = [
            subprocess.Popen([self.tfrun, "predict", self.model, os.path.join(self.cut, "%d.parquet" % i), "-o", os.path.join(self.folder, "hand%d.parquet" % i), *flags])
            for i in range(2)
        ]
        if any([p.wait() for p in both]):
            raise SystemExit("tfrun has failed")

    def in_python(self):
        model, column = os.path.abspath(self.model), self.column

        def run(frames):
            import builtins

            import pandas as pd
            import tensorflow as tf

            models = builtins.__dict__.setdefault("_scale_bench", {})  # a Python worker's own, for all its tasks
            if model not in models:
                tf.config.threading.set_intra_op_parallelism_threads(1)
                models[model] = tf.saved_model.load(model).signatures["serving_default"]
            for frame in frames:
                rows, parts = frame[column].tolist(), []
                for i in range(0, len(rows), 64 if len({len(r) for r in rows}) > 1 else 8192):
                    batch = rows[i : i + (64 if len({len(r) for r in rows}) > 1 else 8192)]
                    longest = max(map(len, batch))
                    x = np.zeros((len(batch), longest), np.float32)
                    for k, row in enumerate(batch):
                        x[k, : len(row)] = row
                    parts.append(next(iter(models[model](keras_tensor=tf.constant(x)).values())).numpy().reshape(-1))
                yield pd.DataFrame({"score": np.concatenate(parts), "id": frame["id"]})

        out = os.path.join(self.folder, "pandas")
        self.df.mapInPandas(run, "score float, id long").write.mode("overwrite").parquet(out)


def reviews(rows):
    """Ids as those of the example's vocabulary, of lengths as reviews have."""
    rng = np.random.default_rng(5)
    lengths = np.clip(rng.lognormal(5, 0.6, rows), 8, 800).astype(int)
    return pa.array([rng.integers(1, 4000, n).astype(np.float32) for n in lengths], pa.list_(pa.float32()))


def spark(tfrun, rounds):
    from spark_test import Cluster, session

    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    here = str(pathlib.Path(__file__).resolve().parent.parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(p for p in (here, os.environ.get("PYTHONPATH")) if p)
    sys.path.insert(0, here)
    title = "Spark, 2 executors of a core, "
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(folder, 2)
        try:
            made = session(cluster, usual=True)

            def work(model, name, column, values):
                place = os.path.join(folder, name)
                os.mkdir(place)
                return Work(place, tfrun, made, os.path.abspath(model), column, values)

            files = work(DENSE, "files", "x", lists(FILE_ROWS))
            compare(title + "two files, dense model, to two processes by hand", 0.85, rounds, files.files_on_spark, files.by_hand)
            for model, name, column, values, few, against in (
                (DENSE, "dense", "x", lists(DENSE_ROWS), DENSE_ROWS, 1.0),
                (RECURRENT, "recurrent", "ids", reviews(RECURRENT_ROWS), FEW, 2.0),
            ):
                w = work(model, name, column, values)
                w.frame()
                compare(title + "50 partitions, %s model, to two processes by hand" % name, 0.85, rounds, w.on_spark, w.by_hand)
                compare(title + "50 partitions, %s rows that pass through Python alone, to the same" % name, None, rounds, w.untouched, w.by_hand)
                w.df.unpersist()
                w = work(model, name + "-few", column, values[:few])
                w.frame()
                compare(title + "50 partitions, %s model, to mapInPandas with TensorFlow" % name, against, rounds, w.on_spark, w.in_python)
                w.df.unpersist()
            made.stop()
        finally:
            cluster.stop()


def main(tfrun, rounds):
    print("| rows/s | ratio, median (least–greatest) | goal |\n|---|---|---|")
    folders(tfrun, int(rounds))
    spark(os.path.abspath(tfrun), int(rounds))


if __name__ == "__main__":
    main(*sys.argv[1:])
