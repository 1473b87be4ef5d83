#!/usr/bin/env python3
"""make_tables.py writes Keras models as people write them, in each form in which Keras saves a
SavedModel, with Keras' own table beside it.

    python make_tables.py FOLDER [NAME,…]

writes FOLDER/NAME__FORM/model and FOLDER/NAME__FORM/expect.json (summary_rows, totals, connected,
form), where FORM is k3export (model.export of Keras 3), k3save (tf.saved_model.save of it), k2save
(model.save of tf_keras), k2export, or k3keras, k3h5, k2keras, k2h5 (model.keras and model.h5).
FORMS=k3export,k2h5 picks. `make tables` with TFRUN_MODELS=FOLDER compares. Layers are tiny: the
tables do not depend on that. With SMALL=1 only what tables are made of is kept, of small models.
With AT=1 each model is run on inputs of a few sizes, for at most 20 seconds, and expect.json has the
shapes that came out of its layers too (at), for TestAtOfModels of savedmodel/sizes.
Those in this folder were written so by TensorFlow 2.21.
"""

import ast
import json
import os
import random
import re
import shutil
import sys
import time
import traceback

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", COLUMNS="700")
import keras as keras3  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf_keras as keras2  # noqa: E402

from more_models import MODELS, model  # noqa: E402


# ---- models: each takes the module keras, and returns a model that has been called

@model()
def mlp(keras):
    L = keras.layers
    x = i = keras.Input((8,))
    for n in (16, 8):
        x = L.Dense(n, activation="relu")(x)
        x = L.BatchNormalization()(x)
        x = L.Dropout(0.3)(x)
    return keras.Model(i, L.Dense(3, activation="softmax")(x))


@model()
def mnist_sequential(keras):
    L = keras.layers
    return keras.Sequential([
        keras.Input((12, 12, 1)), L.Conv2D(4, 3, activation="relu"), L.MaxPooling2D(2), L.Conv2D(8, 3, activation="relu"), L.Flatten(),
        L.Dropout(0.5), L.Dense(10, activation="softmax")])


@model()
def cats_and_dogs(keras):
    L = keras.layers
    i = keras.Input((16, 16, 3))
    x = L.Rescaling(1.0 / 255)(i)
    x = L.Conv2D(4, 3, strides=2, padding="same")(x)
    x = L.BatchNormalization()(x)
    x = L.Activation("relu")(x)
    previous = x
    for size in (4, 8):
        x = L.Activation("relu")(x)
        x = L.SeparableConv2D(size, 3, padding="same")(x)
        x = L.BatchNormalization()(x)
        x = L.MaxPooling2D(3, strides=2, padding="same")(x)
        x = L.add([x, L.Conv2D(size, 1, strides=2, padding="same")(previous)])
        previous = x
    x = L.GlobalAveragePooling2D()(x)
    x = L.Dropout(0.25)(x)
    return keras.Model(i, L.Dense(1, activation=None)(x))


@model()
def resnet_named(keras):
    L = keras.layers
    i = keras.Input((16, 16, 3), name="image")
    x = L.ZeroPadding2D(3, name="conv1_pad")(i)
    x = L.Conv2D(8, 7, strides=2, name="conv1_conv")(x)
    x = L.BatchNormalization(name="conv1_bn")(x)
    x = L.Activation("relu", name="conv1_relu")(x)
    x = L.MaxPooling2D(3, 2, name="pool1_pool")(x)
    for b in (1, 2):
        y = L.Conv2D(8, 3, padding="same", name=f"conv2_block{b}_1_conv")(x)
        y = L.BatchNormalization(name=f"conv2_block{b}_1_bn")(y)
        y = L.Activation("relu", name=f"conv2_block{b}_1_relu")(y)
        x = L.Add(name=f"conv2_block{b}_add")([x, y])
        x = L.Activation("relu", name=f"conv2_block{b}_out")(x)
    x = L.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(i, L.Dense(5, activation="softmax", name="predictions")(x), name="resnet")


@model()
def squeeze_excite(keras):
    L = keras.layers
    i = keras.Input((8, 8, 3))
    x = L.Conv2D(4, 3, padding="same", activation="swish")(i)
    x = L.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = L.BatchNormalization()(x)
    x = L.Activation("swish")(x)
    s = L.GlobalAveragePooling2D()(x)
    s = L.Reshape((1, 1, 4))(s)
    s = L.Conv2D(1, 1, activation="swish")(s)
    s = L.Conv2D(4, 1, activation="sigmoid")(s)
    x = L.multiply([x, s])
    x = L.Dropout(0.2)(x)
    x = L.GlobalMaxPooling2D()(x)
    return keras.Model(i, L.Dense(2)(x))


