"""Makes SavedModels with what Keras says of them, to test the reader on wirings, sizes and names of
many kinds.

    python make_models.py OUT keras2|keras3 [NAME ...]

Writes OUT/NAME/model, OUT/NAME/expect.json and OUT/NAME/summary.txt. Weights are random. Which
models there are: MODELS at the end of the file; NAME may be a shell pattern. The names random_N are
stacks and graphs drawn at random, the same for the same N.
"""
import fnmatch, io, json, math, os, random, shutil, sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

OUT, WHICH, ONLY = sys.argv[1], sys.argv[2], sys.argv[3:] or ["*"]
if WHICH == "keras2":
    import tf_keras as keras
else:
    import keras
L = keras.layers
K3 = WHICH == "keras3"
MODELS = {}


def model(f):
    MODELS[f.__name__] = f
    return f


def inp(*shape, **kw):
    return keras.Input(shape=shape, **kw)


# ------------------------------------------------------------------ what Keras says
def dims(s):
    return [None if d is None else int(d) for d in s]


def tree_shapes(s):
    """one shape, or a list of shapes"""
    if isinstance(s, dict):
        s = list(s.values())
    if isinstance(s, (list, tuple)) and (len(s) == 0 or s[0] is None or isinstance(s[0], int)):
        return dims(s)
    if isinstance(s, tf.TensorShape):
        return dims(s.as_list())
    out = []
    for x in s:
        y = tree_shapes(x)
        out += y if y and isinstance(y[0], list) else [y]
    return out[0] if len(out) == 1 else out


def shape_of3(layer):
    if layer._inbound_nodes:
        outs = flat(layer._inbound_nodes[-1].output_tensors)
        return tree_shapes([tuple(o.shape) for o in outs])
    if not getattr(layer, "_build_shapes_dict", True):
        return "?"
    try:
        s = layer.output_shape if hasattr(layer, "output_shape") else layer.compute_output_shape(**layer._build_shapes_dict)
        return tree_shapes(s)
    except NotImplementedError:
        return "?"


def shape_of2(layer):
    try:
        return tree_shapes(layer.output_shape)
    except AttributeError:
        return "multiple"
    except RuntimeError:
        return "?"


def flat(x):
    return keras.tree.flatten(x) if hasattr(keras, "tree") else tf.nest.flatten(x)


def sequential_like(m):
    if isinstance(m, keras.Sequential):
        return True
    if K3 and not isinstance(m, keras.src.models.Functional) or not K3 and not m._is_graph_network:
        return True
    nodes = []
    for v in m._nodes_by_depth.values():
        n = len(flat(v[0].input_tensors)) if K3 else len(tf.nest.flatten(v[0].keras_inputs))
        if len(v) > 1 or n > 1:
            return False
        nodes += v
    for layer in m.layers:
        if sum(n in nodes for n in layer._inbound_nodes) > 1:
            return False
    return True


def rows(m):
    like = sequential_like(m)
    layers = m._operations if K3 and not like else m._operations if K3 and isinstance(m, keras.src.models.Functional) else m.layers
    nodes = None if like else [n for v in m._nodes_by_depth.values() for n in v]
    out = []
    for l in layers:
        r = {"name": l.name, "class": l.__class__.__name__, "output_shape": (shape_of3 if K3 else shape_of2)(l),
             "params": int(l.count_params()) if getattr(l, "built", False) and hasattr(l, "count_params") else 0}
        if not like:
            c = []
            for n in l._inbound_nodes:
                if n not in nodes:
                    continue
                if K3:
                    c += [f"{t._keras_history.operation.name}[{t._keras_history.node_index}][{t._keras_history.tensor_index}]" for t in n.input_tensors]
                else:
                    c += [f"{a.name}[{b}][{k}]" for a, b, k, _ in n.iterate_inbound()]
            r["connected_to"] = c
        out.append(r)
    return out, like


def describe(t):
    d = {"dtype": tf.dtypes.as_dtype(t.dtype).name if t.dtype else "invalid",
         "shape": None if t.tensor_shape.unknown_rank else [None if x.size < 0 else x.size for x in t.tensor_shape.dim], "tensor": t.name}
    return d


def values(a):
    a = np.asarray(a)
    if a.dtype.kind in "SO":
        return [x.decode() for x in a.reshape(-1)]
    return [float(np.float32(x)) if a.dtype.kind == "f" and a.dtype != np.float64 else x.item() for x in a.reshape(-1)]


def tensor(a):
    a = np.asarray(a)
    d = {"dtype": "string" if a.dtype.kind in "SO" else a.dtype.name, "shape": list(a.shape)}
    v = values(a)
    v = [float(np.format_float_positional(np.float32(x), unique=True, trim="-")) if a.dtype == np.float32 and np.isfinite(x) else x for x in v]
    if len(v) > 4096:
        return {**d, "values_omitted": True, "count": len(v), "sum": float(np.sum(a.astype("float64"))), "head": v[:16]}
    return {**d, "values": v}


def example(sig, infos, seed, feeds):
    rng = np.random.default_rng(seed)
    free, args = {}, {}
    batch = [1, 3, 2][seed % 3]
    for k, t in infos.items():
        size = [batch if i == 0 and d.size < 0 else d.size if d.size >= 0 else [5, 7, 8][seed % 3] + (i > 1) for i, d in enumerate(t.tensor_shape.dim)]
        a = feeds(k, size, rng) if feeds else None
        if a is None:
            a = rng.integers(0, 8, size) if tf.dtypes.as_dtype(t.dtype).is_integer else np.round(rng.normal(size=size), 3)
        args[k] = tf.constant(a, dtype=tf.dtypes.as_dtype(t.dtype))
    out = sig(**args)
    return {"inputs": {k: tensor(v.numpy()) for k, v in args.items()}, "outputs": {k: tensor(v.numpy()) for k, v in out.items()}}


