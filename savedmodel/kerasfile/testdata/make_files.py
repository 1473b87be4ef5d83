"""Saves Keras models as .keras, .h5 and .weights.h5, with the table that Keras prints of each.

    python make_files.py OUT keras2|keras3 [NAME ...]
    python make_files.py OUT pack        # makes files.zip, and the files beside it, of OUT

The models are those of testdata/models/make_models.py and those below; without a NAME, which may be
a shell pattern, those that files.zip has. OUT/NAME.keras, OUT/NAME.h5 and OUT/NAME.weights.h5 are
written, and OUT/NAME.json: the rows and totals of the model that was saved ("saved") and of each
file as Keras loads it again ("keras", "h5"; "error" where it cannot); and what the model gives for
inputs of some size ("at"). Weights are 0, so that files compress well, but for the models of
FILLED.
"""

import fnmatch
import json
import math
import os
import shutil
import sys
import tempfile
import zipfile

import h5py

HERE = os.path.dirname(os.path.abspath(__file__))
OUT, WHICH = sys.argv[1], sys.argv[2]
FILLED = ("values", "weighed_words", "adapted", "adapted_2d", "trained_sgd")
PACKED = """trained compiled_only trained_sgd trained_functional many_of_a_class stateful_names shared_in_and_out nested_reused
    frozen_outer frozen_all frozen_one unbuilt built_later called_later lambdas_python vocabularies adapted adapted_first weighed_words sizes_inside renormalized adapted_2d
    attention_heads spectral stacked_cells states mixed two_outputs_layer registered registered_within registered_last blocks subclassed_registered
    subclassed_inside functional_subclass values operations quantized low_rank low_rank_within low_rank_types loss_scale augmentation dict_everything
    optional_input group_queries multi_io cross_attention nested_deep conv2d_zoo conv1d_stack conv3d_zoo conv_lstm
    time_distributed rnn_cells bidir_modes preprocessing raw_math raw_shapes merges_all reshapes seq2seq_gru_attention transformer
    squeeze_excite noise_layers norms_all custom_layers subclassed_ranker einsum_dense siamese_shared_layers mobilenet_v3
    efficientnet_b0 random_1 random_3""".split()
# What the command's tests read.
LOOSE = {"k3_multi_io.keras": "multi_io.keras", "k3_multi_io.h5": "multi_io.h5", "k3_lambdas_python.keras": "lambda.keras",
         "k3_trained.weights.h5": "trained.weights.h5"}
WEIGHTS = "trained blocks nested_reused subclassed_registered conv_lstm values attention_heads".split()
ONLY = sys.argv[3:] or PACKED


