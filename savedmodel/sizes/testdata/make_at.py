"""Records the shapes of what layers give for inputs of several sizes.

    python make_at.py

writes at.zip beside this file: models of one or two layers each whose sizes do not follow their
input's one to one, saved by Keras 2 and exported by Keras 3, and expect.json with the shapes that
came out, layer by layer, when the models were run.
"""

import json
import os
import tempfile
import zipfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras as keras3
import numpy as np
import tensorflow as tf
import tf_keras as keras2


def own(keras, name, call):
    """A layer of one's own class."""
    layer = type(name, (keras.layers.Layer,), {"call": lambda self, x: call(x)})
    return layer(name=name.lower())


def models(k):
    L = k.layers
    text = lambda: [k.Input((None, 6), name="x")]
    image = lambda: [k.Input((None, None, 8), name="x")]
    one = lambda layer: lambda ins: layer(ins[0])
    yield "up1d", text(), one(L.UpSampling1D(3)), [(3, 7), (2, 12)]
    yield "up2d", image(), one(L.UpSampling2D((2, 3))), [(3, 7, 5)]
    for dilation in (2, 4):
        for padding in ("valid", "same"):
            yield f"conv1d_{padding}_{dilation}", text(), one(L.Conv1D(4, 3, padding=padding, dilation_rate=dilation)), [(3, 12), (2, 23)]
    yield "conv2d_valid_2", image(), one(L.Conv2D(4, 3, dilation_rate=2)), [(3, 12, 9)]
    yield "conv2d_valid_s2", image(), one(L.Conv2D(4, 3, strides=(2, 3))), [(3, 12, 9), (3, 13, 10)]
    yield "conv1d_causal", text(), one(L.Conv1D(4, 3, padding="causal", strides=2)), [(3, 12), (3, 11)]
    yield "deconv_same", image(), one(L.Conv2DTranspose(4, 3, strides=2, padding="same")), [(3, 5, 4)]
    yield "deconv_valid", image(), one(L.Conv2DTranspose(4, 3, strides=2)), [(3, 5, 4)]
    yield "pool_valid", text(), one(L.MaxPooling1D(3, strides=2)), [(3, 12), (3, 11)]
    yield "pool_same", image(), one(L.AveragePooling2D(3, padding="same")), [(3, 12, 7)]
    yield "zeropad", text(), one(L.ZeroPadding1D((1, 2))), [(3, 12)]
    yield "crop", text(), one(L.Cropping1D((1, 2))), [(3, 12)]
    yield "blocks", image(), one(own(k, "Blocks", lambda x: tf.nn.depth_to_space(x, 2))), [(3, 5, 4)]
    yield "unblocks", image(), one(own(k, "Unblocks", lambda x: tf.nn.space_to_depth(x, 2))), [(3, 6, 4)]
    yield "difference", text(), one(own(k, "Difference", lambda x: x[:, 1:] - x[:, :-1])), [(3, 12), (2, 5)]
    yield "every_other", text(), one(own(k, "EveryOther", lambda x: x[:, ::2])), [(3, 12), (2, 5)]
    yield "last_two", text(), one(own(k, "LastTwo", lambda x: x[:, -2:])), [(3, 12), (2, 1)]
    yield "joined", text(), one(own(k, "Joined", lambda x: tf.concat([x, x[:, :1]], 1))), [(3, 12)]
    yield "windows", text(), one(own(k, "Windows", lambda x: tf.signal.frame(x, 4, 2, axis=1))), [(3, 12)]
    yield "folded", text(), one(own(k, "Folded", lambda x: tf.reshape(x, [tf.shape(x)[0], -1, 12]))), [(3, 12)]
    yield "flat_rows", text(), one(own(k, "FlatRows", lambda x: tf.reshape(x, [-1, 6]))), [(3, 12)]
    yield "turned", text(), one(own(k, "Turned", lambda x: tf.transpose(x, [1, 0, 2]))), [(3, 12)]
    yield "pairs", text(), one(own(k, "Pairs", lambda x: tf.matmul(x, x, transpose_b=True))), [(3, 12)]
    yield "tiled", text(), one(own(k, "Tiled", lambda x: tf.tile(x, [1, 2, 1]))), [(3, 12)]
    yield "resized", image(), one(own(k, "Resized", lambda x: tf.image.resize(x, [4, 5]))), [(3, 12, 7)]
    yield "halved", image(), one(own(k, "Halved", lambda x: tf.image.resize(x, tf.shape(x)[1:3] // 2))), [(3, 12, 7)]
    yield "lstm", text(), one(L.LSTM(5, return_sequences=True)), [(3, 12), (2, 1)]
    yield "bidirectional", text(), one(L.Bidirectional(L.GRU(5))), [(3, 12)]
    yield "distributed", text(), one(L.TimeDistributed(L.Dense(5))), [(3, 3), (3, 12)]
    yield "attention", [k.Input((None, 6), name="q"), k.Input((None, 6), name="v")], lambda ins: L.Attention()(ins), [(3, 7)]
    yield "heads", [k.Input((None, 6), name="q"), k.Input((None, 6), name="v")], lambda ins: L.MultiHeadAttention(2, 3)(ins[0], ins[1]), [(3, 7)]
    yield "stacked", text(), lambda ins: L.UpSampling1D(2)(L.Conv1D(3, 3, dilation_rate=2)(ins[0])), [(3, 12)]


expect, folder = [], tempfile.mkdtemp()
for keras, kind in ((keras2, "k2"), (keras3, "k3")):
    for name, ins, make, sizes in models(keras):
        model = keras.Model(ins, make(ins))
        rows = [l for l in model.layers if not isinstance(l, keras.layers.InputLayer)]
        whole = keras.Model(model.inputs, [l.output for l in rows])
        path = f"{name}_{kind}"
        if kind == "k2":
            model.save(os.path.join(folder, path))
        else:
            model.export(os.path.join(folder, path), verbose=False)
        served = tf.saved_model.load(os.path.join(folder, path)).signatures["serving_default"]
        for size in sizes:
            fed = {}
            for k, i in enumerate(model.inputs):
                dims = list(i.shape)
                dims[: len(size)] = size
                if k == 1:
                    dims[1] += 2
                fed[i.name.split(":")[0]] = dims
            outs = whole([np.zeros(d, np.float32) for d in fed.values()], training=False)
            outs = outs if isinstance(outs, (list, tuple)) else [outs]
            shapes = [list(o.shape) for o in outs]
            # an export of TimeDistributed goes over as many steps as there are rows, whatever Keras
            # does
            shapes[-1] = list(next(iter(served(**{k: tf.zeros(d) for k, d in fed.items()}).values())).shape)
            expect.append({"model": path, "inputs": fed, "layers": {l.name: s for l, s in zip(rows, shapes)}})
out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "at.zip")
with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
    z.writestr("expect.json", "[\n" + ",\n".join(json.dumps(e) for e in expect) + "\n]\n")
    for base, _, files in sorted(os.walk(folder)):
        for f in sorted(files):
            z.write(os.path.join(base, f), os.path.relpath(os.path.join(base, f), folder))
print(len(expect), "runs,", os.path.getsize(out), "bytes")
