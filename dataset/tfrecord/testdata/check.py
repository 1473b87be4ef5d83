"""Reads what tfrun wrote to written/ with TensorFlow and compares it with what was to be written.

    UPDATE=1 go test . && pip install -r testdata/requirements.txt && python testdata/check.py
"""

import os
import pathlib

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

here = pathlib.Path(__file__).parent / "written"
rows = [
    {"b": [1], "d": [0.5], "f": [1, 2, 3, np.nan], "h": [0.5, -1], "i": [-(2**63)], "s": ["é".encode(), b"\xff\x00"], "u": [1, 255], "id": [7], "name": [b"n"], "q": [0.25]},
    {"b": [0], "d": [-2], "f": [], "h": [0, 1], "i": [1], "s": [], "u": [], "id": [1], "name": [b"[1, 2]"], "z": [1]},
]
got = [tf.train.Example.FromString(r.numpy()) for r in tf.data.TFRecordDataset(str(here / "rows.tfrecord"))]
assert len(got) == len(rows), len(got)
for want, example in zip(rows, got):
    features = example.features.feature
    assert sorted(features) == sorted(want), list(features)
    for key, values in want.items():
        kind = features[key].WhichOneof("kind")
        assert kind == ("bytes_list" if key in ("s", "name") else "float_list" if key in ("d", "f", "h", "q") else "int64_list"), (key, kind)
        have = list(getattr(features[key], kind).value)
        if kind == "float_list":
            np.testing.assert_array_equal(np.array(have, np.float32), np.array(values, np.float32), err_msg=key)
        else:
            assert have == values, (key, have)
parsed = tf.io.parse_example([e.SerializeToString() for e in got], {"f": tf.io.FixedLenSequenceFeature([2], tf.float32, allow_missing=True), "i": tf.io.FixedLenFeature([], tf.int64)})
assert parsed["f"].shape == (2, 2, 2) and parsed["i"].numpy().tolist() == [-(2**63), 1]
print("ok")
