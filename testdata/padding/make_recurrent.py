"""Makes recurrent models drawn at random, and writes down what each gives for rows alone.

    python make_recurrent.py OUT FIRST COUNT

Writes OUT/recurrent_SEED for COUNT seeds from FIRST on, Keras 2 and Keras 3 by turns, and
OUT/recurrent.json: for each model some rows, and the answer of the Keras model for each of them in
a batch of one. They have no masks, so padding them changes what they give. TimeDistributed is left
out of Keras 3, where it maps over the steps by a loop that has no twin.
"""
import json, os, shutil, sys

from make_padding import F, I, OUT, k2, k3, np, slim, tf

LENGTHS = [1, 2, 3, 5, 6, 9, 13]


def cell(rng, L, units):
    """A cell, or a few on top of each other."""
    one = [L.LSTMCell, L.GRUCell, L.SimpleRNNCell]
    cells = [one[rng.integers(3)](units) for _ in range(rng.integers(1, 3))]
    return cells[0] if len(cells) == 1 else L.StackedRNNCells(cells)


def recurrent(rng, L, steps):
    """A recurrent layer, of one direction or both."""
    units = int(rng.integers(2, 6))
    kw = {"return_sequences": steps, "go_backwards": bool(rng.integers(4) == 0)}
    which = rng.integers(4)
    if which == 0:
        layer = L.LSTM(units, use_bias=bool(rng.integers(3)), **kw)
    elif which == 1:
        layer = L.GRU(units, reset_after=bool(rng.integers(3)), activation=["tanh", "relu"][int(rng.integers(3) == 0)], **kw)
    elif which == 2:
        layer = L.SimpleRNN(units, **kw)
    else:
        layer = L.RNN(cell(rng, L, units), **kw)
    if rng.integers(2):
        kw.pop("go_backwards")
        if which < 3:
            layer.go_backwards = False
            merge = ["concat", "sum", "mul", "ave"][rng.integers(4)]
            layer = L.Bidirectional(layer, merge_mode=merge)
    return layer


def between(rng, L):
    """A layer that leaves steps as they are, or looks at few of them."""
    choices = [
        lambda: L.Dense(4, activation="relu"), lambda: L.LayerNormalization(), lambda: L.Dropout(0.3), lambda: L.TimeDistributed(L.Dense(3)) if L is k2.layers else L.Dense(3),
        lambda: L.Conv1D(4, 3, padding="causal"), lambda: L.Conv1D(4, 3, padding="same"), lambda: L.BatchNormalization(), lambda: L.MaxPooling1D(3, 1, padding="same"),
    ]
    return choices[rng.integers(len(choices))]()


def ended(rng, k, y):
    """From steps to an answer for each row, or for each step."""
    L = k.layers
    how = rng.integers(6)
    if how == 0:
        return L.GlobalAveragePooling1D()(y)
    if how == 1:
        return L.GlobalMaxPooling1D()(y)
    if how == 2:  # weights over the steps
        weights = L.Softmax(axis=1)(L.Dense(1)(L.Dense(3, activation="tanh")(y)))
        return L.Flatten()(L.Dot(axes=1)([weights, y]))
    if how == 3:
        return L.GlobalAveragePooling1D()(L.Attention()([y, y]))
    if how == 4:
        return L.GlobalMaxPooling1D()(L.MultiHeadAttention(2, 3)(y, y))
    return y


def model(seed):
    rng = np.random.default_rng(seed)
    k = [k2, k3][seed % 2]
    k3.utils.set_random_seed(seed)
    tf.random.set_seed(seed)
    L = k.layers
    tokens = rng.integers(3) > 0
    x = k.Input((None,), dtype="int32", name="x") if tokens else k.Input((None, 3), name="x")
    y = L.Embedding(20, int(rng.integers(3, 6)))(x) if tokens else x
    for _ in range(rng.integers(0, 3)):
        y = recurrent(rng, L, True)(y)
        if rng.integers(2):
            y = between(rng, L)(y)
    y = recurrent(rng, L, False)(y) if rng.integers(2) else ended(rng, k, recurrent(rng, L, True)(y))
    m = k.Model(x, L.Dense(2)(y))
    for v in m.variables:  # biases, too, are not 0
        if v.dtype in (F, "float32") and "moving_variance" not in (getattr(v, "path", None) or v.name):
            v.assign(rng.normal(size=v.shape).astype("f") * 0.5)
    rows = [np.round(rng.normal(size=(n, 3)), 3) if not tokens else rng.integers(0, 20, n) for n in rng.permutation(LENGTHS)]
    return m, I if tokens else F, rows


def main():
    found = {}
    for seed in range(int(sys.argv[2]), int(sys.argv[2]) + int(sys.argv[3])):
        name = f"recurrent_{seed}"
        path = os.path.join(OUT, name)
        shutil.rmtree(path, ignore_errors=True)
        m, dtype, rows = model(seed)
        alone = [m(tf.constant(row[None], dtype), training=False).numpy()[0].tolist() for row in rows]
        if seed % 2:
            m.export(path, verbose=False)
        else:
            m.save(path, save_format="tf")
        slim(path)
        found[name] = {"rows": [row.tolist() for row in rows], "alone": alone}
        print(name, [layer.name for layer in m.layers], os.path.getsize(os.path.join(path, "saved_model.pb")), flush=True)
    with open(os.path.join(OUT, "recurrent.json"), "w") as f:
        f.write("{\n" + ",\n".join(f"{json.dumps(n)}: {json.dumps(found[n], separators=(',', ':'))}" for n in found) + "\n}\n")


if __name__ == "__main__":
    main()
