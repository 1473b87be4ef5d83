"""The command of `make bench`, `make bench-compare` and `make bench-baseline`."""

from __future__ import annotations

import argparse
import datetime
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from . import compare, results, table, venv
from .bench import Bench, Unit
from .goals import BY_ID, GROUPS
from .groups import cold, dense, latency, memory, overhead, rows
from .process import Problem, run, say
from .results import Results, Row

UNITS: tuple[Unit, ...] = tuple(u for m in (cold, rows, latency, overhead, dense, memory) for u in m.UNITS)


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    p = argparse.ArgumentParser(prog="tfbench", description="tfrun against others, by turns: rows, times and their ratios.")
    sub = p.add_subparsers(dest="command", required=True)
    r = sub.add_parser("run", help="measure, print the table, write the results")
    r.add_argument("--only", default="", metavar="NAME,…", help=f"some groups ({','.join(GROUPS)}) or rows; all without")
    r.add_argument("--quick", action="store_true", help="fewer rounds of fewer rows")
    r.add_argument("--rounds", type=int, default=0, help="rounds of each measurement, instead of as many as it takes")
    r.add_argument("--tfrun", type=Path, default=venv.HERE.parent / "bin" / "tfrun")
    r.add_argument("--programs", type=Path, default=venv.HERE.parent / "bin" / "bench", help="folder of the built programs bench/latency and bench/overhead")
    r.add_argument("--out", type=Path, default=venv.HERE / "results" / "latest.json")
    c = sub.add_parser("compare", help="compare results with the baseline: exit status 1 if a ratio got worse by more than the noise")
    c.add_argument("--baseline", type=Path, default=venv.HERE / "baseline.json")
    b = sub.add_parser("baseline", help="make results the new baseline")
    b.add_argument("--baseline", type=Path, default=venv.HERE / "baseline.json")
    t = sub.add_parser("table", help="print the table of results")
    for q in (c, b, t):
        q.add_argument("results", type=Path, nargs="*", default=[venv.HERE / "results" / "latest.json"], help="files that `run` wrote, of one run or of parts")
    return p.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    o = arguments(argv)
    try:
        return {"run": measure, "compare": compared, "baseline": baseline, "table": tabled}[o.command](o)
    except (Problem, OSError, ValueError) as e:
        print(f"bench: error: {e}", file=sys.stderr)
        return 2


def chosen(names: str) -> list[Unit]:
    """The units of some groups or rows, all of them if none is named."""
    want = names.replace(",", " ").split()
    for name in want:
        if name not in GROUPS and name not in BY_ID:
            raise Problem(f"no group or row is called {name}: there are {', '.join((*GROUPS, *BY_ID))}")
    return [u for u in UNITS if not want or any(i in want or BY_ID[i].group in want for i in u.ids)]


def machine() -> str:
    """The kind of machine: what makes ratios differ, and nothing that names this one."""
    model = platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = " ".join(line.partition(":")[2].split())
                break
    except OSError:
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.system()}, {cores} cores of {model}"


def data_folder() -> Path:
    """Inputs are kept by what made them."""
    peers = venv.HERE / "tfbench" / "peers"
    text = b"".join(p.read_bytes() for p in (peers / "make.py", peers / "weights.py", venv.TENSORFLOW, venv.PEERS))
    return venv.cache() / ("data-" + hashlib.sha256(text).hexdigest()[:12])


def python() -> venv.Python:
    try:
        return venv.make()
    except Problem as e:
        say(f"no Python for the peers: {e}")
        return venv.Python(Path(sys.executable), dict.fromkeys(("tensorflow", "onnx", "onnxruntime", "pyarrow"), str(e)))


def measure(o: argparse.Namespace) -> int:
    units = chosen(o.only)
    if not shutil.which(str(o.tfrun)):
        raise Problem(f"{o.tfrun} is no program: build it with make build")
    py = python()
    date = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    r = Results(date, machine(), {"tfrun": run([str(o.tfrun), "version"]).out.split(",")[0].split()[-1]}, o.quick, [])
    with tempfile.TemporaryDirectory(prefix="tfbench-") as scratch:
        b = Bench(o.tfrun.resolve(), o.programs.resolve(), py, data_folder(), Path(scratch), o.quick, o.rounds, versions=r.versions)
        r.versions["Python"] = subprocess.run([str(py.path), "-c", "import platform; print(platform.python_version())"], capture_output=True, text=True).stdout.strip()
        for u in units:
            got = u.run(b)
            r.rows += got
            r.write(o.out)  # what there is, should a later group be interrupted
            for row in got:
                say(f"{row.id}: {table.cells(row)[-3]}, want {BY_ID[row.id].goal} {table.verdict(row)}")
    show(r)
    say(f"results in {o.out}")
    return int(any(row.problem for row in r.rows))


def show(r: Results) -> None:
    print(table.title(r), end="\n\n")
    print("\n".join(table.lines(r.rows)), end="\n\n")
    print("\n".join(table.details(r.rows)))


def gathered(files: Sequence[Path]) -> Results:
    """One run out of the parts of one, in the order of the table; of a row measured twice the later
    file counts."""
    parts = [results.read(f) for f in files]
    found = {row.id: row for p in parts for row in p.rows}
    versions = {k: v for p in parts for k, v in p.versions.items()}
    return replace(parts[-1], versions=versions, quick=any(p.quick for p in parts), rows=[found[i] for i in BY_ID if i in found])


def compared(o: argparse.Namespace) -> int:
    then, now = results.read(o.baseline), gathered(o.results)
    for w in compare.warnings(then, now):
        print(f"bench: warning: {w}", file=sys.stderr)
    changes = compare.compare(then, now)
    for c in changes:
        print(f"{'WORSE' if c.worse else 'ok':6} {c.id}: {c.text}")
    worse = [c.id for c in changes if c.worse]
    print(f"{len(changes)} ratios, {len(worse)} worse by more than the noise" + (f": {', '.join(worse)}" if worse else ""))
    return int(bool(worse))


def baseline(o: argparse.Namespace) -> int:
    r = gathered(o.results)
    bad = [row.id for row in r.rows if row.problem]
    if bad:
        raise Problem(f"no baseline from results with problems: {', '.join(bad)}")
    kept = [Row(row.id, row.ratio, row.ours, row.theirs, row.unit, row.rounds) for row in r.rows]
    replace(r, rows=kept).write(o.baseline)
    print(f"{len(kept)} ratios in {o.baseline}")
    return 0


def tabled(o: argparse.Namespace) -> int:
    show(gathered(o.results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
