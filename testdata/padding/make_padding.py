"""Makes small SavedModels of which it is known what a row's answer depends on, and writes down
what.

    python make_padding.py OUT [NAME ...]
    python make_padding.py OUT --random SEED COUNT

Writes OUT/NAME (a SavedModel) and OUT/truth.json; README.md says what stands in it. NAME may be a
shell pattern: then truth.json is left as it is but for these. The truth is found by running: each
row alone, then padded to the sizes of longer rows, and among other rows.
"""
import fnmatch, glob, json, os, shutil, sys, tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
import numpy as np
import tensorflow as tf
import keras as k3
import tf_keras as k2
from tensorflow.core.protobuf import saved_model_pb2

OUT, ONLY = sys.argv[1], sys.argv[2:] or ["*"]
F, I, S = tf.float32, tf.int32, tf.string
CASES = {}  # name: (make, inputs, rows)


def case(inputs, rows=None, name=None, **kw):
    """A case: f makes a Keras model or, given tensors, a dictionary of outputs."""
    def add(f):
        CASES[name or f.__name__] = (f, inputs, rows or usual_rows(inputs), kw)
        return f
    return add


# ------------------------------------------------------------------ rows
def usual_rows(inputs):
    """rows(rng, n): a value for each input, its open axes n long. None of them is a padding
    value."""
    def rows(rng, n):
        row = {}
        for name, (dtype, shape) in inputs.items():
            size = [n if d is None else d for d in shape]
            row[name] = rng.integers(1, 20, size) if dtype in (I, tf.int64) else np.round(rng.uniform(0.1, 2, size) * rng.choice([-1, 1], size), 3)
        return row
    return rows


WORDS = "the a film was good bad and not very story".split()


def text_rows(rng, n):
    return {"x": np.array(" ".join(rng.choice(WORDS, n)), dtype=object)}


def text_rows_1(rng, n):
    return {"x": np.array([" ".join(rng.choice(WORDS, n))], dtype=object)}


def with_length(rng, n):
    return {"x": rng.integers(1, 20, [n]), "n": np.array(n)}


def with_mask(rng, n):
    return {"ids": rng.integers(1, 20, [n]), "mask": np.ones([n], int)}


def graph_rows(rng, n):
    a = (rng.random([n, n]) < 0.5) * 1.0
    return {"x": np.round(rng.normal(size=[n, 3]), 3), "a": a + a.T + np.eye(n)}


def signed(rng, n):
    return {"x": rng.integers(1, 20, [n]) * rng.choice([-1, 1], [n])}


def two_lengths(rng, n):
    return {"a": rng.integers(1, 20, [n]), "b": rng.integers(1, 20, [max(1, 9 - n)])}


TOKENS = {"x": (I, [None])}
SERIES = {"x": (F, [None, 3])}
FIXED = {"x": (F, [6])}
IMAGE = {"x": (F, [None, None, 2])}
TEXT, TEXT1 = {"x": (S, [])}, {"x": (S, [1])}


# ------------------------------------------------------------------ Keras
def keras_input(k, inputs=TOKENS):
    (name, (dtype, shape)), = inputs.items()
    return k.Input(tuple(shape), name=name, dtype=dtype.name)


def embedded(k, mask, width=4, words=20):
    x = keras_input(k)
    return x, k.layers.Embedding(words, width, mask_zero=mask)(x)


def on_tokens(name, layers, mask=True, versions="23"):
    """A stack of layers over an embedding, in Keras 2 and 3."""
    for v in versions:
        k = k2 if v == "2" else k3

        def make(k=k):
            x, y = embedded(k, mask)
            for layer in layers(k.layers):
                y = layer(y)
            return k.Model(x, y, name="m")
        case(TOKENS, name=f"k{v}_{name}")(make)


on_tokens("lstm_mask", lambda L: [L.LSTM(3), L.Dense(2)])
on_tokens("lstm", lambda L: [L.LSTM(3), L.Dense(2)], mask=False)
on_tokens("gru_mask", lambda L: [L.GRU(3)])
on_tokens("simple_rnn_mask", lambda L: [L.SimpleRNN(3)], versions="2")
on_tokens("simple_rnn", lambda L: [L.SimpleRNN(3)], mask=False, versions="2")
on_tokens("bilstm_mask", lambda L: [L.Bidirectional(L.LSTM(3)), L.Dense(1)], versions="3")
on_tokens("bilstm", lambda L: [L.Bidirectional(L.LSTM(3)), L.Dense(1)], mask=False, versions="2")
on_tokens("bigru_sum_stack_mask", lambda L: [L.Bidirectional(L.GRU(3, return_sequences=True), merge_mode="sum"), L.LSTM(2)], versions="2")
on_tokens("gru_max_mask", lambda L: [L.GRU(3, return_sequences=True), L.GlobalMaxPooling1D()], versions="3")
on_tokens("group_norm_mask", lambda L: [L.GroupNormalization(2), L.GlobalAveragePooling1D()], versions="3")
on_tokens("lstm_back_mask", lambda L: [L.LSTM(3, go_backwards=True)], versions="3")
on_tokens("gru_unknown_zeros", lambda L: [L.GRU(3, return_sequences=True, zero_output_for_mask=True), L.GRU(2)], versions="2")
on_tokens("lstm_steps_mask", lambda L: [L.LSTM(3, return_sequences=True), L.Dense(2)], versions="3")
on_tokens("lstm_steps_pool_mask", lambda L: [L.LSTM(3, return_sequences=True), L.Dense(2), L.GlobalAveragePooling1D()], versions="3")
on_tokens("gru_spread_pool_mask", lambda L: [L.GRU(3, return_sequences=True), L.TimeDistributed(L.Dense(2)), L.GlobalAveragePooling1D()], versions="2")
on_tokens("pool_mask", lambda L: [L.GlobalAveragePooling1D(), L.Dense(2)])
on_tokens("pool", lambda L: [L.GlobalAveragePooling1D(), L.Dense(2)], mask=False)
on_tokens("max_mask", lambda L: [L.GlobalMaxPooling1D()], versions="3")
on_tokens("conv_max", lambda L: [L.Conv1D(4, 3, padding="same", activation="relu"), L.GlobalMaxPooling1D(), L.Dense(1)], mask=False)
on_tokens("conv_same_pool_mask", lambda L: [L.Conv1D(4, 3, padding="same"), L.GlobalAveragePooling1D()], versions="3")
on_tokens("conv_causal_pool_mask", lambda L: [L.Conv1D(4, 3, padding="causal"), L.GlobalAveragePooling1D()], versions="3")
on_tokens("norm_dropout_mask", lambda L: [L.LayerNormalization(), L.Dropout(0.5), L.Dense(3, activation="gelu" if "keras.src" in L.Dense.__module__ and "tf_keras" not in L.Dense.__module__ else "relu"), L.GlobalAveragePooling1D()])