def save(name, m, out, feeds=None, save_kw=None):
    d = os.path.join(out, name)
    shutil.rmtree(d, ignore_errors=True)
    os.makedirs(d)
    path = os.path.join(d, "model")
    rng = np.random.default_rng(len(name))
    if K3:
        try:
            m.export(path, verbose=False)
        except TypeError:  # before Keras 3.4
            m.export(path)
    else:
        m.save(path, save_format="tf", **(save_kw or {}))
    r, like = rows(m)
    t = sum(int(math.prod(w.shape)) for w in m.trainable_weights)
    n = sum(int(math.prod(w.shape)) for w in m.non_trainable_weights if hasattr(w, "shape"))
    from tensorflow.core.protobuf import saved_model_pb2
    sm = saved_model_pb2.SavedModel()
    sm.ParseFromString(open(os.path.join(path, "saved_model.pb"), "rb").read())
    mg = sm.meta_graphs[0]
    e = {"name": name, "kind": "own", "framework": WHICH, "tf_version": tf.__version__, "keras_version": keras.__version__,
         "tag_sets": [sorted(mg.meta_info_def.tags)], "summary_rows": r, "totals": {"total": t + n, "trainable": t, "non_trainable": n},
         "model_name": m.name, "model_class": m.__class__.__name__, "connected": not like,
         "signatures": {k: {"inputs": {a: describe(b) for a, b in s.inputs.items()}, "outputs": {a: describe(b) for a, b in s.outputs.items()},
                            "method_name": s.method_name} for k, s in mg.signature_def.items()},
         "rtol": 1e-4, "atol": 1e-5, "examples": [], "sequence": False, "saved_with": "model.export" if K3 else "model.save"}
    loaded = tf.saved_model.load(path)
    if "serving_default" in mg.signature_def:
        for seed in range(3):
            try:
                x = example(loaded.signatures["serving_default"], mg.signature_def["serving_default"].inputs, seed, feeds)
                e["examples"].append({"signature": "serving_default", **x})
            except Exception as err:  # a size that the model cannot take: no example of it
                print("   example", seed, type(err).__name__, str(err)[:100], file=sys.stderr)
    json.dump(e, open(os.path.join(d, "expect.json"), "w"), separators=(",", ":"))
    text = []
    m.summary(print_fn=lambda s, **kw: text.append(s), line_length=120)
    open(os.path.join(d, "summary.txt"), "w").write("\n".join(text) + "\n")


# ------------------------------------------------------------------ real architectures
@model
def mobilenet_v2():
    return keras.applications.MobileNetV2(input_shape=(64, 64, 3), alpha=0.35, weights=None, classes=10)


@model
def mobilenet_v1():
    return keras.applications.MobileNet(input_shape=(96, 96, 3), alpha=0.25, weights=None, classes=7)


@model
def mobilenet_v3():
    return keras.applications.MobileNetV3Small(input_shape=(96, 96, 3), alpha=0.75, weights=None, classes=7)


@model
def efficientnet_b0():
    return keras.applications.EfficientNetB0(input_shape=(64, 64, 3), weights=None, classes=5)


@model
def efficientnet_v2():
    return keras.applications.EfficientNetV2B0(input_shape=(64, 64, 3), weights=None, classes=5)


@model
def resnet50():
    return keras.applications.ResNet50(input_shape=(64, 64, 3), weights=None, classes=4)


@model
def densenet():
    return keras.applications.DenseNet121(input_shape=(64, 64, 3), weights=None, classes=4)


@model
def xception_any():
    return keras.applications.Xception(input_shape=(None, None, 3), weights=None, include_top=False, pooling="avg")


@model
def transfer():
    base = keras.applications.MobileNetV2(input_shape=(64, 64, 3), alpha=0.35, weights=None, include_top=False)
    base.trainable = False
    x = inp(64, 64, 3, name="photo")
    y = L.RandomFlip("horizontal", name="augment")(x)
    y = L.Rescaling(1 / 127.5, offset=-1)(y)
    y = base(y, training=False)
    y = L.GlobalAveragePooling2D()(y)
    y = L.Dropout(0.2)(y)
    return keras.Model(x, L.Dense(3, activation="softmax", name="predictions")(y))


@model
def unet_deep():
    x = inp(32, 32, 3, name="image")
    skips, y = [], x
    for i, f in enumerate([4, 8, 16]):
        y = L.Conv2D(f, 3, padding="same", activation="relu", name=f"enc{i}_a")(y)
        y = L.BatchNormalization(name=f"enc{i}_bn")(y)
        y = L.Conv2D(f, 3, padding="same", activation="relu", name=f"enc{i}_b")(y)
        skips.append(y)
        y = L.MaxPooling2D(name=f"enc{i}_pool")(y)
        y = L.Dropout(0.1, name=f"enc{i}_drop")(y)
    y = L.Conv2D(24, 3, padding="same", activation="relu", name="bottom")(y)
    for i, f in reversed(list(enumerate([4, 8, 16]))):
        y = L.Conv2DTranspose(f, 2, strides=2, padding="same", name=f"dec{i}_up")(y)
        y = L.Concatenate(name=f"dec{i}_cat")([y, skips[i]])
        y = L.Dropout(0.1, name=f"dec{i}_drop")(y)
        y = L.Conv2D(f, 3, padding="same", activation="relu", name=f"dec{i}_a")(y)
    return keras.Model(x, L.Conv2D(2, 1, activation="softmax", name="seg")(y), name="unet")


@model
def unet_default_names():
    x = inp(24, 32, 1)
    a = L.Conv2D(4, 3, padding="same", activation="relu")(x)
    b = L.MaxPooling2D()(a)
    b = L.Conv2D(8, 3, padding="same", activation="relu")(b)
    b = L.Dropout(0.5)(b)
    c = L.UpSampling2D(interpolation="bilinear")(b)
    c = L.Conv2D(4, 2, padding="same", activation="relu")(c)
    d = L.concatenate([a, c])
    d = L.Conv2D(4, 3, padding="same", activation="relu")(d)
    return keras.Model(x, L.Conv2D(1, 1, activation="sigmoid")(d))


@model
def seq2seq_lstm():
    src = inp(None, name="source", dtype="int32")
    tgt = inp(None, name="target", dtype="int32")
    e = L.Embedding(50, 6, mask_zero=False, name="src_emb")(src)
    _, h, c = L.LSTM(9, return_state=True, name="enc")(e)
    d = L.Embedding(40, 5, name="tgt_emb")(tgt)
    d, _, _ = L.LSTM(9, return_sequences=True, return_state=True, name="dec")(d, initial_state=[h, c])
    return keras.Model([src, tgt], L.Dense(40, activation="softmax", name="word")(d))


