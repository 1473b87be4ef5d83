"""Programs that are timed: commands from start to end, and peers that stay and are asked for one
measurement after the other."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"}


class Problem(Exception):
    """Why something could not be measured, in one line."""


def reason(text: str) -> str:
    """The line of a program's messages that says why it failed: the first that speaks of an error,
    else the last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"error|Error:|not defined", line) and not line.startswith(("WARNING", "I0000", "W0000"))]
    return (errors or lines[-1:] or ["no message"])[0]


def failed(command: Sequence[str], status: int, messages: str) -> Problem:
    return Problem(f"{os.path.basename(command[0])}: exit status {status}: {reason(messages)}")


@dataclass(frozen=True)
class Done:
    """A command that has ended well."""

    seconds: float
    out: str
    err: str

    def summary_seconds(self) -> float:
        """The duration in tfrun's own summary, "2,560 rows in 2.95s, …": from the first row read to
        the last one written."""
        m = re.search(r"rows? in (?:(\d+)m)?([\d.]+)(ms|s|µs)", self.err)
        if not m:
            raise Problem(f"no summary in: {reason(self.err)}")
        return 60 * int(m[1] or 0) + float(m[2]) * {"s": 1, "ms": 1e-3, "µs": 1e-6}[m[3]]


def run(command: Sequence[str], timeout: float = 600, cwd: Path | None = None) -> Done:
    """Runs a command to its end, timed from before its start."""
    start = time.perf_counter()
    try:
        done = subprocess.run(
            command, env={**os.environ, **QUIET}, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, cwd=cwd
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise Problem(str(e)) from e
    took = time.perf_counter() - start
    if done.returncode != 0:
        raise failed(command, done.returncode, done.stderr)
    return Done(took, done.stdout, done.stderr)


def shown(command: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    """A command as one would type it, the variables of its environment before it."""
    return " ".join([*(f"{name}={shlex.quote(value)}" for name, value in (env or {}).items()), shlex.join(command)])


def by_turns(rounds: int, *runs: Callable[[], T]) -> list[list[T]]:
    """Runs each of them in every round, every other round in the opposite order, after a first
    round that does not count."""
    got: list[list[T]] = [[] for _ in runs]
    for i in range(rounds + 1):
        order = list(enumerate(runs))
        for k, one in order if i % 2 else reversed(order):
            x = one()
            if i > 0:
                got[k].append(x)
    return got


class Peer:
    """A program that reads requests, a line of JSON each, and answers each with a line of JSON. It
    has said {"ready": …} when it can be asked."""

    def __init__(self, command: Sequence[str], cwd: Path | None = None, env: Mapping[str, str] | None = None):
        self.command, self.env = command, dict(env or {})
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115, closed by close
        try:
            self._p = subprocess.Popen(
                command, env={**os.environ, **QUIET, **self.env}, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True
            )
        except OSError as e:
            self._log.close()
            raise Problem(str(e)) from e
        try:
            self.ready = self._read()["ready"]
        except BaseException:
            self.close()
            raise

    def ask(self, job: str, **arguments: Any) -> dict[str, Any]:
        """Sends a request and waits for its answer."""
        with contextlib.suppress(BrokenPipeError):  # it has ended, and _read says why
            print(json.dumps({"job": job, **arguments}), file=self._p.stdin, flush=True)
        return self._read()

    def _read(self) -> dict[str, Any]:
        line = self._p.stdout.readline()
        if not line:
            status = self._p.wait()
            self._log.seek(0)
            raise failed(self.command, status, self._log.read())
        answer = json.loads(line)
        if "error" in answer:
            raise Problem(f"{os.path.basename(self.command[-1])}: {answer['error']}")
        return answer

    def close(self) -> None:
        """Ends the program: its input ends."""
        with contextlib.suppress(BrokenPipeError):
            self._p.stdin.close()
        self._p.stdout.close()
        self._p.wait()
        self._log.close()

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def say(text: str) -> None:
    """Tells whoever waits what is being done."""
    print(f"bench: {text}", file=sys.stderr, flush=True)
