"""Batching, feeding and reading over a bare loop of the binding's Session.Run."""

from __future__ import annotations

from collections.abc import Iterable

from ..bench import KERAS3, Bench, Unit, measured
from ..process import by_turns
from ..results import Row


def overhead(b: Bench) -> Iterable[Row]:
    (rows,) = b.inputs(f"rows-{b.pick(2560, 640)}.jsonl")
    rounds = b.turns(9, 3)
    command = ["-model", str(KERAS3), "-rows", str(rows)]
    with b.program("overhead", *command) as p:
        ours, bare = by_turns(rounds, lambda: p.ask("predict"), lambda: p.ask("bare"))
    same = abs(ours[-1]["sum"] - bare[-1]["sum"]) <= 1e-6 * abs(bare[-1]["sum"])
    yield measured(
        "overhead", rounds, [x["seconds"] for x in ours], [x["seconds"] for x in bare], commands=[b.shown(p.command, "bin/bench/overhead")],
        check=f"the answers of both add up to {ours[-1]['sum']:.9g}", problem="" if same else f"the answers differ: sums {ours[-1]['sum']} and {bare[-1]['sum']}",
    )  # fmt: skip


UNITS = (Unit(("overhead",), overhead),)
