"""Makes the model of sequences/: a recurrent layer of Keras 2 whose sequence others take, for
TestXLALengths.

    TF_USE_LEGACY_KERAS=1 python make_sequences.py    # TensorFlow 2.21, tf-keras 2.21
"""

from pathlib import Path

import tensorflow as tf
import tf_keras as keras

keras.utils.set_random_seed(2)
layers = [
    keras.layers.Embedding(60, 6),
    keras.layers.LSTM(3, return_sequences=True),
    keras.layers.Dense(6, activation="tanh"),
    keras.layers.GlobalMaxPooling1D(),
    keras.layers.Dense(1),
]
model = keras.Sequential(layers)
model(tf.zeros([1, 2]))
module = tf.Module()
module.variables_ = model.variables
module.serve = tf.function(lambda ids: model(ids), input_signature=[tf.TensorSpec([None, None], name="ids")])
tf.saved_model.save(module, str(Path(__file__).parent / "sequences"), signatures=module.serve)
