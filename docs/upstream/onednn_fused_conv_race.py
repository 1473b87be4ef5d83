"""Two threads run one session: wrong numbers, or a crash.

    python onednn_fused_conv_race.py                            # fails within seconds
    TF_ENABLE_ONEDNN_OPTS=0 python onednn_fused_conv_race.py    # does not
"""
import os
import threading

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
graph = v1.Graph()
with graph.as_default():
    random = np.random.RandomState(0)

    def conv(x, channels=64):
        filters = tf.constant(random.randn(3, 3, x.shape[-1], channels).astype("float32") / 24)
        return tf.nn.bias_add(tf.nn.conv2d(x, filters, 1, "SAME"), tf.constant(np.ones(channels, "float32")))

    x = v1.placeholder(tf.float32, [None, None, None, 3], "x")
    first = y = tf.nn.relu(conv(x))
    for _ in range(4):
        y = conv(y) + first  # first is needed until the last of them: it cannot be written over
    tf.identity(y, "y")

config = v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=2)
with v1.Session(graph=graph, config=config) as session:
    images = [random.randn(2, 8, 8, 3).astype("float32") for _ in range(8)]
    want = [session.run("y:0", {"x:0": image}) for image in images]
    wrong = 0

    def work():
        global wrong
        for i in range(4000):
            got = session.run("y:0", {"x:0": images[i % 8]})
            difference = np.abs(got - want[i % 8]).max()
            if not difference < 1e-3:
                wrong += 1
                print(f"run {i}: off by {difference}", flush=True)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(f"{wrong} of 8000 runs are wrong")
