"""Makes small SavedModels whose kernels TensorFlow might share between two runs at a time.

    python make_stress.py OUT [NAME ...]

Writes OUT/NAME/model. Each model has the signature serving_default, with one input of float32 whose
batch and sizes are open, and random weights, the same every time. TestStress in runner runs them
side by side; what one run at a time gives is what is right. Written with TensorFlow 2.21.
"""
import os
import shutil
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

IMAGE = tf.TensorSpec([None, None, None, 3], tf.float32, name="x")
VOLUME = tf.TensorSpec([None, None, None, None, 2], tf.float32, name="x")
STEPS = tf.TensorSpec([None, None, 6], tf.float32, name="x")
FRAMES = tf.TensorSpec([None, None, 12, 12, 3], tf.float32, name="x")
MODELS = {}


def model(spec, frozen=False):
    def register(build):
        MODELS[build.__name__] = build, spec, frozen
        return build

    return register


class Net(tf.Module):
    """Layers that keep their variables in the order in which they are made."""

    def __init__(self, seed=0):
        super().__init__()
        self.random = np.random.RandomState(seed)
        self.kept = []
        self.at = None

    def weight(self, *shape, scale=None):
        if self.at is None:
            scale = scale or 1 / np.sqrt(np.prod(shape[:-1]))
            self.kept.append(tf.Variable((self.random.randn(*shape) * scale).astype("float32")))
            return self.kept[-1]
        self.at += 1
        return self.kept[self.at - 1]

    def conv(self, x, filters, size=3, strides=1):
        y = tf.nn.conv2d(x, self.weight(size, size, x.shape[-1], filters), strides, "SAME")
        return tf.nn.bias_add(y, self.weight(filters, scale=0.1))

    def conv3d(self, x, filters):
        y = tf.nn.conv3d(x, self.weight(3, 3, 3, x.shape[-1], filters), [1] * 5, "SAME")
        return tf.nn.bias_add(y, self.weight(filters, scale=0.1))

    def dense(self, x, units):
        return tf.nn.bias_add(tf.matmul(x, self.weight(x.shape[-1], units)), self.weight(units, scale=0.1))


@model(IMAGE)
def residual(n, x):
    """Each block adds what it takes; the last adds what the first took, as super-resolution
    does."""
    first = x = tf.nn.relu(n.conv(x, 12))
    for _ in range(2):
        x = n.conv(tf.nn.relu(n.conv(x, 12)), 12) + x
    return n.conv(n.conv(x, 12) + first, 3)


@model(IMAGE)
def residual_of_input(n, x):
    """The input itself is added, which the caller still holds, and a difference is taken."""
    y = tf.nn.relu(n.conv(x, 3) + x)
    z = x - n.conv(y, 3)
    return tf.nn.relu6(n.conv(z, 3) + y), tf.nn.elu(n.conv(y, 3) + z)


@model(IMAGE)
def unet(n, x):
    """Sums where others join channels, over both depths."""
    a = tf.nn.relu(n.conv(x, 12))
    b = tf.nn.relu(n.conv(a, 12, strides=2))
    c = tf.nn.relu(n.conv(b, 12, strides=2))
    c = n.conv(c, 12) + c
    up = tf.image.resize(c, tf.shape(b)[1:3], "nearest")
    up = n.conv(up, 12) + b
    up = tf.image.resize(up, tf.shape(a)[1:3], "nearest")
    return n.conv(n.conv(up, 12) + a, 3), tf.reduce_mean(b, [1, 2])