@case(SERIES)
def k3_masking_lstm():
    x = keras_input(k3, SERIES)
    return k3.Model(x, k3.layers.LSTM(3)(k3.layers.Masking()(x)))


@case(SERIES)
def k2_masking_bigru():
    x = keras_input(k2, SERIES)
    return k2.Model(x, k2.layers.Bidirectional(k2.layers.GRU(2, return_sequences=False))(k2.layers.Masking()(x)))


def attention(k, mask, heads=True):
    L = k.layers
    x, y = embedded(k, mask)
    y = L.MultiHeadAttention(2, 3)(y, y) if heads else L.Attention(use_scale=True)([y, y])
    return k.Model(x, L.GlobalAveragePooling1D()(y))


for v, k in (("2", k2), ("3", k3)):
    case(TOKENS, name=f"k{v}_heads_mask")(lambda k=k: attention(k, True))
    case(TOKENS, name=f"k{v}_attention_mask")(lambda k=k: attention(k, True, False))
case(TOKENS, name="k3_heads")(lambda: attention(k3, False))
case(TOKENS, name="k2_attention")(lambda: attention(k2, False, False))


@case(TOKENS)
def k3_causal_heads_last():
    x, y = embedded(k3, True)
    y = k3.layers.MultiHeadAttention(2, 3)(y, y, use_causal_mask=True)
    return k3.Model(x, k3.layers.LSTM(2)(y))


class Positions(k3.layers.Layer):
    def build(self, shape):
        self.table = self.add_weight(shape=(16, 4), name="positions")

    def compute_mask(self, x, mask=None):
        return mask

    def call(self, x):
        return x + self.table[: tf.shape(x)[1]]


def transformer(mask):
    L = k3.layers
    x, y = embedded(k3, mask)
    y = Positions()(y)
    y = L.LayerNormalization()(y + L.MultiHeadAttention(2, 3)(y, y))
    y = L.LayerNormalization()(y + L.Dense(4)(L.Dense(6, activation="gelu")(y)))
    return k3.Model(x, y[:, 0])


case(TOKENS, name="k3_transformer_first_mask")(lambda: transformer(True))


@case(TOKENS)
def k3_additive_attention_mask():
    x, y = embedded(k3, True)
    return k3.Model(x, k3.layers.GlobalAveragePooling1D()(k3.layers.AdditiveAttention()([y, y])))


@case({"a": (I, [None]), "b": (I, [None])}, two_lengths)
def k3_two_texts_mask():
    L = k3.layers
    a, b = k3.Input((None,), name="a", dtype="int32"), k3.Input((None,), name="b", dtype="int32")
    e = L.Embedding(20, 4, mask_zero=True)
    return k3.Model({"a": a, "b": b}, L.Concatenate()([L.LSTM(3)(e(a)), L.GlobalAveragePooling1D()(e(b))]))


@case({"a": (I, [None]), "b": (I, [None])}, two_lengths)
def k3_seq2seq_mask():
    L = k3.layers
    a, b = k3.Input((None,), name="a", dtype="int32"), k3.Input((None,), name="b", dtype="int32")
    e = L.Embedding(20, 4, mask_zero=True)
    _, h, c = L.LSTM(3, return_state=True)(e(a))
    return k3.Model({"a": a, "b": b}, L.LSTM(3)(e(b), initial_state=[h, c]))


@case(IMAGE)
def k3_image_average():
    x = keras_input(k3, IMAGE)
    y = k3.layers.Conv2D(3, 3, padding="same", activation="relu")(x)
    return k3.Model(x, k3.layers.GlobalAveragePooling2D()(y))


@case(IMAGE)
def k2_image_max():
    x = keras_input(k2, IMAGE)
    y = k2.layers.Conv2D(3, 3, padding="same", use_bias=False)(x)
    return k2.Model(x, k2.layers.GlobalMaxPooling2D()(k2.layers.BatchNormalization()(y)))


@case(FIXED)
def k3_dense():
    x = keras_input(k3, FIXED)
    y = k3.layers.BatchNormalization()(k3.layers.Dense(5, activation="relu")(x))
    return k3.Model(x, k3.layers.Dense(2, activation="softmax")(y))


@case(FIXED)
def k2_batch_norm_training():
    x = keras_input(k2, FIXED)
    return k2.Model(x, k2.layers.Dense(1)(k2.layers.BatchNormalization()(x, training=True)))


def words_of(k, length, split="whitespace"):
    v = k.layers.TextVectorization(max_tokens=12, output_sequence_length=length, split=split)
    v.adapt([" ".join(WORDS)])
    return v


def text_model(k, length, mask, layers):
    x = k.Input((1,), name="x", dtype="string")
    y = k.layers.Embedding(12, 4, mask_zero=mask)(words_of(k, length)(x))
    for layer in layers(k.layers):
        y = layer(y)
    return k.Model(x, y)