@model
def seq2seq_gru_attention():
    src = inp(None, dtype="int32")
    tgt = inp(None, dtype="int32")
    e = L.Embedding(50, 6)(src)
    enc, h = L.GRU(7, return_sequences=True, return_state=True)(e)
    d = L.Embedding(40, 6)(tgt)
    d = L.GRU(7, return_sequences=True)(d, initial_state=h)
    ctx = L.AdditiveAttention()([d, enc])
    y = L.Concatenate()([d, ctx])
    y = L.TimeDistributed(L.Dense(8, activation="tanh"))(y)
    return keras.Model([src, tgt], L.Dense(40)(y))


@model
def seq2seq_bidir():
    src = inp(None, name="src", dtype="int32")
    e = L.Embedding(50, 6, mask_zero=True)(src)
    y, fh, fc, bh, bc = L.Bidirectional(L.LSTM(5, return_sequences=True, return_state=True), name="encoder")(e)
    h = L.Concatenate(name="h")([fh, bh])
    c = L.Concatenate(name="c")([fc, bc])
    tgt = inp(None, name="tgt", dtype="int32")
    d = L.Embedding(40, 4)(tgt)
    d = L.LSTM(10, return_sequences=True, name="decoder")(d, initial_state=[h, c])
    a = L.Attention(name="luong")([d, y])
    return keras.Model([src, tgt], L.Dense(40, name="logits")(L.Concatenate()([d, a])))


@model
def transformer():
    x = inp(20, name="tokens", dtype="int32")
    pos = L.Embedding(20, 8, name="pos")
    y = L.Embedding(100, 8, name="tok")(x)
    for i in range(2):
        a = L.MultiHeadAttention(2, 4, dropout=0.1, name=f"mha_{i}")(y, y)
        a = L.Dropout(0.1)(a)
        y = L.LayerNormalization(epsilon=1e-6)(L.Add()([y, a]))
        f = L.Dense(16, activation="gelu" if K3 else "relu")(y)
        f = L.Dense(8)(f)
        f = L.Dropout(0.1)(f)
        y = L.LayerNormalization(epsilon=1e-6)(y + f)
    y = L.GlobalAveragePooling1D()(y)
    y = L.Dropout(0.1)(y)
    return keras.Model(x, L.Dense(2, activation="softmax")(y))


@model
def cross_attention():
    q = inp(None, 6, name="query")
    kv = inp(None, 10, name="memory")
    y = L.MultiHeadAttention(3, 5, value_dim=4, name="cross")(q, kv)
    z = L.MultiHeadAttention(2, 3, output_shape=7, attention_axes=(1,))(y, kv, kv)
    y2 = L.Attention(use_scale=True, score_mode="dot")([q, L.Dense(6)(kv)])
    return keras.Model([q, kv], [L.Dense(3, name="out_a")(z), L.LayerNormalization(name="norm_q")(q + y2)])


@model
def bidir_modes():
    x = inp(None, 4, name="series")
    a = L.Bidirectional(L.LSTM(3, return_sequences=True), merge_mode="mul", name="bi_mul")(x)
    b = L.Bidirectional(L.GRU(3, return_sequences=True), merge_mode="sum", name="bi_sum")(a)
    c = L.Bidirectional(L.SimpleRNN(5, return_sequences=True), merge_mode="ave")(b)
    d = L.Bidirectional(L.GRU(2, return_sequences=True), merge_mode="concat", backward_layer=L.GRU(6, return_sequences=True, go_backwards=True))(c)
    e = L.Bidirectional(L.LSTM(4))(d)
    return keras.Model(x, L.Dense(2)(e))


@model
def rnn_cells():
    x = inp(12, 5)
    y = L.RNN(L.LSTMCell(6), return_sequences=True)(x)
    y = L.RNN([L.GRUCell(4), L.LSTMCell(3)], return_sequences=True)(y)
    y = L.SimpleRNN(7, return_sequences=True, use_bias=False, activation="relu")(y)
    y = L.GRU(5, reset_after=False, go_backwards=True, return_sequences=True)(y)
    y = L.LSTM(4, unroll=True, dropout=0.2, recurrent_dropout=0.1)(y)
    return keras.Model(x, L.Dense(1)(y))


@model
def conv1d_stack():
    return keras.Sequential([keras.Input((40, 3)), L.Conv1D(5, 3, padding="causal", dilation_rate=2, activation="relu"), L.Conv1D(6, 4, strides=2, padding="same", use_bias=False),
                             L.BatchNormalization(), L.ReLU(), L.SeparableConv1D(7, 3, padding="valid"), L.MaxPooling1D(2, padding="same"), L.AveragePooling1D(3, strides=1),
                             L.ZeroPadding1D((1, 2)), L.Cropping1D((1, 0)), L.UpSampling1D(2), L.Conv1DTranspose(4, 3, strides=2), L.SpatialDropout1D(0.2), L.GlobalMaxPooling1D(),
                             L.Dense(3)], name="wave")


@model
def conv1d_named():
    x = inp(None, 3, name="wave")
    y = x
    for i in range(3):
        r = L.Conv1D(6, 2, dilation_rate=2 ** i, padding="causal", activation="tanh", name=f"dilated_{2 ** i}")(y)
        g = L.Conv1D(6, 2, dilation_rate=2 ** i, padding="causal", activation="sigmoid", name=f"gate_{2 ** i}")(y)
        m = L.Multiply(name=f"gated_{i}")([r, g])
        s = L.Conv1D(6, 1, name=f"skip_{i}")(m)
        y = s if i == 0 else L.Add(name=f"res_{i}")([y, s])
        y = L.Dropout(0.1, name=f"drop_{i}")(y)
    y = L.Activation("relu", name="act")(y)
    y = L.GlobalAveragePooling1D(name="pool")(y)
    return keras.Model(x, L.Dense(2, name="head")(y), name="wavenet")


