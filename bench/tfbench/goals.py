"""The rows of the table: what is run, against what, and the goal of the ratio."""

from __future__ import annotations

from dataclasses import dataclass

TIME = "of its time"
RATE = "× its rows/s"
SIZE = "of that"


@dataclass(frozen=True)
class Goal:
    """A bound on a ratio, from below or from above."""

    least: float | None = None
    most: float | None = None

    def met(self, ratio: float) -> bool:
        """Says whether a ratio is within the bound."""
        return (self.least is None or ratio >= self.least) and (self.most is None or ratio <= self.most)

    @property
    def higher_is_better(self) -> bool:
        return self.least is not None

    def __str__(self) -> str:
        return f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}"


@dataclass(frozen=True)
class Work:
    """A row of the table before it is measured. `kind` says what the ratio is of: TIME (less is
    better), RATE (more is better) or SIZE."""

    id: str
    group: str
    work: str
    against: str
    kind: str
    goal: Goal


def _time(id: str, group: str, work: str, against: str, most: float) -> Work:
    return Work(id, group, work, against, TIME, Goal(most=most))


def _rate(id: str, group: str, work: str, against: str, least: float) -> Work:
    return Work(id, group, work, against, RATE, Goal(least=least))


_ROWS = "2,560 rows of 10–1,325 tokens, JSONL in and out, "
_ONE = "one row of 256 tokens, warm, library call"
_DENSE = "32 floats → 64 → 10, a million rows, "

TABLE = (
    _time("cold-keras3", "cold", "one row, process start to answer, Keras 3 export", "`saved_model_cli run`", 0.12),
    _time("cold-keras2", "cold", "one row, process start to answer, Keras 2 SavedModel", "Python script", 0.09),
    _time("describe-keras3", "cold", "describe the Keras 3 export, `tfrun shapes`", "`saved_model_cli show --all`", 0.01),
    _time("describe-keras2", "cold", "describe the Keras 2 SavedModel, `tfrun shapes`", "`saved_model_cli show --all`", 0.01),
    _rate("rows-arrival-signature", "rows", _ROWS + "`--batching arrival`", "Python signature calls, `padded_batch(64)` in memory", 1.3),
    _rate("rows-arrival-keras", "rows", _ROWS + "`--batching arrival`", "Keras `model.predict`, `padded_batch(64)` in memory", 2),
    _rate("rows-auto-masked", "rows", _ROWS + "masked model, `--batching auto`", "Python signature calls, same model", 4),
    _rate("rows-exact-signature", "rows", _ROWS + "`--batching exact`", "Python signature calls over batches of equal length, in memory", 4),
    _rate("rows-exact-bucket", "rows", _ROWS + "`--batching exact`", "`--batching bucket`, whose answers depend on padding", 0.8),
    _time("one-python", "latency", _ONE, "Python signature call", 1),
    _time("one-xla-python", "latency", _ONE + ", XLA", "Python signature call", 0.14),
    _time("one-xla-onnx", "latency", _ONE + ", XLA", "ONNX Runtime, same weights", 1.2),
    _time("batch-onnx", "latency", "batch of 64 × 256 tokens, warm, library call, XLA", "ONNX Runtime, same weights", 1.0),
    _time("overhead", "overhead", "batching, feeding and reading 2,560 rows", "bare `Session.Run` loop in Go over the same batches", 1.02),
    _time("calls", "overhead", "one row of 32 floats a call, `Session.Run`", "the binding's bare `Session.Run` in Go", 1.05),
    _rate("dense-npy-slices", "dense", _DENSE + "npy in and out", "Python, NumPy slices of 65,536 rows", 1.4),
    _rate("dense-npy-tfdata", "dense", _DENSE + "npy in and out", "Python, `tf.data` batches of 4,096", 9),
    _rate("dense-jsonl", "dense", _DENSE + "JSONL in", "Python, `json.loads` and signature", 10),
    _rate("dense-csv", "dense", _DENSE + "CSV in", "Python, `tf.data.experimental.CsvDataset`", 15),
    _rate("dense-parquet-columns", "dense", _DENSE + "Parquet in, 32 columns", "Python, pyarrow → NumPy → signature, 65,536 rows a batch", 1.0),
    _rate("dense-parquet-list", "dense", _DENSE + "Parquet in, one list column", "Python, pyarrow → NumPy → signature, 65,536 rows a batch", 1.0),
    Work("memory-jsonl", "memory", "resident memory, 10 million rows through, JSONL from a pipe", "after the first 100,000 rows", SIZE, Goal(most=1.1)),
    Work("memory-npy", "memory", "resident memory, 10 million rows through, npy file", "after the first 100,000 rows", SIZE, Goal(most=1.1)),
)

GROUPS = tuple(dict.fromkeys(w.group for w in TABLE))
BY_ID = {w.id: w for w in TABLE}
