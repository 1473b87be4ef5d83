"""The Python of the peers: what is pinned, where it goes, and what is said when a package is
missing."""

import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from tfbench import venv
from tfbench.bench import Bench, Unit
from tfbench.process import Problem
from tfbench.results import Row


class TestPython(unittest.TestCase):
    def test_requirements_are_pinned(self):
        names = set()
        for path in (venv.TENSORFLOW, venv.PEERS):
            for line in venv.requirements(path):
                name, equal, version = line.partition("==")
                self.assertTrue(name and equal and version, f"{path.name}: {line}")
                names.add(name.lower().replace("-", "_"))
        self.assertLessEqual({"tensorflow_cpu", "tf_keras", "onnxruntime", "onnx", "pyarrow", "numpy"}, names)

    def test_cache(self):
        with tempfile.TemporaryDirectory() as d:
            for env, want in (
                ({"TFRUN_CACHE": f"{d}/a"}, f"{d}/a/bench"),
                ({"XDG_CACHE_HOME": f"{d}/b"}, f"{d}/b/tfrun/bench"),
                ({"HOME": f"{d}/c"}, f"{d}/c/.cache/tfrun/bench"),
                ({"TFRUN_CACHE": "/dev/null/no"}, str(venv.HERE.parent / "third_party/.cache/bench")),
            ):
                with self.subTest(env), mock.patch.dict(os.environ, env, clear=True):
                    self.assertEqual(venv.cache(), Path(want))

    def test_a_missing_package_is_a_row_with_the_reason(self):
        python = venv.Python(Path("python"), {"onnxruntime": "No matching distribution found"})
        b = Bench(Path("tfrun"), Path("."), python, Path("."), Path("."), True)

        def measure(b):
            b.peer("latency", needs=["onnx", "onnxruntime"])
            yield Row("batch-onnx")

        want = [Row("batch-onnx", problem="onnxruntime could not be installed: No matching distribution found")]
        self.assertEqual(Unit(("batch-onnx",), measure).run(b), want)

    def test_no_python(self):
        with mock.patch.dict(os.environ, {"PYTHON": "no-such-python"}), self.assertRaisesRegex(Problem, "3.11 to 3.13"):
            venv._find()


if __name__ == "__main__":
    unittest.main()
