"""Token rows of many lengths, JSONL in and out, against Python over batches that already lie in
memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..bench import KERAS3, Bench, Unit, checked, measured, net
from ..process import by_turns
from ..results import Row, Spread

# The flags that tfrun is at its best with. padded_batch(64) is what the answers of a model without
# a mask depend on.
ARRIVAL = ("--batching", "arrival", "--batch-size", "64", "--xla", "on", "--optimizer", "functions")  # the last one alone, a short job, would do without
AUTO = ("--batching", "auto", "--batch-size", "128", "--max-tokens", "32768", "--optimizer", "functions")

LIKE = ("--batch-size", "128", "--max-tokens", "32768", "--optimizer", "functions")
EXACT = ("--batching", "exact", *LIKE)
BUCKET = ("--batching", "bucket", "--padding-may-change-results", *LIKE)


def arrival(b: Bench) -> Iterable[Row]:
    n = b.pick(2560, 640)
    (rows,) = b.inputs(f"rows-{n}.jsonl")
    with b.peer("rows") as signature, b.peer("rows") as keras:
        signature.ask("load", model=str(KERAS3), rows=str(rows), keras=False)
        keras.ask("load", model=str(KERAS3), rows=str(rows), keras=True)
        yield from throughput(b, n, KERAS3, rows, ARRIVAL, {"rows-arrival-signature": signature, "rows-arrival-keras": keras})


def masked(b: Bench) -> Iterable[Row]:
    n = b.pick(2560, 640)
    rows, model = b.inputs(f"rows-{n}.jsonl", "masked")
    with b.peer("rows") as signature:
        signature.ask("load", model=str(model), rows=str(rows), keras=False)
        yield from throughput(b, n, model, rows, AUTO, {"rows-auto-masked": signature})


def exact(b: Bench) -> Iterable[Row]:
    n = b.pick(2560, 640)
    (rows,) = b.inputs(f"rows-{n}.jsonl")
    with b.peer("rows") as signature:
        signature.ask("load", model=str(KERAS3), rows=str(rows), keras=False, equal=True)
        yield from throughput(b, n, KERAS3, rows, EXACT, {"rows-exact-signature": signature})


def bucket(b: Bench) -> Iterable[Row]:
    """What exact costs beside the quickest way to answers that are not each row's own."""
    n = b.pick(2560, 640)
    (rows,) = b.inputs(f"rows-{n}.jsonl")
    out, one = b.scratch / "out.jsonl", first_row(b, rows)
    rounds = b.turns(7, 3)
    ours, start, theirs, theirs_start = by_turns(
        rounds, *(lambda f=file, w=way: b.predict(KERAS3, f, *w, "-o", out) for way in (EXACT, BUCKET) for file in (rows, one))
    )
    commands = [b.shown(b.predict_command(KERAS3, rows, *way, "-o", out)) for way in (EXACT, BUCKET)]
    yield measured("rows-exact-bucket", rounds, net(ours, start)[0], net(theirs, theirs_start)[0], n, commands=commands)


def first_row(b: Bench, rows: Path) -> Path:
    one = b.scratch / "one.jsonl"
    with rows.open(encoding="utf-8") as f:
        one.write_text(f.readline(), encoding="utf-8")
    return one


def throughput(b: Bench, n: int, model: Path, rows: Path, flags: Sequence[str], peers: dict) -> Iterable[Row]:
    """tfrun and the peers by turns. tfrun's time is that of its process, less that of the same
    command over one row: Python has started when its clock starts."""
    out, one = b.scratch / "out.jsonl", first_row(b, rows)
    rounds = b.turns(7, 3)
    command = b.predict_command(model, rows, *flags, "-o", out)
    whole, start, *others = by_turns(
        rounds, lambda: b.predict(model, rows, *flags, "-o", out), lambda: b.predict(model, one, *flags, "-o", b.scratch / "one.out.jsonl"),
        *(lambda p=p: p.ask("run")["seconds"] for p in peers.values()),
    )  # fmt: skip
    ours, started = net(whole, start)
    for (id, peer), theirs in zip(peers.items(), others):
        check, problem = checked(peer.ask("compare", file=str(out)))
        also = {
            "process start and one row, s": started,
            "ratio with the whole process": Spread.of(t / d.seconds for d, t in zip(whole, theirs)).median,
            "ratio with the duration in tfrun's summary": Spread.of(t / d.summary_seconds() for d, t in zip(whole, theirs)).median,
        }
        yield measured(id, rounds, ours, theirs, n, commands=[b.shown(command)], check=check, problem=problem, also=also)


UNITS = (
    Unit(("rows-arrival-signature", "rows-arrival-keras"), arrival),
    Unit(("rows-auto-masked",), masked),
    Unit(("rows-exact-signature",), exact),
    Unit(("rows-exact-bucket",), bucket),
)
