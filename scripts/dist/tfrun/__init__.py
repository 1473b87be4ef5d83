"""The command tfrun, which runs TensorFlow SavedModels, as a Python package.

The command is a program of its own and no Python: main only finds the libtensorflow that an
installed TensorFlow holds, and becomes the program.
"""

import importlib.util
import os
import sys


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
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", "tfrun")
    folder = library()
    if folder and not os.environ.get("TFRUN_LIBTENSORFLOW"):
        os.environ["TFRUN_LIBTENSORFLOW"] = folder
    os.execv(program, [program] + sys.argv[1:])
