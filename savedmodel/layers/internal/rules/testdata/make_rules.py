"""Records what Keras gives as the output shapes of its layers, as the summary prints them.

    python make_rules.py keras2
    python make_rules.py keras3

Each adds keras2.json or keras3.json to rules.zip beside this file, which must not have it yet. Each
entry has the class, the config, the shapes that the layer is called with, the arguments of the
call, and the shapes of the outputs. Layers that refuse an input are left out.
"""

import json
import os
import sys
import zipfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
if sys.argv[1] == "keras2":
    import tf_keras as keras
else:
    import keras
import tensorflow as tf

L, K3 = keras.layers, sys.argv[1] == "keras3"
entries = []


def dims(t):
    return [None if d is None else int(d) for d in t.shape]


def flat(x):
    return keras.tree.flatten(x) if K3 else tf.nest.flatten(x)


def record(make, *shapes, as_list=False, dtype=None, **kw):
    """Calls a layer symbolically. Each shape lacks the batch."""
    ins = [keras.Input(shape=s, dtype=dtype) for s in shapes]
    try:
        layer = make()
        args = [ins] if as_list else ins
        out = layer(*args, **kw)
        config = layer.get_config() if not K3 else keras.saving.serialize_keras_object(layer)["config"]
    except Exception as err:
        print("left out:", str(err)[:120].replace("\n", " "), file=sys.stderr)
        return
    config = json.loads(json.dumps(config, default=lambda o: None))
    for key in list(config):
        if key.endswith(("initializer", "regularizer", "constraint")):
            del config[key]
    entries.append({"class": layer.__class__.__name__, "config": config, "in": [dims(i) for i in ins], "call": kw, "out": [dims(o) for o in flat(out)]})


N = None
SPACE = {1: [(20, 3), (N, 3), (21, 1)], 2: [(20, 17, 3), (N, N, 3), (9, N, 2)], 3: [(8, 9, 10, 2), (N, N, N, 2)]}
VECTOR = [(5,), (7, 5), (N, 5), (2, 3, 4)]


def each(make, shapes, **kw):
    for s in shapes:
        record(make, s, **kw)


for rank in (1, 2, 3):
    s, name = SPACE[rank], f"{rank}D"
    for padding in ("valid", "same"):
        for kernel in (1, 2, 3):
            for strides, dilation in ((1, 1), (2, 1), (3, 1), (1, 2), (1, 3)):
                each(lambda: getattr(L, "Conv" + name)(4, kernel, strides=strides, padding=padding, dilation_rate=dilation), s)
            for strides in (1, 2, 3):
                each(lambda: getattr(L, f"Conv{name}Transpose")(4, kernel, strides=strides, padding=padding), s)
        for size in (2, 3):
            for strides in (None, 1, 2):
                each(lambda: getattr(L, "MaxPooling" + name)(size, strides, padding), s)
                each(lambda: getattr(L, "AveragePooling" + name)(size, strides, padding), s)
    each(lambda: getattr(L, f"Conv{name}Transpose")(4, 3, strides=2, padding="same", output_padding=1), s)
    each(lambda: getattr(L, f"Conv{name}Transpose")(4, 3, strides=2, padding="valid", output_padding=1), s)
    each(lambda: getattr(L, f"Conv{name}Transpose")(4, 3, strides=1, padding="valid", dilation_rate=2), s)
    each(lambda: getattr(L, "Conv" + name)(4, 3, groups=1, data_format="channels_last"), s)
    for keep in (False, True):
        each(lambda: getattr(L, "GlobalMaxPooling" + name)(keepdims=keep), s)
        each(lambda: getattr(L, "GlobalAveragePooling" + name)(keepdims=keep), s)
    each(lambda: getattr(L, "UpSampling" + name)(), s)
    each(lambda: getattr(L, "UpSampling" + name)(3), s)
    each(lambda: getattr(L, "ZeroPadding" + name)(), s)
    each(lambda: getattr(L, "ZeroPadding" + name)(2), s)
    each(lambda: getattr(L, "Cropping" + name)(1), s)
    each(lambda: getattr(L, "SpatialDropout" + name)(0.2), s)
    if K3 and hasattr(L, "AdaptiveMaxPooling1D"):
        each(lambda: getattr(L, "AdaptiveMaxPooling" + name)(4), s)
        each(lambda: getattr(L, "AdaptiveAveragePooling" + name)(4), s)