def pack():
    """Makes files.zip of the models in OUT. Nothing in it may name a path of this machine."""
    with zipfile.ZipFile(os.path.join(HERE, "files.zip"), "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
        for f in sorted(os.listdir(OUT)):
            name, ext = f.split(".", 1)
            base = name.split("_", 1)[1]  # behind k2, k3, or k305 for Keras 3.0.5
            if base not in PACKED or ext == "weights.h5" and base not in WEIGHTS or name == "k2_efficientnet_b0":
                continue
            data = open(os.path.join(OUT, f), "rb").read()
            if ext == "json":
                e = json.loads(data)
                for table in ("keras", "h5"):
                    if e.get(table, {}).get("rows") == e["saved"]["rows"] and e[table]["totals"] == e["saved"]["totals"]:
                        e[table] = "saved"
                for t in e.values():
                    if isinstance(t, dict):
                        t.pop("summary", None)
                data = json.dumps(e, separators=(",", ":")).encode()
            assert os.path.dirname(HERE).encode() not in data, f
            z.writestr(f, data)
        for f, copy in LOOSE.items():
            shutil.copy(os.path.join(OUT, f), os.path.join(HERE, copy))
        for name, fill in HOSTILE.items():
            with tempfile.NamedTemporaryFile() as tmp:
                with h5py.File(tmp.name, "w") as h:
                    fill(h.create_group("layers/dense/vars"))
                z.writestr(name + ".weights.h5", open(tmp.name, "rb").read())


def virtual(g):
    v = h5py.VirtualLayout((4,), "f4")
    v[...] = h5py.VirtualSource("/etc/passwd", "x", (4,))
    g.create_virtual_dataset("0", v)


HOSTILE = {
    "hostile_external": lambda g: g.create_dataset("0", (4,), "f4", external=[("/etc/passwd", 0, 16)]),
    "hostile_external_link": lambda g: g.__setitem__("0", h5py.ExternalLink("/etc/passwd", "/x")),
    "hostile_soft_link": lambda g: g.__setitem__("0", h5py.SoftLink("/layers")),
    "hostile_virtual": virtual,
    "hostile_bomb": lambda g: g.create_dataset("0", (1 << 40,), "f4", chunks=(1 << 16,), compression="gzip"),
    "hostile_again": lambda g: g.__setitem__("0", g.parent),
}


if WHICH == "pack":
    pack()
    sys.exit()
sys.path.insert(0, os.path.join(HERE, "..", "..", "..", "testdata", "models"))
sys.argv = ["make_models.py", OUT, WHICH, "none"]
import make_models as mm  # noqa: E402  (reads sys.argv, and makes no model of that name)

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

keras, L, K3, MODELS = mm.keras, mm.L, mm.K3, mm.MODELS
OWN, CUSTOM = set(), {}
register = keras.saving.register_keras_serializable


def model(f):
    MODELS[f.__name__] = f
    OWN.add(f.__name__)
    return f


def inp(*shape, **kw):
    return keras.Input(shape=shape, **kw)


@model
def trained():
    m = keras.Sequential([inp(4), L.Dense(5), L.BatchNormalization(), L.Dropout(0.1), L.Dense(1)])
    m.compile("adam", "mse", metrics=["mae"])
    m.fit(np.ones((8, 4)), np.ones((8, 1)), verbose=0)
    return m


@model
def compiled_only():
    m = keras.Sequential([inp(4), L.Dense(5), L.Dense(1)])
    m.compile("rmsprop", "mse")
    return m


@model
def trained_sgd():
    m = keras.Sequential([inp(4), L.Dense(2)])
    m.compile("sgd", "mse")
    m.fit(np.ones((8, 4)), np.ones((8, 2)), verbose=0)
    return m


@model
def trained_functional():
    a, b = inp(3, name="a"), inp(4, name="b")
    y = L.Concatenate()([L.Dense(3)(a), L.Dense(4)(b)])
    m = keras.Model([a, b], {"y": L.Dense(1, name="y")(y), "z": L.Dense(2, name="z")(y)})
    m.compile(keras.optimizers.Adam(amsgrad=True), {"y": "mse", "z": "mse"})
    x = {"a": np.ones((8, 3)), "b": np.ones((8, 4))}
    m.fit(x, {"y": np.ones((8, 1)), "z": np.ones((8, 2))}, verbose=0)
    return m


@model
def many_of_a_class():
    x = inp(4)
    y = x
    for _ in range(13):
        y = L.Dense(4)(y)
    for _ in range(3):
        y = L.BatchNormalization()(y)
    return keras.Model(x, y)


@model
def stateful_names():
    x = inp(4, name="layers")
    y = L.Dense(3, name="vars")(x)
    y = L.Dense(2, name="a.b")(y)
    return keras.Model(x, L.Dense(1, name="Dense With Blanks")(y) if K3 else L.Dense(1, name="D")(y))


@model
def shared_in_and_out():
    d = L.Dense(4, name="shared")
    a, b = inp(4), inp(4)
    inner = keras.Sequential([inp(4), d, L.Dense(3)], name="inner")
    return keras.Model([a, b], [d(a), inner(b), d(d(b))])


@model
def nested_reused():
    inner_in = inp(5)
    inner = keras.Model(inner_in, L.Dense(3)(L.Dense(4)(inner_in)), name="inner")
    x = inp(5)
    middle_in = inp(5)
    middle = keras.Model(middle_in, [inner(middle_in), inner(L.ReLU()(middle_in))], name="middle")
    a, b = middle(x)
    return keras.Model(x, L.Add()([a, b, inner(x)]))


@model
def frozen_outer():
    inner = keras.Sequential([inp(5), L.Dense(4), L.BatchNormalization()], name="inner")
    inner.trainable = False
    x = inp(5)
    m = keras.Model(x, L.Dense(2)(inner(x)))
    return m


@model
def frozen_all():
    m = keras.Sequential([inp(5), L.Dense(4), L.Dense(2)])
    m.trainable = False
    return m


@model
def frozen_one():
    m = keras.Sequential([inp(5), L.Dense(4), L.Dense(2)])
    m.layers[0].trainable = False
    return m


@model
def unbuilt():
    return keras.Sequential([L.Dense(4), L.Dense(2)])


@model
def built_later():
    m = keras.Sequential([L.Dense(4), L.Dropout(0.1), L.Dense(2)])
    m.build((None, 3))
    return m


@model
def called_later():
    m = keras.Sequential([L.Dense(4), L.Dense(2)])
    m(np.zeros((7, 3), "float32"))
    return m


@model
def lambdas_python():
    x = inp(4)
    twice = eval(compile("lambda t: t * 2", "model.py", "eval"))  # whose bytecode names no path
    y = L.Lambda(twice, output_shape=(4,))(x)
    return keras.Model(x, L.Dense(2)(y))


@model
def vocabularies():
    x = inp(1, dtype="string", name="text")
    tv = L.TextVectorization(output_sequence_length=7, vocabulary=["a", "b", "c"])
    y = L.Embedding(5, 4)(tv(x))
    z = inp(1, dtype="string", name="word")
    lk = L.StringLookup(vocabulary=["x", "y"], output_mode="one_hot")
    i = inp(1, dtype="int64", name="int")
    il = L.IntegerLookup(vocabulary=[3, 4, 5], output_mode="multi_hot")
    return keras.Model([x, z, i], [L.GlobalAveragePooling1D()(y), lk(z), il(i)])


@model
def adapted():
    x = inp(3)
    n = L.Normalization(name="norm")
    n.adapt(np.arange(30, dtype="float32").reshape(10, 3))
    d = L.Discretization(num_bins=4, output_mode="one_hot", name="bins")
    d.adapt(np.arange(30, dtype="float32").reshape(10, 3)[:, 0])
    z = inp(1)
    h = L.Hashing(6, output_mode="one_hot", name="hash")
    w = inp(1, dtype="string")
    return keras.Model([x, z, w], [L.Dense(2)(n(x)), d(z), h(w)])


@model
def adapted_first():
    """What adapt leaves without an input: the sizes that the means and the vocabulary have."""
    n = L.Normalization()
    n.adapt(np.ones((10, 3), "float32"))
    return keras.Sequential([n, L.Dense(2)])


@model
def weighed_words():
    words = tf.constant([["x"], ["y"]])
    s = L.StringLookup(output_mode="tf_idf")
    t = L.TextVectorization(output_mode="tf_idf", vocabulary=["a", "b"], idf_weights=[1.0, 2.0])
    s.adapt(words)
    x = inp(1, dtype="string")
    return keras.Model(x, [s(x), t(x)])


@model
def sizes_inside():
    """A model with sizes left open within one that fixes them, and a layer that two models share."""
    a = inp(None, 3)
    d = L.Dense(3, name="both")
    inner = keras.Model(a, L.Conv1D(4, 3)(d(a)), name="inner")
    b = inp(3)
    other = keras.Model(b, L.Dense(2, name="own")(d(b)), name="other")
    x, y = inp(9, 3), inp(3)
    return keras.Model([x, y], [inner(x), other(y)])


@model
def adapted_2d():
    x = inp(4, 4, 3)
    n = L.Normalization(axis=-1)
    n.adapt(np.ones((2, 4, 4, 3), "float32"))
    return keras.Model(x, L.Conv2D(2, 3)(n(x)))


@model
def attention_heads():
    x = inp(6, 8)
    y = L.MultiHeadAttention(2, 4)(x, x)
    y = L.LayerNormalization()(L.Add()([x, y]))
    y, s = L.MultiHeadAttention(2, 4, name="scored")(y, y, return_attention_scores=True)
    z = L.Attention()([y, y])
    return keras.Model(x, [L.Dense(3)(y), s, z])


@model
def spectral():
    x = inp(6)
    return keras.Model(x, L.SpectralNormalization(L.Dense(3))(x) if K3 else L.Dense(3)(x))


@model
def stacked_cells():
    x = inp(None, 3)
    y = L.RNN([L.LSTMCell(4), L.GRUCell(5)], return_sequences=True)(x)
    y = L.RNN(L.SimpleRNNCell(2))(y)
    return keras.Model(x, y)


@model
def states():
    x = inp(None, 3)
    y, h, c = L.LSTM(4, return_state=True, return_sequences=True)(x)
    z = L.LSTM(4)(y, initial_state=[h, c])
    b = L.Bidirectional(L.GRU(3, return_state=True))(y)
    return keras.Model(x, [z, *b])


@model
def mixed():
    x = inp(4)
    y = L.Dense(3, dtype="mixed_float16")(x)
    y = L.Dense(3, dtype="float64")(y)
    return keras.Model(x, L.Dense(2, dtype="bfloat16")(y))


@model
def two_outputs_layer():
    x = inp(5, 6)
    a, b = mm.TwoOut()(x)
    return keras.Model(x, [L.Dense(2)(a), b])


@register("own")
class Scale(L.Layer):
    def __init__(self, start=1.0, **kw):
        super().__init__(**kw)
        self.start = start

    def build(self, shape):
        self.scale = self.add_weight(name="scale", shape=(shape[-1],), initializer="ones")
        self.count = self.add_weight(name="count", shape=(), initializer="zeros", trainable=False)
        super().build(shape)

    def call(self, x):
        return x * self.scale

    def get_config(self):
        return {**super().get_config(), "start": self.start}


@model
def registered():
    x = inp(4)
    return keras.Model(x, L.Dense(2)(Scale(2.0)(x)))


@register("own")
class Shaped(Scale):
    def compute_output_shape(self, shape):
        return shape


@model
def registered_within():
    x = inp(3, 4)
    return keras.Model(x, L.Dense(2)(L.TimeDistributed(Shaped(2.0))(x)))


@model
def registered_last():
    x = inp(4)
    return keras.Model(x, Scale(2.0)(L.Dense(2)(x)))


@register("own")
class Block(L.Layer):
    def __init__(self, width=3, **kw):
        super().__init__(**kw)
        self.width = width
        self.z_first = L.Dense(width)
        self.a_second = L.Dense(width, name="inner_dense")
        self.parts = [L.LayerNormalization(), L.Dropout(0.1)]
        self.table = {"x": L.Dense(width)}

    def build(self, shape):
        self.z_first.build(shape)
        inner = (*shape[:-1], self.width)
        self.a_second.build(inner)
        self.parts[0].build(inner)
        self.table["x"].build(inner)
        super().build(shape)

    def call(self, x, training=False):
        y = self.a_second(self.z_first(x))
        for p in self.parts:
            y = p(y)
        return self.table["x"](y)

    def compute_output_shape(self, shape):
        return (*shape[:-1], self.width)

    def get_config(self):
        return {**super().get_config(), "width": self.width}


@model
def blocks():
    x = inp(4)
    return keras.Model(x, Block(5)(Block(3, name="first")(x)))


@register("own")
class OwnModel(keras.Model):
    def __init__(self, width=3, **kw):
        super().__init__(**kw)
        self.width = width
        self.hidden = L.Dense(width, activation="relu")
        self.bodies = [L.Dense(width) for _ in range(2)]
        self.drop = L.Dropout(0.2)
        self.out = keras.Sequential([L.Dense(2), L.Dense(1)])

    def call(self, x, training=False):
        y = self.hidden(x)
        for b in self.bodies:
            y = b(y)
        return self.out(self.drop(y, training=training))

    def get_config(self):
        return {**super().get_config(), "width": self.width}


@model
def subclassed_registered():
    m = OwnModel(4)
    m.build((None, 3)) if not K3 else m(np.zeros((2, 3), "float32"))
    return m


@model
def subclassed_inside():
    x = inp(3)
    return keras.Model(x, L.Dense(2)(OwnModel(4, name="own")(x)))


@register("own")
class FunctionalOwn(keras.Model):
    def __init__(self, **kw):
        x = keras.Input((4,))
        h = L.Dense(3)
        super().__init__(x, L.Dense(2)(h(x)))
        self.again = h

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config, **kw):
        return cls()


