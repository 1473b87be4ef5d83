"""The command tfrun, which runs TensorFlow SavedModels, as a Python package, and rows of Python
through `tfrun predict`: `tfrun.arrow` and `tfrun.spark`.

The command is a program of its own and no Python: main only finds the libtensorflow that an
installed TensorFlow holds, and becomes the program. It is in the package's wheel; without it the
modules take the tfrun of the PATH.
"""

import importlib.util
import os
import sys

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", "tfrun")


class Error(RuntimeError):
    """A run that failed; its text is tfrun's line: the row, the input, and what was wanted."""


def library():
    """Return the folder of an installed TensorFlow's library, or None. TensorFlow is not
    imported."""
    try:
        spec = importlib.util.find_spec("tensorflow")
    except (ImportError, ValueError):
        return None
    for folder in (spec and spec.submodule_search_locations) or ():
        if os.path.exists(os.path.join(folder, "libtensorflow_cc.so.2")):
            return folder
    return None


def main():
    """Become the program. TFRUN_LIBTENSORFLOW names another library than that of TensorFlow."""
    folder = library()
    if folder and not os.environ.get("TFRUN_LIBTENSORFLOW"):
        os.environ["TFRUN_LIBTENSORFLOW"] = folder
    os.execv(PROGRAM, [PROGRAM] + sys.argv[1:])


def command(tfrun=None):
    """Return the words that start tfrun here: the program that is named, that of the wheel, or that
    of the PATH."""
    if tfrun:
        return [tfrun]
    return [sys.executable, "-m", "tfrun"] if os.path.exists(PROGRAM) else ["tfrun"]
