"""Makes the checkpoints of a string "v": the canary's, and the one that models have themselves."""

import os

import tensorflow as tf

here = os.path.dirname(os.path.abspath(__file__))
for name, value in (("secret", "the-secret-of-the-canary"), ("own", "an honest value")):
    tf.raw_ops.SaveV2(prefix=os.path.join(here, name), tensor_names=["v"], shape_and_slices=[""], tensors=[tf.constant(value)])
