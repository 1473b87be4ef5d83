"""Resident memory: as it was when the first 100,000 rows were through, and at its greatest until
ten million were."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from ..bench import Bench, Unit
from ..process import QUIET, Problem, failed
from ..results import Row, Spread

FIRST = 100_000
FLAGS = ("--batch-size", "4096", "--quiet")


def pipe(b: Bench) -> Iterable[Row]:
    """The same 100,000 lines again and again, down a pipe."""
    model, lines = b.inputs("dense", f"dense-{FIRST}.jsonl")
    text = lines.read_bytes()
    times = b.pick(100, 10)

    def feed(to: BinaryIO) -> None:
        with contextlib.suppress(BrokenPipeError):  # the exit status says more
            for _ in range(times):
                to.write(text)
            to.close()

    yield growth(b, "memory-jsonl", times * FIRST, b.predict_command(model, "-", "--input-format", "jsonl", *FLAGS), feed)


def file(b: Bench) -> Iterable[Row]:
    n = b.pick(10_000_000, 1_000_000)
    model, array = b.inputs("dense", f"big-{n}.npy")
    yield growth(b, "memory-npy", n, b.predict_command(model, array, *FLAGS), BinaryIO.close)


def growth(b: Bench, id: str, n: int, command: Sequence[str], feed: Callable[[BinaryIO], None]) -> Row:
    rounds = b.turns(3, 1)
    runs = [resident(command, n, feed) for _ in range(rounds)]
    first, most = [r[0] for r in runs], [r[1] for r in runs]
    return Row(
        id, Spread.of(m / f for f, m in zip(first, most)), Spread.of(most), Spread.of(first), "MiB", rounds, [b.shown(command)],
        check=f"{n:,} lines of results counted",
    )  # fmt: skip


def resident(command: Sequence[str], n: int, feed: Callable[[BinaryIO], None]) -> tuple[float, float]:
    """MiB after the first rows, and the most that was seen after that. The results are read and
    counted as they come."""
    try:
        p = subprocess.Popen(command, env={**os.environ, **QUIET}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as e:
        raise Problem(str(e)) from e
    feeder = threading.Thread(target=feed, args=(p.stdin,))
    feeder.start()
    lines, first, most = 0, 0.0, 0.0
    while piece := p.stdout.read1(1 << 20):
        lines += piece.count(b"\n")
        if lines >= FIRST:
            now = rss(p.pid)
            first = first or now
            most = max(most, now)
    feeder.join()
    message = p.stderr.read().decode(errors="replace")
    p.stdout.close()
    p.stderr.close()
    if p.wait() != 0 or lines != n:
        raise failed(command, p.returncode, f"{message}\n{lines:,} of {n:,} results")
    return first, most


def rss(pid: int) -> float:
    """Resident memory of a process in MiB; 0 when it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


UNITS = (Unit(("memory-jsonl",), pipe), Unit(("memory-npy",), file))
