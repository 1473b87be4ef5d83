"""A million rows through a model that is almost nothing: what counts is reading, feeding and writing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..bench import Bench, attempt, checked, measured
from ..process import Peer, by_turns
from ..results import Row, Spread

# The flags that tfrun is at its best with; Python takes slices of as many rows.
FLAGS = ("--batch-size", "65536", "--workers", "2")
COLUMNS = "x=" + ",".join(f"c{i}" for i in range(32))
NPY = {"dense-npy-slices": "slices", "dense-npy-tfdata": "tfdata"}


def run_group(b: Bench) -> list[Row]:
    n = b.pick(1_000_000, 200_000)
    files = [f"dense-{n}.npy", f"dense-{n}.jsonl", f"dense-{n}.csv", f"dense-{n}-columns.parquet", f"dense-{n}-list.parquet"]
    columns = ("--column", COLUMNS)
    work = (
        (files[0], (), NPY),
        (files[1], (), {"dense-jsonl": "jsonl"}),
        (files[2], columns, {"dense-csv": "csv"}),
        (files[3], columns, {"dense-parquet-columns": "columns"}),
        (files[4], (), {"dense-parquet-list": "lists"}),
    )
    got: list[Row] = []
    for file, flags, ways in work:
        got += attempt(ways, lambda file=file, flags=flags, ways=ways: one(b, n, file, flags, ways))
    return got


def one(b: Bench, n: int, name: str, flags: Sequence[str], ways: dict[str, str]) -> Iterable[Row]:
    model, file, first = b.inputs("dense", name, name.replace(str(n), "1"))
    with b.peer("dense", needs=["tensorflow", *(["pyarrow"] if name.endswith(".parquet") else [])]) as peer:
        peer.ask("load", model=str(model), out=str(b.scratch / "python.npy"))
        yield from throughput(b, n, peer, model, (file, first), flags, ways)


def throughput(b: Bench, n: int, peer: Peer, model: Path, files: tuple[Path, Path], flags: Sequence[str], ways: dict[str, str]) -> Iterable[Row]:
    """tfrun and each of Python's ways by turns. tfrun's time is that of its process, less that of the same command over the first row alone."""
    out, (file, first) = b.scratch / "out.npy", files
    rounds = b.pick(11 if len(ways) > 1 else 7, 3)
    command = b.predict_command(model, file, *flags, *FLAGS, "-o", out)
    whole, start, *others = by_turns(
        rounds, lambda: b.predict(model, file, *flags, *FLAGS, "-o", out), lambda: b.predict(model, first, *flags, *FLAGS, "-o", b.scratch / "one.npy"),
        *(lambda way=way: peer.ask("run", way=way, file=str(file))["seconds"] for way in ways.values()),
    )  # fmt: skip
    started = Spread.of([d.seconds for d in start]).median
    ours = [max(d.seconds - started, 1e-3) for d in whole]
    check, problem = checked(peer.ask("compare", file=str(out)))
    for id, theirs in zip(ways, others):
        also = {
            "process start and one row, s": started,
            "input, MB/s": file.stat().st_size / 1e6 / Spread.of(ours).median,
            "ratio with the whole process": Spread.of(t / d.seconds for d, t in zip(whole, theirs)).median,
            "ratio with the duration in tfrun's summary": Spread.of(t / d.summary_seconds() for d, t in zip(whole, theirs)).median,
        }
        yield measured(id, rounds, ours, theirs, n, commands=[b.shown(command)], check=check, problem=problem, also=also)