@model()
def densenet(keras):
    L = keras.layers
    x = i = keras.Input((8, 8, 2))
    for _ in range(3):
        y = L.BatchNormalization()(x)
        y = L.ReLU()(y)
        y = L.Conv2D(2, 3, padding="same")(y)
        x = L.Concatenate()([x, y])
    x = L.AveragePooling2D(2)(x)
    return keras.Model(i, L.Dense(2)(L.Flatten()(x)))


@model()
def inception(keras):
    L = keras.layers
    i = keras.Input((8, 8, 3))
    a = L.Conv2D(2, 1, activation="relu")(i)
    b = L.Conv2D(3, 3, padding="same", activation="relu")(L.Conv2D(2, 1, activation="relu")(i))
    c = L.Conv2D(2, 1, activation="relu")(L.MaxPooling2D(3, strides=1, padding="same")(i))
    x = L.concatenate([a, b, c])
    return keras.Model(i, [L.GlobalAveragePooling2D(name="pooled")(x), L.Dense(2, name="head")(L.Flatten()(x))])


@model()
def unet(keras):
    L = keras.layers
    i = keras.Input((16, 16, 1))
    skips, x = [], i
    for n in (2, 4):
        x = L.Conv2D(n, 3, padding="same", activation="relu")(x)
        x = L.Dropout(0.1)(x)
        x = L.Conv2D(n, 3, padding="same", activation="relu")(x)
        skips.append(x)
        x = L.MaxPooling2D()(x)
    x = L.Conv2D(8, 3, padding="same", activation="relu")(x)
    for n in (4, 2):
        x = L.Conv2DTranspose(n, 2, strides=2, padding="same")(x)
        x = L.concatenate([x, skips.pop()])
        x = L.Conv2D(n, 3, padding="same", activation="relu")(x)
    return keras.Model(i, L.Conv2D(1, 1, activation="sigmoid")(x))


@model()
def imdb_lstm(keras):
    L = keras.layers
    return keras.Sequential([keras.Input((None,), dtype="int32"), L.Embedding(50, 4), L.Bidirectional(L.LSTM(3, return_sequences=True)),
                             L.Bidirectional(L.LSTM(3)), L.Dense(4, activation="relu"), L.Dropout(0.5), L.Dense(1)])


@model()
def gru_masked(keras):
    L = keras.layers
    i = keras.Input((None,), dtype="int64", name="tokens")
    x = L.Embedding(30, 4, mask_zero=True)(i)
    x = L.SpatialDropout1D(0.2)(x)
    x = L.GRU(5, dropout=0.1)(x)
    return keras.Model(i, L.Dense(1, activation="sigmoid")(x))


@model()
def seq2seq(keras):
    L = keras.layers
    encoder = keras.Input((None, 5))
    _, h, c = L.LSTM(4, return_state=True)(encoder)
    decoder = keras.Input((None, 6))
    out, _, _ = L.LSTM(4, return_sequences=True, return_state=True)(decoder, initial_state=[h, c])
    return keras.Model([encoder, decoder], L.Dense(6, activation="softmax")(out))


@model()
def text_transformer(keras):
    L = keras.layers

    class TokenAndPositionEmbedding(L.Layer):
        def __init__(self, maxlen, vocab, dim, **kw):
            super().__init__(**kw)
            self.token_emb = L.Embedding(vocab, dim)
            self.pos_emb = L.Embedding(maxlen, dim)
            self.maxlen = maxlen

        def call(self, x):
            return self.token_emb(x) + self.pos_emb(tf.range(0, self.maxlen))

    class TransformerBlock(L.Layer):
        def __init__(self, dim, heads, **kw):
            super().__init__(**kw)
            self.att = L.MultiHeadAttention(heads, dim)
            self.ffn = keras.Sequential([L.Dense(6, activation="relu"), L.Dense(dim)])
            self.layernorm1, self.layernorm2 = L.LayerNormalization(epsilon=1e-6), L.LayerNormalization(epsilon=1e-6)
            self.dropout1, self.dropout2 = L.Dropout(0.1), L.Dropout(0.1)

        def call(self, x, training=False):
            y = self.layernorm1(x + self.dropout1(self.att(x, x), training=training))
            return self.layernorm2(y + self.dropout2(self.ffn(y), training=training))

    i = keras.Input((7,))
    x = TokenAndPositionEmbedding(7, 20, 4)(i)
    x = TransformerBlock(4, 2)(x)
    x = L.GlobalAveragePooling1D()(x)
    x = L.Dropout(0.1)(x)
    x = L.Dense(5, activation="relu")(x)
    return keras.Model(i, L.Dense(2, activation="softmax")(x))