@model
def functional_subclass():
    return FunctionalOwn()


@model
def values():
    """Weights that are no zeros, for --stats."""
    m = keras.Sequential([inp(4), L.Dense(5, name="a"), L.Dense(3, use_bias=False, name="b"), L.BatchNormalization(name="c")])
    for i, w in enumerate(m.weights):
        w.assign(np.linspace(-1 - i, 1, math.prod(w.shape)).reshape(w.shape))
    return m


if not K3:

    @model
    def renormalized():
        x = inp(4)
        return keras.Model(x, L.BatchNormalization(renorm=True)(L.Dense(4)(x)))


if K3:

    @model
    def operations():
        o = keras.ops
        x = inp(6, 8)
        y = o.einsum("bij,bkj->bik", x, x)
        y = o.softmax(y / 2.0)
        z = o.concatenate([y, x], axis=-1)
        a, b = o.split(z, 2, axis=-1)
        return keras.Model(x, o.mean(a * b, axis=1))

    @model
    def quantized():
        m = keras.Sequential([inp(8), L.Dense(6), L.Dense(4)])
        m.quantize("int8")
        return m

    @model
    def low_rank():
        m = keras.Sequential([inp(8), L.Dense(6, name="d"), L.Embedding(9, 3, name="e")])
        m.layers[0].enable_lora(2)
        m.layers[1].enable_lora(2)
        return m

    @model
    def low_rank_within():
        """Adapters in some of the layers that another has within, or in one that is frozen."""
        x = inp(6, 8)
        a, d, f = L.MultiHeadAttention(2, 4), L.Dense(6), L.Dense(3)
        y = L.TimeDistributed(d)(a(x, x))
        m = keras.Model(x, f(y))
        for part in (a.query_dense, a.value_dense, d, f):
            part.enable_lora(2)
        f.trainable = False
        return m

    @model
    def low_rank_types():
        """Adapters of kernels whose numbers have another type than theirs, or are packed."""
        x, t = inp(6, 7), inp(5, dtype="int32")
        parts = [L.EinsumDense("abc,cde->abde", output_shape=(None, 3, 5), bias_axes="de"), L.Embedding(13, 6), L.Dense(9)]
        half = L.Dense(4, dtype="bfloat16")
        m = keras.Model([x, t], [parts[0](x), parts[2](parts[1](t)), half(x)])
        for part in (*parts, half):
            part.enable_lora(2)
        for part in parts:
            part.quantize("int4")
        half.quantize("int8")
        return m

    @model
    def loss_scale():
        m = keras.Sequential([inp(4), L.Dense(2)])
        m.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()), "mse")
        m.fit(np.ones((8, 4)), np.ones((8, 2)), verbose=0)
        return m

    @model
    def augmentation():
        x = inp(8, 8, 3)
        y = keras.Sequential([L.RandomFlip(), L.RandomRotation(0.1)], name="augment")(x)
        y = L.RandomZoom(0.1)(L.Rescaling(1 / 255)(y))
        return keras.Model(x, L.Dense(2)(L.Flatten()(y)))

    @model
    def dict_everything():
        x = {"a": inp(3, name="a"), "b": inp(4, name="b")}
        y = L.Concatenate()([x["b"], x["a"]])
        return keras.Model(x, {"p": L.Dense(2)(y), "q": L.Dense(1)(x["a"])})

    @model
    def optional_input():
        x = inp(3)
        z = keras.Input((3,), optional=True)
        return keras.Model([x, z], L.Dense(2)(x))

    @model
    def group_queries():
        x = inp(6, 8)
        y = L.GroupQueryAttention(4, 4, 2)(x, x)
        return keras.Model(x, L.RMSNormalization()(y) if hasattr(L, "RMSNormalization") else y)


