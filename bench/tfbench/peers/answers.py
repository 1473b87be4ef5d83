"""Whether two programs gave the same answers."""

from __future__ import annotations

import json

import numpy as np

# Two builds of the same kernels, other batch sizes and other paddings of a masked model add in
# other orders.
ABSOLUTE, RELATIVE = 1e-5, 1e-4


def read(path: str) -> np.ndarray:
    """The results of a run of tfrun: .npy, or .jsonl with one output."""
    if path.endswith(".npy"):
        return np.load(path)
    with open(path, encoding="utf-8") as f:
        return np.array([next(iter(json.loads(line).values())) for line in f], np.float32)


def compare(ours: np.ndarray, theirs: np.ndarray) -> dict[str, float]:
    """The greatest difference, and how many times it is what is allowed: ABSOLUTE + RELATIVE of the
    value."""
    theirs = theirs.reshape(len(theirs), -1)
    ours = ours.reshape(len(ours), -1)
    if ours.shape != theirs.shape or not ours.size:
        raise ValueError(f"answers of shape {ours.shape} against {theirs.shape}")
    off = np.abs(ours.astype(np.float64) - theirs)
    allowed = ABSOLUTE + RELATIVE * np.abs(theirs)
    return {"rows": len(ours), "worst": float(off.max()), "of_allowed": float((off / allowed).max())}
