"""How a peer is asked: a line of JSON with a job and its arguments, answered by a line of JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

Answer = dict[str, Any]


def serve(versions: Callable[[], dict[str, str]], jobs: dict[str, Callable[..., Answer]]) -> None:
    """Answers requests until the input ends. What a library prints goes to standard error."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(answer: Answer) -> None:
        print(json.dumps(answer), file=out, flush=True)

    try:
        say({"ready": versions()})
        for line in sys.stdin:
            request = json.loads(line)
            say(jobs[request.pop("job")](**request))
    except Exception as e:  # the harness reports whatever it is
        say({"error": f"{type(e).__name__}: {e}".splitlines()[0]})
        raise
