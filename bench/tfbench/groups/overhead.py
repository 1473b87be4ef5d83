"""runner over bare loops of the binding's Session.Run: batches of many rows, and one row a call."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..bench import KERAS3, Bench, Unit, measured
from ..process import by_turns
from ..results import Row


def overhead(b: Bench) -> Iterable[Row]:
    (rows,) = b.inputs(f"rows-{b.pick(2560, 640)}.jsonl")
    yield against_bare(b, "overhead", KERAS3, rows, "predict", "bare", b.turns(9, 3), "-whole")


def calls(b: Bench) -> Iterable[Row]:
    model, rows = b.inputs("dense", "dense-2000.jsonl")
    yield against_bare(b, "calls", model, rows, "calls", "bare-calls", b.turns(61, 21))  # a round takes 0.1 s


def against_bare(b: Bench, id: str, model: Path, rows: Path, job: str, bare_job: str, rounds: int, *flags: str) -> Row:
    """The two jobs of bench/overhead by turns, over the same rows in memory."""
    command = [*flags, "-model", str(model), "-rows", str(rows)]
    with b.program("overhead", *command) as p:
        ours, bare = by_turns(rounds, lambda: p.ask(job), lambda: p.ask(bare_job))
    same = abs(ours[-1]["sum"] - bare[-1]["sum"]) <= 1e-6 * abs(bare[-1]["sum"])
    return measured(
        id, rounds, [x["seconds"] for x in ours], [x["seconds"] for x in bare], commands=[b.shown(p.command, "bin/bench/overhead")],
        check=f"the answers of both add up to {ours[-1]['sum']:.9g}", problem="" if same else f"the answers differ: sums {ours[-1]['sum']} and {bare[-1]['sum']}",
    )  # fmt: skip


UNITS = (Unit(("overhead",), overhead), Unit(("calls",), calls))
