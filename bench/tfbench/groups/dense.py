"""A million rows through a model that is almost nothing: what counts is reading, feeding and
writing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..bench import Bench, Unit, checked, measured, net
from ..process import Peer, by_turns
from ..results import Row, Spread

# tfrun is at its best without flags; this one says what it does for so many rows, and one row
# alone, a short job, would do without.
FLAGS = ("--optimizer", "functions")
COLUMNS = "x=" + ",".join(f"c{i}" for i in range(32))


def unit(form: str, ways: dict[str, str], *flags: str) -> Unit:
    """Rows that read an input of that form. `ways` are Python's, by row."""

    def measure(b: Bench) -> Iterable[Row]:
        n = b.pick(1_000_000, 200_000)
        model, *files = b.inputs("dense", f"dense-{n}{form}", f"dense-1{form}")
        with b.peer("dense", needs=["tensorflow", *(["pyarrow"] if form.endswith(".parquet") else [])]) as peer:
            peer.ask("load", model=str(model), out=str(b.scratch / "python.npy"))
            yield from throughput(b, n, peer, model, files, flags, ways)

    return Unit(tuple(ways), measure)


def throughput(b: Bench, n: int, peer: Peer, model: Path, files: Sequence[Path], flags: Sequence[str], ways: dict[str, str]) -> Iterable[Row]:
    """tfrun and each of Python's ways by turns. tfrun's time is that of its process, less that of
    the same command over the first row alone.

    Each finds the input in the page cache: else the first of a round would read it for the others,
    where memory is short or the machine takes it back.
    """
    out, (file, first) = b.scratch / "out.npy", files
    rounds = b.turns(15 if file.suffix in (".npy", ".parquet") else 5, 3)
    command = b.predict_command(model, file, *flags, *FLAGS, "-o", out)
    whole, start, *others = by_turns(
        rounds, lambda: b.predict(model, cached(file), *flags, *FLAGS, "-o", out), lambda: b.predict(model, first, *flags, *FLAGS, "-o", b.scratch / "one.npy"),
        *(lambda way=way: peer.ask("run", way=way, file=str(cached(file)))["seconds"] for way in ways.values()),
    )  # fmt: skip
    ours, started = net(whole, start)
    check, problem = checked(peer.ask("compare", file=str(out)))
    for id, theirs in zip(ways, others):
        also = {
            "process start and one row, s": started,
            "input, MB/s": file.stat().st_size / 1e6 / Spread.of(ours).median,
            "ratio with the whole process": Spread.of(t / d.seconds for d, t in zip(whole, theirs)).median,
            "ratio with the duration in tfrun's summary": Spread.of(t / d.summary_seconds() for d, t in zip(whole, theirs)).median,
        }
        yield measured(id, rounds, ours, theirs, n, commands=[b.shown(command)], check=check, problem=problem, also=also)


def cached(file: Path) -> Path:
    """The file, read once: what reads it next does not wait for a disk."""
    with file.open("rb", buffering=0) as f:
        while f.read(1 << 20):
            pass
    return file


UNITS = (
    unit(".npy", {"dense-npy-slices": "slices", "dense-npy-tfdata": "tfdata"}),
    unit(".jsonl", {"dense-jsonl": "jsonl"}),
    unit(".csv", {"dense-csv": "csv"}, "--column", COLUMNS),
    unit("-columns.parquet", {"dense-parquet-columns": "columns"}, "--column", COLUMNS, "--batch-size", "32768"),  # reading takes most of the time here
    unit("-list.parquet", {"dense-parquet-list": "lists"}),
)
