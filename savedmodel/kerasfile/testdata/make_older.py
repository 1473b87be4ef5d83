"""Writes newer.keras and older.keras beside this file: one model as Keras 2.21 saves it, and as
Keras 2.12 to 2.14 did.

    python make_older.py

Those call the group of a model's layers _layer_checkpoint_dependencies, list the layers with
weights twice in it, so that the numbers of their names go up by two, and keep no names.
"""

import io
import os
import re
import zipfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import h5py
import tf_keras as keras

HERE = os.path.dirname(os.path.abspath(__file__))
L = keras.layers


def model():
    a = keras.Input((4,))
    inner = keras.Model(a, L.Dense(3)(L.BatchNormalization()(L.Dense(2)(a))), name="inner")
    i, j = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    shared = L.Dense(4, use_bias=False, name="shared")
    x = L.Add()([inner(shared(i)), L.Dropout(0.1)(inner(shared(j)))])
    x = L.ReLU()(L.Dense(5, name="five")(x))
    return keras.Model([i, j], L.Dense(1, name="one")(L.ReLU()(L.BatchNormalization()(x))))


def weighted(group):
    found = []
    group.visititems(lambda _, o: found.append(o) if isinstance(o, h5py.Dataset) else None)
    return bool(found)


def copy(old, new):
    """Copies a group, and the layers in it as older versions do."""
    for name, child in old.items():
        if isinstance(child, h5py.Dataset):
            new[name] = child[()]
        elif name != "layers":
            copy(child, new.create_group(name))
        else:
            layers, shift = new.create_group("_layer_checkpoint_dependencies"), {}
            number = lambda n: (re.sub(r"_\d+$", "", n), int((re.search(r"_(\d+)$", n) or [0, 0])[1]))
            for layer in sorted(child, key=number):
                base, n = number(layer)
                at = shift.get(base, 0)
                copy(child[layer], layers.create_group(f"{base}_{at}" if at else base))
                shift[base] = at + (2 if weighted(child[layer]) else 1)


def main():
    newer = os.path.join(HERE, "newer.keras")
    model().save(newer)
    with zipfile.ZipFile(newer) as z, zipfile.ZipFile(os.path.join(HERE, "older.keras"), "w") as out:
        old, buffer = h5py.File(io.BytesIO(z.read("model.weights.h5"))), io.BytesIO()
        with h5py.File(buffer, "w") as new:
            copy(old, new)
        for name in z.namelist():
            out.writestr(name, buffer.getvalue() if name == "model.weights.h5" else z.read(name))


main()
