"""Makes testdata/slow: a model whose runs take as long as a row asks for.

"steps" adds 1 to a number, as often as the greatest entry of x says, in a loop of TensorFlow's:
some microseconds each. "kernel" is one operation that takes long: it sorts x, tiled 10,000 times as
often as the greatest entry says. y is the sum of each row of x.

    python make_slow.py        (TensorFlow 2.21)
"""
import os
import shutil

import tensorflow as tf


class Slow(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, "x")])
    def steps(self, x):
        n = tf.while_loop(lambda i: i < tf.reduce_max(x), lambda i: (i + 1,), (tf.reduce_min(x) * 0,))[0]
        return {"y": tf.reduce_sum(x, axis=1) + n * 0}

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, "x")])
    def kernel(self, x):
        n = tf.cast(tf.reduce_max(x), tf.int32)
        values = tf.math.sin(tf.range(n * 10000, dtype=tf.float32))
        return {"y": tf.reduce_sum(x, axis=1) + tf.nn.top_k(values, k=tf.size(values)).values[-1] * 0}


folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "slow")
shutil.rmtree(folder, ignore_errors=True)
model = Slow()
tf.saved_model.save(model, folder, signatures={"serving_default": model.steps, "kernel": model.kernel})
os.remove(os.path.join(folder, "fingerprint.pb"))
