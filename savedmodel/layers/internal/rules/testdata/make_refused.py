#!/usr/bin/env python3
"""make_refused.py calls layers of both Keras, in models of open sizes, on tensors of many sizes, and writes refused.jsonl.gz:
the class and the configuration of each, the sizes, and those of what it gave; null where it was
refused.

    python make_refused.py

Those here were written so by TensorFlow 2.21 with Keras 3.15 and tf_keras 2.21.
"""

import gzip
import itertools
import json
import os

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
import keras as keras3  # noqa: E402
import numpy as np  # noqa: E402
import tf_keras as keras2  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
LINES = range(1, 9)


def layers(L):
    """Layers, and the sizes of what each takes."""
    pairs = [((3, t, 4), (3, u, 4)) for t, u in itertools.product((1, 4, 5, 7), repeat=2)] + [((3, 4, 4), (5, 4, 4)), ((1, 4, 4), (5, 4, 4))]
    for one in (L.Add(), L.Multiply(), L.Average(), L.Maximum(), L.Concatenate(), L.Concatenate(axis=1), L.Dot(axes=1), L.Dot(axes=2), L.Attention(), L.AdditiveAttention()):
        yield one, pairs
    yield L.Attention(), [(*p, p[0]) for p in pairs]
    yield L.MultiHeadAttention(2, 3), pairs
    yield L.MultiHeadAttention(2, 3), [(*p, p[0]) for p in pairs]
    for one in (
            L.Reshape((5, 4)), L.Reshape((-1, 8)), L.Conv1D(2, 5), L.Conv1D(2, 5, strides=3), L.Conv1D(2, 3, dilation_rate=2), L.Conv1D(2, 5, padding="causal"),
            L.MaxPooling1D(4), L.AveragePooling1D(5, 1), L.Cropping1D((2, 3)), L.SeparableConv1D(2, 5), L.ZeroPadding1D(2), L.Conv1DTranspose(3, 3, strides=2)):
        yield one, [((3, n, 4),) for n in LINES]
    for one in (L.Conv2D(2, 4), L.MaxPooling2D(4, 2), L.Cropping2D(2), L.DepthwiseConv2D(3), L.UpSampling2D(2), L.Conv2D(2, 3, strides=2, padding="same")):
        yield one, [((3, n, n, 2),) for n in LINES]
    for one in (L.Conv3D(2, 3), L.Cropping3D(1), L.AveragePooling3D(2)):
        yield one, [((3, n, n, n, 2),) for n in LINES]


def main():
    lines = []
    for keras in (keras2, keras3):
        L = keras.layers
        for layer, sizes in layers(L):
            config = json.loads(json.dumps(layer.get_config(), default=str))
            ins = [keras.Input([None] * (len(s) - 2) + [s[-1]]) for s in sizes[0]]
            model = keras.Model(ins, layer(*ins) if len(ins) == 1 or "Head" in type(layer).__name__ else layer(ins))
            for given in sizes:
                xs = [np.zeros(s, "float32") for s in given]
                try:
                    out = list(map(int, model(xs if len(xs) > 1 else xs[0]).shape))
                except Exception:  # noqa: BLE001 - both have errors of many kinds
                    out = None
                lines.append({"Class": type(layer).__name__, "Version": keras.__version__, "Config": config, "In": given, "Out": out})
    with gzip.GzipFile(os.path.join(HERE, "refused.jsonl.gz"), "wb", mtime=0) as f:
        for line in lines:
            f.write((json.dumps(line) + "\n").encode())
    print(len(lines), sum(x["Out"] is None for x in lines))


main()
