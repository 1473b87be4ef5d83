"""more_models.py holds more Keras models for make_tables.py: every kind of layer, in the wirings in
which people write them."""

import sys

import numpy as np
import tensorflow as tf

MODELS = {}


def model(*only):
    def add(f):
        MODELS[f.__name__] = (f, only or ("k2", "k3"))
        return f
    return add


# ---- images

@model()
def vit(keras):
    L = keras.layers

    class Patches(L.Layer):
        def __init__(self, size, **kw):
            super().__init__(**kw)
            self.size = size

        def call(self, images):
            p = tf.image.extract_patches(images, [1, self.size, self.size, 1], [1, self.size, self.size, 1], [1, 1, 1, 1], "VALID")
            return tf.reshape(p, [tf.shape(images)[0], -1, p.shape[-1]])

        def compute_output_shape(self, s):
            return (s[0], (s[1] // self.size) * (s[2] // self.size), self.size * self.size * s[3])

    class PatchEncoder(L.Layer):
        def __init__(self, n, dim, **kw):
            super().__init__(**kw)
            self.n = n
            self.projection = L.Dense(dim)
            self.position_embedding = L.Embedding(n, dim)

        def call(self, patch):
            return self.projection(patch) + self.position_embedding(tf.expand_dims(tf.range(self.n), 0))

        def compute_output_shape(self, s):
            return (*s[:-1], self.projection.units)

    i = keras.Input((8, 8, 3))
    x = PatchEncoder(4, 6)(Patches(4)(i))
    for _ in range(2):
        x1 = L.LayerNormalization(epsilon=1e-6)(x)
        a = L.MultiHeadAttention(num_heads=2, key_dim=3, dropout=0.1)(x1, x1)
        x2 = L.Add()([a, x])
        x3 = L.LayerNormalization(epsilon=1e-6)(x2)
        for units in (12, 6):
            x3 = L.Dense(units, activation="gelu")(x3)
            x3 = L.Dropout(0.1)(x3)
        x = L.Add()([x3, x2])
    x = L.LayerNormalization(epsilon=1e-6)(x)
    x = L.Flatten()(x)
    x = L.Dropout(0.5)(x)
    return keras.Model(i, L.Dense(4)(x))


@model()
def conv_mixer(keras):
    L = keras.layers

    def block(x):
        return L.BatchNormalization()(L.Activation("gelu")(x))

    i = keras.Input((8, 8, 3))
    x = L.Rescaling(scale=1.0 / 255)(i)
    x = block(L.Conv2D(4, kernel_size=2, strides=2)(x))
    for _ in range(2):
        x0 = x
        x = L.DepthwiseConv2D(kernel_size=3, padding="same")(x)
        x = L.Add()([block(x), x0])
        x = block(L.Conv2D(4, kernel_size=1)(x))
    x = L.GlobalAvgPool2D()(x)
    return keras.Model(i, L.Dense(3, activation="softmax")(x))


@model()
def mlp_mixer(keras):
    L = keras.layers

    class MLPMixerLayer(L.Layer):
        def __init__(self, patches, hidden, **kw):
            super().__init__(**kw)
            self.mlp1 = keras.Sequential([L.Dense(patches, activation="gelu"), L.Dense(patches), L.Dropout(0.2)])
            self.mlp2 = keras.Sequential([L.Dense(hidden, activation="gelu"), L.Dense(hidden), L.Dropout(0.2)])
            self.normalize = L.LayerNormalization(epsilon=1e-6)

        def build(self, shape):
            self.mlp1.build((shape[0], shape[2], shape[1]))
            self.mlp2.build(shape)
            self.normalize.build(shape)
            self.built = True

        def call(self, inputs):
            x = self.normalize(inputs)
            channels = tf.transpose(x, (0, 2, 1))
            x = tf.transpose(self.mlp1(channels), (0, 2, 1)) + inputs
            return x + self.mlp2(self.normalize(x))

    i = keras.Input((4, 5))
    x = L.Dense(6)(i)
    x = keras.Sequential([MLPMixerLayer(4, 6) for _ in range(2)])(x)
    x = L.GlobalAveragePooling1D()(x)
    x = L.Dropout(0.2)(x)
    return keras.Model(i, L.Dense(2)(x))


@model()
def deeplab(keras):
    L = keras.layers

    def block(x, n=3, kernel=3, dilation=1, bias=False):
        x = L.Conv2D(n, kernel, dilation_rate=dilation, padding="same", use_bias=bias)(x)
        x = L.BatchNormalization()(x)
        return L.ReLU()(x) if keras is not None else x

    i = keras.Input((16, 16, 3))
    low = block(L.MaxPooling2D()(block(i)))
    x = block(L.AveragePooling2D(2)(low))
    pool = L.AveragePooling2D(pool_size=(4, 4))(x)
    pool = block(pool, kernel=1, bias=True)
    pool = L.UpSampling2D(size=(4, 4), interpolation="bilinear")(pool)
    x = L.Concatenate(axis=-1)([pool] + [block(x, dilation=d) for d in (1, 2, 3)])
    a = L.UpSampling2D(size=(2, 2), interpolation="bilinear")(block(x, kernel=1))
    x = L.Concatenate(axis=-1)([a, block(low, n=2, kernel=1)])
    x = L.UpSampling2D(size=(2, 2), interpolation="bilinear")(block(block(x)))
    return keras.Model(i, L.Conv2D(2, kernel_size=(1, 1), padding="same")(x))


@model()
def xception_unet(keras):
    L = keras.layers
    i = keras.Input((16, 16, 3))
    x = L.Conv2D(4, 3, strides=2, padding="same")(i)
    x = L.Activation("relu")(L.BatchNormalization()(x))
    prev = x
    for n in (4, 6):
        x = L.Activation("relu")(x)
        x = L.BatchNormalization()(L.SeparableConv2D(n, 3, padding="same")(x))
        x = L.MaxPooling2D(3, strides=2, padding="same")(x)
        x = L.add([x, L.Conv2D(n, 1, strides=2, padding="same")(prev)])
        prev = x
    for n in (6, 4):
        x = L.Activation("relu")(x)
        x = L.BatchNormalization()(L.Conv2DTranspose(n, 3, padding="same")(x))
        x = L.UpSampling2D(2)(x)
        x = L.add([x, L.Conv2D(n, 1, padding="same")(L.UpSampling2D(2)(prev))])
        prev = x
    return keras.Model(i, L.Conv2D(2, 3, activation="softmax", padding="same")(x))


@model()
def mobile_block(keras):
    L = keras.layers
    i = keras.Input((9, 9, 3), name="image")
    x = L.ZeroPadding2D(((0, 1), (0, 1)), name="pad")(i)
    x = L.Conv2D(4, 3, strides=2, use_bias=False, name="stem")(x)
    x = L.BatchNormalization(momentum=0.9, name="stem_bn")(x)
    x = L.ReLU(6.0, name="stem_relu")(x)
    y = L.DepthwiseConv2D((3, 3), padding="same", depth_multiplier=2, use_bias=False)(x)
    y = L.BatchNormalization()(y)
    y = L.ReLU(6.0)(y)
    y = L.Conv2D(4, 1)(y)
    x = L.Add()([x, y])
    x = L.GlobalAveragePooling2D(keepdims=True)(x)
    x = L.Dropout(0.001, name="dropout")(x)
    x = L.Conv2D(5, (1, 1), padding="same", name="conv_preds")(x)
    x = L.Reshape((5,), name="reshape_2")(x)
    return keras.Model(i, L.Activation("softmax", name="predictions")(x), name="mobile")


@model()
def volumes(keras):
    L = keras.layers
    i = keras.Input((12, 12, 12, 1))
    x = L.Conv3D(2, 3, activation="relu")(i)
    x = L.MaxPool3D(2)(x)
    x = L.BatchNormalization()(x)
    x = L.ZeroPadding3D(1)(x)
    x = L.Conv3DTranspose(2, 2, strides=2)(x)
    x = L.Cropping3D(((1, 1), (2, 2), (3, 1)))(x)
    x = L.AveragePooling3D((2, 2, 2), padding="same")(x)
    x = L.UpSampling3D((1, 2, 2))(x)
    x = L.GlobalAveragePooling3D()(x)
    x = L.Dense(4, activation="relu")(x)
    x = L.Dropout(0.3)(x)
    return keras.Model(i, L.Dense(1)(x), name="3dcnn")


@model()
def sequences_1d(keras):
    L = keras.layers
    i = keras.Input((20, 3))
    x = L.ZeroPadding1D((2, 1))(i)
    x = L.SeparableConv1D(4, 3, strides=2)(x)
    x = L.DepthwiseConv1D(3, depth_multiplier=2, padding="same")(x)
    x = L.Cropping1D((1, 2))(x)
    x = L.UpSampling1D(2)(x)
    x = L.Conv1DTranspose(3, 4, strides=3, padding="valid")(x)
    x = L.AveragePooling1D(2, strides=1, padding="same")(x)
    x = L.MaxPooling1D(3, strides=2)(x)
    x = L.SpatialDropout1D(0.1)(x)
    x = L.Conv1D(4, 3, dilation_rate=2, groups=1)(x)
    return keras.Model(i, L.GlobalMaxPooling1D(keepdims=True)(x))


@model()
def anomaly_autoencoder(keras):
    L = keras.layers
    return keras.Sequential([
        L.Input(shape=(24, 1)), L.Conv1D(filters=4, kernel_size=7, padding="same", strides=2, activation="relu"), L.Dropout(rate=0.2),
        L.Conv1D(filters=2, kernel_size=7, padding="same", strides=2, activation="relu"),
        L.Conv1DTranspose(filters=2, kernel_size=7, padding="same", strides=2, activation="relu"), L.Dropout(rate=0.2),
        L.Conv1DTranspose(filters=4, kernel_size=7, padding="same", strides=2, activation="relu"),
        L.Conv1DTranspose(filters=1, kernel_size=7, padding="same")])


@model()
def image_prep(keras):
    L = keras.layers
    i = keras.Input((None, None, 3))
    x = L.Resizing(12, 10)(i)
    x = L.CenterCrop(8, 8)(x)
    x = L.Rescaling(1 / 255.0)(x)
    x = L.RandomContrast(0.2)(x)
    x = L.RandomTranslation(0.1, 0.1)(x)
    x = L.GaussianNoise(0.1)(x)
    x = L.Conv2D(3, 3, groups=3)(x)
    x = L.LeakyReLU()(x)
    x = L.SpatialDropout2D(0.2)(x)
    x = L.GlobalMaxPooling2D()(x)
    return keras.Model(i, L.Dense(2)(x))


@model()
def conditional_gan(keras):
    L = keras.layers
    noise, label = keras.Input((6,)), keras.Input((1,))
    e = L.Embedding(10, 5)(label)
    e = L.Dense(16)(e)
    e = L.Reshape((4, 4, 1))(e)
    x = L.Dense(4 * 4 * 3)(noise)
    x = L.LeakyReLU()(x)
    x = L.Reshape((4, 4, 3))(x)
    x = L.Concatenate()([x, e])
    x = L.Conv2DTranspose(4, (4, 4), strides=(2, 2), padding="same")(x)
    x = L.LeakyReLU()(x)
    return keras.Model([noise, label], L.Conv2D(1, (7, 7), activation="tanh", padding="same")(x), name="generator")


@model()
def vq_vae(keras):
    L = keras.layers

    class VectorQuantizer(L.Layer):
        def __init__(self, n, dim, **kw):
            super().__init__(**kw)
            self.n, self.dim = n, dim
            self.embeddings = self.add_weight(shape=(dim, n), initializer="random_uniform", trainable=True, name="embeddings_vqvae")

        def call(self, x):
            flat = tf.reshape(x, [-1, self.dim])
            distances = tf.reduce_sum(flat ** 2, axis=1, keepdims=True) + tf.reduce_sum(tf.convert_to_tensor(self.embeddings) ** 2, axis=0) - 2 * tf.matmul(flat, self.embeddings)
            q = tf.matmul(tf.one_hot(tf.argmin(distances, axis=1), self.n), self.embeddings, transpose_b=True)
            q = tf.reshape(q, tf.shape(x))
            return x + tf.stop_gradient(q - x)

        def compute_output_shape(self, s):
            return s

    a = keras.Input((8, 8, 1))
    x = L.Conv2D(4, 3, activation="relu", strides=2, padding="same")(a)
    encoder = keras.Model(a, L.Conv2D(2, 1, padding="same")(x), name="encoder")
    b = keras.Input((4, 4, 2))
    x = L.Conv2DTranspose(4, 3, activation="relu", strides=2, padding="same")(b)
    decoder = keras.Model(b, L.Conv2DTranspose(1, 3, padding="same")(x), name="decoder")
    i = keras.Input((8, 8, 1))
    return keras.Model(i, decoder(VectorQuantizer(3, 2, name="vector_quantizer")(encoder(i))), name="vq_vae")


@model()
def triplet(keras):
    L = keras.layers

    class DistanceLayer(L.Layer):
        def call(self, anchor, positive, negative):
            return tf.reduce_sum(tf.square(anchor - positive), -1), tf.reduce_sum(tf.square(anchor - negative), -1)

        def compute_output_shape(self, *shapes, **named):
            s = (shapes + tuple(named.values()))[0]
            return (s[0],), (s[0],)

    base = keras.Sequential([keras.Input((8, 8, 1)), L.Conv2D(3, 3), L.Flatten(), L.Dense(4)], name="Embedding")
    a, p, n = keras.Input((8, 8, 1), name="anchor"), keras.Input((8, 8, 1), name="positive"), keras.Input((8, 8, 1), name="negative")
    return keras.Model([a, p, n], DistanceLayer()(base(a), base(p), base(n)))


@model()
def three_levels(keras):
    L = keras.layers
    a = keras.Input((6,))
    innermost = keras.Model(a, L.Dense(3, activation="tanh")(a), name="innermost")
    b = keras.Input((6,))
    middle = keras.Model(b, L.Dense(4)(innermost(b)), name="middle")
    return keras.Sequential([keras.Input((6,)), middle, keras.Sequential([L.Dense(5), L.Dropout(0.1)], name="head"), L.Dense(1)], name="outer")


@model()
def spectral(keras):
    L = keras.layers
    i = keras.Input((8, 8, 2))
    x = L.SpectralNormalization(L.Conv2D(3, 3))(i)
    x = L.LayerNormalization(axis=[1, 2, 3])(x)
    x = L.GroupNormalization(groups=-1)(x)
    x = L.BatchNormalization(axis=1, scale=False)(x)
    x = L.BatchNormalization(center=False)(x)
    x = L.LayerNormalization(center=False, scale=False)(x)
    x = L.Flatten()(x)
    x = L.SpectralNormalization(L.Dense(3), name="sn_dense")(x)
    x = L.UnitNormalization(axis=-1)(x)
    return keras.Model(i, x)


# ---- texts and sequences

@model()
def every_merge(keras):
    L = keras.layers
    i = keras.Input((None, 3))
    outs = []
    for mode in ("concat", "sum", "mul", "ave"):
        outs.append(L.Bidirectional(L.GRU(2, return_sequences=True), merge_mode=mode)(i))
    f, b = L.Bidirectional(L.LSTM(2), merge_mode=None)(i)
    x = L.GlobalAveragePooling1D()(L.Concatenate()(outs))
    return keras.Model(i, L.Dense(1)(L.Concatenate()([x, f, b])))


@model()
def bi_states(keras):
    L = keras.layers
    i = keras.Input((5, 3))
    x, fh, fc, bh, bc = L.Bidirectional(L.LSTM(2, return_sequences=True, return_state=True))(i)
    h, c = L.Concatenate()([fh, bh]), L.Concatenate()([fc, bc])
    y = L.LSTM(4, return_sequences=True)(x, initial_state=[h, c])
    return keras.Model(i, L.TimeDistributed(L.Dense(2))(y))


@model()
def own_cell(keras):
    L = keras.layers
    ops = keras.ops if hasattr(keras, "ops") else tf

    class MinimalRNNCell(L.Layer):
        def __init__(self, units, **kw):
            super().__init__(**kw)
            self.units, self.state_size = units, units

        def build(self, shape):
            self.kernel = self.add_weight(shape=(shape[-1], self.units), initializer="uniform", name="kernel")
            self.recurrent_kernel = self.add_weight(shape=(self.units, self.units), initializer="uniform", name="recurrent_kernel")
            self.built = True

        def call(self, inputs, states):
            h = ops.matmul(inputs, self.kernel) + ops.matmul(states[0], self.recurrent_kernel)
            return h, [h]

    i = keras.Input((None, 4))
    x = L.RNN([MinimalRNNCell(5), MinimalRNNCell(3)], return_sequences=True)(i)
    x = L.RNN(MinimalRNNCell(2), name="last")(x)
    return keras.Model(i, L.Dense(1)(x))


@model()
def rnn_options(keras):
    L = keras.layers
    i = keras.Input((7, 4))
    x = L.LSTM(3, return_sequences=True, go_backwards=True, unroll=True)(i)
    x = L.GRU(4, return_sequences=True, reset_after=False, use_bias=False)(x)
    x = L.SimpleRNN(2, return_sequences=True, dropout=0.1, recurrent_dropout=0.1)(x)
    y, s = L.GRU(3, return_state=True)(x)
    return keras.Model(i, [L.Dense(1)(y), s])


@model()
def stateful(keras):
    L = keras.layers
    return keras.Sequential([keras.Input(batch_shape=(4, 5, 3)), L.LSTM(3, stateful=True, return_sequences=True), L.GRU(2, stateful=True), L.Dense(1)])


@model()
def masked_steps(keras):
    L = keras.layers
    i = keras.Input((None, 4))
    x = L.Masking(mask_value=0.0)(i)
    x = L.LSTM(3, return_sequences=True)(x)
    x = L.TimeDistributed(L.Dense(4, activation="relu"))(x)
    x = L.TimeDistributed(L.Dropout(0.2))(x)
    return keras.Model(i, L.Bidirectional(L.SimpleRNN(2))(x))


@model()
def tagger(keras):
    L = keras.layers
    i = keras.Input((None,), dtype="int64", name="words")
    x = L.Embedding(30, 6, mask_zero=True, name="word_embedding")(i)
    x = L.Bidirectional(L.LSTM(4, return_sequences=True), name="encoder")(x)
    x = L.Dropout(0.3)(x)
    tags = L.TimeDistributed(L.Dense(5, activation="softmax"), name="tags")(x)
    return keras.Model(i, {"tags": tags, "lengths": L.Dense(1, name="lengths")(L.GlobalAveragePooling1D()(x))})


@model()
def video(keras):
    L = keras.layers
    i = keras.Input((6, 8, 8, 3))
    x = L.TimeDistributed(L.Conv2D(2, 3, strides=2))(i)
    x = L.TimeDistributed(L.MaxPooling2D())(x)
    x = L.TimeDistributed(L.Flatten())(x)
    x = L.GRU(3)(x)
    return keras.Model(i, L.Dense(2)(x))


@model()
def conv_recurrent(keras):
    L = keras.layers
    a, b = keras.Input((4, 9, 2), name="line"), keras.Input((3, 5, 5, 5, 1), name="volume")
    x = L.ConvLSTM1D(2, 3, strides=2)(a)
    y = L.ConvLSTM3D(2, 2, return_sequences=False, padding="same")(b)
    z = L.ConvLSTM1D(3, 2, return_sequences=True, return_state=True)(a)
    return keras.Model([a, b], [L.Flatten()(x), L.GlobalAveragePooling3D()(y), L.GlobalAveragePooling2D()(z[0])])


@model()
def attention_seq2seq(keras):
    L = keras.layers
    e, d = keras.Input((None,), name="encoder"), keras.Input((None,), name="decoder")
    enc, state = L.GRU(4, return_sequences=True, return_state=True)(L.Embedding(20, 3, mask_zero=True)(e))
    dec = L.GRU(4, return_sequences=True)(L.Embedding(22, 3, mask_zero=True)(d), initial_state=state)
    context = L.AdditiveAttention()([dec, enc])
    x = L.Concatenate(axis=-1)([dec, context])
    return keras.Model([e, d], L.Dense(22)(x))


@model()
def bahdanau(keras):
    L = keras.layers

    class BahdanauAttention(L.Layer):
        def __init__(self, units, **kw):
            super().__init__(**kw)
            self.W1, self.W2, self.V = L.Dense(units), L.Dense(units), L.Dense(1)

        def call(self, query, values):
            q = tf.expand_dims(query, 1)
            weights = tf.nn.softmax(self.V(tf.nn.tanh(self.W1(q) + self.W2(values))), axis=1)
            return tf.reduce_sum(weights * values, axis=1), weights

        def compute_output_shape(self, query_shape, values_shape):
            return (values_shape[0], values_shape[2]), (values_shape[0], values_shape[1], 1)

    q, v = keras.Input((3,), name="query"), keras.Input((5, 4), name="values")
    context, weights = BahdanauAttention(6)(q, v)
    return keras.Model([q, v], [L.Dense(2)(context), weights])


@model()
def cross_attention(keras):
    L = keras.layers
    q, v = keras.Input((4, 6), name="q"), keras.Input((None, 5), name="v")
    x, scores = L.MultiHeadAttention(2, 3, value_dim=4)(q, v, return_attention_scores=True)
    y = L.MultiHeadAttention(3, 2, output_shape=7)(q, x, use_causal_mask=True)
    z = L.Attention(use_scale=True)([y, L.Dense(7)(v)])
    return keras.Model([q, v], [L.LayerNormalization()(z), scores])


@model("k3")
def grouped_query(keras):
    L = keras.layers
    i = keras.Input((6, 8))
    x = L.GroupedQueryAttention(head_dim=4, num_query_heads=4, num_key_value_heads=2)(i, i)
    x = i + x
    x = L.RMSNormalization()(x) if hasattr(L, "RMSNormalization") else L.LayerNormalization()(x)
    return keras.Model(i, L.Dense(2)(x[:, -1]))


@model()
def transformer_functions(keras):
    L = keras.layers

    def encoder(x):
        y = L.MultiHeadAttention(key_dim=2, num_heads=2, dropout=0.1)(x, x)
        y = L.Dropout(0.1)(y)
        res = L.LayerNormalization(epsilon=1e-6)(y + x)
        y = L.Conv1D(filters=4, kernel_size=1, activation="relu")(res)
        y = L.Dropout(0.1)(y)
        y = L.Conv1D(filters=x.shape[-1], kernel_size=1)(y)
        return L.LayerNormalization(epsilon=1e-6)(y + res)

    i = keras.Input((10, 3))
    x = i
    for _ in range(2):
        x = encoder(x)
    x = L.GlobalAveragePooling1D(data_format="channels_first")(x)
    for n in (6,):
        x = L.Dense(n, activation="relu")(x)
        x = L.Dropout(0.2)(x)
    return keras.Model(i, L.Dense(2, activation="softmax")(x))


@model()
def gpt_like(keras):
    L = keras.layers
    ops = keras.ops if hasattr(keras, "ops") else tf

    class TokenAndPosition(L.Layer):
        def __init__(self, length, vocab, dim, **kw):
            super().__init__(**kw)
            self.token, self.pos = L.Embedding(vocab, dim), L.Embedding(length, dim)

        def call(self, x):
            return self.token(x) + self.pos(tf.range(tf.shape(x)[-1]))

        def compute_output_shape(self, s):
            return (*s, self.token.output_dim)

    class Block(L.Layer):
        def __init__(self, dim, heads, ff, **kw):
            super().__init__(**kw)
            self.att = L.MultiHeadAttention(heads, dim)
            self.ffn = keras.Sequential([L.Dense(ff, activation="relu"), L.Dense(dim)])
            self.norms = [L.LayerNormalization(epsilon=1e-6) for _ in range(2)]
            self.drops = {"a": L.Dropout(0.1), "b": L.Dropout(0.1)}

        def call(self, x):
            y = self.norms[0](x + self.drops["a"](self.att(x, x, use_causal_mask=True)))
            return self.norms[1](y + self.drops["b"](self.ffn(y)))

        def compute_output_shape(self, s):
            return s

    i = keras.Input((8,), dtype="int32")
    x = TokenAndPosition(8, 20, 6)(i)
    x = Block(6, 2, 5)(x)
    return keras.Model(i, [L.Dense(20)(x), x])


@model()
def positional(keras):
    L = keras.layers

    class SinCos(L.Layer):
        def __init__(self, length, dim, **kw):
            super().__init__(**kw)
            pos, k = np.arange(length)[:, None], np.arange(dim)[None]
            angles = pos / 10000 ** (2 * (k // 2) / dim)
            angles[:, 0::2], angles[:, 1::2] = np.sin(angles[:, 0::2]), np.cos(angles[:, 1::2])
            self.encoding = tf.constant(angles[None], tf.float32)

        def call(self, x):
            return x + self.encoding[:, : tf.shape(x)[1]]

        def compute_output_shape(self, s):
            return s

    i = keras.Input((None, 4))
    x = SinCos(50, 4)(i)
    x = L.Conv1D(3, 3, padding="causal")(x)
    return keras.Model(i, L.Dense(1)(L.GlobalMaxPooling1D()(x)))


@model()
def ngrams(keras):
    L = keras.layers
    vec = L.TextVectorization(ngrams=2, max_tokens=15, output_mode="multi_hot")
    vec.adapt(["the cat sat on", "the mat the end", "cat mat"])
    i = keras.Input((1,), dtype="string", name="text")
    x = L.Dense(4, activation="relu")(vec(i))
    x = L.Dropout(0.5)(x)
    return keras.Model(i, L.Dense(1, activation="sigmoid")(x))


@model()
def tf_idf(keras):
    L = keras.layers
    vec = L.TextVectorization(output_mode="tf_idf", max_tokens=12, pad_to_max_tokens=True)
    vec.adapt(["the cat sat on", "the mat the end", "cat mat"])
    return keras.Sequential([keras.Input((1,), dtype="string"), vec, L.Dense(3, activation="softmax")])


# ---- tables and recommendations

@model()
def feature_space(keras):
    L = keras.layers
    ins = {"age": keras.Input((1,), name="age"), "sex": keras.Input((1,), name="sex", dtype="int64"), "thal": keras.Input((1,), name="thal", dtype="string"),
           "chol": keras.Input((1,), name="chol")}
    norm = L.Normalization(axis=None)
    norm.adapt(np.arange(12, dtype="float32"))
    sex = L.IntegerLookup(vocabulary=[0, 1, 2], output_mode="one_hot")(ins["sex"])
    thal = L.StringLookup(vocabulary=["fixed", "normal"], output_mode="multi_hot", num_oov_indices=2)(ins["thal"])
    chol = L.Discretization(bin_boundaries=[1.0, 2.0, 5.0])(ins["chol"])
    chol = L.CategoryEncoding(num_tokens=4, output_mode="multi_hot")(chol)
    x = L.concatenate([norm(ins["age"]), sex, thal, chol])
    x = L.Dense(4, activation="relu")(x)
    x = L.Dropout(0.5)(x)
    return keras.Model(ins, L.Dense(1, activation="sigmoid")(x))


@model()
def crossings(keras):
    L = keras.layers
    a, b, c = keras.Input((1,), dtype="string", name="a"), keras.Input((1,), dtype="string", name="b"), keras.Input((3,), dtype="int64", name="c")
    cross = L.HashedCrossing(num_bins=7, output_mode="one_hot")((a, b))
    h = L.Hashing(num_bins=5)(a)
    e = L.Flatten()(L.Embedding(5, 3)(h))
    counts = L.CategoryEncoding(num_tokens=6, output_mode="count")(c)
    return keras.Model([a, b, c], L.Dense(1)(L.Concatenate()([cross, e, counts])))


@model()
def recommender_net(keras):
    L = keras.layers

    class RecommenderNet(keras.Model):
        def __init__(self, users, movies, dim, **kw):
            super().__init__(**kw)
            self.user_embedding = L.Embedding(users, dim, embeddings_initializer="he_normal")
            self.user_bias = L.Embedding(users, 1)
            self.movie_embedding = L.Embedding(movies, dim)
            self.movie_bias = L.Embedding(movies, 1)

        def call(self, inputs):
            u, m = self.user_embedding(inputs[:, 0]), self.movie_embedding(inputs[:, 1])
            return tf.nn.sigmoid(tf.tensordot(u, m, 2) + self.user_bias(inputs[:, 0]) + self.movie_bias(inputs[:, 1]))

    m = RecommenderNet(9, 8, 4)
    m(np.zeros((2, 2), np.int64))
    return m


@model()
def node2vec(keras):
    L = keras.layers
    inputs = {"target": keras.Input((), name="target", dtype="int32"), "context": keras.Input((), name="context", dtype="int32")}
    emb = L.Embedding(10, 4, name="item_embeddings")
    t, c = emb(inputs["target"]), emb(inputs["context"])
    return keras.Model(inputs, L.Dot(axes=1, normalize=False, name="dot_similarity")([t, c]))


@model()
def two_towers(keras):
    L = keras.layers

    class Tower(keras.Model):
        def __init__(self, vocabulary, **kw):
            super().__init__(**kw)
            self.net = keras.Sequential([L.StringLookup(vocabulary=vocabulary), L.Embedding(len(vocabulary) + 1, 4), L.Dense(3)])

        def call(self, x):
            return self.net(x)

        def compute_output_shape(self, s):
            return (*s, 3)

    u, i = keras.Input((), dtype="string", name="user"), keras.Input((), dtype="string", name="item")
    a, b = Tower(["x", "y"], name="user_tower")(u), Tower(["p", "q", "r"], name="item_tower")(i)
    return keras.Model([u, i], L.Dot(axes=1)([a, b]))


@model()
def deep_cross(keras):
    L = keras.layers

    class Cross(L.Layer):
        def build(self, shape):
            self.dense = L.Dense(shape[0][-1])
            self.dense.build(shape[0])
            self.built = True

        def call(self, inputs):
            x0, x = inputs
            return x0 * self.dense(x) + x

        def compute_output_shape(self, shapes):
            return shapes[0]

    i = keras.Input((5,))
    x = i
    for _ in range(2):
        x = Cross()([i, x])
    d = i
    for units in (4, 3):
        d = L.Dense(units)(d)
        d = L.BatchNormalization()(d)
        d = L.ReLU()(d)
        d = L.Dropout(0.1)(d)
    return keras.Model(i, L.Dense(1)(L.concatenate([x, d])))


@model()
def gnn(keras):
    L = keras.layers

    class GraphConv(L.Layer):
        def __init__(self, units, **kw):
            super().__init__(**kw)
            self.units = units

        def build(self, shape):
            self.w = self.add_weight(shape=(shape[0][-1], self.units), name="w")
            self.built = True

        def call(self, inputs):
            x, a = inputs
            return tf.nn.relu(tf.matmul(a, tf.matmul(x, tf.convert_to_tensor(self.w))))

        def compute_output_shape(self, shapes):
            return (*shapes[0][:-1], self.units)

    x, a = keras.Input((None, 3), name="nodes"), keras.Input((None, None), name="adjacency")
    h = GraphConv(4)([x, a])
    h = L.Dropout(0.2)(h)
    h = GraphConv(2)([h, a])
    return keras.Model([x, a], L.Dense(1)(L.GlobalSumPooling1D()(h) if hasattr(L, "GlobalSumPooling1D") else L.GlobalAveragePooling1D()(h)))


# ---- wirings

@model()
def subclass_lists(keras):
    L = keras.layers

    class Stack(keras.Model):
        def __init__(self, sizes, **kw):
            super().__init__(**kw)
            self.hidden = [L.Dense(n, activation="relu") for n in sizes]
            self.heads = {"a": L.Dense(1), "b": L.Dense(2)}
            self.drop = L.Dropout(0.1)

        def call(self, x, training=False):
            for layer in self.hidden:
                x = self.drop(layer(x), training=training)
            return {k: head(x) for k, head in self.heads.items()}

    m = Stack([5, 4, 3])
    m(np.zeros((2, 6), np.float32))
    return m


@model()
def subclass_blocks(keras):
    L = keras.layers

    class ResidualBlock(L.Layer):
        def __init__(self, n, **kw):
            super().__init__(**kw)
            self.c1, self.c2 = L.Conv2D(n, 3, padding="same"), L.Conv2D(n, 3, padding="same")
            self.b1, self.b2 = L.BatchNormalization(), L.BatchNormalization()

        def call(self, x, training=False):
            y = tf.nn.relu(self.b1(self.c1(x), training=training))
            return tf.nn.relu(x + self.b2(self.c2(y), training=training))

    class Net(keras.Model):
        def __init__(self):
            super().__init__(name="net")
            self.stem = L.Conv2D(3, 3)
            self.blocks = [ResidualBlock(3, name=f"block{k}") for k in range(2)]
            self.pool = L.GlobalAveragePooling2D()
            self.fc = L.Dense(4)

        def call(self, x, training=False):
            x = self.stem(x)
            for b in self.blocks:
                x = b(x, training=training)
            return self.fc(self.pool(x))

    m = Net()
    m(np.zeros((2, 8, 8, 1), np.float32))
    return m


@model()
def named_io(keras):
    L = keras.layers
    a, b = keras.Input((4,), name="first"), keras.Input((3,), name="second")
    shared = L.Dense(3, name="projection")
    x, y = shared(L.Dense(3, name="left")(a)), shared(b)
    outs = {"sum": L.Add(name="sum")([x, y]), "least": L.Minimum(name="least")([x, y]), "most": L.Maximum(name="most")([x, y]),
            "difference": L.Subtract(name="difference")([x, y]), "mean": L.Average(name="mean")([x, y, L.Dense(3, name="third")(b)])}
    return keras.Model({"first": a, "second": b}, outs)


@model()
def noises(keras):
    L = keras.layers
    i = keras.Input((6,))
    x = L.GaussianNoise(0.2)(i)
    x = L.Dense(4, activation="selu")(x)
    x = L.AlphaDropout(0.1)(x)
    x = L.ActivityRegularization(l2=0.01)(x)
    x = L.Dense(3)(x)
    x = L.GaussianDropout(0.2)(x)
    x = L.Activation("tanh")(x)
    return keras.Model(i, L.Dense(1)(x))


@model()
def own_classes(keras):
    L = keras.layers

    class MyDense(L.Dense):
        pass

    class Swish(L.Layer):
        def call(self, x):
            return x * tf.sigmoid(x)

        def compute_output_shape(self, s):
            return s

    class Twice(L.Layer):
        def __init__(self, layer, **kw):
            super().__init__(**kw)
            self.layer = layer

        def call(self, x):
            return self.layer(x) * 2.0

        def compute_output_shape(self, s):
            return self.layer.compute_output_shape(s)

    i = keras.Input((5,))
    x = MyDense(4)(i)
    x = Swish()(x)
    x = Twice(L.Dense(3), name="twice_dense")(x)
    x = L.PReLU()(x)
    return keras.Model(i, L.ThresholdedReLU()(x) if hasattr(L, "ThresholdedReLU") else L.ReLU(threshold=0.5)(x))


@model()
def tied(keras):
    L = keras.layers

    class Transposed(L.Layer):
        def __init__(self, dense, **kw):
            super().__init__(**kw)
            self.dense = dense

        def build(self, shape):
            self.b = self.add_weight(name="bias", shape=(self.dense.kernel.shape[0],), initializer="zeros")
            self.built = True

        def call(self, x):
            return tf.matmul(x, tf.convert_to_tensor(self.dense.kernel), transpose_b=True) + self.b

        def compute_output_shape(self, s):
            return (s[0], self.dense.kernel.shape[0])

    i = keras.Input((6,))
    d = L.Dense(3, activation="relu")
    x = d(i)
    return keras.Model(i, Transposed(d)(x))


@model()
def einsum_axes(keras):
    L = keras.layers
    i = keras.Input((5, 4))
    x = L.EinsumDense("abc,cde->abde", output_shape=(None, 2, 3), bias_axes="de")(i)
    x = L.Permute((2, 1, 3))(x)
    x = L.Reshape((2, -1))(x)
    x = L.EinsumDense("...x,xy->...y", output_shape=4, bias_axes="y")(x)
    return keras.Model(i, L.Flatten()(x))


@model("k3")
def ops_many(keras):
    L, ops = keras.layers, keras.ops
    i = keras.Input((6, 4))
    a, b = ops.split(L.Dense(8)(i), 2, axis=-1)
    x = a * ops.sigmoid(b)
    y = ops.einsum("bij,bkj->bik", x, x)
    y = ops.softmax(y / 2.0, axis=-1)
    z = ops.squeeze(ops.max(ops.matmul(y, x), axis=1, keepdims=True), axis=1)
    z = ops.stack([z, z], axis=1)
    z = ops.where(z > 0, z, ops.zeros_like(z))
    return keras.Model(i, L.Dense(1)(ops.reshape(z, (-1, 8))))


@model("k3")
def ops_images(keras):
    L, ops = keras.layers, keras.ops
    i = keras.Input((8, 8, 3))
    x = ops.cast(i, "float32") / 255.0
    x = L.Conv2D(4, 3)(x)
    x = ops.relu(x)
    x = ops.image.resize(x, (4, 4))
    x = ops.expand_dims(ops.mean(x, axis=(1, 2)), 1)
    x = ops.log1p(ops.abs(x)) - ops.sqrt(ops.abs(x))
    return keras.Model(i, L.Dense(2)(ops.concatenate([x, x], axis=-1)))


@model("k2")
def tf_many(keras):
    L = keras.layers
    i = keras.Input((6, 4))
    a, b = tf.split(L.Dense(8)(i), 2, axis=-1)
    x = a * tf.sigmoid(b)
    y = tf.nn.softmax(tf.matmul(x, x, transpose_b=True) / 2.0)
    z = tf.reduce_max(tf.matmul(y, x), axis=1)
    z = tf.stack([z, z], axis=1)
    return keras.Model(i, L.Dense(1)(tf.reshape(z, (-1, 8))))


@model()
def half(keras):
    L = keras.layers
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        i = keras.Input((8, 8, 3))
        x = L.Conv2D(4, 3, activation="relu")(i)
        x = L.BatchNormalization()(x)
        x = L.GlobalAveragePooling2D()(x)
        x = L.Dense(3)(x)
        return keras.Model(i, L.Activation("softmax", dtype="float32")(x))
    finally:
        keras.mixed_precision.set_global_policy("float32")


@model()
def answers_words(keras):
    L = keras.layers
    i = keras.Input((3,), name="features")
    x = L.Dense(4, activation="softmax", name="probabilities")(i)
    best = L.Lambda(lambda t: tf.argmax(t, axis=-1), output_shape=(), name="best")(x)
    return keras.Model(i, [x, L.StringLookup(vocabulary=["cat", "dog", "cow"], invert=True, name="label")(best)])


@model()
def concat_axes(keras):
    L = keras.layers
    a, b = keras.Input((4, 3), name="a"), keras.Input((2, 3), name="b")
    x = L.Concatenate(axis=1)([a, b])
    y = L.Dot(axes=(2, 2), normalize=True)([x, a])
    z = L.RepeatVector(5)(L.Flatten()(y))
    return keras.Model([a, b], L.Softmax()(L.Multiply()([z, L.Dense(24)(L.RepeatVector(5)(L.Flatten()(b)))])))


@model()
def frozen_parts(keras):
    L = keras.layers
    i = keras.Input((8, 8, 3))
    x = L.Conv2D(4, 3, name="c1", trainable=False)(i)
    x = L.BatchNormalization(name="bn", trainable=False)(x)
    x = L.Activation("relu")(x)
    x = L.Conv2D(4, 3, name="c2")(x)
    x = L.Flatten()(x)
    return keras.Model(i, L.Dense(2, kernel_regularizer="l2")(x))


@model()
def second_in_session(keras):
    L = keras.layers
    keras.Sequential([keras.Input((3,)), L.Dense(2), L.Dropout(0.1), L.Dense(2)])
    i = keras.Input((4,))
    x = L.Dense(3)(i)
    x = L.Dropout(0.2)(x)
    x = L.BatchNormalization()(x)
    return keras.Model(i, L.Dense(1)(x))


@model()
def built_late(keras):
    L = keras.layers

    class Late(L.Layer):
        def build(self, shape):
            self.scale = self.add_weight(name="scale", shape=(shape[-1],), initializer="ones")
            self.parts = [L.Dense(shape[-1]) for _ in range(2)]
            for p in self.parts:
                p.build(shape)
            self.built = True

        def call(self, x):
            for p in self.parts:
                x = p(x)
            return x * self.scale

        def compute_output_shape(self, s):
            return s

    i = keras.Input((None, 4))
    return keras.Model(i, L.Dense(1)(Late()(Late(name="again")(i))))


# ---- what was stated and wrong, or missing, once

@model()
def unused_outputs(keras):
    L = keras.layers
    a = keras.Input((6,))
    h = L.Dense(4, activation="relu")(a)
    enc = keras.Model(a, [L.Dense(2)(h), L.Dense(3)(h), L.Dense(5)(h)], name="encoder")
    b = keras.Input((3,))
    dec = keras.Model(b, [L.Dense(6)(b), L.Dense(1)(b)], name="decoder")
    i = keras.Input((6,))
    _, z, _ = enc(i)
    y, _ = dec(z)
    return keras.Model(i, y, name="vae")


@model()
def nested_two_deep(keras):
    L = keras.layers
    a = keras.Input((4,), name="a")
    small = keras.Model(a, [L.Dense(2, name="mu")(a), L.Dense(2, name="sigma")(a)], name="small")
    b = keras.Input((4,), name="b")
    mu, sigma = small(L.Dense(4, activation="relu")(b))
    mid = keras.Model(b, {"m": mu, "both": L.Concatenate()([mu, sigma])}, name="mid")
    c = keras.Input((4,), name="c")
    o = mid(L.LayerNormalization()(c))
    return keras.Model(c, L.Dense(1)(o["both"]), name="outer")


@model()
def nested_open(keras):
    L = keras.layers
    a = keras.Input((None, None, 3))
    base = keras.Model(a, L.Conv2D(4, 3, padding="same")(a), name="base")
    s = keras.Sequential([keras.Input((None, None, 4)), L.Conv2D(2, 3), L.ReLU()], name="stack")
    i = keras.Input((8, 8, 3))
    x = L.Flatten()(s(base(i)))
    return keras.Model(i, L.Dense(2)(x))


@model()
def deep_residual_names(keras):
    L = keras.layers
    i = keras.Input((12, 12, 4), name="input_image")
    x = i
    for s, n in enumerate((4, 6)):
        for b in range(2):
            slash = "_" if hasattr(keras, "ops") else "/"  # of which Keras 3 wants none
            y = L.Conv2D(n, 3, padding="same", strides=2 if b == 0 and s else 1, name=slash.join((f"stage{s}", f"block{b}", "conv_a")))(x)
            y = L.PReLU(shared_axes=[1, 2])(y)
            y = L.Conv2D(n, 3, padding="same")(y)
            if y.shape[-1] != x.shape[-1]:
                x = L.Conv2D(n, 1, strides=2)(x)
            x = L.add([x, y])
    x = L.GlobalMaxPooling2D()(x)
    return keras.Model(i, L.Dense(2, name="logits")(x), name="resnet-small")


@model()
def tied_embedding(keras):
    L = keras.layers
    if hasattr(keras, "ops"):
        i = keras.Input((None,), dtype="int32")
        emb = L.ReversibleEmbedding(16, 4) if hasattr(L, "ReversibleEmbedding") else L.Embedding(16, 4)
        x = L.LSTM(4, return_sequences=True)(emb(i))
        return keras.Model(i, emb(x, reverse=True) if hasattr(L, "ReversibleEmbedding") else L.Dense(16)(x))

    class LM(keras.Model):
        def __init__(self):
            super().__init__()
            self.emb, self.rnn = L.Embedding(16, 4), L.LSTM(4, return_sequences=True)

        def call(self, x):
            return tf.einsum("btd,vd->btv", self.rnn(self.emb(x)), self.emb.embeddings)

    m = LM()
    m(np.zeros((2, 3), np.int32))
    return m


@model()
def metrics_in_model(keras):
    L = keras.layers

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.body = keras.Sequential([L.Dense(5, activation="relu"), L.BatchNormalization(), L.Dense(2)])
            self.loss_tracker = keras.metrics.Mean(name="loss")
            self.mae = keras.metrics.MeanAbsoluteError(name="mae")

        def call(self, x, training=None):
            return self.body(x, training=training)

        @property
        def metrics(self):
            return [self.loss_tracker, self.mae]

    m = Net()
    m(np.zeros((3, 4), np.float32))
    return m


@model("k2")
def tf_slices(keras):
    L = keras.layers
    i = keras.Input((10, 4))
    x = L.Conv1D(4, 3, padding="same")(i)
    a = x[:, -1]
    b = x[:, 2:8:2, :2]
    c = x[..., tf.newaxis, 0]
    e = x / (tf.reduce_sum(tf.abs(x), axis=1, keepdims=True) + 1e-6)
    f = (-x + 1.0) ** 2 - e
    g, _ = tf.math.top_k(x, 2)
    return keras.Model(i, [a, b, c, f, g, L.Dense(2)(tf.reduce_mean(f, axis=[1]))])


@model("k3")
def newer_layers(keras):
    L = keras.layers
    i = keras.Input((12, 12, 3))
    x = L.AdaptiveAveragePooling2D((4, 3))(L.Conv2D(4, 3)(i))
    y = L.AdaptiveMaxPooling2D(2)(x)
    j = keras.Input((6,), dtype="int32")
    e = L.ReversibleEmbedding(9, 4, tie_weights=False)
    z = e(e(j), reverse=True)
    return keras.Model([i, j], [L.Flatten()(y), z])


@model("k3")
def quantized_functional(keras):
    L = keras.layers
    i = keras.Input((5,), dtype="int32")
    x = L.Embedding(12, 8)(i)
    x = L.EinsumDense("abc,cd->abd", output_shape=(None, 6), bias_axes="d")(x)
    x = L.Dense(4, activation="gelu")(x)
    m = keras.Model(i, L.GlobalAveragePooling1D()(x))
    m.quantize("int8")
    return m


@model()
def own_dict_results(keras):
    class Heads(keras.layers.Layer):  # its dictionary's keys are not in alphabetical order
        def build(self, shape):
            self.k = self.add_weight(name="k", shape=(shape[-1], 3))

        def call(self, x):
            return {"wide": x @ self.k, "both": x, "mean": (x @ self.k)[:, :1]}

    i = keras.Input((5,))
    return keras.Model(i, keras.layers.Dense(1)(Heads(name="heads")(i)["both"]))  # which of them is taken says nothing of their order


@model("k2")
def slashes(keras):
    L = keras.layers
    i = keras.Input((8, 8, 3))
    x = L.Conv2D(4, 3, name="Conv")(i)
    x = L.BatchNormalization(name="Conv/BatchNorm")(x)
    y = L.ReLU(6.0)(x)
    y = L.ZeroPadding2D(1, name="block/depthwise/pad")(y)
    y = L.DepthwiseConv2D(3, use_bias=False, name="block/depthwise")(y)
    y = y * L.GlobalAveragePooling2D(keepdims=True, name="block/squeeze/AvgPool")(y)
    x = L.Add(name="block/Add")([x, L.Dropout(0.1, name="block/drop")(y)])
    x = L.Reshape((12, 12), name="block/steps")(x)
    x = L.Flatten(name="head/flat")(L.Dense(2, name="block/dense")(x))
    return keras.Model(i, L.Softmax(name="head/Predictions")(x))


@model("k3")
def attention_kinds(keras):
    L = keras.layers
    q, v = keras.Input((4, 6), name="q"), keras.Input((5, 6), name="v")
    a = L.MultiHeadAttention(2, 3)(q, v)
    b, _ = L.MultiHeadAttention(2, 3)(q, v, return_attention_scores=True)
    c = L.MultiHeadAttention(2, 3, dropout=0.1)(q, v)
    e, s = L.MultiHeadAttention(2, 3)(q, v, return_attention_scores=True)
    outs = [a, b, c, e, s]
    outs.append(L.GroupQueryAttention(3, 2, 1)(q, v))
    outs.append(L.GroupQueryAttention(3, 2, 1)(q, v, return_attention_scores=True)[0])
    return keras.Model([q, v], outs)


@model()
def nested_default_unused(keras):
    L = keras.layers
    j = keras.Input((4,))
    inner = keras.Model(j, [L.Dense(2)(j), L.Dense(3)(j)])
    inner2 = keras.Model(j, {"b": L.Dense(2)(j), "a": L.Dense(3)(j)})
    i = keras.Input((4,))
    return keras.Model(i, [L.Dense(1)(inner(i)[1]), inner2(i)["b"]])


@model()
def own_second(keras):
    L = keras.layers

    class Split(L.Layer):
        def build(self, s):
            self.w = self.add_weight(shape=(s[-1], 2), name="w")

        def call(self, x):
            y = x @ self.w
            return y, tf.nn.softmax(y)

    class Twin(L.Layer):
        def call(self, x):
            return x * 2.0, tf.reduce_sum(x, -1)

    i = keras.Input((4,))
    _, p = Split()(i)
    t, _ = Twin(name="twin")(i)
    return keras.Model(i, [L.Dense(1)(p), L.Dense(2)(t)])


@model()
def loop_reuse(keras):
    L = keras.layers
    i = keras.Input((6,))
    d, n = L.Dense(6, activation="tanh"), L.LayerNormalization()
    x = i
    for _ in range(3):
        x = L.add([x, n(d(x))])
    return keras.Model(i, L.Dense(1)(x))


@model()
def td_model(keras):
    L = keras.layers
    cnn = keras.Sequential([keras.Input((8, 8, 1)), L.Conv2D(3, 3, activation="relu"), L.GlobalAveragePooling2D()], name="cnn")
    i = keras.Input((5, 8, 8, 1))
    x = L.TimeDistributed(cnn)(i)
    x = L.Bidirectional(L.GRU(4))(x)
    return keras.Model(i, L.Dense(3, activation="softmax")(x))


@model()
def scores_unused(keras):
    L = keras.layers
    q, v = keras.Input((4, 6), name="q"), keras.Input((5, 6), name="v")
    x, _ = L.MultiHeadAttention(2, 3)(q, v, return_attention_scores=True)
    y, _ = L.Attention()([q, v], return_attention_scores=True)
    z, *_ = L.Bidirectional(L.LSTM(3, return_state=True, return_sequences=True))(q)

    class Two(L.Layer):
        def call(self, t):
            return t * 2.0, tf.reduce_sum(t, -1)

    w, _ = Two()(z)
    g, _ = L.GRU(3, return_state=True)(v)
    return keras.Model([q, v], [L.Dense(1)(x), y, w, g])


@model()
def mask_merges(keras):
    L = keras.layers
    a, b = keras.Input((None,), dtype="int32", name="a"), keras.Input((None,), dtype="int32", name="b")
    e = L.Embedding(30, 6, mask_zero=True)
    x, y = e(a), e(b)
    s = L.Add()([x, y])
    c = L.Concatenate()([x, s])
    m = L.Masking(0.0)(c)
    g = L.GRU(5, return_sequences=True)(m)
    p = L.GlobalAveragePooling1D()(g)
    return keras.Model([a, b], L.Dense(2)(p))


@model()
def seq_of_seq_late(keras):
    L = keras.layers
    m = keras.Sequential([keras.Sequential([L.Dense(4), L.Dropout(0.1)]), keras.Sequential([L.Dense(3), L.Dense(2)], name="top")])
    m(np.zeros((2, 5), np.float32))
    return m


@model()
def applications_classes(keras):
    L = keras.layers
    convnext = sys.modules[keras.applications.ConvNeXtTiny.__module__]
    inception = sys.modules[keras.applications.InceptionResNetV2.__module__]
    i = keras.Input((8, 8, 4))
    x = convnext.LayerScale(1e-6, 4)(L.DepthwiseConv2D(3, padding="same")(i))
    x = L.Add()([i, convnext.StochasticDepth(0.1)(x)])
    x = inception.CustomScaleLayer(scale=0.2)([x, L.Conv2D(4, 1)(x)])
    return keras.Model(i, L.Dense(2)(L.GlobalAveragePooling2D()(x)))


@model()
def frozen_inside(keras):
    L = keras.layers
    bi = L.Bidirectional(L.GRU(3, return_sequences=True))
    m = keras.Sequential([keras.Input((5, 4)), bi, L.TimeDistributed(L.Dense(4)), L.Flatten(), L.Dense(1)])
    if keras.__name__ == "keras":  # Keras 2 does not save it
        bi.forward_layer.trainable = False
    m.layers[1].layer.trainable = False
    return m


@model("k3")
def quantized_float8(keras):
    L = keras.layers
    body = keras.Sequential([keras.Input((8,)), L.Dense(8, activation="relu"), L.Dense(8, use_bias=False)], name="body")
    m = keras.Sequential([keras.Input((8,)), body, L.Dropout(0.2), L.Dense(2)], name="outer")
    m.quantize("float8")
    return m


@model("k2")
def discretized(keras):
    L = keras.layers
    a = keras.Input((1,), name="age")
    d = L.Discretization(num_bins=4, output_mode="one_hot")
    d.adapt(np.arange(20.0).reshape(20, 1))
    return keras.Model(a, L.Dense(1)(d(a)))


@model("k3")
def ops_outputs(keras):
    L, ops = keras.layers, keras.ops
    i = keras.Input((6, 8))
    k = ops.argmax(i, axis=-1)
    return keras.Model(i, [ops.top_k(i, 3)[0], ops.repeat(i, 2, axis=1), ops.tile(k, (1, 2)), ops.cast(k, "float32"), ops.moveaxis(i, 1, 2), ops.unstack(i, axis=1)[0],
                           ops.cumsum(i), L.Dense(2)(ops.pad(i, ((0, 0), (1, 2), (0, 0))))])


@model("k2")
def outputs_by_name(keras):
    L = keras.layers
    clip, grid = keras.Input((4, 3), name="clip"), keras.Input((4, 5), name="grid")
    x = L.Dense(2, name="per_frame")(clip)
    x = L.ReLU()(L.Dense(3, name="mid")(x))
    return keras.Model([clip, grid], {"tags": L.Dense(2, name="tags")(x), "grid": L.Flatten()(L.Permute((2, 1))(grid))})


@model()
def merges_alone(keras):
    L = keras.layers
    a, b, c = keras.Input((1, 5), name="a"), keras.Input((4, 1), name="b"), keras.Input((4, 5), name="c")
    x = L.Add()([a, b])
    y = L.Multiply()([x, c])
    z = L.Concatenate(axis=1)([y, c, x])
    u, t = L.Minimum()([a, c]), L.Average()([b, c])
    return keras.Model([a, b, c], [L.dot([L.Flatten()(u), L.Flatten()(t)], axes=1), L.Dot((1, 1))([c, y]), L.Dot((2, 2), normalize=True)([c, z]), L.subtract([x, c])])


@model("k2")
def stack_named(keras):
    L = keras.layers
    return keras.Sequential([L.Embedding(9, 3, input_length=6, mask_zero=True), L.SpatialDropout1D(0.2), L.Flatten(), L.Dense(2), L.ELU(0.5)], name="old")


@model("k2")
def tf_parts(keras):
    L = keras.layers
    i = keras.Input((6, 4))
    x = L.experimental.SyncBatchNormalization()(i)
    y = tf.reduce_mean(x, axis=1)
    z = tf.reshape(y, [-1, 2, 2])
    w = tf.split(z, 2, axis=1)
    return keras.Model(i, [L.Dense(2)(w[0]), tf.cast(y > 0, tf.float32), tf.gather(x, [0, 2], axis=1), tf.stack([y, y], 1), L.ThresholdedReLU(0.5)(y)])


@model()
def shared_several(keras):
    L = keras.layers
    a = keras.Input((8, 3), name="enc_in")
    h, s = L.SimpleRNN(2, return_state=True, return_sequences=True)(a)
    enc = keras.Model(a, [h, s], name="encoder")
    d = L.Dense(2, name="shared_dense")
    ins = [keras.Input((8, 3), name=n) for n in ("one", "two", "three")]
    o = [enc(i) for i in ins]
    y = L.Concatenate(axis=1)([d(x[0]) for x in o])
    return keras.Model(ins, [y, d(L.Average()([x[1] for x in o]))])


@model()
def frozen_whole(keras):
    L = keras.layers
    i = keras.Input((4, 3))
    x = L.Bidirectional(L.LSTM(2, return_sequences=True), trainable=False)(i)
    attention = L.MultiHeadAttention(1, 2)
    x = attention(x, x)
    attention.trainable = False
    stack = keras.Sequential([L.Dense(2), L.Dense(3, trainable=False)])
    x = L.TimeDistributed(stack)(x)
    return keras.Model(i, L.RNN(L.GRUCell(2), trainable=False)(x))


@model()
def own_models_inside(keras):
    L = keras.layers

    class Tower(keras.Model):
        def __init__(self, **kw):
            super().__init__(**kw)
            self.blocks = [L.Dense(3), L.Dense(3, trainable=False)]
            self.head = L.Dense(2, name="head")

        def call(self, x):
            for block in self.blocks:
                x = block(x)
            return self.head(x)

        def get_config(self):
            return {"name": self.name}

    i = keras.Input((4,))
    x = Tower(name="tower")(i)
    return keras.Model(i, L.Dense(1)(x))


@model()
def own_then_again(keras):
    L = keras.layers

    class Twice(L.Layer):
        def call(self, x):
            return x * 2

    i = keras.Input((4,))
    tanh = L.Activation("tanh")
    inner = keras.Sequential([L.Dense(3), Twice()])
    return keras.Model(i, tanh(tanh(inner(Twice()(i)))))


@model("k2")
def compiled_weightless(keras):
    L = keras.layers
    i = keras.Input((4,))
    m = keras.Model(i, [L.ReLU()(i), L.Softmax()(i)])
    m.compile(optimizer="adam", loss="mse")
    m.fit(np.zeros((4, 4)), [np.zeros((4, 4))] * 2, verbose=0)
    return m


@model()
def states_inside(keras):
    L = keras.layers
    a = keras.Input((4, 3))
    x, _, _ = L.LSTM(2, return_state=True, return_sequences=True)(a)
    y = L.Conv1D(2, 2, padding="same")(a)
    inner = keras.Model(a, L.Add()([L.Dense(2)(y), x]))
    i = keras.Input((4, 3))
    return keras.Model(i, L.Flatten()(inner(i)))


@model()
def unused_inputs(keras):
    L = keras.layers
    i, a, b = keras.Input((3,)), keras.Input((2,), name="a"), keras.Input((4,), name="b")
    x = L.Dense(3)(i)
    return keras.Model([i, b, a], L.Dot(axes=1)([x, x]))


@model()
def own_stack_inside(keras):
    L = keras.layers

    class Net(L.Layer):
        def __init__(self, **kw):
            super().__init__(**kw)
            self.net = keras.Sequential([L.Dense(3), L.Dense(3)])

        def call(self, x):
            return self.net(x)

        def get_config(self):
            return {}

    i = keras.Input((3,))
    return keras.Model(i, L.Dense(1)(keras.Sequential([L.Dense(3), Net()])(i)))


@model("k2")
def borrowed_names(keras):
    L = keras.layers

    class Scale(L.Layer):
        def __init__(self, variable, **kw):
            super().__init__(**kw)
            self.scale = tf.Variable(tf.ones((2,)), name=variable)

        def call(self, x):
            return x * self.scale

    i = keras.Input((3, 2))
    x = L.Dense(2, use_bias=False, name="other")(i)
    x = Scale("other/scale", name="residual")(x)
    return keras.Model(i, L.TimeDistributed(L.BatchNormalization(name="norm"), name="steps")(x))


@model("k3")
def plain_variables(keras):
    L = keras.layers

    class Scaled(L.Layer):
        def __init__(self, **kw):
            super().__init__(**kw)
            self.factor = tf.Variable([2.0, 1.0], name="factor")
            self.dense = L.Dense(2)

        def call(self, x):
            return self.dense(x) * self.factor

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.scaled = Scaled()
            self.offset = tf.Variable([1.0, 1.0], name="offset")
            self.steps = tf.Variable(3, dtype=tf.int64, trainable=False)

        def call(self, x):
            return self.scaled(x) + self.offset

    m = Net()
    m(np.zeros((2, 3), np.float32))
    return m


@model()
def called_backwards(keras):
    L = keras.layers

    class GAN(keras.Model):
        def __init__(self):
            super().__init__()
            self.discriminator = keras.Sequential([keras.Input((4,)), L.Dense(2), L.Dense(1)], name="discriminator")
            self.generator = keras.Sequential([keras.Input((2,)), L.Dense(4)], name="generator")

        def call(self, x):
            return self.discriminator(self.generator(x))

    m = GAN()
    m(np.zeros((2, 2), np.float32))
    return m


@model()
def like_embedding(keras):
    L = keras.layers

    class PositionEmbedding(L.Layer):
        def build(self, shape):
            self.positions = self.add_weight(name="embeddings", shape=shape[1:])

        def call(self, x):
            return x + self.positions

    i = keras.Input((3, 2))
    x = PositionEmbedding()(L.Dense(2)(i))
    return keras.Model(i, L.Dense(1)(x))


@model()
def adapted_inside(keras):
    L = keras.layers
    norm = L.Normalization()
    norm.adapt(np.zeros((2, 2), np.float32))
    i = keras.Input((2,))
    x = keras.Sequential([norm, L.ReLU()], name="prepare")(i)
    return keras.Model(i, L.Dense(1)(x))


@model()
def taken_by_loss(keras):
    L = keras.layers

    class Loss(L.Layer):
        def call(self, truth, x):
            self.add_loss(tf.reduce_mean(x) - tf.reduce_mean(truth))
            return x

    i, truth = keras.Input((3,), name="image"), keras.Input((2,), name="label")
    return keras.Model([i, truth], Loss()(truth, L.Dense(2)(L.Dense(3)(i))))


@model()
def wraps_one(keras):
    L = keras.layers

    class ResidualWrapper(keras.Model):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def call(self, x):
            return x + self.model(x)

    m = ResidualWrapper(keras.Sequential([L.Conv1D(3, 2, padding="same"), L.Dense(3)]))
    m(np.zeros((2, 4, 3), np.float32))
    return m


@model()
def attention_of_three(keras):
    L = keras.layers
    q, v, k = keras.Input((3, 2), name="q"), keras.Input((4, 2), name="v"), keras.Input((4, 2), name="k")
    return keras.Model([q, v, k], L.Attention()([L.Dense(2)(q), L.Dense(2)(v), k]))


@model()
def dropouts_in_branches(keras):
    L = keras.layers
    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    x = L.ReLU()(L.Dense(3)(a))
    for n in (4, 3):
        x = L.Dropout(0.2, name=f"drop_{n}")(L.Dense(n, name=f"deep_{n}")(x))
    y = L.Multiply(name="wide")([L.ReLU()(L.Dense(3)(b)), L.Dense(3)(a)])
    return keras.Model([a, b], L.Dense(1)(L.Concatenate()([x, y])))


@model()
def twice_in_turn(keras):
    L = keras.layers
    i = keras.Input((3,))
    d = L.Dense(3, name="shared")
    return keras.Model(i, L.Dense(1)(d(d(i))))


@model()
def subclasses(keras):
    L = keras.layers

    class CausalConv1D(L.Conv1D):
        def __init__(self, *args, **kw):
            super().__init__(*args, padding="causal", **kw)

    class TokenEmbedding(L.Embedding):
        pass

    class FrozenBatchNormalization(L.BatchNormalization):
        def call(self, x):
            return super().call(x, training=False)

    i = keras.Input((6,), dtype="int32")
    x = CausalConv1D(4, 3)(TokenEmbedding(10, 3, name="tokens")(i))
    x = FrozenBatchNormalization()(CausalConv1D(4, 2, name="block_1_conv")(x))
    return keras.Model(i, L.Dense(1)(x))


@model()
def uncalled(keras):
    L = keras.layers

    class Distiller(keras.Model):
        def __init__(self):
            super().__init__()
            i = keras.Input((4,))
            self.teacher = keras.Model(i, L.Dense(2)(L.Dense(8)(i)), name="teacher")
            self.student = L.Dense(2)
            self.aux = L.Dense(6)
            self.aux.build((None, 4))

        def call(self, x):
            return self.student(x)

    m = Distiller()
    m(np.zeros((2, 4), np.float32))
    return m


@model()
def namesakes(keras):
    L = keras.layers

    class Twins(keras.Model):
        def __init__(self):
            super().__init__()
            self.stages = [L.Dense(3, name="fc"), L.Conv1D(4, 2, name="fc"), L.Dense(2, name="fc")]

        def call(self, x):
            for stage in self.stages:
                x = stage(x)
            return x

    m = Twins()
    m(np.zeros((2, 5, 3), np.float32))
    return m


@model()
def spares(keras):
    L = keras.layers

    class Spares(keras.Model):
        def __init__(self):
            super().__init__()
            self.used, self.spare = L.Dense(3), L.Dense(2)
            self.spares = [L.Conv1D(2, 2, name="first"), L.Conv1D(3, 2, name="second")]
            for layer, shape in zip([self.spare, *self.spares], [(None, 3), (None, 5, 3), (None, 5, 3)]):
                layer.build(shape)

        def call(self, x):
            return self.used(x)

    m = Spares()
    m(np.zeros((2, 3), np.float32))
    return m


@model("k2")
def ragged_words(keras):
    L = keras.layers
    i = keras.Input((None,), ragged=True, dtype="int64", name="words")
    return keras.Model(i, L.Dense(1)(L.LSTM(2)(L.Embedding(9, 3)(i))))


@model()
def functions_inside(keras):
    L = keras.layers

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.last = L.Dense(3), L.Dense(2)

        @tf.function
        def body(self, x):
            return tf.math.l2_normalize(self.last(tf.nn.gelu(self.first(x))), -1)

        def call(self, x):
            return self.body(x)

    m = Net()
    m(np.zeros((2, 3), np.float32))
    return m


@model()
def adapted_in_own(keras):
    L = keras.layers
    norm = L.Normalization()
    norm.adapt(np.random.default_rng(0).normal(size=(8, 3)).astype("float32"))

    class Features(keras.Model):
        def __init__(self):
            super().__init__()
            self.norm, self.out = norm, L.Dense(1)

        def call(self, x):
            return self.out(self.norm(x))

    m = Features()
    m(np.zeros((2, 3), np.float32))
    return m


@model()
def stacks_of_own(keras):
    L = keras.layers

    class DenseStack(keras.Sequential):
        def __init__(self, units, **kw):
            super().__init__(**kw)
            self.add(L.Dense(units))
            self.add(L.ReLU())

    i = keras.Input((3,))
    return keras.Model(i, DenseStack(3, name="second")(DenseStack(2)(i)))


@model()
def towers(keras):
    L = keras.layers

    class Tower(keras.Model):
        def __init__(self, **kw):
            super().__init__(**kw)
            self.first, self.second = L.Dense(3), L.Dense(2)

        def call(self, x):
            return tf.math.l2_normalize(self.second(self.first(x)), -1)

    class Retrieval(keras.Model):
        def __init__(self):
            super().__init__()
            self.user, self.item = Tower(name="user"), Tower(name="item")

        def call(self, x):
            return tf.reduce_sum(self.user(x["user_id"]) * self.item(x["item_id"]), -1)

    m = Retrieval()
    m({"user_id": np.zeros((2, 4), np.float32), "item_id": np.zeros((2, 5), np.float32)})
    return m


@model()
def scopes_of_own(keras):
    L = keras.layers

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = L.Dense(3, name="Proj-A"), L.Dense(3, name="proj.b"), L.Dense(2, name="OUT")

        def call(self, x):
            with tf.name_scope("encoder"):
                x = self.a(x)
                with tf.name_scope("deep"):
                    x = self.b(x)
            with tf.name_scope("head"):
                return self.c(x)

    m = Net()
    m(np.zeros((2, 3), np.float32))
    return m


@model()
def unused_results(keras):
    L = keras.layers

    class Three(L.Layer):
        def __init__(self, **kw):
            super().__init__(**kw)
            self.a, self.b, self.c = L.Dense(2), L.Dense(3), L.Dense(4)

        def call(self, x):
            return self.a(x), self.b(x), self.c(x)

    i = keras.Input((5,))
    return keras.Model(i, L.Dense(1)(Three()(i)[1]))


@model()
def branches(keras):
    L = keras.layers

    class Gate(keras.Model):
        def __init__(self):
            super().__init__()
            self.a, self.b = L.Dense(2), L.Dense(2)

        def call(self, x):
            return tf.cond(tf.reduce_sum(x) > 0, lambda: self.a(x), lambda: self.b(x))

    m = Gate()
    m(np.ones((2, 3), np.float32))
    m(np.zeros((2, 3), np.float32))
    return m


@model()
def ties_of_own(keras):
    L = keras.layers

    class Holder(L.Layer):
        def __init__(self, held, **kw):
            super().__init__(**kw)
            self.held = held

        def call(self, x):
            return self.held(x) * 2.0

        def compute_output_shape(self, s):
            return s

        def get_config(self):
            return super().get_config()

    class Head(Holder):
        def build(self, s):
            self.bias = self.add_weight(name="bias", shape=(20,), initializer="zeros")
            super().build(s)

        def call(self, x):
            return tf.matmul(x, self.held.embeddings, transpose_b=True) + self.bias

        def compute_output_shape(self, s):
            return (*s[:-1], 20)

        def get_config(self):
            return {**super().get_config(), "held": keras.layers.serialize(self.held)}

    class Back(Holder):
        def call(self, x):
            return tf.matmul(x, self.held, transpose_b=True)

        def compute_output_shape(self, s):
            return (*s[:-1], 4)

    table, late, cell = L.Embedding(20, 4, name="table"), L.Dense(4, name="late"), L.SimpleRNNCell(4)
    i = keras.Input((7,), dtype="int32")
    x = table(i)
    x = Holder(late, name="holder")(x)
    up = L.Dense(5, name="up")
    x = up(x)
    x = Back(up.kernel, name="back")(x)
    x = L.Dense(4, name="last")(late(x))
    x = L.Add()([L.RNN(cell, return_sequences=True, name="one")(x), L.RNN(cell, return_sequences=True, name="two")(x)])
    return keras.Model(i, Head(table, name="head")(x))


@model()
def nests_of_own(keras):
    L = keras.layers

    class Mlp(keras.Model):
        def __init__(self, n, **kw):
            super().__init__(**kw)
            self.down, self.up = L.Dense(n), L.Dense(3)

        def call(self, x):
            return self.up(self.down(x))

    class Stage(keras.Model):
        def __init__(self, n, **kw):
            super().__init__(**kw)
            self.parts, self.norm = [Mlp(n), Mlp(n)], L.LayerNormalization()

        def call(self, x):
            for p in self.parts:
                x = x + p(x)
            return self.norm(x)

    class Net(keras.Model):
        def __init__(self):
            super().__init__(name="net")
            shared = L.Dense(3, name="shared")
            i = keras.Input((3,))
            self.branch = keras.Model(i, L.Add()([L.Dense(3)(i), shared(i)]), name="branch")
            self.stack = keras.Sequential([shared, L.ReLU(), L.Dense(2)], name="stack")
            self.stages, self.rnn = [Stage(4, name="early"), Stage(5, name="late")], L.Bidirectional(L.GRU(2))

        def call(self, x):
            for s in self.stages:
                x = s(x)
            x = self.stack(self.branch(x))
            return self.rnn(x[:, None])

    m = Net()
    m(np.zeros((2, 3), np.float32))
    return m


@model()
def made_by_init(keras):
    L = keras.layers

    class Regressor(keras.Model):
        def __init__(self, units=4, **kw):
            i = keras.Input((6,))
            x = L.Dense(units)(i)
            super().__init__(inputs=i, outputs=L.Dense(1)(x * 2.0 + x), **kw)
            self.units = units

        def get_config(self):
            return {"units": self.units}

    return Regressor()


@model()
def held_before(keras):
    L = keras.layers

    class Holder(L.Layer):
        def __init__(self, held, **kw):
            super().__init__(**kw)
            self.held = held

        def call(self, x):
            return self.held(x)

    late, i = L.Dense(4, name="late"), keras.Input((4,))
    x = L.Dense(4, name="up")(Holder(late, name="holder")(i))
    return keras.Model(i, L.Dense(1)(late(x)))


@model("k3")
def plain_namesakes(keras):
    L = keras.layers

    class Scale(L.Layer):
        def __init__(self, size, called, **kw):
            super().__init__(**kw)
            self.factor = tf.Variable(tf.ones(size), name=called)

        def call(self, x):
            return tf.matmul(x, self.factor)

    i = keras.Input((3,))
    x = L.Dense(3)(Scale((3, 3), "dense/kernel", name="before")(i))
    return keras.Model(i, L.Dense(2)(Scale((3, 4), "dense/kernel", name="after")(x)))


@model()
def in_branches(keras):
    L = keras.layers

    class Gate(keras.Model):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c, self.d = L.Dense(3), L.Dense(3, use_bias=False), L.Dense(3), L.Dense(2)
            self.c.build((None, 3))

        def call(self, x):
            x = tf.cond(tf.reduce_sum(x) > 0, lambda: self.a(x), lambda: self.b(x))
            x = tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, self.c(x)), [0, x])[1]
            return self.d(tf.ensure_shape(x, (None, 3)))

    m = Gate()
    m(np.ones((2, 3), np.float32))
    m(np.zeros((2, 3), np.float32))
    return m


@model()
def shared_in_stack(keras):
    L = keras.layers
    shared = L.Dense(4, name="shared")
    stack = keras.Sequential([shared, L.Dense(3)], name="stack")
    i = keras.Input((4,))
    return keras.Model(i, L.Concatenate()([stack(i), shared(i)]))


@model("k3")
def tied_head(keras):
    L = keras.layers

    class MaskedHead(L.Layer):
        def __init__(self, table, **kw):
            super().__init__(**kw)
            self.table = table

        def build(self, s):
            self.dense = L.Dense(s[-1], name="dense")
            self.dense.build(s)
            self.bias = self.add_weight(name="bias", shape=(20,), initializer="zeros")

        def call(self, x):
            return self.table(self.dense(x), reverse=True) + self.bias

        def get_config(self):
            return {**super().get_config(), "table": keras.layers.serialize(self.table)}

    i, table = keras.Input((7,), dtype="int32"), L.ReversibleEmbedding(20, 4, name="token_embedding")
    backbone = keras.Model(i, L.Dense(4)(table(i)), name="backbone")
    return keras.Model(backbone.input, MaskedHead(table, name="mlm_head")(backbone(backbone.input)))


@model()
def saved_without_config(keras):
    """Layers whose constructor takes more than their get_config gives: Keras 2 notes no config of them."""
    L = keras.layers

    class Block(L.Layer):
        def __init__(self, units):
            super().__init__()
            self.dense = L.Dense(units)

        def call(self, x):
            return self.dense(x)

    class Gate(L.Layer):
        def __init__(self, by, **kw):
            super().__init__(**kw)
            self.by = by

        def call(self, x):
            return x * self.by

    inner = keras.Sequential([Block(5), Gate(2.0, name="inner_gate"), Block(6)], name="inner")
    return keras.Sequential([keras.Input((4,)), Block(3), inner])


@model()
def names_left_out(keras):
    """Layers whose get_config leaves the name out, of which one has a name of its own."""
    L = keras.layers

    class Scaled(L.Layer):
        def __init__(self, units=2, **kw):
            super().__init__(**kw)
            self.dense = L.Dense(units)

        def call(self, x):
            return self.dense(x)

        def get_config(self):
            return {"units": self.dense.units}

    inner = keras.Sequential([Scaled(5), Scaled(6, name="second"), Scaled(7)], name="inner")
    return keras.Sequential([keras.Input((4,)), L.Dense(4), inner])


@model()
def named_by_function(keras):
    """Activations called after their functions, two of which are default names of classes."""
    L = keras.layers
    i = x = keras.Input((4,))
    for name in ("elu", "relu", "tanh", "softmax"):
        x = L.Activation(name, name=name)(L.Dense(3)(x))
    return keras.Model(i, x)


@model("k2")
def first_call(keras):
    """A stack that was given no input: Keras 2 prints the batch size of its first call."""
    m = keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(2)])
    m(np.zeros((32, 4), np.float32))
    return m


