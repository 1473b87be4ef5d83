"""Write testdata/hungry: a model whose run takes 2^(4 × rows - 16) floats of memory, so a batch of
16 rows fits no machine and one of 8 any.

usage: python make_hungry.py     (TensorFlow 2)

It doubles its rows. What it fills is added to and taken from the answer, so no optimizer leaves it
out.
"""

import os
import shutil

import tensorflow as tf

HERE = os.path.dirname(os.path.abspath(__file__))


class Hungry(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32, name="x")])
    def serve(self, x):
        count = tf.bitwise.left_shift(tf.constant(1, tf.int64), tf.maximum(4 * tf.shape(x, out_type=tf.int64)[0] - 16, 0))
        filled = tf.reduce_min(tf.fill([count], x[0, 0]))
        return {"y": 2 * x + (filled - x[0, 0])}


def main():
    out = os.path.join(HERE, "hungry")
    shutil.rmtree(out, ignore_errors=True)
    model = Hungry()
    tf.saved_model.save(model, out, signatures=model.serve, options=tf.saved_model.SaveOptions(save_debug_info=False))
    os.remove(os.path.join(out, "fingerprint.pb"))
    os.rmdir(os.path.join(out, "assets"))


if __name__ == "__main__":
    main()
