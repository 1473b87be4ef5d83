"""Writes one model beside this file: newer.keras as Keras 2.21 saves it, older.keras as Keras 2.13
did, between.keras as Keras 2.14 did, and windows.keras as Keras 2.13 did on Windows.

    python make_older.py

Keras 2.12 to 2.14 call the group of a model's layers _layer_checkpoint_dependencies and keep no
names. The first of them list the layers with weights twice in it, so that the numbers of their
names go up by two. On Windows, and up to 2.15, groups have backslashes in their names.
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


def copy(old, new, step, path="", separator="/"):
    """Copies a group, and the layers in it as older versions do. path leads to it in new."""
    for name, child in old.items():
        at = lambda *parts: separator.join([p for p in (path, *parts) if p])
        if isinstance(child, h5py.Dataset):
            new[f"{path}/{name}"] = child[()]
        elif name == "vars":
            copy(child, new, step, f"{path}/vars" if path else "vars")
            new.require_group(f"{path}/vars" if path else "vars")
        elif name != "layers":
            copy(child, new, step, at(name), separator)
        else:
            shift = {}
            number = lambda n: (re.sub(r"_\d+$", "", n), int((re.search(r"_(\d+)$", n) or [0, 0])[1]))
            for layer in sorted(child, key=number):
                base, n = number(layer)
                k = shift.get(base, 0)
                copy(child[layer], new, step, at("_layer_checkpoint_dependencies", f"{base}_{k}" if k else base), separator)
                shift[base] = k + (step if weighted(child[layer]) else 1)


def main():
    newer = os.path.join(HERE, "newer.keras")
    model().save(newer)
    for file, step, separator in (("older", 2, "/"), ("between", 1, "/"), ("windows", 2, "\\")):
        with zipfile.ZipFile(newer) as z, zipfile.ZipFile(os.path.join(HERE, file + ".keras"), "w", zipfile.ZIP_DEFLATED) as out:
            old, buffer = h5py.File(io.BytesIO(z.read("model.weights.h5"))), io.BytesIO()
            with h5py.File(buffer, "w") as new:
                copy(old, new, step, separator=separator)
            for name in z.namelist():
                out.writestr(name, buffer.getvalue() if name == "model.weights.h5" else z.read(name))


main()