@model
def conv2d_zoo():
    return keras.Sequential([keras.Input((30, 22, 3)), L.Conv2D(4, (5, 3), strides=(2, 1), padding="valid", groups=1), L.DepthwiseConv2D(3, depth_multiplier=2, padding="same"),
                             L.LeakyReLU(), L.SeparableConv2D(6, 3, depth_multiplier=2, strides=2, padding="same"), L.PReLU(shared_axes=[1, 2]), L.Conv2D(8, 3, dilation_rate=2, padding="same"),
                             L.ELU(), L.AveragePooling2D((2, 3), padding="same"), L.Cropping2D(((1, 0), (0, 1))), L.ZeroPadding2D(((2, 1), (0, 3))), L.UpSampling2D((2, 1)),
                             L.Conv2DTranspose(5, (3, 2), strides=(1, 2), padding="valid"), L.SpatialDropout2D(0.1), L.GaussianNoise(0.1), L.Conv2D(4, 1, groups=1, activation="swish"),
                             L.GlobalMaxPooling2D(keepdims=True), L.Flatten(), L.Dense(4, activation="softmax")])


@model
def conv3d_zoo():
    return keras.Sequential([keras.Input((10, 12, 14, 2)), L.Conv3D(3, 3, padding="same", strides=(1, 2, 2)), L.BatchNormalization(), L.AveragePooling3D((2, 1, 2)), L.ZeroPadding3D(1),
                             L.Cropping3D(((1, 0), (1, 1), (0, 1))), L.UpSampling3D((1, 2, 1)), L.Conv3DTranspose(2, 2, strides=2), L.SpatialDropout3D(0.2), L.MaxPooling3D(2), L.GlobalAveragePooling3D(), L.Dense(3)])


@model
def conv_lstm():
    x = inp(4, 8, 8, 2)
    y = L.ConvLSTM2D(3, 3, padding="same", return_sequences=True)(x)
    y = L.BatchNormalization()(y)
    y = L.ConvLSTM2D(2, 3)(y)
    y = L.Flatten()(y)
    return keras.Model(x, L.Dense(2)(y))


@model
def time_distributed():
    x = inp(6, 16, 16, 1, name="clip")
    y = L.TimeDistributed(L.Conv2D(3, 3, activation="relu"), name="frames")(x)
    y = L.TimeDistributed(L.MaxPooling2D())(y)
    y = L.TimeDistributed(L.Flatten())(y)
    y = L.LSTM(5)(y)
    return keras.Model(x, L.Dense(2)(y))


@model
def activations_all():
    names = ["relu", "sigmoid", "tanh", "softplus", "softsign", "selu", "elu", "exponential", "linear", "swish", "gelu", "hard_sigmoid", "softmax"]
    if K3:
        names += ["relu6", "silu", "leaky_relu", "mish", "log_softmax", "hard_silu"]
    ls = [keras.Input((9,))]
    for a in names:
        ls.append(L.Activation(a))
        ls.append(L.Dense(4 + len(ls) % 3))
    ls += [L.ReLU(max_value=6.0), L.ReLU(negative_slope=0.1), L.ReLU(threshold=0.5), L.LeakyReLU(), L.ELU(0.7), L.PReLU(), L.Softmax()]
    return keras.Sequential(ls)


@model
def activations_named():
    x = inp(7)
    y = L.Dense(6, name="first")(x)
    for i, a in enumerate(["relu", "sigmoid", "tanh", "selu", "elu", "gelu", "swish", "softplus", "softsign", "exponential", "softmax"]):
        y = L.Activation(a, name=f"act_{a}")(y)
        y = L.Dense(5 + i % 2, name=f"fc{i}")(y)
    y = L.ReLU(name="rectify")(y)
    y = L.LeakyReLU(name="leak")(y)
    y = L.PReLU(name="learned")(y)
    y = L.ELU(name="exp_unit")(y)
    y = L.Softmax(name="probs")(y)
    return keras.Model(x, y)


@model
def norms_all():
    x = inp(8, 8, 6)
    y = L.BatchNormalization(scale=False)(x)
    y = L.LayerNormalization(axis=[1, 2, 3])(y)
    y = L.GroupNormalization(groups=3)(y)
    y = L.UnitNormalization()(y)
    y = L.BatchNormalization(center=False, name="bn_nc")(y)
    y = L.LayerNormalization(center=False, scale=False, name="ln_plain")(y)
    y = L.Conv2D(4, 3)(y)
    if K3:
        y = L.SpectralNormalization(L.Conv2D(3, 2), name="spectral")(y)
    y = L.GlobalAveragePooling2D()(y)
    y = L.LayerNormalization(name="ln")(y)
    return keras.Model(x, L.Dense(2)(y))


@model
def noise_layers():
    return keras.Sequential([keras.Input((12,)), L.GaussianNoise(0.1), L.Dense(8), L.GaussianDropout(0.2), L.Dense(7, activation="selu"), L.AlphaDropout(0.1), L.Dense(6),
                             L.Dropout(0.3), L.BatchNormalization(), L.Dropout(0.4), L.Activation("relu"), L.Dropout(0.5), L.ActivityRegularization(l2=0.1), L.Dense(3)])


@model
def dropouts_named():
    x = inp(10, name="features")
    y = L.Dropout(0.1, name="in_drop")(x)
    y = L.Dense(8, activation="relu", name="hidden")(y)
    y = L.Dropout(0.2, name="mid_drop")(y)
    a = L.Dense(3, name="a")(y)
    b = L.Dense(4, name="b")(L.Dropout(0.2, name="b_drop")(y))
    return keras.Model(x, [a, b])


@model
def reshapes():
    return keras.Sequential([keras.Input((24,)), L.Reshape((4, 6)), L.Permute((2, 1)), L.Flatten(), L.RepeatVector(3), L.Reshape((-1, 8)), L.LSTM(3), L.RepeatVector(5), L.GRU(4, return_sequences=True), L.Permute((2, 1)),
                             L.Reshape((2, 2, 5)), L.Conv2D(2, 2), L.Flatten(), L.Dense(2)])


@model
def preprocessing():
    num = inp(3, name="numbers")
    norm = L.Normalization(name="scaled")
    norm.adapt(np.random.default_rng(0).normal(size=(50, 3)).astype("float32"))
    cat = inp(1, name="kind", dtype="string")
    look = L.StringLookup(vocabulary=["a", "b", "c", "d"], output_mode="one_hot", name="kind_one_hot")
    ids = inp(1, name="code", dtype="int64")
    il = L.IntegerLookup(vocabulary=[3, 7, 11], name="code_index")
    emb = L.Flatten(name="code_flat")(L.Embedding(5, 3, name="code_emb")(il(ids)))
    hour = inp(1, name="hour", dtype="float32")
    disc = L.Discretization(bin_boundaries=[6.0, 12.0, 18.0], name="hour_bin")(hour)
    onehot = L.CategoryEncoding(num_tokens=4, output_mode="one_hot", name="hour_hot")(disc)
    y = L.Concatenate(name="all")([norm(num), look(cat), emb, onehot])
    y = L.Dense(6, activation="relu", name="h")(y)
    return keras.Model([num, cat, ids, hour], L.Dense(1, name="y")(y))


