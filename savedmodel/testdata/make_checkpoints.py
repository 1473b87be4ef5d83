"""Makes the checkpoints in this folder, and checkpoints.json: what TensorFlow reads from them and
from models of testdata/models.

    python make_checkpoints.py        (in this folder, with TensorFlow)
"""
import json, os, shutil

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

MODELS = "k2_seed k3_seed k2_normalization k3_compiled mod_lookup_table tf1_sharded tf1_half_plus_two tf1_dense_layers k2_string_lookup k3_mixed_precision old_k305_stacked mod_counter"


def dtypes(prefix):
    rng = np.random.default_rng(1)
    v = {}
    for t in "float16 bfloat16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool complex64 complex128".split():
        d = tf.dtypes.as_dtype(t)
        a = rng.normal(size=(3, 5)) * 50
        a[1, 2] = 0
        if t.startswith("complex"):
            a = a + 1j * rng.normal(size=(3, 5))
        elif t.startswith("u") or t == "bool":
            a = np.abs(a)
        v[t] = tf.Variable(tf.cast(tf.constant(a), d))
    v["odd"] = tf.Variable([np.nan, 1.5, -np.inf, 0.0, -0.0, np.nan, 2.0], dtype=tf.float32)
    v["all_nan"] = tf.Variable([np.nan, np.nan], dtype=tf.float64)
    v["empty"] = tf.Variable(np.zeros((0, 4), "float32"))
    v["scalar"] = tf.Variable(7, dtype=tf.int32)
    v["text"] = tf.Variable(["", "a", "ü" * 100, "x" * 300])
    v["large"] = tf.Variable(rng.normal(size=(80, 900)).astype("float32"))
    tf.train.Checkpoint(**v).write(prefix)


def partitioned(prefix):
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as s:
        with v1.variable_scope("", partitioner=v1.fixed_size_partitioner(3, axis=0)):
            v1.get_variable("rows", (7, 4), initializer=v1.random_normal_initializer(seed=1), use_resource=False)
        with v1.variable_scope("", partitioner=v1.fixed_size_partitioner(2, axis=1)):
            v1.get_variable("cols", (3, 5), initializer=v1.random_normal_initializer(seed=2), use_resource=False)
        v1.get_variable("whole", (2,), initializer=v1.ones_initializer(), use_resource=False)
        s.run(v1.global_variables_initializer())
        v1.train.Saver(sharded=True).save(s, prefix, write_meta_graph=False, write_state=False)


def facts(prefix):
    r = tf.train.load_checkpoint(prefix)
    out = {}
    for k, shape in sorted(r.get_variable_to_shape_map().items()):
        t = r.get_variable_to_dtype_map()[k]
        e = {"dtype": t.name, "shape": list(shape)}
        v = r.get_tensor(k)
        if t == tf.string:
            e["lengths"] = [len(v)] if isinstance(v, bytes) else [len(x) for x in v.reshape(-1)]
        else:
            v = np.asarray(v)
            f = np.abs(v.astype("complex128")) if np.iscomplexobj(v) else v.astype("float64")
            n = f[~np.isnan(f)]
            e.update(zeros=int((f == 0).sum()), nans=int(np.isnan(f).sum()), infs=int(np.isinf(f).sum()))
            if n.size:
                e.update(min=str(float(n.min())), max=str(float(n.max())), mean=str(float(n.mean())))
        out[k] = e
    return out


def main():
    out = {}
    for make in (dtypes, partitioned):
        shutil.rmtree(make.__name__, ignore_errors=True)
        os.makedirs(f"{make.__name__}/variables")
        make(f"{make.__name__}/variables/variables")
        out[make.__name__] = facts(f"{make.__name__}/variables/variables")
    for m in MODELS.split():
        path = f"../../testdata/models/{m}/model"
        out[path] = facts(path + "/variables/variables")
    json.dump(out, open("checkpoints.json", "w"), indent=1, sort_keys=True)


main()
