"""Warm library calls with one batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack

from ..bench import KERAS3, Bench, Unit, measured
from ..process import Peer, by_turns
from ..results import Row

TOKENS = "256"


# One row's loop is compiled whole, not step by step (README.md says for whom that is).
ONE_ROW = {"XLA_FLAGS": "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=100000"}


def calls(b: Bench, rows: int, flags: Sequence[str], against: dict[str, str], env: Mapping[str, str] | None = None) -> Iterable[Row]:
    model = str(KERAS3)
    rounds = b.turns(11, 3)
    seconds = 1.0 if not b.quick else 0.3
    with ExitStack() as stack:
        command = ["-model", model, "-rows", str(rows), "-tokens", TOKENS, *flags]
        ours = stack.enter_context(b.program("latency", *command, env=env))
        peers = [stack.enter_context(b.peer("latency", kind, model, str(rows), TOKENS, needs=["tensorflow", "onnx", kind])) for kind in against.values()]

        def ask(p: Peer) -> dict:
            return p.ask("run", seconds=seconds)

        mine, *others = by_turns(rounds, lambda: ask(ours), *(lambda p=p: ask(p) for p in peers))
        for id, peer, theirs in zip(against, peers, others):
            check, problem = same(mine[-1]["answer"], theirs[-1]["answer"])
            commands = [b.shown(ours.command, "bin/bench/latency", ours.env), b.shown(peer.command, "python")]
            yield measured(id, rounds, [m["seconds"] for m in mine], [t["seconds"] for t in theirs], commands=commands, check=check, problem=problem)


def same(ours: list[float], theirs: list[float]) -> tuple[str, str]:
    """ONNX Runtime has kernels of its own, and XLA fuses: answers between 0 and 1 may differ by
    1e-5."""
    if len(ours) != len(theirs) or not ours:
        return "", f"the answers differ: {len(ours)} and {len(theirs)}"
    worst = max(abs(x - y) for x, y in zip(ours, theirs))
    text = f"{len(ours)} answers compared, greatest difference {worst:.1g}"
    return text, "" if worst <= 1e-5 else f"the answers differ: {text}"


XLA = {"one-xla-python": "tensorflow", "one-xla-onnx": "onnxruntime"}
UNITS = (
    Unit(("one-python",), lambda b: calls(b, 1, [], {"one-python": "tensorflow"})),
    Unit(tuple(XLA), lambda b: calls(b, 1, ["-xla", "on"], XLA, ONE_ROW)),
    # The two loops take the two cores: operations that divide themselves among threads would only
    # wait for each other.
    Unit(("batch-onnx",), lambda b: calls(b, 64, ["-xla", "on", "-intra-op", "1"], {"batch-onnx": "onnxruntime"})),
)
