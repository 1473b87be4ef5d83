"""Saves tied.h5, a model of one's own class whose layers share a variable, tied.json and shards.

    python make_tied.py OUT

Keras 3 saves the table of words for both layers that have it. Two towers have layers of one name,
with variables of one path that are not the same. tied.json has what Keras counts.
shards.weights.json is the index of two files of the weights of another model.
"""

import json
import os
import sys

import keras
import numpy as np

L = keras.layers


class Head(L.Layer):
    """A layer that uses another's table on the way back."""

    def __init__(self, table, **kw):
        super().__init__(**kw)
        self.table, self.dense = table, L.Dense(3, name="inner")

    def call(self, x):
        return keras.ops.matmul(self.dense(x), keras.ops.transpose(self.table.embeddings))


def tower(name):
    x = keras.Input((None, 3))
    return keras.Model(x, L.LayerNormalization(name="norm")(L.Dense(3, name="proj")(x)), name=name)


class Tied(keras.Model):
    def __init__(self, **kw):
        super().__init__(**kw)
        self.words = L.Embedding(7, 3, name="words")
        self.left, self.right = tower("left"), tower("right")
        self.head = Head(self.words, name="head")

    def call(self, x):
        y = self.words(x)
        return self.head(self.left(y) + self.right(y))

    def get_config(self):
        return {}


m = Tied(name="tied")
m(np.zeros((1, 2), "int32"))
m.save(os.path.join(sys.argv[1], "tied.h5"))
want = {"total": m.count_params(), "rows": {layer.name: layer.count_params() for layer in m.layers}}
json.dump(want, open(os.path.join(sys.argv[1], "tied.json"), "w"), indent=1)

m = keras.Sequential([keras.Input((8,)), L.Dense(8, use_bias=False), L.Dense(8, use_bias=False)])
m.save_weights(os.path.join(sys.argv[1], "shards.weights.json"), max_shard_size=300 / 1024**3)