each(lambda: L.Conv1D(4, 3, padding="causal", dilation_rate=2), SPACE[1])
each(lambda: L.ZeroPadding1D((1, 3)), SPACE[1])
each(lambda: L.Cropping1D((1, 3)), SPACE[1])
each(lambda: L.ZeroPadding2D(((1, 2), (3, 4))), SPACE[2])
each(lambda: L.Cropping2D(((1, 2), (3, 4))), SPACE[2])
each(lambda: L.UpSampling2D((2, 3), interpolation="bilinear"), SPACE[2])
for make in (lambda: L.ConvLSTM1D(4, 3), lambda: L.ConvLSTM1D(4, 3, return_sequences=True, padding="same"), lambda: L.ConvLSTM1D(4, 2, strides=2, return_state=True)):
    each(make, [(5, 20, 3), (N, 20, 3), (N, N, 3)])
for make in (lambda: L.ConvLSTM2D(4, 3), lambda: L.ConvLSTM2D(4, 3, return_sequences=True, padding="same"), lambda: L.ConvLSTM2D(4, 2, strides=2, return_state=True)):
    each(make, [(5, 20, 10, 3), (N, 20, 10, 3)])
each(lambda: L.DepthwiseConv1D(3, depth_multiplier=2), SPACE[1])
for padding in ("valid", "same"):
    each(lambda: L.DepthwiseConv2D(3, depth_multiplier=2, padding=padding), SPACE[2])
    each(lambda: L.DepthwiseConv2D(3, strides=2, padding=padding), SPACE[2])
    each(lambda: L.SeparableConv1D(4, 3, padding=padding, strides=2), SPACE[1])
    each(lambda: L.SeparableConv2D(4, 3, padding=padding, depth_multiplier=2), SPACE[2])
for make in (lambda: L.Dense(6), lambda: L.Dropout(0.1), lambda: L.Activation("relu"), lambda: L.BatchNormalization(), lambda: L.LayerNormalization(), lambda: L.ReLU(),
             lambda: L.Softmax(), lambda: L.PReLU(shared_axes=[1]), lambda: L.GaussianNoise(0.1), lambda: L.UnitNormalization(), lambda: L.Flatten(),
             lambda: L.Rescaling(2.0), lambda: L.Normalization(mean=0.0, variance=1.0), lambda: L.Masking(), lambda: L.ELU(), lambda: L.LeakyReLU(),
             lambda: L.ActivityRegularization(), lambda: L.GaussianDropout(0.1), lambda: L.AlphaDropout(0.1), lambda: L.Identity(),
             lambda: L.RepeatVector(3), lambda: L.GroupNormalization(1)):
    each(make, VECTOR)
for target in ((10,), (5, 2), (-1,), (-1, 5), (1, 10)):
    each(lambda: L.Reshape(target), [(10,), (5, 2), (N, 5)])
each(lambda: L.Permute((2, 1)), [(3, 4), (N, 4)])
each(lambda: L.Permute((3, 1, 2)), [(3, 4, 5), (N, N, 2)])
each(lambda: L.Embedding(10, 4), [(), (5,), (N,), (3, 4)], dtype="int32")
if K3 and hasattr(L, "ReversibleEmbedding"):
    each(lambda: L.ReversibleEmbedding(10, 4), [(5,), (N,), (3, 4)], dtype="int32")
    each(lambda: L.ReversibleEmbedding(10, 4), [(5, 4), (N, 4)], reverse=True)