@model(IMAGE)
def dense_skip(n, x):
    """Every layer adds every earlier one, some as AddN."""
    made = [tf.nn.relu(n.conv(x, 12))]
    for i in range(4):
        y = n.conv(made[-1], 12)
        made.append(y + made[i // 2] if i % 2 else tf.add_n([y, made[0]]))
    return n.conv(tf.add_n(made), 3)


@model(IMAGE)
def added_bias(n, x):
    """The bias is added with broadcasting, as other frameworks export it; the sum is leaky."""
    first = x = tf.nn.relu(n.conv(x, 16))
    for _ in range(3):
        y = tf.nn.conv2d(x, n.weight(3, 3, 16, 16), 1, "SAME") + tf.reshape(n.weight(16, scale=0.1), [1, 1, 1, 16])
        x = tf.nn.leaky_relu(y + first, 0.1)
    return n.conv(x, 3)


@model(IMAGE, frozen=True)
def frozen_norm(n, x):
    """Constants: the optimizer computes the normalization into the convolution, and its shift is a
    bias."""
    first = x = tf.nn.relu(n.conv(x, 16))
    for _ in range(3):
        y = tf.nn.conv2d(x, n.weight(3, 3, 16, 16), 1, "SAME")
        y, _, _ = tf.compat.v1.nn.fused_batch_norm(
            y, tf.abs(n.weight(16, scale=1)) + 1, n.weight(16, scale=1), n.weight(16, scale=0.1), tf.abs(n.weight(16, scale=1)) + 1,
            is_training=False)
        x = y + first
    return n.conv(x, 3)


@model(IMAGE)
def nested(n, x):
    """The convolution is in one function, the sum in another."""

    @tf.function
    def convolve(x, w, b):
        return tf.nn.bias_add(tf.nn.conv2d(x, w, 1, "SAME"), b)

    @tf.function
    def join(x, y):
        return x + y

    first = x = tf.nn.relu(n.conv(x, 16))
    for _ in range(3):
        x = join(convolve(x, n.weight(3, 3, 16, 16).read_value(), n.weight(16, scale=0.1).read_value()), first)
    return n.conv(x, 3)


@model(VOLUME)
def volume(n, x):
    first = x = tf.nn.relu(n.conv3d(x, 8))
    for _ in range(2):
        x = tf.nn.relu(n.conv3d(x, 8) + first)
    return n.conv3d(x, 2)


@model(FRAMES)
def recurrent_convolution(n, x):
    """A loop whose steps may run side by side within one run."""
    u, v, b = n.weight(3, 3, 3, 8), n.weight(3, 3, 8, 8), n.weight(8, scale=0.1)
    frames = tf.transpose(x, [1, 0, 2, 3, 4])
    state = tf.zeros(tf.concat([tf.shape(frames)[1:-1], [8]], 0))

    def step(h, frame):
        y = tf.nn.bias_add(tf.nn.conv2d(frame, u, 1, "SAME"), b)
        return tf.tanh(y + tf.nn.bias_add(tf.nn.conv2d(h, v, 1, "SAME"), b)) + h

    last = tf.foldl(step, frames, initializer=state)
    return n.conv(last, 3)


@model(STEPS)
def recurrent(n, x):
    """Two gated layers."""
    for units in (12, 8):
        w, u, b = n.weight(x.shape[-1], 2 * units), n.weight(units, 2 * units), n.weight(2 * units, scale=0.1)

        def step(h, xt, w=w, u=u, b=b):
            z, c = tf.split(tf.matmul(xt, w) + tf.matmul(h, u) + b, 2, axis=1)
            z = tf.sigmoid(z)
            return z * h + (1 - z) * tf.tanh(c)

        h = tf.zeros([tf.shape(x)[0], units])
        x = tf.transpose(tf.scan(step, tf.transpose(x, [1, 0, 2]), initializer=h), [1, 0, 2])
        x = tf.ensure_shape(x, [None, None, units])
    return x, n.dense(x[:, -1], 3)


@model(STEPS)
def dense_residual(n, x):
    """Products of matrices with bias and sum, and an attention."""
    rows, steps = tf.shape(x)[0], tf.shape(x)[1]
    first = y = tf.nn.relu(n.dense(tf.reshape(x, [-1, 6]), 24))
    for _ in range(3):
        y = n.dense(tf.nn.gelu(n.dense(y, 24)), 24) + first
    q, k, v = (tf.reshape(n.dense(y, 8), [rows, steps, 8]) for _ in range(3))
    return tf.matmul(tf.nn.softmax(tf.matmul(q, k, transpose_b=True) * 0.3), v) + q


@model(IMAGE)
def batch_statistics(n, x):
    """Normalized by what the batch itself gives: the kernel that did it kept pointers once."""
    x = n.conv(x, 8)
    for _ in range(2):
        y, _, _ = tf.compat.v1.nn.fused_batch_norm(x, n.weight(8, scale=1) + 1, n.weight(8, scale=0.1), is_training=True)
        mean, variance = tf.reduce_mean(x, [0, 1, 2]) * 0.5, tf.reduce_mean(x * x, [0, 1, 2]) + 0.3
        z, _, _ = tf.compat.v1.nn.fused_batch_norm(x, n.weight(8, scale=1) + 1, n.weight(8, scale=0.1), mean, variance, is_training=False)
        x = n.conv(tf.nn.relu(y), 8) + n.conv(tf.nn.relu(z), 8)
    return x


def save(name, out):
    build, spec, frozen = MODELS[name]
    net = Net(seed=len(name))
    build(net, tf.zeros([12 if d is None else d for d in spec.shape]))  # makes the variables

    def call(x):
        net.at = 0
        made = build(net, x)
        made = made if isinstance(made, tuple) else (made,)
        return {f"output_{i}": y for i, y in enumerate(made)}

    net.call = tf.function(call, input_signature=[spec], autograph=False)
    signature = net.call.get_concrete_function()
    if frozen:
        constant = convert_variables_to_constants_v2(signature)
        names = sorted(signature.structured_outputs)
        module = tf.Module()
        module.call = tf.function(lambda x: dict(zip(names, constant(x))), input_signature=[spec])
        net, signature = module, module.call.get_concrete_function()
    dir = os.path.join(out, name, "model")
    shutil.rmtree(dir, ignore_errors=True)
    tf.saved_model.save(net, dir, signatures=signature, options=tf.saved_model.SaveOptions(save_debug_info=False))
    size = sum(os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(dir) for f in files)
    print(f"{name}: {size} bytes", flush=True)


if __name__ == "__main__":
    for name in sys.argv[2:] or MODELS:
        save(name, sys.argv[1])
