"""The Python that the peers run in: a virtual environment of pinned packages in the cache folder of
scripts/libtensorflow.sh."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .process import Problem, reason, say

HERE = Path(__file__).resolve().parent.parent
TENSORFLOW = HERE / "requirements.txt"
PEERS = HERE / "requirements-peers.txt"
PYTHONS = ("python3", "python3.13", "python3.12", "python3.11")
# What the packages of the requirements were built for.
OLDEST, NEWEST = (3, 11), (3, 13)


@dataclass
class Python:
    """A Python with packages. `missing` says of a package that could not be installed why not."""

    path: Path
    missing: dict[str, str]

    def need(self, *packages: str) -> None:
        """Raises a Problem if one of the packages is not there."""
        for p in packages:
            if p in self.missing:
                raise Problem(f"{p} could not be installed: {self.missing[p]}")


def cache() -> Path:
    """The folder for what is big and can be made again: that of scripts/libtensorflow.sh."""
    named = os.environ.get("TFRUN_CACHE")
    path = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tfrun"
    try:
        path.mkdir(parents=True, exist_ok=True)
        if os.access(path, os.W_OK):
            return path / "bench"
    except OSError:
        pass
    return HERE.parent / "third_party" / ".cache" / "bench"


def requirements(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").split("\n") if line and not line.startswith("#")]


def _find() -> str:
    for name in [os.environ["PYTHON"]] if os.environ.get("PYTHON") else PYTHONS:
        found = shutil.which(name)
        test = f"import sys, venv; sys.exit(not {OLDEST} <= sys.version_info[:2] <= {NEWEST})"
        if found and subprocess.run([found, "-c", test], capture_output=True).returncode == 0:
            return found
    raise Problem("no Python 3.11 to 3.13 with its venv module: install one, or name it with PYTHON")


def _pip(python: Path, *arguments: str) -> str:
    """Installs, and returns the reason if that fails."""
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    return "" if done.returncode == 0 else reason("\n".join(errors) or done.stderr)


def make() -> Python:
    """Makes the virtual environment, or takes the one that an earlier run has made of the same
    requirements. A package that failed is tried again."""
    base = _find()
    version = subprocess.run([base, "-VV"], capture_output=True, text=True).stdout
    text = TENSORFLOW.read_text(encoding="utf-8") + PEERS.read_text(encoding="utf-8") + version
    home = cache() / ("venv-" + hashlib.sha256(text.encode()).hexdigest()[:12])
    python = Python(home / "bin" / "python", {})
    if (home / "whole").exists():
        return python
    say(f"making a virtual environment in {home}")
    shutil.rmtree(home, ignore_errors=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([base, "-m", "venv", str(home)], capture_output=True, text=True)
    if done.returncode != 0:
        raise Problem(f"{base} -m venv: {reason(done.stderr or done.stdout)}")
    why = _pip(python.path, "-r", str(TENSORFLOW))
    if why:
        python.missing["tensorflow"] = why
    for line in requirements(PEERS):
        why = _pip(python.path, line)
        if why:
            python.missing[line.partition("==")[0]] = why
    for package, why in python.missing.items():
        say(f"{package} could not be installed: {why}")
    if not python.missing:
        (home / "whole").touch()
    return python


if __name__ == "__main__":
    print(make().path)
    sys.exit()