case(TEXT1, text_rows_1, name="k2_text_fixed")(lambda: text_model(k2, 6, False, lambda L: [L.LSTM(3)]))
case(TEXT1, text_rows_1, name="k3_text_mask")(lambda: text_model(k3, None, True, lambda L: [L.LSTM(3)]))
case(TEXT1, text_rows_1, name="k2_text_average")(lambda: text_model(k2, None, False, lambda L: [L.GlobalAveragePooling1D()]))
case(TEXT1, text_rows_1, name="k3_text_max")(lambda: text_model(k3, None, True, lambda L: [L.GlobalMaxPooling1D()]))


# ------------------------------------------------------------------ tf.Module
EMB = tf.Variable(np.random.default_rng(1).normal(size=(20, 4)).astype("f"), name="table")
W = tf.Variable(np.random.default_rng(2).normal(size=(4, 3)).astype("f"), name="w")
W3 = tf.Variable(np.random.default_rng(3).normal(size=(3, 3)).astype("f"), name="w3")
W6 = tf.Variable(np.random.default_rng(4).normal(size=(6, 2)).astype("f"), name="w6")
KERNEL = tf.Variable(np.random.default_rng(5).normal(size=(3, 4, 4)).astype("f"), name="kernel")
POS = tf.Variable(np.random.default_rng(6).normal(size=(14, 4)).astype("f"), name="places")


def look(x):
    return tf.gather(EMB, x)


def mask_of(x):
    return tf.not_equal(x, 0)


def lengths_of(x):
    return tf.reduce_sum(tf.cast(mask_of(x), I), 1)


def tf_case(inputs, rows=None):
    def add(f):
        return case(inputs, rows, name="tf_" + f.__name__, graph=True)(f)
    return add


@tf_case(TOKENS)
def sum_tokens(x):
    return tf.reduce_sum(x, 1)


@tf_case(TOKENS)
def count_tokens(x):
    return {"count": lengths_of(x), "any": tf.reduce_any(mask_of(x), 1), "nonzero": tf.math.count_nonzero(x, axis=1)}


@tf_case(TOKENS)
def mean_tokens(x):
    return tf.reduce_mean(tf.cast(x, F), 1)


@tf_case(SERIES)
def sum_squares(x):
    return {"squares": tf.reduce_sum(x * x, 1), "relus": tf.reduce_sum(tf.nn.relu(tf.matmul(x, W3)), 1), "cosines": tf.reduce_sum(tf.cos(x), 1)}


@tf_case(TOKENS, signed)
def max_tokens(x):
    return {"max": tf.reduce_max(x, 1), "min": tf.reduce_min(x, 1), "argmax": tf.argmax(x, 1), "prod": tf.reduce_prod(1 + tf.cast(x, F) / 20, 1)}


@tf_case(SERIES)
def max_series(x):
    return {"max": tf.reduce_max(x, 1), "positive": tf.reduce_max(tf.nn.relu(x), 1)}


@tf_case(TOKENS)
def max_where(x):
    y = tf.where(mask_of(x)[:, :, None], look(x), F.min)
    return tf.reduce_max(y, 1)


@tf_case(TOKENS)
def mean_where(x):
    m = tf.cast(mask_of(x), F)[:, :, None]
    return tf.reduce_sum(look(x) * m, 1) / tf.maximum(tf.reduce_sum(m, 1), 1)


@tf_case(TOKENS)
def first_token(x):
    return {"first": look(x)[:, 0], "word": x[:, 0]}


@tf_case(TOKENS)
def last_token(x):
    return look(x)[:, -1]


@tf_case(TOKENS)
def last_5(x):
    return tf.reduce_sum(look(x[:, -5:]), 1)


@tf_case(TOKENS)
def first_3_mask(x):
    x = x[:, :3]
    return tf.reduce_sum(look(x) * tf.cast(mask_of(x), F)[:, :, None], 1)


@tf_case(TOKENS)
def last_by_count(x):
    return tf.gather(look(x), tf.maximum(lengths_of(x) - 1, 0), batch_dims=1)


@tf_case(TOKENS)
def softmax_time(x):
    y = look(x)
    return tf.reduce_sum(tf.nn.softmax(tf.matmul(y, W[:, :1]), 1) * y, 1)


@tf_case(TOKENS)
def softmax_masked(x):
    y = look(x)
    s = tf.where(mask_of(x)[:, :, None], tf.matmul(y, W[:, :1]), -np.inf)
    return tf.reduce_sum(tf.nn.softmax(s, 1) * y, 1)


@tf_case(TOKENS)
def cumsum_last(x):
    return tf.cumsum(look(x), 1)[:, -1]


@tf_case(TOKENS)
def cumsum_masked(x):
    m = tf.cast(mask_of(x), F)[:, :, None]
    return tf.reduce_sum(tf.cumsum(look(x) * m, 1) * m, 1)


@tf_case(TOKENS)
def cumsum_back(x):
    m = tf.cast(mask_of(x), F)[:, :, None]
    return {"bare": tf.cumsum(look(x), 1, reverse=True)[:, 0], "masked": tf.cumsum(look(x) * m, 1, reverse=True)[:, 0]}


@tf_case(TOKENS, signed)
def sort_top(x):
    return {"smallest": tf.sort(x, axis=1)[:, 0], "largest": tf.math.top_k(x, 1).values, "where": tf.math.top_k(x, 1).indices}


@tf_case(TOKENS)
def positions(x):
    y = look(x) + POS[: tf.shape(x)[1]]
    return {"first": y[:, 0], "masked": tf.reduce_sum(y * tf.cast(mask_of(x), F)[:, :, None], 1), "bare": tf.reduce_sum(y, 1)}


@tf_case(TOKENS)
def relative_positions(x):
    n = tf.shape(x)[1]
    y = tf.cast(tf.range(n), F) / tf.cast(n, F)
    return tf.reduce_sum(y * tf.cast(mask_of(x), F), 1)


@tf_case(TOKENS)
def conv_zeroed(x):
    m = tf.cast(mask_of(x), F)[:, :, None]
    y = tf.nn.conv1d(look(x) * m, KERNEL, 1, "SAME") * m
    return tf.reduce_sum(y, 1)