def preprocessing_feeds(k, size, rng):
    if k == "kind":
        return np.array([rng.choice(list("abcx")) for _ in range(size[0])]).reshape(size)
    if k == "hour":
        return np.round(rng.uniform(0, 24, size), 2)
    return None


@model
def text_model():
    tv = L.TextVectorization(max_tokens=30, output_sequence_length=9, name="words")
    tv.adapt(["good bad ugly film plot music", "a the was is fine good"])
    return keras.Sequential([keras.Input((1,), dtype="string"), tv, L.Embedding(30, 6), L.Bidirectional(L.LSTM(4)), L.Dense(5, activation="relu"), L.Dense(1)])


@model
def image_preproc():
    x = inp(40, 40, 3, name="photo")
    y = L.Resizing(24, 20, name="fit")(x)
    y = L.CenterCrop(16, 16)(y)
    y = L.Rescaling(1 / 255.0)(y)
    y = L.RandomFlip()(y)
    y = L.RandomRotation(0.1)(y)
    y = L.RandomZoom(0.1)(y)
    y = L.Conv2D(3, 3, strides=2)(y)
    y = L.Flatten()(y)
    return keras.Model(x, L.Dense(2)(y))


class Gate(L.Layer):
    def __init__(self, units=3, **kw):
        super().__init__(**kw)
        self.units = units

    def build(self, s):
        self.w = self.add_weight(name="w", shape=(s[-1], self.units), initializer="uniform")
        self.g = self.add_weight(name="gate", shape=(self.units,), initializer="ones", trainable=False)
        super().build(s)

    def call(self, x):
        return tf.tanh(tf.matmul(x, self.w)) * self.g


class ResidualBlock(L.Layer):
    def __init__(self, width, **kw):
        super().__init__(**kw)
        self.a = L.Dense(width, activation="relu", name="expand")
        self.drop = L.Dropout(0.1)
        self.norm = L.LayerNormalization()
        self.width = width

    def build(self, s):
        self.a.build(s)
        self.b = L.Dense(s[-1], name="project")
        self.b.build((*s[:-1], self.width))
        self.norm.build(s)
        super().build(s)

    def call(self, x, training=False):
        return self.norm(x + self.drop(self.b(self.a(x)), training=training))

    def compute_output_shape(self, s):
        return s


class TwoOut(L.Layer):
    def call(self, x):
        return tf.reduce_mean(x, axis=1), tf.reduce_max(x, axis=1)


class FeedForward(L.Layer):
    def __init__(self, width, **kw):
        super().__init__(**kw)
        self.net = keras.Sequential([L.Dense(width, activation="relu"), L.Dense(4)])

    def call(self, x):
        return self.net(x)

    def compute_output_shape(self, s):
        return (*s[:-1], 4)


@model
def custom_layers():
    x = inp(5, 6, name="x")
    y = Gate(4)(x)
    y = ResidualBlock(8)(y)
    y = ResidualBlock(7, name="second_block")(y)
    y = FeedForward(6)(y)
    a, b = TwoOut()(y)
    y = L.Concatenate()([a, b])
    return keras.Model(x, Gate(2, name="last")(y))


class Ranker(keras.Model):
    def __init__(self, **kw):
        super().__init__(**kw)
        self.user = L.Embedding(20, 4)
        self.item = L.Embedding(30, 4)
        self.mix = L.Dense(6, activation="relu", name="mix")
        self.drop = L.Dropout(0.2)
        self.head = keras.Sequential([L.Dense(3, activation="relu"), L.Dense(1)])

    def call(self, x, training=False):
        u = self.user(x[:, 0])
        i = self.item(x[:, 1])
        y = self.drop(self.mix(tf.concat([u, i, u * i], -1)), training=training)
        return self.head(y)


@model
def subclassed_ranker():
    m = Ranker(name="ranker")
    m(tf.constant([[1, 2], [3, 4]], tf.int32))
    return m


class Encoder(keras.Model):
    def __init__(self, **kw):
        super().__init__(**kw)
        self.convs = [L.Conv1D(4, 3, padding="same", activation="relu", name=f"conv_{i}") for i in range(3)]
        self.pool = L.GlobalMaxPooling1D()
        self.out = L.Dense(2)

    def call(self, x):
        for c in self.convs:
            x = c(x)
        return self.out(self.pool(x))


@model
def subclassed_convs():
    m = Encoder()
    m(np.zeros((3, 9, 2), "float32"))
    return m


@model
def shared_tower():
    tower = keras.Sequential([keras.Input((6,)), L.Dense(5, activation="relu"), L.Dense(4)], name="tower")
    a, b = inp(6, name="left"), inp(6, name="right")
    ta, tb = tower(a), tower(b)
    d = L.Subtract()([ta, tb])
    d = L.Lambda(lambda t: abs(t), output_shape=(4,))(d) if not K3 else L.Activation("relu")(d)
    cos = L.Dot(axes=1, normalize=True)([ta, tb])
    return keras.Model([a, b], [L.Dense(1)(d), cos])


@model
def siamese_shared_layers():
    a, b = inp(None, dtype="int32"), inp(None, dtype="int32")
    emb, rnn = L.Embedding(30, 5), L.LSTM(4)
    x, y = rnn(emb(a)), rnn(emb(b))
    m = L.Multiply()([x, y])
    c = L.concatenate([x, y, m])
    return keras.Model([a, b], L.Dense(1, activation="sigmoid")(c))


@model
def nested_deep():
    inner_in = inp(4)
    inner = keras.Model(inner_in, L.Dense(3, activation="relu")(inner_in), name="inner")
    mid_in = inp(5)
    m = L.Dense(4)(mid_in)
    mid = keras.Model(mid_in, [inner(m), L.Dense(2)(m)], name="middle")
    x = inp(5)
    p, q = mid(x)
    seq = keras.Sequential([L.Dense(4), L.Dropout(0.1), L.Dense(2)])
    return keras.Model(x, L.Add()([seq(p), q]))


