"""What the groups of measurements share."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .goals import BY_ID, RATE
from .process import Done, Peer, Problem, reason, run, say, shown
from .results import Row, Spread, ratios
from .venv import HERE, Python

MODELS = HERE.parent / "testdata" / "models" / "full_seed"
KERAS3, KERAS2 = MODELS / "k3" / "model", MODELS / "k2" / "model"


@dataclass
class Bench:
    """The programs, the folders and the sizes of a run. `versions` gathers what the programs say of
    themselves."""

    tfrun: Path
    programs: Path
    python: Python
    data: Path
    scratch: Path
    quick: bool
    rounds: int = 0
    versions: dict[str, str] = field(default_factory=dict)
    home: Path = HERE

    def pick(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    def turns(self, full: int, quick: int) -> int:
        """The number of rounds: as it was asked for, or these."""
        return self.rounds or self.pick(full, quick)

    def inputs(self, *names: str) -> list[Path]:
        """Makes inputs by name (see peers/make.py), unless an earlier run has made them."""
        missing = [n for n in names if not (self.data / n).exists()]
        if missing:
            self.python.need("tensorflow", *(["pyarrow"] if any(n.endswith(".parquet") for n in missing) else []))
            say(f"making {', '.join(missing)} in {self.data}")
            self.data.mkdir(parents=True, exist_ok=True)
            done = subprocess.run(self.module("make", str(self.data), *missing), capture_output=True, text=True, cwd=HERE)
            if done.returncode != 0:
                raise Problem(f"making {', '.join(missing)}: {reason(done.stderr)}")
        return [self.data / n for n in names]

    def module(self, name: str, *arguments: str) -> list[str]:
        """The command of a peer. Its folder is `home`."""
        return [str(self.python.path), "-m", f"tfbench.peers.{name}", *arguments]

    def peer(self, module: str, *arguments: str, needs: Sequence[str] = ("tensorflow",)) -> Peer:
        """Starts a peer in the virtual environment."""
        self.python.need(*needs)
        return self._started(Peer(self.module(module, *arguments), cwd=self.home))

    def program(self, name: str, *arguments: str, env: Mapping[str, str] | None = None) -> Peer:
        """Starts one of the benchmark's Go programs."""
        return self._started(Peer([str(self.programs / name), *arguments], env=env))

    def _started(self, p: Peer) -> Peer:
        self.versions.update(p.ready)
        return p

    def predict(self, *arguments: str | Path) -> Done:
        return run(self.predict_command(*arguments))

    def predict_command(self, *arguments: str | Path) -> list[str]:
        return [str(self.tfrun), "predict", *map(str, arguments)]

    def shown(self, command: Sequence[str], program: str = "", env: Mapping[str, str] | None = None) -> str:
        """A command as one would type it, without this machine's folders. program is what its first
        word is called."""
        text = shown([program, *command[1:]] if program else command, env)
        for folder, short in ((str(self.tfrun), "tfrun"), (f"{self.data}/", ""), (f"{self.scratch}/", ""), (f"{HERE.parent}/", "")):
            text = text.replace(folder, short)
        return text


def measured(id: str, rounds: int, ours: Sequence[float], theirs: Sequence[float], rows: int = 0, **more: object) -> Row:
    """The row of times in seconds: rates are shown where the table's ratio is of rates, of `rows`
    rows."""
    work = BY_ID[id]
    r = Row(id, ratios(ours, theirs, work.goal.higher_is_better), Spread.of(ours), Spread.of(theirs), "s", rounds, **more)
    if work.kind == RATE:
        r.ours, r.theirs, r.unit = r.ours.over(rows), r.theirs.over(rows), "rows/s"
    return r


def net(whole: Sequence[Done], start: Sequence[Done]) -> tuple[list[float], float]:
    """Times of a process less the time that it takes to start, which is the median of its runs over
    one row; and that median."""
    started = Spread.of(d.seconds for d in start).median
    ours = [d.seconds - started for d in whole]
    if min(ours) < 0.1 * Spread.of(ours).median:
        raise Problem(f"too much noise: a run took {min(d.seconds for d in whole):.3g} s, and one over a single row {started:.3g} s")
    return ours, started


@dataclass(frozen=True)
class Unit:
    """Rows of the table that are measured together."""

    ids: tuple[str, ...]
    measure: Callable[[Bench], Iterable[Row]]

    def run(self, b: Bench) -> list[Row]:
        """The rows that measure gives. One that it does not get to is there with the reason."""
        got: dict[str, Row] = {}
        why = "the benchmark gave no such row"
        try:
            for r in self.measure(b):
                got[r.id] = r
        except Problem as e:
            why = str(e)
        return [got.get(id) or Row(id, problem=why) for id in self.ids]


def checked(compared: dict[str, float]) -> tuple[str, str]:
    """What is said of a comparison of answers, and the problem if they differ by more than is
    allowed."""
    text = f"{compared['rows']:,.0f} answers compared, greatest difference {compared['worst']:.1g}"
    return text, "" if compared["of_allowed"] <= 1 else f"the answers differ: {text}"