@tf_case(TOKENS)
def conv_stride(x):
    m = tf.cast(mask_of(x), F)[:, :, None]
    return tf.reduce_sum(tf.nn.conv1d(look(x) * m, KERNEL, 2, "SAME"), 1)


@tf_case({"x": (I, [None]), "n": (I, [])}, with_length)
def length_given(x, n):
    y = look(x)
    m = tf.sequence_mask(n, tf.shape(x)[1], F)[:, :, None]
    return {"mean": tf.reduce_sum(y * m, 1) / tf.cast(n, F)[:, None], "back": tf.reverse_sequence(y, n, 1)[:, 0]}


@tf_case({"ids": (I, [None]), "mask": (I, [None])}, with_mask)
def bert(ids, mask):
    y = look(ids) + POS[: tf.shape(ids)[1]]
    s = tf.matmul(tf.matmul(y, W), tf.matmul(y, W), transpose_b=True)
    s += (1 - tf.cast(mask, F)[:, None, :]) * -1e9
    y = y + tf.matmul(tf.nn.softmax(s), y)
    y = (y - tf.reduce_mean(y, -1, keepdims=True)) * tf.math.rsqrt(tf.math.reduce_variance(y, -1, keepdims=True) + 1e-5)
    return {"first": tf.tanh(tf.matmul(y[:, 0], W)), "steps": y}


@tf_case({"x": (F, [3, None])})
def channels_first(x):
    return {"mean": tf.reduce_mean(x, 2), "sum": tf.reduce_sum(x, 2)}


@tf_case({"x": (F, [None, None])})
def two_open(x):
    return {"sum": tf.reduce_sum(x, [1, 2]), "norm": tf.norm(x, axis=[1, 2]), "mean": tf.reduce_mean(x, [1, 2])}


@tf_case({"x": (F, [None, 3]), "a": (F, [None, None])}, graph_rows)
def adjacency(x, a):
    y = tf.nn.relu(tf.matmul(a, tf.matmul(x, W3)))
    return {"sum": tf.reduce_sum(y, 1), "biased": tf.reduce_sum(tf.nn.relu(tf.matmul(a, tf.matmul(x, W3)) + 0.5), 1)}


@tf_case(FIXED)
def batch_mean(x):
    return {"centred": x - tf.reduce_mean(x, 0), "softmax": tf.nn.softmax(x, 0), "shared": tf.zeros_like(x) + x[0]}


@tf_case(FIXED)
def batch_sort(x):
    return {"sorted": tf.sort(x, axis=0), "ranks": tf.argsort(tf.argsort(x[:, 0])), "sums": tf.cumsum(x, 0)}


@tf_case(FIXED)
def batch_pairs(x):
    s = tf.nn.softmax(tf.matmul(x, x, transpose_b=True))
    return {"attended": tf.matmul(s, x), "unit": tf.linalg.l2_normalize(x), "size": tf.zeros_like(x) + tf.cast(tf.shape(x)[0], F)}


@tf_case(FIXED)
def batch_cond(x):
    return tf.cond(tf.reduce_mean(x) > 0, lambda: x, lambda: -x)


@tf_case(FIXED)
def rows_alone(x):
    a, b = tf.split(x, 2, 1)
    y = tf.concat([a * b, tf.reverse(a, [1])], 1)
    y = tf.reshape(tf.transpose(tf.reshape(y, [-1, 2, 3]), [0, 2, 1]), [-1, 6])
    return {"y": tf.matmul(y, W6), "norm": tf.linalg.l2_normalize(y, 1), "sorted": tf.sort(y, axis=1), "class": tf.argmax(y, 1), "hot": tf.one_hot(tf.cast(x[:, 0], I), 3)}


@tf_case(FIXED)
def rows_mapped(x):
    return tf.map_fn(lambda r: tf.reduce_sum(r * r), x)


@tf_case(TOKENS)
def loop_sum(x):
    def body(i, s):
        return i + 1, s + x[:, i]
    return tf.while_loop(lambda i, s: i < tf.shape(x)[1], body, (0, tf.zeros_like(x[:, 0])))[1]


@tf_case(TEXT, text_rows)
def text_length(x):
    return {"length": tf.strings.length(x), "upper": tf.strings.upper(x), "hash": tf.strings.to_hash_bucket_fast(x, 100)}


@tf_case(TEXT, text_rows)
def text_words(x):
    r = tf.strings.split(x)
    h = tf.strings.to_hash_bucket_fast(r, 20)
    return {"count": r.row_lengths(), "mean": tf.reduce_mean(tf.gather(EMB, h), 1), "padded": tf.reduce_mean(tf.gather(EMB, h.to_tensor()), 1), "longest": tf.zeros_like(x, F) + tf.cast(r.bounding_shape()[1], F)}


@tf_case(TEXT, text_rows)
def text_joined(x):
    return tf.strings.join([x, tf.fill(tf.shape(x), tf.strings.reduce_join(x))])


@tf_case(TOKENS)
def conv_causal(x):
    m = tf.cast(mask_of(x), F)[:, :, None]
    y = tf.nn.conv1d(tf.pad(look(x), [[0, 0], [4, 0], [0, 0]]), KERNEL, 1, "VALID", dilations=2)
    return {"masked": tf.reduce_sum(y * m, 1), "first": y[:, 0], "bare": tf.reduce_max(y, 1)}


@tf_case(TOKENS)
def conv_valid(x):
    y = tf.nn.conv1d(tf.pad(look(x), [[0, 0], [0, 2], [0, 0]]), KERNEL, 1, "VALID")
    return tf.reduce_sum(y * tf.cast(mask_of(x), F)[:, :, None], 1)


@tf_case({"a": (F, [None]), "b": (F, [None])})
def added(a, b):
    return {"sum": tf.reduce_sum(a * b, 1), "cosines": tf.reduce_sum(tf.cos(a + b), 1)}