@model
def multi_io():
    a = inp(8, name="profile")
    b = inp(None, 3, name="history")
    c = inp(16, 16, 1, name="avatar")
    y = L.GRU(5, name="history_rnn")(b)
    z = L.GlobalAveragePooling2D()(L.Conv2D(4, 3, activation="relu")(c))
    y = L.Concatenate()([a, y, z])
    y = L.Dense(12, activation="relu")(y)
    y = L.BatchNormalization()(y)
    return keras.Model({"profile": a, "history": b, "avatar": c} if K3 else [a, b, c],
                       {"age": L.Dense(1, name="age")(y), "churn": L.Dense(2, activation="softmax", name="churn")(y)} if K3 else [L.Dense(1, name="age")(y), L.Dense(2, name="churn")(y)])


@model
def fixed_batch_conv():
    x = keras.Input(batch_shape=(3, 12, 12, 2), name="patch")
    y = L.Conv2D(4, 3)(x)
    y = L.Flatten()(y)
    y = L.Reshape((20, 20))(y)
    return keras.Model(x, L.Dense(2)(y))


@model
def raw_math():
    x = inp(6)
    y = inp(6)
    z = x * 2.0 + y
    z = L.Dense(6)(z)
    z = z - y
    w = z / 3.0
    w = keras.ops.relu(w) if K3 else tf.nn.relu(w)
    w = keras.ops.concatenate([w, x], axis=-1) if K3 else tf.concat([w, x], -1)
    w = keras.ops.mean(w, axis=-1, keepdims=True) if K3 else tf.reduce_mean(w, axis=-1, keepdims=True)
    return keras.Model([x, y], L.Dense(2)(w))


@model
def raw_shapes():
    x = inp(6, 4)
    y = x[:, 1:, :]
    if K3:
        y = keras.ops.transpose(y, (0, 2, 1))
        y = keras.ops.reshape(y, (-1, 20))
        z = keras.ops.expand_dims(y, 1)
        z = keras.ops.squeeze(z, 1)
        z = keras.ops.softmax(z)
        z = keras.ops.sqrt(keras.ops.square(z) + 1.0)
    else:
        y = tf.transpose(y, (0, 2, 1))
        y = tf.reshape(y, (-1, 20))
        z = tf.expand_dims(y, 1)
        z = tf.squeeze(z, 1)
        z = tf.nn.softmax(z)
        z = tf.sqrt(tf.square(z) + 1.0)
    return keras.Model(x, L.Dense(2)(z))


@model
def masked_stack():
    x = inp(None, name="ids", dtype="int32")
    y = L.Embedding(25, 7, mask_zero=True)(x)
    y = L.Dropout(0.2)(y)
    y = L.Bidirectional(L.GRU(4, return_sequences=True))(y)
    y = L.LSTM(3)(y)
    return keras.Model(x, L.Dense(2)(y))


@model
def masking_series():
    return keras.Sequential([keras.Input((None, 5)), L.Masking(mask_value=-1.0), L.LSTM(6, return_sequences=True), L.TimeDistributed(L.Dense(4)), L.GlobalAveragePooling1D(), L.Dense(1)])


@model
def merges_all():
    a, b = inp(5, 4, name="a"), inp(5, 4, name="b")
    ls = [L.Add()([a, b]), L.Subtract()([a, b]), L.Multiply()([a, b]), L.Average()([a, b]), L.Maximum()([a, b]), L.Minimum()([a, b]), L.Concatenate(axis=1)([a, b]), L.Dot(axes=(2, 2))([a, b])]
    fl = [L.Flatten()(x) for x in ls]
    return keras.Model([a, b], L.Dense(3)(L.Concatenate()(fl)))


@model
def merges_named():
    a, b = inp(6, name="u"), inp(6, name="v")
    s = L.Add(name="sum")([a, b])
    d = L.Subtract(name="diff")([a, b])
    p = L.Multiply(name="prod")([a, b])
    m = L.Average(name="avg")([a, b])
    x = L.Maximum(name="top")([a, b])
    n = L.Minimum(name="low")([a, b])
    t = L.Dot(axes=-1, name="sim")([a, b])
    return keras.Model([a, b], L.Dense(1, name="out")(L.Concatenate(name="every")([s, d, p, m, x, n, t])))


@model
def autoencoder_conv():
    x = inp(28, 28, 1)
    e = L.Conv2D(4, 3, strides=2, padding="same", activation="relu")(x)
    e = L.Conv2D(2, 3, strides=2, padding="same", activation="relu")(e)
    z = L.Dense(5, name="latent")(L.Flatten()(e))
    d = L.Dense(7 * 7 * 2, activation="relu")(z)
    d = L.Reshape((7, 7, 2))(d)
    d = L.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu")(d)
    d = L.Conv2DTranspose(1, 3, strides=2, padding="same", activation="sigmoid")(d)
    return keras.Model(x, d)


@model
def inception():
    x = inp(20, 20, 3)
    y = L.Conv2D(6, 3, padding="same", activation="relu")(x)
    b1 = L.Conv2D(4, 1, padding="same", activation="relu")(y)
    b2 = L.Conv2D(3, 1, padding="same", activation="relu")(y)
    b2 = L.Conv2D(4, 3, padding="same", activation="relu")(b2)
    b3 = L.MaxPooling2D(3, strides=1, padding="same")(y)
    b3 = L.Conv2D(2, 1, padding="same", activation="relu")(b3)
    y = L.concatenate([b1, b2, b3])
    y = L.GlobalAveragePooling2D()(y)
    y = L.Dropout(0.4)(y)
    return keras.Model(x, L.Dense(5, activation="softmax")(y))


@model
def squeeze_excite():
    x = inp(16, 16, 8, name="map")
    s = L.GlobalAveragePooling2D(name="squeeze")(x)
    s = L.Dense(2, activation="relu", name="reduce")(s)
    s = L.Dense(8, activation="sigmoid", name="excite")(s)
    s = L.Reshape((1, 1, 8), name="se_shape")(s)
    y = L.Multiply(name="scale")([x, s])
    y = L.Conv2D(4, 3, name="c", kernel_regularizer="l2")(y)
    y = L.BatchNormalization(name="c_bn")(y)
    y = L.Activation("swish", name="c_act")(y)
    return keras.Model(x, L.Flatten(name="flat")(y))