def table(m):
    """The rows and totals of a model, as print_summary takes them."""
    rows, like = mm.rows(m)
    t = sum(math.prod(w.shape) for w in m.trainable_weights)
    n = sum(math.prod(d or 0 for d in w.shape) for w in m.non_trainable_weights if hasattr(w, "shape"))
    e = {"rows": rows, "connected": not like, "totals": {"total": t + n, "trainable": t, "non_trainable": n},
         "model_name": m.name, "model_class": m.__class__.__name__}
    if K3:
        e["totals"]["bytes"] = int(keras.src.utils.summary_utils.weight_memory_size(m.weights))
    o = getattr(m, "optimizer", None)
    if K3 and m.compiled and o and o.built:
        e["totals"]["optimizer"] = sum(math.prod(v.shape) for v in o.variables)
    nested = {}

    def walk(layers):
        for l in layers:
            if getattr(l, "layers", None) and isinstance(l.layers, list):
                nested[l.name] = [[k.name, k.__class__.__name__, (mm.shape_of3 if K3 else mm.shape_of2)(k), int(k.count_params()) if k.built else 0]
                                  for k in l.layers]
                walk(l.layers)

    walk(m._operations if K3 and isinstance(m, keras.src.models.Functional) else m.layers)
    e["nested"] = nested
    text = []
    m.summary(print_fn=lambda s, **kw: text.append(s), line_length=140, expand_nested=True)
    e["summary"] = "\n".join(text)
    return e