@tf_case(TOKENS)
def mean_zeroed(x):
    y = tf.where(mask_of(x)[:, :, None], look(x), 0.0)
    return {"mean": tf.reduce_mean(y, 1), "rescued": tf.reduce_mean(y, 1) * tf.cast(tf.shape(x)[1], F)}


@tf_case(TOKENS)
def reversed_first(x):
    y = look(tf.reverse(x, [1]))
    return {"first": y[:, 0], "last": y[:, -1]}


@tf_case(SERIES)
def reshaped(x):
    y = tf.matmul(tf.reshape(x, [-1, 3]), W3)
    z = tf.reshape(y, tf.shape(x))
    return {"sum": tf.reduce_sum(z * z, [1, 2]), "mixed": z - tf.reduce_mean(y, 0), "first": z[:, 0], "thirds": tf.reduce_sum(tf.reshape(x, [tf.shape(x)[0], 3, -1]) ** 2 * [[[1.0], [2.0], [3.0]]], [1, 2])}


@tf_case(FIXED)
def batch_order(x):
    return {"reversed": tf.reverse(x, [0]), "pairs": tf.einsum("bi,ci->bc", x, x)[:, :1], "rolled": tf.roll(x, 1, 0), "flat": tf.reshape(tf.transpose(x), tf.shape(x))}


@tf_case(FIXED)
def rows_einsum(x):
    return {"bilinear": tf.einsum("bi,ij,bj->b", x, tf.matmul(W6, W6, transpose_b=True), x), "outer": tf.einsum("bi,bj->bij", x, x), "squeezed": tf.squeeze(x[:, :1], 1)}


@tf_case(TOKENS)
def sizes(x):
    n = tf.shape(x)[1]
    return {"steps": tf.fill(tf.shape(x)[:1], n), "over": lengths_of(x) + 0 * n, "long": tf.cond(n > 4, lambda: lengths_of(x), lambda: -lengths_of(x))}


@tf_case(TOKENS)
def norm_steps(x):
    y = look(x)
    mean, var = tf.nn.moments(y, [1, 2], keepdims=True)
    return tf.reduce_sum((y - mean) * tf.math.rsqrt(var + 1e-3) * tf.cast(mask_of(x), F)[:, :, None], 1)


@tf_case(TOKENS)
def ragged_mean(x):
    return tf.reduce_mean(tf.gather(EMB, tf.RaggedTensor.from_tensor(x, padding=0)), 1)


@tf_case(TOKENS)
def unique_words(x):
    return tf.map_fn(lambda r: tf.size(tf.unique(r).y), x)


@tf_case(TOKENS)
def max_pool(x):
    m = tf.cast(mask_of(x), F)[:, :, None]
    y = tf.nn.max_pool1d(tf.nn.relu(look(x)) * m, 2, 2, "SAME")
    return {"max": tf.reduce_max(y, 1), "mean": tf.reduce_mean(y, 1), "averaged": tf.reduce_sum(tf.nn.avg_pool1d(look(x) * m, 2, 1, "SAME"), 1)}


@tf_case(TOKENS)
def alibi(x):
    n = tf.shape(x)[1]
    y = look(x)
    far = tf.cast(tf.abs(tf.range(n)[:, None] - tf.range(n)[None, :]), F)
    s = tf.matmul(y, y, transpose_b=True) - 0.5 * far
    s = tf.where(mask_of(x)[:, None, :], s, -1e9)
    z = tf.matmul(tf.nn.softmax(s), y)
    return {"masked": tf.reduce_sum(z * tf.cast(mask_of(x), F)[:, :, None], 1), "from_end": (z / tf.cast(n, F))[:, 0]}


# ------------------------------------------------------------------ making them
def reached(functions, nodes):
    """The names of the functions that nodes use, directly or not."""
    todo, seen = list(nodes), set()
    while todo:
        n = todo.pop()
        for a in n.attr.values():
            for f in [a.func.name] + [x.name for x in a.list.func]:
                if f in functions and f not in seen:
                    seen.add(f)
                    todo.extend(functions[f].node_def)
    return seen


def slim(path):
    """Leaves of a SavedModel what loading and serving_default need."""
    file = os.path.join(path, "saved_model.pb")
    m = saved_model_pb2.SavedModel()
    m.ParseFromString(open(file, "rb").read())
    g, = m.meta_graphs
    for name in list(g.signature_def):
        if name == "serve":
            del g.signature_def[name]
    by_name = {n.name: n for n in g.graph_def.node}
    todo = [g.saver_def.filename_tensor_name, g.saver_def.restore_op_name]
    for s in g.signature_def.values():
        todo += [t.name for t in [*s.inputs.values(), *s.outputs.values()]]
    keep = set()
    while todo:
        n = todo.pop().lstrip("^").split(":")[0]
        if n in by_name and n not in keep:
            keep.add(n)
            todo.extend(by_name[n].input)
    functions = {f.signature.name: f for f in g.graph_def.library.function}
    used = reached(functions, [by_name[n] for n in keep])
    nodes = [n for n in g.graph_def.node if n.name in keep]
    del g.graph_def.node[:]
    g.graph_def.node.extend(nodes)
    left = [f for f in g.graph_def.library.function if f.signature.name in used]
    del g.graph_def.library.function[:]
    g.graph_def.library.function.extend(left)
    del g.graph_def.library.gradient[:]
    for f in list(g.object_graph_def.concrete_functions):
        if f not in used:
            del g.object_graph_def.concrete_functions[f]
    for n in g.object_graph_def.nodes:
        if n.HasField("function"):
            for c in [c for c in n.function.concrete_functions if c not in used]:
                n.function.concrete_functions.remove(c)
        if n.HasField("bare_concrete_function") and n.bare_concrete_function.concrete_function_name not in used:
            n.bare_concrete_function.concrete_function_name = ""
    for n in [*g.graph_def.node, *(n for f in g.graph_def.library.function for n in f.node_def)]:
        n.ClearField("experimental_debug_info")
    open(file, "wb").write(m.SerializeToString(deterministic=True))
    for extra in ("keras_metadata.pb", "fingerprint.pb", "debug", "assets.extra"):
        p = os.path.join(path, extra)
        shutil.rmtree(p) if os.path.isdir(p) else os.path.exists(p) and os.remove(p)


