"""The weights of the tutorial's model."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def read(model: Path | str) -> list[np.ndarray]:
    """Embedding; kernel, recurrent kernel and bias of the LSTM forward and backward; kernel and
    bias of both dense layers: as Keras' get_weights has them."""
    import tensorflow as tf

    variables = tf.saved_model.load(str(model)).variables
    weights = [v.numpy() for v in variables if v.dtype.is_floating]
    want = [(8185, 64), *[(64, 256), (64, 256), (256,)] * 2, (128, 64), (64,), (64, 1), (1,)]
    got = [w.shape for w in weights]
    if got != want:
        raise ValueError(f"{model}: weights of shapes {got}, want {want}")
    return weights
