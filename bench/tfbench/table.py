"""Prints the table, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from .goals import BY_ID
from .results import Results, Row, Spread

HEAD = ("work", "against", "tfrun", "the other", "ratio", "goal", "")


def number(x: float) -> str:
    """Three digits that matter, thousands apart: 0.00104, 1.23, 862, 6,712,345 → 6,710,000."""
    if x == 0:
        return "0"
    digits = 2
    y = abs(x)
    while y >= 10:
        y, digits = y / 10, digits - 1
    while y < 1:
        y, digits = y * 10, digits + 1
    return f"{round(x, digits):,.{max(digits, 0)}f}"


def spread(s: Spread | None, unit: str = "") -> str:
    if s is None:
        return "–"
    return f"{number(s.median)} ({number(s.low)}–{number(s.high)}){' ' + unit if unit else ''}"


def verdict(row: Row) -> str:
    """✓ or ✗: a row that could not be measured has not reached its goal."""
    return "✓" if row.ratio and not row.problem and BY_ID[row.id].goal.met(row.ratio.median) else "✗"


def cells(row: Row) -> tuple[str, ...]:
    work = BY_ID[row.id]
    ratio = f"**{number(row.ratio.median)}** ({number(row.ratio.low)}–{number(row.ratio.high)})" if row.ratio else "–"
    if row.problem:
        ratio = f"{ratio} {row.problem}" if row.ratio else f"not measured: {row.problem}"
    return (work.work, work.against, spread(row.ours, row.unit), spread(row.theirs, row.unit), ratio, f"{work.goal} {work.kind}", verdict(row))


def lines(rows: Iterable[Row]) -> list[str]:
    out = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    out += ["| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in cells(r)) + " |" for r in rows]
    return out


def title(r: Results) -> str:
    versions = ", ".join(f"{k} {v}" for k, v in r.versions.items())
    return f"{r.date}, {r.machine}; {versions}{'; shortened (BENCH_QUICK)' if r.quick else ''}. Medians of the rounds, least–greatest in brackets."


def details(rows: Iterable[Row]) -> list[str]:
    """The commands of each row, how the answers compare, and other figures."""
    out = []
    for r in rows:
        out.append(f"{r.id}: {r.rounds} rounds" + (f"; {r.check}" if r.check else ""))
        out += [f"  {c}" for c in r.commands]
        out += [f"  {k}: {number(v)}" for k, v in r.also.items()]
    return out