def make(name, path):
    f, inputs, _, kw = CASES[name]
    k3.utils.set_random_seed(7)
    shutil.rmtree(path, ignore_errors=True)
    specs = [tf.TensorSpec([None, *shape], dtype, name=n) for n, (dtype, shape) in inputs.items()]
    if kw.get("graph"):
        outer = tf.Module()
        outer.kept = [EMB, W, W3, W6, KERNEL, POS]

        def serve(*args):
            y = f(*args)
            return y if isinstance(y, dict) else {"y": y}
    else:
        outer = f()
        if name.startswith("k3"):
            outer.export(path, verbose=False)
            return slim(path)
        model, outer = outer, tf.Module()
        outer.kept = [model.variables, model]

        def serve(*args):
            return {"y": model(list(args) if len(args) > 1 else args[0], training=False)}
    fn = tf.function(serve, input_signature=specs, autograph=False)
    tf.saved_model.save(outer, path, signatures={"serving_default": fn})
    slim(path)


# ------------------------------------------------------------------ the truth
class Model:
    """serving_default of a SavedModel in a session, as libtensorflow runs it."""

    def __init__(self, path):
        self.session = tf.compat.v1.Session(graph=tf.Graph())
        with self.session.graph.as_default():
            g = tf.compat.v1.saved_model.load(self.session, ["serve"], path)
        self.sig = g.signature_def["serving_default"]

    def __call__(self, batch):
        feed = {self.sig.inputs[n].name: v for n, v in batch.items()}
        found = self.session.run({n: t.name for n, t in self.sig.outputs.items()}, feed)
        return {n: np.asarray(v) for n, v in found.items()}


def batch_of(rows, like=None):
    """Rows, padded with zeros to the longest of them and of like."""
    out = {}
    for n in rows[0]:
        size = np.max([r[n].shape for r in rows + (like or [])], axis=0) if rows[0][n].ndim else []
        a = np.stack([np.pad(r[n], [(0, s - d) for s, d in zip(size, r[n].shape)]) if rows[0][n].ndim and r[n].dtype != object else r[n] for r in rows])
        out[n] = a
    return out


def same(a, b):
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return False
    if a.dtype.kind != "f":
        return bool((a == b).all())
    return bool(np.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True))


def truth(name, run, inputs, rows):
    """What each output depends on, and some rows to see it with."""
    rng = np.random.default_rng(sum(map(ord, name)))
    lengths = [1, 2, 3, 4, 6, 9, 12]
    plain = [rows(rng, n) for n in lengths for _ in range(2)]
    zeros = [with_zeros(r, how) for r in plain[2:8] for how in ("first", "middle", "all")]
    facts = {}

    def compare(what, a, b, at=0):
        for out in a:
            ok = facts.setdefault(out, {"padding": True, "company": True, "zeros": True})
            ok[what] = ok[what] and same(a[out][0], b[out][at])

    for what, some in (("padding", plain), ("zeros", zeros)):
        for row in some:
            alone = run(batch_of([row]))
            for like in plain:
                b = batch_of([row], [like])
                if any(b[n].shape[1:] != row[n].shape for n in row):
                    compare(what, alone, run(b))
            # among other rows, of its own sizes: for texts of any
            n = max((max(v.shape, default=1) for v in row.values()), default=1)
            for size in (2, 5):
                others = [rows(rng, 1 + int(rng.integers(12)) if S in [t for t, _ in inputs.values()] else n) for _ in range(size - 1)]
                if all(o[k].shape == row[k].shape for o in others for k in row):
                    compare("company" if some is plain else "zeros", alone, run(batch_of([*others, row])), size - 1)
                    compare("company" if some is plain else "zeros", alone, run(batch_of([row, *others])))
    if not any(None in shape for _, shape in inputs.values()):
        for f in facts.values():
            del f["padding"]
    return {"outputs": facts, "rows": [{n: v.tolist() if v.dtype != object else v.tolist() for n, v in r.items()} for r in plain[::2]]}


def of_model(name, path):
    """The truth of a model that was made for other tests; None where rows cannot be made for it."""
    try:
        run = Model(path)
        inputs = {n: (tf.as_dtype(t.dtype), [None if d.size < 0 else d.size for d in t.tensor_shape.dim]) for n, t in run.sig.inputs.items()}
        if any(t.tensor_shape.unknown_rank or t.WhichOneof("encoding") != "name" for t in run.sig.inputs.values()) or any(s[:1] != [None] for _, s in inputs.values()):
            return None
        inputs = {n: (d, s[1:]) for n, (d, s) in inputs.items()}
        by_shape = usual_rows(inputs)

        def rows(rng, n):
            row = by_shape(rng, n)
            for k, (dtype, shape) in inputs.items():
                if dtype == S:
                    row[k] = np.array(rng.choice(WORDS, shape), dtype=object)
                elif dtype not in (I, tf.int64) and shape == [None]:
                    row[k] = rng.integers(1, 8, [n]).astype("f")  # ids, which Keras 2 takes as floats
                elif dtype == tf.bool:
                    row[k] = rng.random(row[k].shape) < 0.5
                elif dtype in (I, tf.int64):
                    row[k] %= 8
            return row
        t = truth(name, run, inputs, rows)
    except Exception as e:
        print(name, "left out:", type(e).__name__, str(e)[:80].replace(chr(10), " "))
        return None
    print(name, {o: "".join(k[0] if v else "-" for k, v in f.items()) for o, f in t["outputs"].items()})
    return {"outputs": t["outputs"]}


