#!/usr/bin/env python3
"""make_xla.py writes xla/: a signature for each thing that XLA, left alone, does otherwise than
TensorFlow, or might. All take x, float32 (None, 6)."""

import os
import shutil

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf  # noqa: E402


def grows(x):
    rows = tf.TensorArray(tf.float32, size=0, dynamic_size=True, element_shape=[None, 6])
    for i in tf.range(3):
        rows = rows.write(i, x + tf.cast(i, tf.float32))
    return tf.transpose(rows.stack(), [1, 0, 2])


def fixed(x):
    rows = tf.TensorArray(tf.float32, size=3, element_shape=[None, 6])
    for i in tf.range(3):
        rows = rows.write(i, x + tf.cast(i, tf.float32))
    return tf.transpose(rows.stack(), [1, 0, 2])


def square(x):
    return tf.reshape(x[:, :4], [-1, 2, 2])


def ids(x):
    return tf.cast(x, tf.int32)


SIGNATURES = {
    "grows": grows,
    "fixed": fixed,
    "max": lambda x: tf.reduce_max(x, 1),
    "min": lambda x: tf.reduce_min(x, 1),
    "maximum": lambda x: tf.maximum(x, tf.reverse(x, [1])),
    "minimum": lambda x: tf.minimum(x, tf.reverse(x, [1])),
    "argmax": lambda x: tf.argmax(x, 1),
    "relu": tf.nn.relu,
    "clip": lambda x: tf.clip_by_value(x, -1.0, 1.0),
    "sort": lambda x: tf.sort(x, 1),
    "softmax": tf.nn.softmax,
    "uint8": lambda x: tf.cast(x * 200, tf.uint8),
    "int16": lambda x: tf.cast(x * 30000, tf.int16),
    "uniform": lambda x: x + tf.random.stateless_uniform([6], [1, 2]),
    "normal": lambda x: x + tf.random.stateless_normal([6], [1, 2]),
    "svd": lambda x: tf.linalg.svd(square(x))[1],
    "eigh": lambda x: tf.linalg.eigh(square(x) + tf.linalg.matrix_transpose(square(x)))[1],
    "inverse": lambda x: tf.linalg.inv(square(x)),
    "gather": lambda x: tf.gather(tf.constant([1.0, 2.0, 3.0]), ids(x)),
    "update": lambda x: tf.tensor_scatter_nd_sub(tf.zeros([4]), tf.reshape(ids(x), [-1, 1]), tf.ones([tf.size(x)])),
    "segment": lambda x: tf.math.unsorted_segment_sum(tf.reshape(x, [-1]), tf.reshape(ids(x), [-1]), 4),
    "lengths": lambda x: tf.reverse_sequence(x, ids(x[:, 0]), 1),
}


def main():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "xla")
    shutil.rmtree(folder, ignore_errors=True)
    module = tf.Module()
    spec = tf.TensorSpec([None, 6], tf.float32, name="x")
    signatures = {}
    for name, f in SIGNATURES.items():
        signatures[name] = tf.function(f).get_concrete_function(spec)
        setattr(module, name, signatures[name])
    tf.saved_model.save(module, folder, signatures=signatures)


main()
