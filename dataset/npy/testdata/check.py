"""Reads what tfrun wrote to written/ with NumPy and compares it with what was to be written.

    UPDATE=1 go test . && pip install -r testdata/requirements.txt && python testdata/check.py
"""

import pathlib

import ml_dtypes
import numpy as np

here = pathlib.Path(__file__).parent / "written"
bf = ml_dtypes.bfloat16
want = {
    "bf": np.array([[1.5, 0.1], [-1, np.nan]], bf).astype(np.float32),
    "c": np.array([1 - 2j, 0.5j], np.complex64),
    "f": np.array([[[1, 2], [3, 4]], [[5, 6], [7, np.inf]]], np.float32),
    "h": np.array([0.5, -1], np.float16),
    "s": np.array([["é", "two"], ["", "x"]]),
    "t": np.array([b"\xff\x01", b"plain"]),
    "u": np.array([2**64 - 1, 0], np.uint64),
    "b": np.array([True, False]),
    "id": np.array([7, -1]),
    "name": np.array(["a", "5"]),
    "score": np.array([np.nan, 0.25]),
}
with np.load(here / "all.npz") as got:
    assert sorted(got.files) == sorted(want), got.files
    for name, array in want.items():
        assert got[name].dtype == array.dtype, (name, got[name].dtype)
        np.testing.assert_array_equal(got[name], array, err_msg=name)
matrix = np.load(here / "matrix.npy")
assert matrix.dtype == np.float32
np.testing.assert_array_equal(matrix, want["f"])
assert np.load(here / "none.npy").shape == (0, 0, 2)
assert np.load(here / "matrix.npy", mmap_mode="r").flags.c_contiguous
print("ok")