@model
def einsum_dense():
    x = inp(6, 8)
    y = L.EinsumDense("abc,cd->abd", output_shape=(6, 5), bias_axes="d")(x)
    y = L.EinsumDense("abc,cde->abde", output_shape=(6, 2, 3), bias_axes="de", activation="relu", name="heads")(y)
    y = L.Flatten()(y)
    return keras.Model(x, L.Dense(2)(y))


@model
def lambdas():
    x = inp(6, 4)
    y = L.Lambda(lambda t: t * 2.0, output_shape=(6, 4))(x)
    y = L.Dense(3)(y)
    y = L.Lambda(lambda t: t[:, 0], output_shape=(3,), name="first_step")(y)
    return keras.Model(x, L.Dense(1)(y))


@model
def partly_frozen():
    m = keras.Sequential([keras.Input((10,)), L.Dense(9, name="base_1", activation="relu"), L.BatchNormalization(name="base_bn"), L.Dense(7, name="base_2"), L.Dropout(0.5), L.Dense(2, name="top")], name="finetune")
    for l in m.layers[:3]:
        l.trainable = False
    return m


@model
def half_precision():
    p = "mixed_float16"
    return keras.Sequential([keras.Input((8, 8, 1)), L.Conv2D(4, 3, dtype=p), L.BatchNormalization(dtype=p), L.Activation("relu", dtype=p), L.Flatten(dtype=p), L.Dense(5, dtype=p), L.Dense(3, dtype="float32")])


@model
def bfloat_rnn():
    p = "mixed_bfloat16"
    return keras.Sequential([keras.Input((None, 4)), L.LSTM(5, dtype=p), L.Dense(3, dtype="float32")])


@model
def names_tricky():
    x = inp(6, name="Input_1")
    y = L.Dense(6, name="dense_1")(x)
    y = L.Dense(6, name="dense")(y)
    y = L.Dense(6, name="dense_1_1")(y)
    y = L.Dense(6, name="Dense")(y) if K3 else L.Dense(6, name="densE2")(y)
    y = L.Dense(6, name="layer_2_3")(y)
    y = L.Dense(6, name="layer_2")(y)
    z = L.BatchNormalization(name="model_1")(y)
    return keras.Model(x, L.Dense(1, name="y.hat-0")(z), name="model_1")


@model
def second_session_names():
    for _ in range(3):
        L.Dense(2), L.Dropout(0.1), L.LSTM(2), L.Conv2D(1, 1), keras.Sequential([]), inp(2)
    return keras.Sequential([keras.Input((None, 5)), L.LSTM(3, return_sequences=True), L.Dropout(0.2), L.LSTM(4), L.Dense(5), L.Dropout(0.1), L.Dense(2)])


@model
def single_layer():
    return keras.Sequential([keras.Input((3,)), L.Dense(2)])


@model
def single_layer_functional():
    x = inp(3)
    return keras.Model(x, L.Dense(2)(x))


@model
def no_weights():
    x = inp(8, 8, 3)
    return keras.Model(x, L.Flatten()(L.AveragePooling2D(2)(x)))


@model
def deferred():
    m = keras.Sequential([L.Dense(4, activation="relu"), L.Dropout(0.1), L.Dense(2)])
    m.build((None, 7))
    return m


@model
def wide_inputs():
    xs = [inp(1, name=f"f{i}") for i in range(6)]
    es = [L.Dense(2, name=f"e{i}")(x) for i, x in enumerate(xs)]
    y = L.Concatenate()(es)
    for i in range(3):
        y = L.Dense(8, activation="relu", name=f"deep{i}")(y)
    return keras.Model(xs, L.Dense(1, activation="sigmoid")(y))


@model
def crossnet():
    x = inp(10)
    x0, y = x, x
    for i in range(3):
        w = L.Dense(10, name=f"cross_{i}")(y)
        y = L.Add(name=f"cross_add_{i}")([L.Multiply(name=f"cross_mul_{i}")([x0, w]), y])
    return keras.Model(x, L.Dense(1)(y))


@model
def densely_connected():
    x = inp(16, 16, 3)
    y = L.Conv2D(4, 3, padding="same")(x)
    for i in range(4):
        b = L.BatchNormalization()(y)
        b = L.Activation("relu")(b)
        b = L.Conv2D(3, 3, padding="same", use_bias=False)(b)
        y = L.Concatenate()([y, b])
    y = L.AveragePooling2D(4)(y)
    return keras.Model(x, L.Dense(2)(L.Flatten()(y)))


# ------------------------------------------------------------------ random stacks and graphs
ACTS = [None, "relu", "tanh", "sigmoid", "elu", "selu", "softplus", "swish"]