@model("k2")
def relaxed_stack(keras):
    """A stack without an input that is called on images of two sizes: Keras 2 opens what differs."""
    stack = keras.Sequential([keras.layers.Conv2D(2, 3, padding="same")], name="stack")
    stack(np.zeros((1, 8, 6, 1), np.float32))
    i = keras.Input((8, 8, 1))
    return keras.Model(i, keras.layers.Flatten()(stack(i)))


@model()
def fixed_batch_signature(keras):
    """A model that is saved with a signature of one batch size, as people do for TensorFlow Lite."""
    i = keras.Input((8, 2))
    m = keras.Model(i, keras.layers.Dense(2)(keras.layers.Conv1D(3, 3)(i)))
    m.signature = tf.function(lambda x: m(x)).get_concrete_function(tf.TensorSpec((1, 8, 2), tf.float32))
    return m


@model()
def own_signature(keras):
    """A model that is saved with a function of one's own, whose argument has another name than its input."""
    i = keras.Input((8, 2), name="tokens")
    m = keras.Model(i, keras.layers.Dense(2)(keras.layers.Conv1D(3, 3)(i)))
    m.signature = tf.function(lambda data: {"scores": m(data)}).get_concrete_function(tf.TensorSpec((None, 8, 2), tf.float32))
    return m


@model()
def added_positions(keras):
    """Positions that are added to rows: the batch axis is as long as there are positions."""
    i = keras.Input((4,))
    x = keras.layers.Add()([keras.layers.Dense(3)(i), tf.ones((5, 3))])
    return keras.Model(i, keras.layers.Dense(2)(x))


@model()
def called_as_layers(keras):
    """Models in a model that bear default names of layers: of one that holds such a layer, and of one that holds none."""
    L = keras.layers
    i = keras.Input((4,))
    first = keras.Model(i, L.LayerNormalization()(L.Dense(5)(i)), name="dense_1")
    j = keras.Input((5,))
    second = keras.Model(j, L.Dense(3, name="inner")(j), name="activation")
    x = keras.Input((4,))
    return keras.Model(x, L.Dense(2, name="head")(second(first(x))))


@model("k2")
def stack_called_model(keras):
    """A stack that is called as Keras 2 calls models of inputs and outputs."""
    L = keras.layers
    return keras.Sequential([keras.Input((4,)), L.Dense(5), L.Activation("tanh"), L.Dense(2)], name="model")
