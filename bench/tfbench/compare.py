"""Compares a run with a stored one: which ratios got worse by more than the noise."""

from __future__ import annotations

from dataclasses import dataclass

from .goals import BY_ID
from .results import Results, Row, Spread
from .table import number

# Two runs of one program on one machine differ by this much although the spread inside each run is
# smaller.
FLOOR = 0.05


@dataclass(frozen=True)
class Change:
    """A ratio then and now. `worse` says that it got worse by more than the noise, or could not be
    measured any more."""

    id: str
    then: Spread | None
    now: Spread | None
    worse: bool
    text: str


def noise(then: Spread, now: Spread) -> float:
    """How far two medians may lie apart, as a share of the old one: half the spread of each run,
    and FLOOR at least."""
    return max((then.high - then.low) / 2 / then.median + (now.high - now.low) / 2 / then.median, FLOOR)


def change(then: Row | None, now: Row, id: str) -> Change:
    new = now.ratio if not now.problem else None
    old = then.ratio if then and not then.problem else None
    if old is None:
        return Change(id, None, new, False, "new: not in the baseline" if new else f"not measured, nor in the baseline: {now.problem}")
    if new is None:
        return Change(id, old, None, True, f"not measured: {now.problem}")
    by = (new.median - old.median) / old.median
    if BY_ID[id].goal.higher_is_better:
        by = -by
    bound = noise(old, new)
    text = f"{number(old.median)} → {number(new.median)}: {abs(by):.0%} {'worse' if by > 0 else 'better'}, noise {bound:.0%}"
    return Change(id, old, new, by > bound, text)


def compare(baseline: Results, now: Results) -> list[Change]:
    """The changes of all rows that were run now, in their order."""
    old = {r.id: r for r in baseline.rows}
    return [change(old.get(r.id), r, r.id) for r in now.rows if r.id in BY_ID]


def warnings(baseline: Results, now: Results) -> list[str]:
    out = []
    if baseline.machine != now.machine:
        out.append(f"the baseline is of another machine: {baseline.machine}; this is {now.machine}")
    out += [f"the baseline has {k} {v}, this run {now.versions[k]}" for k, v in baseline.versions.items() if k != "tfrun" and now.versions.get(k, v) != v]
    if baseline.quick != now.quick:
        out.append("one of the two runs is a shortened one")
    return out