def step(r, x, name, left):
    """one random layer on x; name() gives keyword arguments"""
    s = list(x.shape)
    rank, n = len(s), name
    act = r.choice(ACTS)
    u = r.randint(2, 9)
    common = [lambda: L.BatchNormalization(**n("bn")), lambda: L.LayerNormalization(**n("ln")), lambda: L.Dropout(0.3, **n("drop")), lambda: L.Activation(r.choice(ACTS[1:]), **n("act")),
              lambda: L.ReLU(**n("relu")), lambda: L.LeakyReLU(**n("leaky")), lambda: L.Dense(u, activation=act, **n("fc")), lambda: L.ELU(**n("elu")), lambda: L.Softmax(**n("sm"))]
    if rank == 2:
        c = common + [lambda: L.Dense(u, activation=act, use_bias=r.random() < 0.8, **n("fc"))] * 4 + [lambda: L.RepeatVector(r.randint(2, 5), **n("rep")), lambda: L.GaussianNoise(0.1, **n("noise")), lambda: L.PReLU(**n("prelu"))]
        d = s[1]
        for k in (2, 3, 4):
            if d % k == 0 and d > k:
                c += [lambda k=k: L.Reshape((k, d // k), **n("shape"))]
    elif rank == 3:
        cells = [L.LSTM, L.GRU, L.SimpleRNN]
        c = common + [lambda: r.choice(cells)(u, return_sequences=r.random() < 0.5, **n("rnn"))] * 2 + [
            lambda: L.Bidirectional(r.choice(cells)(u, return_sequences=r.random() < 0.6), merge_mode=r.choice(["concat", "sum", "mul", "ave"]), **n("bi")),
            lambda: L.TimeDistributed(L.Dense(u), **n("td")), lambda: L.GlobalAveragePooling1D(**n("gap")), lambda: L.GlobalMaxPooling1D(**n("gmp")), lambda: L.SpatialDropout1D(0.1, **n("sd")),
            lambda: L.Conv1D(u, r.randint(1, 3), padding=r.choice(["same", "causal"]), activation=act, **n("conv")), lambda: L.ZeroPadding1D(r.randint(1, 2), **n("pad")), lambda: L.UpSampling1D(2, **n("up"))]
        if s[1]:
            c += [lambda: L.Flatten(**n("flat")), lambda: L.Permute((2, 1), **n("perm"))]
            if s[1] >= 4:
                c += [lambda: L.Conv1D(u, r.randint(2, 3), strides=r.randint(1, 2), **n("conv"))] * 2 + [lambda: L.MaxPooling1D(2, **n("pool")), lambda: L.AveragePooling1D(2, padding="same", **n("avgp")), lambda: L.Cropping1D(1, **n("crop")),
                      lambda: L.SeparableConv1D(u, 2, **n("sep"))]
    elif rank == 4:
        c = common + [lambda: L.Conv2D(u, r.randint(1, 3), padding="same", strides=r.randint(1, 2), activation=act, **n("conv"))] * 3 + [lambda: L.DepthwiseConv2D(3, padding="same", **n("dw")), lambda: L.SpatialDropout2D(0.1, **n("sd")),
             lambda: L.GlobalAveragePooling2D(**n("gap")), lambda: L.GlobalMaxPooling2D(**n("gmp")), lambda: L.UpSampling2D(2, **n("up")), lambda: L.Conv2DTranspose(u, 2, strides=2, padding="same", **n("tconv")),
             lambda: L.ZeroPadding2D(((0, 1), (2, 1)), **n("pad")), lambda: L.SeparableConv2D(u, 3, padding="same", **n("sep"))]
        if s[1] and s[2]:
            c += [lambda: L.Flatten(**n("flat")), lambda: L.Permute((3, 1, 2), **n("perm")), lambda: L.Reshape((s[1] * s[2], s[3]), **n("seq"))]
            if min(s[1], s[2]) >= 4:
                c += [lambda: L.Conv2D(u, r.randint(2, 3), **n("conv")), lambda: L.MaxPooling2D(2, **n("pool")), lambda: L.AveragePooling2D((2, 1), **n("avgp")), lambda: L.Cropping2D(((1, 0), (0, 1)), **n("crop"))]
    else:
        c = [lambda: L.Conv3D(u, 2, padding="same", **n("conv")), lambda: L.MaxPooling3D((1, 2, 2), **n("pool")), lambda: L.GlobalAveragePooling3D(**n("gap")), lambda: L.BatchNormalization(**n("bn"))]
    return r.choice(c)()


def random_model(seed):
    r = random.Random(seed)
    named = r.random() < 0.5
    count = [0]

    def name(hint):
        count[0] += 1
        if not named or r.random() < 0.2:
            return {}
        return {"name": r.choice([f"{hint}_{count[0]}", f"block{count[0]}_{hint}", f"{hint}{count[0]}", f"s{count[0]}.{hint}"])}

    shape = r.choice([(r.randint(4, 12),), (None, r.randint(3, 6)), (r.randint(8, 20), r.randint(2, 5)), (16, 16, 3), (None, None, 2), (12, 10, 2), (6, 8, 8, 2)])
    if r.random() < 0.4:  # a stack
        ls, x = [], inp(*shape, **name("in"))
        m, out_shape = keras.Sequential([x] if not K3 else [], **({"name": f"net{seed}"} if r.random() < 0.3 else {})), x.shape
        if K3:
            m.add(x)
        for i in range(r.randint(3, 12)):
            layer = step(r, keras_like(out_shape), name, i)
            m.add(layer)
            out_shape = m.output_shape
        m.add(L.Dense(2, **name("out")))
        return m
    x = inp(*shape, **name("in"))
    ends, used = [x], set()
    for i in range(r.randint(4, 14)):
        a = r.choice(ends[-3:])
        same = [b for b in ends if b is not a and tuple(b.shape) == tuple(a.shape)]
        q = r.random()
        if same and q < 0.5:
            b = r.choice(same)
            m = r.choice([L.Add, L.Multiply, L.Average, L.Maximum, L.Subtract, L.Concatenate, L.Minimum])
            ends.append(m(**name("merge"))([a, b]))
        elif q < 0.08:
            ends.append(a * 0.5 + 1.0)
        else:
            ends.append(step(r, a, name, i)(a))
    last = ends[-1]
    outs = [L.Dense(2, **name("out"))(last)]
    if r.random() < 0.3:
        outs.append(L.Activation("tanh", **name("aux"))(ends[len(ends) // 2]))
    return keras.Model(x, outs)


class keras_like:
    def __init__(self, shape):
        self.shape = shape


# ------------------------------------------------------------------ main
FEEDS = {"preprocessing": preprocessing_feeds, "text_model": lambda k, size, rng: np.array([["good film"], ["the plot was bad"], ["x"]][:size[0]])}


def main():
    os.makedirs(OUT, exist_ok=True)
    for i in range(60):
        MODELS[f"random_{i}"] = lambda i=i: random_model(i)
    prefix = "own_k3_" if K3 else "own_k2_"
    for name, build in MODELS.items():
        if not any(fnmatch.fnmatch(name, p) for p in ONLY):
            continue
        keras.backend.clear_session()
        keras.utils.set_random_seed(7) if K3 and hasattr(keras.utils, 'set_random_seed') else None
        try:
            m = build()
            for w in m.weights:  # no zeros: what a model answers should depend on every weight
                if "float" in str(getattr(w, "dtype", "")) and "seed" not in w.name:
                    w.assign(np.random.default_rng(len(w.shape)).uniform(0.05, 0.9, w.shape) - (0 if "variance" in w.name or "moving" in w.name else 0.45))
            save(prefix + name, m, OUT, FEEDS.get(name))
            print("ok", name, m.count_params())
        except Exception as e:
            print("FAILED", name, type(e).__name__, str(e)[-400:].replace("\n", " "))
        sys.stdout.flush()


main()
