"""What was measured: numbers, their spread, and the JSON file that keeps them."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FORMAT = 1


@dataclass(frozen=True)
class Spread:
    """The median of several measurements, and the least and the greatest of them."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        v = sorted(values)
        return cls(statistics.median(v), v[0], v[-1])

    def over(self, scale: float) -> Spread:
        """scale divided by each: seconds to rows per second."""
        return Spread(scale / self.median, scale / self.high, scale / self.low)


def ratios(ours: Sequence[float], theirs: Sequence[float], higher_is_better: bool) -> Spread:
    """The ratio of each round. Both are times: less is quicker, and a ratio of rates is that of the
    times the other way round."""
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} measurements against {len(theirs)}")
    return Spread.of(t / o if higher_is_better else o / t for o, t in zip(ours, theirs))


@dataclass
class Row:
    """A measured row of the table. `problem` says why there is no ratio, or none to trust."""

    id: str
    ratio: Spread | None = None
    ours: Spread | None = None
    theirs: Spread | None = None
    unit: str = ""
    rounds: int = 0
    commands: list[str] = field(default_factory=list)
    check: str = ""
    also: dict[str, float] = field(default_factory=dict)
    problem: str = ""


@dataclass
class Results:
    """A run of the benchmark."""

    date: str
    machine: str
    versions: dict[str, str]
    quick: bool
    rows: list[Row]

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")


def read(path: Path) -> Results:
    """Reads what Results.write wrote."""
    d = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(d, dict) or d.get("format") != FORMAT:
        raise ValueError(f"{path}: no results of this benchmark, format {FORMAT}")
    return Results(d["date"], d["machine"], d["versions"], d["quick"], [_row(r) for r in d["rows"]])


def _row(d: dict[str, Any]) -> Row:
    spreads = {k: Spread(**d[k]) if d[k] else None for k in ("ratio", "ours", "theirs")}
    return Row(**{**d, **spreads})