for make in (lambda **k: L.LSTM(4, **k), lambda **k: L.GRU(4, **k), lambda **k: L.SimpleRNN(4, **k), lambda **k: L.RNN(L.LSTMCell(4), **k),
             lambda **k: L.RNN([L.LSTMCell(4), L.GRUCell(5)], **k)):
    for k in ({}, {"return_sequences": True}, {"return_state": True}, {"return_sequences": True, "return_state": True}):
        each(lambda: make(**k), [(7, 3), (N, 3)])
for mode in ("concat", "sum", "mul", "ave", None):
    for k in ({}, {"return_sequences": True}, {"return_sequences": True, "return_state": True}, {"return_state": True}):
        each(lambda: L.Bidirectional(L.LSTM(4, **k), merge_mode=mode), [(7, 3), (N, 3)])
        each(lambda: L.Bidirectional(L.GRU(4, **k), merge_mode=mode), [(7, 3)])
for inner in (lambda: L.Dense(4), lambda: L.Flatten(), lambda: L.Conv2D(2, 3), lambda: L.LSTM(3), lambda: L.Dropout(0.1)):
    each(lambda: L.TimeDistributed(inner()), [(6, 5), (6, 5, 3), (6, 8, 8, 1), (N, 5, 3)])
for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"):
    for pair in (((5,), (5,)), ((3, 5), (1, 5)), ((N, 5), (N, 5)), ((N, 5), (7, 5)), ((3, 5), (5,)), ((N, 5), (1, 5))):
        record(getattr(L, name), *pair, as_list=True)
for pair in (((5,), (6,)), ((3, 5), (3, 6)), ((N, 5), (N, 6)), ((N, 5), (7, 6))):
    record(L.Concatenate, *pair, as_list=True)
record(lambda: L.Concatenate(axis=1), (3, 5), (4, 5), as_list=True)
record(lambda: L.Concatenate(axis=1), (N, 5), (4, 5), as_list=True)
record(L.Concatenate, (5,), (6,), (7,), as_list=True)
for axes in (1, 2, (1, 2), (2, 1), -1):
    record(lambda: L.Dot(axes), (4, 4), (4, 4), as_list=True)
    record(lambda: L.Dot(axes), (3, 4), (5, 4), as_list=True)
record(lambda: L.Dot(1), (4,), (4,), as_list=True)
record(lambda: L.Dot(1), (4,), (4, 5), as_list=True)
for q, v in (((6, 8), (6, 8)), ((6, 8), (5, 8)), ((N, 8), (N, 8))):
    for kw in ({}, {"return_attention_scores": True}):
        record(L.Attention, q, v, as_list=True, **kw)
        record(L.AdditiveAttention, q, v, as_list=True, **kw)
        record(lambda: L.MultiHeadAttention(2, 4), q, v, **kw)
        record(lambda: L.MultiHeadAttention(2, 4, output_shape=7), q, v, **kw)
        record(lambda: L.MultiHeadAttention(2, 4, value_dim=3), q, v, **kw)
        if K3:
            record(lambda: L.GroupQueryAttention(4, 4, 2), q, v, **kw)
record(L.Attention, (6, 8), (5, 3), (5, 8), as_list=True)
record(lambda: L.MultiHeadAttention(2, 4), (6, 8), (5, 3), (5, 9), return_attention_scores=True)
record(lambda: L.MultiHeadAttention(2, 4, attention_axes=(1, 2)), (4, 5, 8), (4, 5, 8))
for eq, out in (("abc,cd->abd", (N, 6)), ("abc,cde->abde", (N, 2, 3)), ("...x,xy->...y", 6), ("abc,bd->adc", (6, N)), ("ab,bc->ac", 6)):
    each(lambda: L.EinsumDense(eq, out), [(5,), (7, 5), (N, 5), (2, 3, 4)])
