"""A trained model that takes the length of each row and a mask beside its tokens: python make.py.

Written with TensorFlow 2.21 and its Keras 3. A GRU over an embedding takes the mask; its states are
summed over the mask and divided by the length, so that a wrong length, a wrong mask or padding that
gets in shows in the answer. It is trained to tell which of two tokens stands more often in a row.
Writes model/ and expect.json: rows, and what Python gives for them, one case for each way to pad
and to cut them.
"""

import json
import os
import random

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(5)
random.seed(5)
L = keras.layers

tokens = keras.Input((None,), dtype="int32", name="tokens")
length = keras.Input((), dtype="int32", name="length")
mask = keras.Input((None,), dtype="bool", name="mask")
states = L.GRU(8, return_sequences=True)(L.Embedding(12, 6)(tokens), mask=mask)
total = keras.ops.sum(states * keras.ops.expand_dims(keras.ops.cast(mask, "float32"), -1), axis=1)
mean = total / keras.ops.expand_dims(keras.ops.maximum(keras.ops.cast(length, "float32"), 1.0), -1)
score = L.Dense(1, activation="sigmoid", name="score")(mean)
model = keras.Model({"tokens": tokens, "length": length, "mask": mask}, {"score": score})


def rows(n, longest):
    return [[random.randrange(1, 12) for _ in range(random.randrange(1, longest))] for _ in range(n)]


def fed(rows, maxlen=None, padding="post", truncating="post"):
    """The inputs of rows, by Keras' own pad_sequences: the mask is that of ones, the length is
    counted after the cut."""
    cut = dict(maxlen=maxlen, padding=padding, truncating=truncating)
    ones = keras.utils.pad_sequences([[1] * len(r) for r in rows], **cut)
    lengths = [min(len(r), maxlen or len(r)) for r in rows]
    return {"tokens": keras.utils.pad_sequences(rows, **cut), "length": np.array(lengths, "int32"), "mask": ones.astype("bool")}


train = rows(4000, 20)
labels = np.array([float(r.count(3) > r.count(7)) for r in train])
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
print(model.fit(fed(train), labels, epochs=8, batch_size=64, verbose=0).history["accuracy"][-1])
model.export("model", verbose=False)

call = tf.saved_model.load("model").signatures["serving_default"]
test = rows(40, 25) + [[3], [7], [3] * 30, [7] * 30]
cases = []
for flags in [{}, {"padding": "pre"}, {"maxlen": 10, "truncating": "post"}, {"maxlen": 10, "truncating": "pre"}, {"maxlen": 10, "padding": "pre", "truncating": "pre"}, {"maxlen": 40}]:
    inputs = fed(test, **flags)
    out = call(**{k: tf.constant(v) for k, v in inputs.items()})
    cases.append(flags | {"score": [float(str(v)) for v in out["score"].numpy()[:, 0]]})
with open("expect.json", "w") as f:
    json.dump({"rows": test, "cases": cases}, f, separators=(",", ":"))