def at(m):
    """What the model gives for zeros with a size for each open dimension."""
    names = [t._keras_history.operation.name for t in m.inputs] if K3 else m.input_names
    sizes, feed = {}, []
    for n, t in zip(names, m.inputs):
        shape = [s if s is not None else (2 if i == 0 else 9 + 2 * i) for i, s in enumerate(t.shape)]
        sizes[n] = shape
        feed.append(tf.zeros(shape, t.dtype if isinstance(t.dtype, str) else t.dtype.name) if "string" not in str(t.dtype) else tf.fill(shape, "a"))
    out = m(mm.keras.tree.pack_sequence_as(m._inputs_struct, feed) if K3 and hasattr(m, "_inputs_struct") else feed[0] if len(feed) == 1 else feed)
    flat = keras.tree.flatten(out) if K3 else tf.nest.flatten(out)
    return {"inputs": sizes, "outputs": [list(o.shape) for o in flat]}


def save(name, m):
    e = {"saved": table(m), "weights": [[w.path if K3 else w.name, list(w.shape), w.dtype if isinstance(w.dtype, str) else w.dtype.name] for w in m.weights if hasattr(w, "name")]}
    try:
        e["at"] = at(m)
    except Exception as err:
        print("   at", name, type(err).__name__, str(err)[:200].replace("\n", " "))
    for ext in ("keras", "h5"):
        path = os.path.join(OUT, f"{name}.{ext}")
        try:
            m.save(path)
        except Exception as err:
            e[ext] = {"not_saved": f"{type(err).__name__}: {str(err)[:200]}"}
            if os.path.exists(path):
                os.remove(path)
            continue
        try:
            keras.backend.clear_session()
            loaded = keras.models.load_model(path, custom_objects=CUSTOM, safe_mode=False)
            e[ext] = table(loaded)
        except Exception as err:
            e[ext] = {"error": f"{type(err).__name__}: {str(err)[:200]}"}
    try:
        m.save_weights(os.path.join(OUT, f"{name}.weights.h5"))
    except Exception as err:
        e["weights_not_saved"] = str(err)[:200]
    json.dump(e, open(os.path.join(OUT, name + ".json"), "w"), indent=1)


def main():
    os.makedirs(OUT, exist_ok=True)
    for i in range(60):
        MODELS[f"random_{i}"] = lambda i=i: mm.random_model(i)
    CUSTOM.update({c.__name__: c for c in vars(mm).values() if isinstance(c, type) and issubclass(c, L.Layer) and c.__module__ == "make_models"})
    for name, build in MODELS.items():
        if not any(fnmatch.fnmatch(name, p) for p in ONLY):
            continue
        keras.backend.clear_session()
        try:
            m = build()
            if name not in FILLED:
                for w in m.weights:
                    if "float" in str(getattr(w, "dtype", "")):
                        w.assign(np.zeros(w.shape))
            save(("k3_" if K3 else "k2_") + name, m)
            print("ok", name)
        except Exception as err:
            print("FAILED", name, type(err).__name__, str(err)[-300:].replace("\n", " "))
        sys.stdout.flush()


main()
