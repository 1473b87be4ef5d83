"""The Python script that runs one row: python -m tfbench.peers.cold MODEL '[12, 7]'."""

import json
import sys

import tensorflow as tf

model = tf.saved_model.load(sys.argv[1])
f = model.signatures["serving_default"]
(name,) = f.structured_input_signature[1]
(answer,) = f(**{name: tf.constant([json.loads(sys.argv[2])], tf.float32)}).values()
print(json.dumps(answer.numpy().tolist()))
