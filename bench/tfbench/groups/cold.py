"""One row from process start to answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from ..bench import KERAS2, KERAS3, Bench, Unit, measured
from ..process import Problem, by_turns, run
from ..results import Row

TOKENS = [12, 7, 431, 88, 3, 1200, 5, 61]


def keras3(b: Bench) -> Iterable[Row]:
    b.python.need("tensorflow")
    cli = [saved_model_cli(b), "run", "--dir", str(KERAS3), "--tag_set", "serve", "--signature_def", "serving_default"]
    cli += ["--input_exprs", f"keras_tensor=[{[float(x) for x in TOKENS]}]"]
    return [one(b, "cold-keras3", str(KERAS3), cli, "saved_model_cli")]


def keras2(b: Bench) -> Iterable[Row]:
    b.python.need("tensorflow")
    script = b.module("cold", str(KERAS2), json.dumps(TOKENS))
    return [one(b, "cold-keras2", str(KERAS2), script, "python")]


def one(b: Bench, id: str, model: str, other: Sequence[str], program: str) -> Row:
    row = b.scratch / "row.jsonl"
    row.write_text(json.dumps(TOKENS) + "\n")
    command = b.predict_command(model, row, "--quiet")
    rounds = b.turns(11, 2)
    ours, theirs = by_turns(rounds, lambda: run(command), lambda: run(other, cwd=b.home))
    answer = float(json.loads(ours[-1].out).popitem()[1][0])
    theirs_answer = last_number(theirs[-1].out)
    off = abs(answer - theirs_answer)
    return measured(
        id, rounds, [d.seconds for d in ours], [d.seconds for d in theirs],
        commands=[b.shown(command), b.shown(other, program)],
        check=f"answers {answer:.7g} and {theirs_answer:.7g}",
        problem="" if off <= 1e-5 else f"the answers differ: {answer} and {theirs_answer}",
    )  # fmt: skip


def saved_model_cli(b: Bench) -> str:
    return str(b.python.path.parent / "saved_model_cli")


def describe(b: Bench, id: str, model: str) -> Iterable[Row]:
    b.python.need("tensorflow")
    command, other = [str(b.tfrun), "shapes", model], [saved_model_cli(b), "show", "--dir", model, "--all"]
    rounds = b.turns(5, 1)
    ours, theirs = by_turns(rounds, lambda: run(command), lambda: run(other))
    return [
        measured(
            id, rounds, [d.seconds for d in ours], [d.seconds for d in theirs], commands=[b.shown(command), b.shown(other, "saved_model_cli")],
            problem="" if all("serving_default" in d.out for d in (ours[-1], theirs[-1])) else "serving_default is not described",
        )
    ]  # fmt: skip


def last_number(text: str) -> float:
    """The answer in what saved_model_cli or the script prints: [[0.5030613]]."""
    numbers = re.findall(r"\[\[\s*([-+.\deE]+)\s*\]\]", text)
    if not numbers:
        raise Problem(f"no answer in {text!r}")
    return float(numbers[-1])


UNITS = (
    Unit(("cold-keras3",), keras3),
    Unit(("cold-keras2",), keras2),
    Unit(("describe-keras3",), lambda b: describe(b, "describe-keras3", str(KERAS3))),
    Unit(("describe-keras2",), lambda b: describe(b, "describe-keras2", str(KERAS2))),
)
