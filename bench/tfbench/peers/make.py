"""Makes the inputs of the benchmark, the same ones every time: python -m tfbench.peers.make FOLDER
NAME…

Names: rows-N.jsonl (token lists), masked and dense (models), dense-N.{npy,jsonl,csv} and
dense-N-{columns,list}.parquet (a row is 32 floats). A file or folder appears under its name when it
is whole; one that is there is left alone.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

TOKENS = 8185
COLUMNS = 32
FULL = Path(__file__).resolve().parents[3] / "testdata/models/full_seed/k3/model"


def token_rows(n: int) -> Iterator[list[int]]:
    """Lengths as reviews have them: 10 to 1,325, log-normal, 246 in the mean."""
    r = random.Random(7)
    for _ in range(n):
        length = int(min(1325, max(10, r.lognormvariate(5.3, 0.62))))
        yield [r.randint(1, TOKENS - 1) for _ in range(length)]


def dense_numbers(n: int) -> np.ndarray:
    """Six digits behind the point, which is what a file of text holds of a float32."""
    return np.random.default_rng(7).integers(-2_000_000, 2_000_000, (n, COLUMNS), dtype=np.int32)


def dense_rows(n: int) -> np.ndarray:
    return (dense_numbers(n) / 1e6).astype(np.float32)


def dense_text(n: int, template: str) -> Iterator[str]:
    for row in dense_numbers(n):
        yield template % tuple((row / 1e6).tolist())


def masked(to: Path) -> None:
    """The tutorial's model with mask_zero, and the weights of the one without."""
    import keras
    from keras import layers

    from . import weights

    model = keras.Sequential([
        layers.Input((None,)),
        layers.Embedding(TOKENS, 64, mask_zero=True),
        layers.Bidirectional(layers.LSTM(64)),
        layers.Dense(64, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ])
    model.set_weights(weights.read(FULL))
    model.export(str(to), verbose=False)


def dense(to: Path) -> None:
    import keras
    from keras import layers

    keras.utils.set_random_seed(7)
    model = keras.Sequential([layers.Input((COLUMNS,), name="x"), layers.Dense(64, activation="relu"), layers.Dense(10, activation="softmax")])
    model.export(str(to), verbose=False)


def parquet(to: Path, n: int, one_column: bool) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    x = dense_rows(n)
    if one_column:
        table = pa.table({"x": pa.FixedSizeListArray.from_arrays(x.ravel(), COLUMNS).cast(pa.list_(pa.float32()))})
    else:
        table = pa.table({f"c{i}": x[:, i] for i in range(COLUMNS)})
    pq.write_table(table, to, row_group_size=131_072)


def lines(to: Path, text: Iterator[str]) -> None:
    with to.open("w", encoding="utf-8") as f:
        f.writelines(text)


def big(to: Path, n: int) -> None:
    """An array that is written piece by piece: the same rows again and again."""
    piece = dense_rows(min(n, 100_000))
    with to.open("wb") as f:
        np.lib.format.write_array_header_1_0(f, {"descr": "<f4", "fortran_order": False, "shape": (n, COLUMNS)})
        for start in range(0, n, len(piece)):
            piece[: n - start].tofile(f)


def make(to: Path, name: str) -> None:
    """Makes the input of that name."""
    kind, _, rest = name.partition("-")
    size, _, form = rest.replace("-", ".", 1).partition(".")
    n = int(size or 0)
    match kind, form:
        case "masked", "":
            masked(to)
        case "dense", "" if not n:
            dense(to)
        case "rows", "jsonl":
            lines(to, (json.dumps(r) + "\n" for r in token_rows(n)))
        case "dense", "npy":
            np.save(to.open("wb"), dense_rows(n))
        case "dense", "jsonl":
            lines(to, dense_text(n, '{"x": [' + ", ".join(["%.6f"] * COLUMNS) + "]}\n"))
        case "dense", "csv":
            header = ",".join(f"c{i}" for i in range(COLUMNS)) + "\n"
            lines(to, (t for part in ((header,), dense_text(n, ",".join(["%.6f"] * COLUMNS) + "\n")) for t in part))
        case "dense", "columns.parquet" | "list.parquet":
            parquet(to, n, form.startswith("list"))
        case "big", "npy":
            big(to, n)
        case _:
            raise ValueError(f"no input is called {name}")


def main() -> None:
    folder = Path(sys.argv[1])
    for name in sys.argv[2:]:
        to = folder / name
        if to.exists():
            continue
        part = folder / f".{os.getpid()}-{name}"
        make(part, name)
        if to.exists():
            shutil.rmtree(to)
        part.rename(to)


if __name__ == "__main__":
    main()
