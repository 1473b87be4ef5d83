"""runner over bare loops of the binding's Session.Run: batches of many rows, and one row a call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..bench import KERAS3, Bench, Unit, measured
from ..process import Peer, by_turns
from ..results import Row


def overhead(b: Bench) -> Iterable[Row]:
    (rows,) = b.inputs(f"rows-{b.pick(2560, 640)}.jsonl")
    rounds = b.turns(9, 3)
    with program(b, KERAS3, rows, "-whole") as p:
        ours, bare = by_turns(rounds, lambda: p.ask("predict"), lambda: p.ask("bare"))
    yield compared(b, "overhead", p, rounds, ours, bare)


def calls(b: Bench) -> Iterable[Row]:
    model, rows = b.inputs("dense", "dense-2000.jsonl")
    rounds = b.turns(31, 11)  # a round takes 0.3 s
    with program(b, model, rows) as p:
        (both,) = by_turns(rounds, lambda: p.ask("calls"))  # the program itself goes by turns, call by call
    yield compared(b, "calls", p, rounds, [x["ours"] for x in both], [x["bare"] for x in both])


def program(b: Bench, model: Path, rows: Path, *flags: str) -> Peer:
    """bench/overhead with a model and rows, which it holds in memory."""
    return b.program("overhead", *flags, "-model", str(model), "-rows", str(rows))


def compared(b: Bench, id: str, p: Peer, rounds: int, ours: Sequence[dict[str, float]], bare: Sequence[dict[str, float]]) -> Row:
    same = abs(ours[-1]["sum"] - bare[-1]["sum"]) <= 1e-6 * abs(bare[-1]["sum"])
    return measured(
        id, rounds, [x["seconds"] for x in ours], [x["seconds"] for x in bare], commands=[b.shown(p.command, "bin/bench/overhead")],
        check=f"the answers of both add up to {ours[-1]['sum']:.9g}", problem="" if same else f"the answers differ: sums {ours[-1]['sum']} and {bare[-1]['sum']}",
    )  # fmt: skip


UNITS = (Unit(("overhead",), overhead), Unit(("calls",), calls))