for mode in ("int", "one_hot", "multi_hot", "count"):
    for s in ((1,), (3,), (), (4, 1), (4, 3), (N,)):
        record(lambda: L.IntegerLookup(vocabulary=[3, 4, 5], output_mode=mode), s, dtype="int64")
        record(lambda: L.StringLookup(vocabulary=["a", "b"], output_mode=mode, max_tokens=9, pad_to_max_tokens=mode != "int"), s, dtype="string")
        record(lambda: L.StringLookup(vocabulary=["a", "b"], output_mode=mode, num_oov_indices=2, mask_token="" if mode == "int" else None), s, dtype="string")
        record(lambda: L.Discretization([0.0, 1.0, 2.0], output_mode=mode), s)
        if mode in ("int", "one_hot", "multi_hot", "count"):
            record(lambda: L.Hashing(6, output_mode=mode), s, dtype="string")
        if mode != "int":
            record(lambda: L.CategoryEncoding(5, output_mode=mode), s, dtype="int64")
for mode in ("int", "one_hot"):
    record(lambda: L.HashedCrossing(5, output_mode=mode), (1,), (1,), as_list=True, dtype="string")
    record(lambda: L.HashedCrossing(5, output_mode=mode), (), (), as_list=True, dtype="string")
for kw in ({"output_mode": "int"}, {"output_mode": "int", "output_sequence_length": 6}, {"output_mode": "multi_hot"}, {"output_mode": "count", "max_tokens": 9, "pad_to_max_tokens": True},
           {"output_mode": "int", "split": None}, {"output_mode": "int", "split": None, "output_sequence_length": 6}):
    for s in ((1,), ()):
        record(lambda: L.TextVectorization(vocabulary=["a", "b"], **kw), s, dtype="string")
for make in (lambda: L.Resizing(8, 9), lambda: L.CenterCrop(8, 9), lambda: L.RandomCrop(8, 9), lambda: L.RandomFlip(), lambda: L.RandomRotation(0.1), lambda: L.RandomZoom(0.1),
             lambda: L.RandomContrast(0.1), lambda: L.RandomTranslation(0.1, 0.1), lambda: L.RandomBrightness(0.1)):
    each(make, [(20, 17, 3), (N, N, 3)])
for mode in ("concat", "sum", "ave", None):
    for more in ({}, {"return_sequences": True}, {"return_state": True}):
        if K3:
            each(lambda: L.Bidirectional(L.LSTM(2, **more), merge_mode=mode, backward_layer=L.LSTM(2 + (mode == "concat"), go_backwards=True, **more)), [(7, 3), (N, 3)])
each(lambda: L.SpectralNormalization(L.Dense(6)), [(5,), (7, 5)])
each(lambda: L.SpectralNormalization(L.Conv2D(6, 3)), [(9, 9, 2)])
if K3:
    each(lambda: L.RMSNormalization(), VECTOR)
    for kw in ({}, {"sequence_stride": 160, "num_mel_bins": 40}, {"sequence_stride": 127}):
        each(lambda: L.MelSpectrogram(**kw), [(16000,), (N,), (15999,), (16001,)])
    for kw in ({}, {"mode": "stft"}, {"frame_length": 300, "frame_step": 100}, {"fft_length": 1024, "expand_dims": True}, {"padding": "same", "frame_step": 77},
               {"data_format": "channels_first"}, {"data_format": "channels_first", "expand_dims": True}):
        each(lambda: L.STFTSpectrogram(**kw), [(16000, 1), (4000, 2), (N, 2), (2, 4000)])
    for name in "RandomGrayscale RandomColorJitter AutoContrast Solarization RandomSharpness RandomHue RandomSaturation RandomErasing AugMix MixUp CutMix Equalization".split():
        if hasattr(L, name):
            each(lambda: getattr(L, name)(**({"factor": 0.2} if name in ("RandomSharpness", "RandomHue", "RandomSaturation") else {})), [(20, 17, 3)])

with zipfile.ZipFile(os.path.join(os.path.dirname(os.path.abspath(__file__)), "rules.zip"), "a", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
    z.writestr(sys.argv[1] + ".json", json.dumps({"keras": keras.__version__, "entries": entries}, separators=(",", ":")))
print(len(entries), "entries")