def with_zeros(row, how):
    """The row with padding values where real ones stood."""
    row = {n: v.copy() for n, v in row.items()}
    for v in row.values():
        if v.dtype == object or v.ndim == 0:
            continue
        if how == "all":
            v[...] = 0
        elif len(v) > 1:
            v[0 if how == "first" else len(v) // 2] = 0
    return row


# ------------------------------------------------------------------ graphs drawn at random
def some_mask(rng, x):
    """A mask of the tokens, as float (rows, steps, 1), and whether that is one."""
    how = rng.integers(6)
    if how == 0:
        return tf.ones_like(look(x)[:, :, :1])
    if how == 1:
        return tf.cast(tf.greater(x, 9), F)[:, :, None]
    return tf.cast(mask_of(x), F)[:, :, None]


def step_of(rng, x, y):
    """One step from a sequence (rows, steps, 4) to another."""
    m = some_mask(rng, x)
    n = tf.shape(x)[1]
    choices = [
        lambda: tf.nn.relu(y), lambda: tf.tanh(y), lambda: y * y, lambda: tf.abs(y), lambda: tf.exp(-tf.abs(y)),
        lambda: y * m, lambda: y * m, lambda: tf.where(m > 0, y, tf.zeros_like(y)), lambda: tf.where(m > 0, y, -1e9), lambda: y + (1 - m) * -1e9,
        lambda: tf.where(m > 0, y, y[:, :1]), lambda: tf.where(mask_of(x)[:, :, None], y, F.min),
        lambda: tf.matmul(y, SQUARE), lambda: tf.einsum("btf,fg->btg", y, SQUARE), lambda: tf.reshape(tf.matmul(tf.reshape(y, [-1, 4]), SQUARE), tf.shape(y)),
        lambda: y + POS[:n], lambda: y * tf.cast(tf.range(n), F)[:, None], lambda: y / tf.cast(n, F), lambda: y / (1 + tf.reduce_sum(m, 1, keepdims=True)),
        lambda: tf.cumsum(y, 1), lambda: tf.cumsum(y, 1, reverse=True), lambda: tf.cumsum(y, 1, exclusive=True), lambda: tf.cumsum(y, 0), lambda: tf.cumsum(y, 2),
        lambda: tf.reverse(y, [1]), lambda: tf.reverse(tf.reverse(y, [1]) * m, [1]), lambda: tf.reverse(y, [0]), lambda: tf.reverse(y, [2]),
        lambda: tf.nn.softmax(y, 1), lambda: tf.nn.softmax(y), lambda: tf.nn.softmax(tf.where(m > 0, y, -1e9), 1), lambda: tf.nn.softmax(y, 0),
        lambda: tf.nn.conv1d(y, KERNEL, 1, "SAME"), lambda: tf.nn.conv1d(tf.pad(y, [[0, 0], [2, 0], [0, 0]]), KERNEL, 1, "VALID"),
        lambda: tf.nn.conv1d(tf.pad(y, [[0, 0], [0, 2], [0, 0]]), KERNEL, 1, "VALID"), lambda: tf.nn.conv1d(tf.pad(y, [[0, 0], [1, 1], [0, 0]]), KERNEL, 1, "VALID"),
        lambda: y - tf.reduce_mean(y, 1, keepdims=True), lambda: y - tf.reduce_mean(y, 0, keepdims=True), lambda: y - tf.reduce_mean(y, 2, keepdims=True),
        lambda: y - tf.reduce_max(y, 1, keepdims=True), lambda: y + tf.reduce_sum(y * m, 1, keepdims=True), lambda: y + y[:, :1], lambda: y + y[:, -1:],
        lambda: y + tf.reverse_sequence(y, lengths_of(x), 1), lambda: tf.concat([y[:, :1], y[:, :-1]], 1), lambda: tf.concat([y[:, 1:], y[:, -1:]], 1),
        lambda: tf.pad(y[:, 1:], [[0, 0], [0, 1], [0, 0]]), lambda: tf.pad(y[:, :-1], [[0, 0], [1, 0], [0, 0]]), lambda: tf.concat([y, tf.zeros_like(y)], 2)[:, :, 2:6],
        lambda: tf.nn.max_pool1d(y, 3, 1, "SAME"), lambda: tf.nn.avg_pool1d(y, 3, 1, "SAME"), lambda: tf.transpose(tf.transpose(y, [1, 0, 2]) * 2, [1, 0, 2]),
        lambda: attended(rng, x, y, m), lambda: attended(rng, x, y, m), lambda: attended(rng, x, y, m), lambda: scanned(rng, x, y, m), lambda: scanned(rng, x, y, m),
        lambda: tf.gather(y, tf.argsort(y[:, :, 0], 1), batch_dims=1), lambda: tf.tile(y[:, :1], [1, n, 1]) + y, lambda: y * tf.cast(tf.shape(x)[0], F),
        lambda: (y - tf.reduce_mean(y, 2, keepdims=True)) * tf.math.rsqrt(tf.math.reduce_variance(y, 2, keepdims=True) + 1e-3),
    ]
    return choices[rng.integers(len(choices))]()


def attended(rng, x, y, m):
    s = tf.matmul(y, y, transpose_b=True)
    how = rng.integers(6)
    n = tf.shape(x)[1]
    if how < 2:
        s += (1 - tf.transpose(m, [0, 2, 1])) * -1e9
    elif how == 2:
        s = tf.where(mask_of(x)[:, None, :] & (tf.range(n)[:, None] >= tf.range(n)[None, :]), s, -1e9)
    elif how == 3:
        s = tf.where(mask_of(x)[:, None, :], s, -np.inf)
    elif how == 4:
        s = s + (1 - tf.linalg.band_part(tf.ones([n, n]), -1, 0)) * -1e9
    return tf.matmul(tf.nn.softmax(s), y)


def scanned(rng, x, y, m):
    """A loop over the steps that keeps a state, as recurrent layers do."""
    steps = tf.shape(x)[1]
    back, held, only = rng.integers(2), rng.integers(3), rng.integers(2)
    t, k = tf.transpose(y, [1, 0, 2]), tf.transpose(m, [1, 0, 2])
    if back:
        t, k = tf.reverse(t, [0]), tf.reverse(k, [0])
    ins, masks = tf.TensorArray(F, steps).unstack(t), tf.TensorArray(F, steps).unstack(k)

    def body(i, h, out):
        new = tf.tanh(ins.read(i) + tf.matmul(h, SQUARE))
        if held:
            new = tf.where(tf.tile(masks.read(i), [1, 4]) > 0, new, h if held == 1 else tf.zeros_like(h))
        return i + 1, new, out.write(i, new)
    _, h, out = tf.while_loop(lambda i, *_: i < steps, body, (0, tf.zeros_like(t[0]), tf.TensorArray(F, steps)))
    if only:
        return y * 0 + h[:, None, :]
    z = out.stack()
    if back and rng.integers(2):
        z = tf.reverse(z, [0])
    return tf.transpose(z, [1, 0, 2])


def end_of(rng, x, y):
    """From a sequence to an answer for each row."""
    m = some_mask(rng, x)
    choices = [
        lambda: tf.reduce_sum(y, 1), lambda: tf.reduce_sum(y * m, 1), lambda: tf.reduce_mean(y, 1), lambda: tf.reduce_sum(y * m, 1) / (tf.reduce_sum(m, 1) + 1e-3),
        lambda: tf.reduce_max(y, 1), lambda: tf.reduce_max(tf.where(m > 0, y, -1e9), 1), lambda: tf.reduce_max(tf.nn.relu(y) * m, 1), lambda: tf.reduce_min(y, 1),
        lambda: y[:, 0], lambda: y[:, -1], lambda: tf.gather(y, tf.maximum(lengths_of(x) - 1, 0), batch_dims=1), lambda: tf.reduce_logsumexp(tf.where(m > 0, y, -1e9), 1),
        lambda: tf.cast(tf.argmax(y, 1), F), lambda: tf.reduce_sum(y[:, :3], 1), lambda: tf.reduce_sum(y[:, -3:], 1), lambda: tf.reduce_prod(1 + tf.tanh(y) * m / 9, 1),
        lambda: tf.math.top_k(tf.transpose(y, [0, 2, 1]), 1).values[:, :, 0], lambda: tf.reshape(y, [tf.shape(x)[0], -1])[:, :4], lambda: tf.cast(tf.reduce_any(y > 1, 1), F),
        lambda: tf.reduce_sum(tf.nn.softmax(tf.where(m > 0, y[:, :, :1], -1e9), 1) * y, 1), lambda: tf.einsum("btf,btg->bfg", y * m, y)[:, 0],
    ]
    z = choices[rng.integers(len(choices))]()
    ends = [lambda: z, lambda: z, lambda: z, lambda: tf.matmul(z, SQUARE), lambda: z - tf.reduce_mean(z, 0), lambda: tf.nn.softmax(z), lambda: tf.linalg.l2_normalize(z, 1)]
    return ends[rng.integers(len(ends))]()


SQUARE = tf.Variable(np.random.default_rng(8).normal(size=(4, 4)).astype("f") * 0.5, name="square")


def random_graph(seed):
    def serve(x):
        rng = np.random.default_rng(seed)
        y = look(x)
        for _ in range(rng.integers(1, 5)):
            y = step_of(rng, x, y)
        return {"y": end_of(rng, x, y)}
    return serve


def random_models(seed, count):
    """A SavedModel with many signatures, each a graph that is drawn at random."""
    outer, signatures, found = tf.Module(), {}, {}
    outer.kept = [EMB, W, W3, W6, KERNEL, POS, SQUARE]
    for i in range(seed, seed + count):
        name = f"graph_{i}"
        fn = tf.function(random_graph(i), input_signature=[tf.TensorSpec([None, None], I, name="x")], autograph=False).get_concrete_function()
        try:
            found[name] = truth(name, lambda batch, fn=fn: {"y": fn(tf.constant(batch["x"], I))["y"].numpy()}, TOKENS, usual_rows(TOKENS))
        except tf.errors.InvalidArgumentError as e:
            print(name, "left out:", str(e)[:80])
            continue
        del found[name]["rows"]
        signatures[name] = fn
    path = os.path.join(OUT, "random")
    shutil.rmtree(path, ignore_errors=True)
    tf.saved_model.save(outer, path, signatures=signatures)
    slim(path)
    with open(os.path.join(OUT, "random.json"), "w") as f:
        f.write("{\n" + ",\n".join(f"{json.dumps(n)}: {json.dumps(found[n], separators=(',', ':'))}" for n in found) + "\n}\n")
    print(len(found), "graphs", os.path.getsize(os.path.join(path, "saved_model.pb")))


def main():
    if ONLY[0] == "--random":
        return random_models(int(ONLY[1]), int(ONLY[2]))
    path = os.path.join(OUT, "truth.json")
    found = json.load(open(path)) if os.path.exists(path) and ONLY != ["*"] else {}
    for name in CASES:
        if any(fnmatch.fnmatch(name, p) for p in ONLY):
            d = os.path.join(OUT, name)
            make(name, d)
            _, inputs, rows, _ = CASES[name]
            found[name] = truth(name, Model(d), inputs, rows)
            print(name, os.path.getsize(os.path.join(d, "saved_model.pb")), {o: "".join(k[0] if v else "-" for k, v in f.items()) for o, f in found[name]["outputs"].items()})
    for d in sorted(glob.glob(os.path.join(OUT, "..", "models", "*", "model"))):
        name = "../models/" + os.path.basename(os.path.dirname(d)) + "/model"
        if any(fnmatch.fnmatch(name, p) for p in ONLY):
            facts = of_model(name, d)
            if facts:
                found[name] = facts
    with open(path, "w") as f:
        f.write("{\n" + ",\n".join(f"{json.dumps(n)}: {json.dumps(found[n], separators=(',', ':'))}" for n in sorted(found)) + "\n}\n")


if __name__ == "__main__":
    main()