@model()
def timeseries_transformer(keras):
    L = keras.layers
    x = i = keras.Input((10, 1))
    for _ in range(2):
        y = L.MultiHeadAttention(key_dim=3, num_heads=2, dropout=0.1)(x, x)
        y = L.Dropout(0.1)(y)
        y = L.LayerNormalization(epsilon=1e-6)(y)
        r = y + x if keras is keras2 else L.Add()([y, x])
        y = L.Conv1D(4, 1, activation="relu")(r)
        y = L.Conv1D(1, 1)(y)
        x = L.Add()([y, r])
    x = L.GlobalAveragePooling1D(data_format="channels_last")(x)
    return keras.Model(i, L.Dense(2)(x))


@model()
def autoencoder_subclass(keras):
    L = keras.layers

    class Autoencoder(keras.Model):
        def __init__(self):
            super().__init__()
            self.encoder = keras.Sequential([L.Dense(4, activation="relu"), L.Dense(2)])
            self.decoder = keras.Sequential([L.Dense(4, activation="relu"), L.Dense(6, activation="sigmoid")])

        def call(self, x):
            return self.decoder(self.encoder(x))

    m = Autoencoder()
    m(np.zeros((2, 6), np.float32))
    return m


@model()
def mlp_subclass(keras):
    L = keras.layers

    class MyModel(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv1 = L.Conv2D(3, 3, activation="relu")
            self.flatten = L.Flatten()
            self.d1 = L.Dense(4, activation="relu")
            self.drop = L.Dropout(0.2)
            self.d2 = L.Dense(2)

        def call(self, x, training=False):
            return self.d2(self.drop(self.d1(self.flatten(self.conv1(x))), training=training))

    m = MyModel()
    m(np.zeros((2, 6, 6, 1), np.float32))
    return m


@model()
def siamese(keras):
    L = keras.layers
    a, b = keras.Input((6,), name="left"), keras.Input((6,), name="right")
    tower = keras.Sequential([L.Dense(4, activation="relu"), L.Dense(3)], name="tower")
    d = L.Subtract()([tower(a), tower(b)])
    return keras.Model([a, b], L.Dense(1, activation="sigmoid")(d))


@model()
def shared_embedding(keras):
    L = keras.layers
    a, b = keras.Input((5,), dtype="int32", name="query"), keras.Input((7,), dtype="int32", name="doc")
    emb = L.Embedding(20, 4)
    pool = L.GlobalAveragePooling1D()
    return keras.Model([a, b], L.Dot(axes=1, normalize=True)([pool(emb(a)), pool(emb(b))]))


@model()
def matrix_factorization(keras):
    L = keras.layers
    user, item = keras.Input((1,), name="user"), keras.Input((1,), name="item")
    u = L.Flatten()(L.Embedding(10, 3, name="user_embedding")(user))
    v = L.Flatten()(L.Embedding(12, 3, name="item_embedding")(item))
    bias = L.Flatten()(L.Embedding(12, 1)(item))
    x = L.Add()([L.Dot(axes=1)([u, v]), bias])
    return keras.Model([user, item], L.Activation("sigmoid")(x))


@model()
def wide_deep_dict(keras):
    L = keras.layers
    inputs = {"age": keras.Input((1,), name="age"), "income": keras.Input((1,), name="income"), "zip": keras.Input((1,), dtype="int32", name="zip")}
    z = L.Flatten()(L.Embedding(9, 2)(inputs["zip"]))
    wide = L.concatenate([inputs["age"], inputs["income"]])
    deep = L.Dense(4, activation="relu")(L.concatenate([wide, z]))
    return keras.Model(inputs, {"score": L.Dense(1, name="score")(L.concatenate([wide, deep]))})


@model()
def augmented(keras):
    L = keras.layers
    augment = keras.Sequential([L.RandomFlip("horizontal"), L.RandomRotation(0.1), L.RandomZoom(0.1)])
    i = keras.Input((8, 8, 3))
    x = augment(i)
    x = L.Rescaling(1.0 / 127.5, offset=-1)(x)
    x = L.Conv2D(3, 3, activation="relu")(x)
    x = L.Flatten()(x)
    return keras.Model(i, L.Dense(2)(x))


@model()
def tabular(keras):
    L = keras.layers
    num, cat = keras.Input((2,), name="num"), keras.Input((1,), dtype="string", name="cat")
    norm = L.Normalization()
    norm.adapt(np.random.default_rng(0).normal(size=(8, 2)).astype("float32"))
    look = L.StringLookup(vocabulary=["a", "b", "c"])
    one = L.CategoryEncoding(num_tokens=look.vocabulary_size(), output_mode="one_hot")
    x = L.concatenate([norm(num), one(look(cat))])
    return keras.Model([num, cat], L.Dense(1)(L.Dense(4, activation="relu")(x)))


@model()
def text_vectorization(keras):
    L = keras.layers
    vec = L.TextVectorization(max_tokens=20, output_sequence_length=6)
    vec.adapt(["the cat sat", "on the mat"])
    i = keras.Input((1,), dtype="string")
    x = L.Embedding(20, 4)(vec(i))
    return keras.Model(i, L.Dense(1)(L.GlobalMaxPooling1D()(x)))


@model()
def buckets(keras):
    L = keras.layers
    a, b = keras.Input((1,), name="a"), keras.Input((1,), dtype="int32", name="b")
    x = L.Discretization(bin_boundaries=[0.0, 1.0, 2.0], output_mode="one_hot")(a)
    y = L.Hashing(num_bins=4, output_mode="one_hot")(b)
    return keras.Model([a, b], L.Dense(1)(L.concatenate([x, y])))


@model()
def wavenet(keras):
    L = keras.layers
    i = keras.Input((None, 2))
    x = L.Conv1D(4, 2, padding="causal")(i)
    for rate in (1, 2, 4):
        y = L.Conv1D(4, 2, padding="causal", dilation_rate=rate, activation="tanh")(x)
        g = L.Conv1D(4, 2, padding="causal", dilation_rate=rate, activation="sigmoid")(x)
        z = L.Conv1D(4, 1)(L.Multiply()([y, g]))
        x = L.Add()([x, z])
    return keras.Model(i, L.Conv1D(1, 1)(L.ReLU()(x)))


@model()
def convlstm(keras):
    L = keras.layers
    i = keras.Input((None, 8, 8, 1))
    x = L.ConvLSTM2D(2, 3, padding="same", return_sequences=True)(i)
    x = L.BatchNormalization()(x)
    x = L.ConvLSTM2D(2, 3, padding="same", return_sequences=True)(x)
    return keras.Model(i, L.Conv3D(1, 3, activation="sigmoid", padding="same")(x))


@model()
def cnn_lstm(keras):
    L = keras.layers
    cnn = keras.Sequential([keras.Input((8, 8, 1)), L.Conv2D(2, 3), L.GlobalAveragePooling2D()])
    return keras.Sequential([keras.Input((4, 8, 8, 1)), L.TimeDistributed(cnn), L.LSTM(3), L.Dense(2)])


@model("k3")
def ops_functional(keras):
    L, ops = keras.layers, keras.ops
    i = keras.Input((4,))
    x = L.Dense(4)(i)
    y = ops.gelu(x) + ops.mean(x, axis=-1, keepdims=True)
    y = ops.clip(y, 0, 1) * 2
    y = ops.concatenate([y, ops.silu(x)], axis=-1)
    return keras.Model(i, L.Dense(1)(ops.reshape(y, (-1, 8))))


@model("k3")
def ops_scaled(keras):
    L, ops = keras.layers, keras.ops
    i = keras.Input((4, 3))
    x = L.Dense(3)(i)
    x = ops.softmax(ops.matmul(x, ops.transpose(x, (0, 2, 1))))
    return keras.Model(i, ops.sum(x, axis=1))


@model("k2")
def tf_ops(keras):
    L = keras.layers
    i = keras.Input((4,))
    x = L.Dense(4)(i)
    y = tf.nn.relu(x) * 2.0 + tf.reduce_mean(x, axis=-1, keepdims=True)
    y = tf.concat([y, x[:, :2]], axis=-1)
    return keras.Model(i, L.Dense(1)(tf.reshape(y, (-1, 6))))


@model()
def lambdas(keras):
    L = keras.layers
    i = keras.Input((4,))
    x = L.Lambda(lambda t: t * 2.0, output_shape=(4,))(i)
    x = L.Dense(3, name="fc")(x)
    return keras.Model(i, L.Lambda(lambda t: tf.nn.l2_normalize(t, axis=-1), output_shape=(3,), name="unit")(x))


@model()
def vae(keras):
    L = keras.layers

    class Sampling(L.Layer):
        def call(self, inputs):
            mean, log_var = inputs
            return mean + tf.exp(0.5 * log_var) * tf.random.normal(tf.shape(mean))

    i = keras.Input((6,))
    x = L.Dense(4, activation="relu")(i)
    mean, log_var = L.Dense(2, name="z_mean")(x), L.Dense(2, name="z_log_var")(x)
    return keras.Model(i, [mean, log_var, Sampling()([mean, log_var])], name="encoder")


@model()
def gan_generator(keras):
    L = keras.layers
    return keras.Sequential([
        keras.Input((5,)), L.Dense(2 * 2 * 4, use_bias=False), L.BatchNormalization(), L.LeakyReLU(), L.Reshape((2, 2, 4)),
        L.Conv2DTranspose(2, 5, strides=1, padding="same", use_bias=False), L.BatchNormalization(), L.LeakyReLU(),
        L.Conv2DTranspose(1, 5, strides=2, padding="same", use_bias=False, activation="tanh")], name="generator")


@model()
def luong(keras):
    L = keras.layers
    q, v = keras.Input((None, 4), name="q"), keras.Input((None, 4), name="v")
    a = L.Attention()([q, v])
    b = L.AdditiveAttention()([q, v])
    x = L.Concatenate()([L.GlobalAveragePooling1D()(a), L.GlobalAveragePooling1D()(b)])
    return keras.Model([q, v], L.Dense(1)(x))


@model()
def nested_twice(keras):
    L = keras.layers
    a = keras.Input((4,))
    inner = keras.Model(a, L.Dense(3)(L.Dense(4, activation="relu")(a)))
    x, y = keras.Input((4,)), keras.Input((4,))
    return keras.Model([x, y], L.Average()([inner(x), inner(y)]))


@model()
def feature_extractor(keras):
    L = keras.layers
    i = keras.Input((8, 8, 3))
    x = L.Conv2D(3, 3, name="block1_conv1")(i)
    x = L.MaxPooling2D(name="block1_pool")(x)
    x = L.Conv2D(3, 3, name="block2_conv1")(x)
    base = keras.Model(i, x, name="vgg")
    base.trainable = False
    j = keras.Input((8, 8, 3))
    y = base(j, training=False)
    y = L.GlobalAveragePooling2D()(y)
    y = L.Dropout(0.2)(y)
    return keras.Model(j, L.Dense(1)(y))


@model()
def reuses_parent(keras):
    L = keras.layers
    i = keras.Input((6,))
    d = L.Dense(4, name="shared")
    inner = keras.Model(i, d(i), name="inner")
    j = keras.Input((6,))
    return keras.Model(j, L.Add()([d(j), inner(j)]))


@model()
def two_lengths(keras):
    L = keras.layers
    a, b = keras.Input((3, 4), name="a"), keras.Input((5, 4), name="b")
    conv = L.Conv1D(2, 2)
    f = L.Flatten()
    return keras.Model([a, b], L.Concatenate()([f(conv(a)), f(conv(b))]))


@model()
def deferred(keras):
    L = keras.layers
    m = keras.Sequential([L.Dense(4, activation="relu"), L.Dropout(0.1), L.Dense(2)])
    m(np.zeros((3, 5), np.float32))
    return m


@model()
def conv_bn_block(keras):
    L = keras.layers

    class ConvBlock(L.Layer):
        def __init__(self, n, **kw):
            super().__init__(**kw)
            self.conv, self.bn, self.act = L.Conv2D(n, 3, use_bias=False), L.BatchNormalization(), L.ReLU()

        def call(self, x):
            return self.act(self.bn(self.conv(x)))

    i = keras.Input((10, 10, 3))
    x = ConvBlock(3)(i)
    x = ConvBlock(4, name="second")(x)
    return keras.Model(i, L.Dense(1)(L.GlobalAveragePooling2D()(x)))


@model()
def linear_layers(keras):
    L = keras.layers

    class Linear(L.Layer):
        def __init__(self, units, **kw):
            super().__init__(**kw)
            self.units = units

        def build(self, shape):
            self.w = self.add_weight(name="kernel", shape=(shape[-1], self.units))
            self.b = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")

        def call(self, x):
            return tf.matmul(x, self.w) + self.b

    i = keras.Input((4,))
    x = L.ReLU()(Linear(5)(i))
    return keras.Model(i, Linear(2, name="out")(x))


@model()
def scoped(keras):
    L = keras.layers

    class Residual(L.Layer):
        def __init__(self, **kw):
            super().__init__(**kw)
            self.a, self.b = L.Dense(4, activation="relu"), L.Dense(4)
            self.drop = L.Dropout(0.3)

        def call(self, x, training=False):
            with tf.name_scope("main"):
                return x + self.drop(self.b(self.a(x)), training=training)

    i = keras.Input((4,))
    return keras.Model(i, L.Dense(1)(Residual()(Residual()(i))))


@model()
def own_train_step(keras):
    L = keras.layers

    class CustomModel(keras.Model):
        pass

    i = keras.Input((4,))
    return CustomModel(i, L.Dense(1)(L.Dense(3, activation="relu")(i)))


@model()
def compiled_fit(keras):
    L = keras.layers
    m = keras.Sequential([keras.Input((4,)), L.Dense(3, activation="relu"), L.Dense(1)])
    m.compile(optimizer="adam", loss="mse", metrics=["mae"])
    m.fit(np.zeros((8, 4)), np.zeros((8, 1)), verbose=0)
    return m


@model()
def norms(keras):
    L = keras.layers
    i = keras.Input((6, 6, 4))
    x = L.GroupNormalization(groups=2)(i)
    x = L.LayerNormalization()(x)
    x = L.UnitNormalization()(x)
    x = L.PReLU(shared_axes=[1, 2])(x)
    x = L.ELU()(x)
    return keras.Model(i, L.Softmax()(L.Flatten()(x)))


@model()
def resizes(keras):
    L = keras.layers
    i = keras.Input((6, 6, 2))
    x = L.UpSampling2D(2)(i)
    x = L.Cropping2D(1)(x)
    x = L.ZeroPadding2D(2)(x)
    x = L.Resizing(7, 7)(x)
    x = L.Permute((2, 1, 3))(x)
    x = L.Reshape((7, 14))(x)
    x = L.UpSampling1D(3)(x)
    return keras.Model(i, L.GlobalMaxPooling1D()(L.RepeatVector(2)(L.Dense(3)(L.Flatten()(x)))))


@model()
def stacked_cells(keras):
    L = keras.layers
    i = keras.Input((5, 3))
    x = L.RNN([L.LSTMCell(4), L.LSTMCell(2)], return_sequences=True)(i)
    x = L.SimpleRNN(3)(x)
    return keras.Model(i, L.Dense(1)(x))


@model("k2")
def cell_as_layer(keras):
    L = keras.layers
    i = keras.Input((3,))
    out, states = L.GRUCell(4)(i, [L.Dense(4)(i)])
    return keras.Model(i, L.Add()([out, L.Dense(4)(states[0])]))


@model("k2")
def metric_in_layer(keras):
    L = keras.layers

    class Watched(L.Layer):
        def __init__(self, **kw):
            super().__init__(**kw)
            self.dense, self.mean = L.Dense(2), keras.metrics.Mean()

        def call(self, x):
            return self.dense(x)

    i = keras.Input((3,))
    return keras.Model(i, L.Dense(1)(Watched()(i)))


@model()
def super_resolution(keras):
    L = keras.layers
    i = keras.Input((None, None, 1))
    x = L.Conv2D(4, 3, padding="same", activation="relu")(i)
    x = L.Conv2D(4, 3, padding="same")(x)
    return keras.Model(i, L.Lambda(lambda t: tf.nn.depth_to_space(t, 2), output_shape=(None, None, 1))(x))


@model()
def identities(keras):
    L = keras.layers
    i = keras.Input((4,))
    x = L.Dense(4)(i)
    y = L.Activation("linear")(x)
    y = L.Dropout(0.0)(y)
    return keras.Model(i, L.Dense(2)(L.Add()([x, y])))


@model()
def attention_pool(keras):
    L = keras.layers
    i = keras.Input((5, 4))
    score = L.Dense(1, activation="tanh")(i)
    weights = L.Softmax(axis=1)(score)
    x = L.Multiply()([i, weights])
    x = L.GlobalAveragePooling1D()(x)
    return keras.Model(i, L.Dense(2)(x))


@model()
def multi_task(keras):
    L = keras.layers
    title, body = keras.Input((None,), name="title", dtype="int32"), keras.Input((None,), name="body", dtype="int32")
    tags = keras.Input((3,), name="tags")
    t = L.LSTM(3)(L.Embedding(20, 4)(title))
    b = L.LSTM(2)(L.Embedding(20, 4)(body))
    x = L.concatenate([t, b, tags])
    return keras.Model([title, body, tags], [L.Dense(1, name="priority")(x), L.Dense(4, name="department")(x)])


# ---- Keras' own table

def block_of_both(keras, name):
    """A nested model that stands in another, and beside that, with a BatchNormalization that nobody trained."""
    L = keras.layers
    block = keras.Sequential([keras.Input((6,)), L.Dense(6, name="dense"), L.BatchNormalization(name="norm")], name="block")
    i = keras.Input((6,))
    inner = keras.Model(i, block(block(i)), name="inner")
    j = keras.Input((6,))
    return keras.Model(j, block(inner(inner(j))), name=name)


@model()
def block_twice(keras):
    return block_of_both(keras, "twice")


@model()
def block_twice_in_stack(keras):
    return keras.Sequential([keras.Input((6,)), block_of_both(keras, "left"), block_of_both(keras, "right")])


@model()
def block_before(keras):
    L = keras.layers
    block = keras.Sequential([keras.Input((6,)), L.BatchNormalization()], name="block")
    i = keras.Input((6,))
    x = block(i)
    j = keras.Input((6,))
    return keras.Model(i, keras.Model(j, block(j), name="inner")(x))


@model()
def layers_again(keras):
    L = keras.layers
    block = keras.Sequential([keras.Input((6,)), L.Dense(6), L.BatchNormalization()], name="block")
    i = keras.Input((6,))
    x = block(i)
    for layer in block.layers[-2:]:
        x = layer(x)
    return keras.Model(i, x)


@model()
def thawed_inside(keras):
    """A layer that is trained by itself, in a model that is frozen, in another."""
    L = keras.layers
    block = keras.Sequential([keras.Input((6,)), L.Dense(6), L.Dense(4)], name="block")
    i = keras.Input((6,))
    outer = keras.Model(i, L.Dense(3)(block(i)), name="outer")
    outer.trainable = False
    block.trainable = True
    j = keras.Input((6,))
    return keras.Model(j, L.Dense(2)(outer(j)))


@model()
def thawed_whole(keras):
    m = keras.Sequential([keras.Input((6,)), keras.layers.Dense(6), keras.layers.Dense(4)])
    m.trainable = False
    m.layers[0].trainable = True
    return m


def shape_of(text):
    text = text.strip()
    if not re.match(r"^[\[({]", text):
        return text or "?"
    try:
        value = ast.literal_eval("(None,)" if text == "(None)" else text)
    except (ValueError, SyntaxError):
        return text
    if isinstance(value, dict):
        value = list(value.values())
    plain = lambda v: [plain(x) for x in v] if isinstance(v, (tuple, list)) else v
    value = plain(value)
    if len(value) > 1 and all(isinstance(v, list) for v in value):  # a result and a list of states
        value = [s for v in value for s in (v if v and isinstance(v[0], list) else [v])]
    return value[0] if len(value) == 1 and isinstance(value[0], list) else value


def params_of(text):
    m = re.match(r"[\d,]+", text.strip())
    return int(m.group().replace(",", "")) if m else 0


def summary_rows(m, keras):
    lines = []
    if keras is keras3:
        m.summary(line_length=600, print_fn=lambda s, line_break=False: lines.append(s))
        cells = [[c.strip() for c in re.split("[│┃]", line)[1:-1]] for line in "\n".join(lines).splitlines() if line.startswith("│")]
    else:
        m.summary(line_length=600, print_fn=lines.append)
        text = "\n".join(lines).splitlines()
        head = next(line for line in text if line.startswith(" Layer (type)"))
        at = [head.index(w) for w in ("Layer (type)", "Output Shape", "Param #")] + ([head.index("Connected to")] if "Connected to" in head else [])
        body = text[text.index(head) + 2:]
        body = body[:next(k for k, line in enumerate(body) if line.startswith("==="))]
        cells = [[line[a:b].strip() for a, b in zip(at, at[1:] + [None])] for line in body if line.strip()]
    rows = []
    for c in cells:
        if not c[0]:
            if rows and c[1]:  # the shapes of several results
                rows[-1]["text"] += " " + c[1]
                rows[-1]["output_shape"] = shape_of(rows[-1]["text"])
            if rows and len(c) > 3:
                rows[-1]["connected_to"] += [x.strip(" ,'[") for x in re.findall(r"[^\s,'\[]+\[\d+\]\[\d+\]", c[3])]
            continue
        name, kind = re.match(r"(.*?) \((.*)\)$", c[0]).groups()
        row = {"name": name, "class": kind, "output_shape": shape_of(c[1]), "params": params_of(c[2]), "text": c[1]}
        if len(c) > 3:
            row["connected_to"] = re.findall(r"[^\s,'\[]+\[\d+\]\[\d+\]", c[3])
        rows.append(row)
    layers = m._operations if keras is keras3 and hasattr(m, "_operations") else m.layers  # as Keras' own summary has it
    for row, layer in zip(rows, layers, strict=True):
        del row["text"]
        # Keras 3 trains what is within a layer that was made with trainable=False
        row["trainable_params"] = count([v for v in getattr(layer, "weights", []) if v.trainable] if keras is keras3 else layer.trainable_weights)
        if getattr(layer, "layers", None) and isinstance(layer, keras.Model) and layer.built:
            row["layers"] = summary_rows(layer, keras)
    return rows


def count(weights):
    return int(sum(np.prod([d or 0 for d in w.shape]) for w in weights))  # Keras counts open sizes as 0


def totals(m):
    trainable, non = count(m.trainable_weights), count(m.non_trainable_weights)
    return {"total": trainable + non, "trainable": trainable, "non_trainable": non}


def runs(m, keras, traced, seconds=20):
    """Runs a model on zeros of a few sizes, and returns the shapes that its layers gave. Layers that
    are called more than once, and those of models of one's own class, are left out. A SavedModel is
    traced with open sizes, and then a layer may give another shape than it does in Python, such as
    Keras 3.15's TimeDistributed with open steps."""
    flatten = keras.tree.flatten if keras is keras3 else tf.nest.flatten
    taps = {}
    for layer in m.layers:
        if len(getattr(layer, "_inbound_nodes", [])) == 1 or layer is m.layers[0]:
            try:
                taps[layer.name] = flatten(layer.output)
            except (AttributeError, RuntimeError):  # it was called more than once, or never
                pass
    inputs = flatten(m.inputs)
    probe = keras.Model(inputs, [t for ts in taps.values() for t in ts])
    if traced:
        probe = tf.function(probe, input_signature=[[tf.TensorSpec(t.shape, t.dtype) for t in inputs]])
    names = [t._keras_history[0].name if keras is keras3 else t.node.layer.name for t in inputs]
    rnd, done, end = random.Random(5), [], time.monotonic() + seconds
    for attempt in range(9):
        sizes = [rnd.choice((5, 7, 9, 12, 16, 23, 40)) for _ in range(9)] if attempt % 2 else [(16, 24, 32, 48, 64)[attempt // 2]] * 9
        shapes = [[d or (3 if i == 0 else sizes[i + k]) for i, d in enumerate(t.shape)] for k, t in enumerate(inputs)]
        if len(done) == 3 or time.monotonic() > end:
            break
        try:
            got = flatten(probe([tf.fill(s, "a") if t.dtype in ("string", tf.string) else tf.zeros(s, t.dtype) for s, t in zip(shapes, inputs)]))
        except Exception:  # noqa: BLE001 - the model refuses such a size
            continue
        got = iter(got)
        done.append({"inputs": dict(zip(names, shapes)), "layers": {name: [list(map(int, next(got).shape)) for _ in ts] for name, ts in taps.items()}})
    return done


def shrink(path):
    """Leaves what tables are made of; false where that is more than 90 KiB."""
    size = 0
    for name in os.listdir(path):
        file = os.path.join(path, name)
        if name in ("saved_model.pb", "keras_metadata.pb"):
            size += os.path.getsize(file)
        elif os.path.isdir(file):
            shutil.rmtree(file)
        else:
            os.remove(file)
    return size < 90 << 10


FORMS = {
    "k3export": "Keras 3 export", "k3save": "tf.saved_model.save", "k2save": "Keras 2 save", "k2export": "Keras 2 export",
    "k3keras": "Keras 3 .keras", "k3h5": "Keras 3 .h5", "k2keras": "Keras 2 .keras", "k2h5": "Keras 2 .h5"}


def save(m, keras, form, path):
    if form == "export":
        m.export(path, **({"verbose": False} if keras is keras3 else {}))
    elif form in ("keras", "h5"):
        m.save(f"{path}.{form}")
    elif keras is keras3:
        tf.saved_model.save(m, path, signatures=getattr(m, "signature", None))
    else:
        m.save(path, signatures=getattr(m, "signature", None))


def loaded(file, m, keras):
    """Returns the model in a file; m where Keras cannot load it, as of classes that are not registered."""
    try:
        keras.backend.clear_session()
        return keras.models.load_model(file)
    except Exception:  # noqa: BLE001
        return m


def write_form(make, keras, folder, key):
    """Writes a model in a form; what is left of it where that fails is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    path = os.path.join(folder, "model")
    keras.backend.clear_session()
    tf.keras.backend.clear_session()
    m = make(keras)
    os.makedirs(folder)
    save(m, keras, key[2:], path)
    rows, sums = summary_rows(m, keras), totals(m)  # only now: saving may build layers that no call has built
    saved = {"summary_rows": rows, "totals": sums}
    if key[2:] in ("keras", "h5"):
        m = loaded(f"{path}.{key[2:]}", m, keras)
        rows, sums = summary_rows(m, keras), totals(m)
    if os.environ.get("SMALL") and not shrink(path):
        shutil.rmtree(folder)
        return
    expect = {"name": make.__name__, "form": FORMS[key], "model_name": m.name, "model_class": type(m).__name__,
              "connected": any("connected_to" in r for r in rows), "summary_rows": rows, "totals": sums}
    if saved != {"summary_rows": rows, "totals": sums}:  # such as names that Keras makes up when it loads
        expect["saved"] = saved
    if os.environ.get("AT"):
        try:
            expect["at"] = runs(m, keras, key[2:] not in ("keras", "h5"))
        except Exception as e:  # noqa: BLE001 - a model of one's own class has no inputs to tap
            print(f"{make.__name__} {key}: not run: {e}", flush=True)
    with open(os.path.join(folder, "expect.json"), "w") as f:
        json.dump(expect, f, separators=(",", ":"))
        f.write("\n")


def write(root, name):
    make, kerases = MODELS[name]
    for key in os.environ.get("FORMS", "k3export,k3save,k2save,k2export").split(","):
        if key[:2] not in kerases:
            continue
        folder = os.path.join(root, f"{name}__{key}")
        try:
            write_form(make, keras3 if key[:2] == "k3" else keras2, folder, key)
        except Exception as e:  # noqa: BLE001 - the others are still to be written
            shutil.rmtree(folder, ignore_errors=True)
            print(f"{name} {key}: {type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}", flush=True)
            if os.environ.get("TRACE"):
                traceback.print_exc()


def main():
    root = sys.argv[1]
    names = sys.argv[2].split(",") if len(sys.argv) > 2 else list(MODELS)
    for name in names:
        write(root, name)


if __name__ == "__main__":
    main()
