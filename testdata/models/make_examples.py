"""Models whose signatures take serialized tf.Examples: python make_examples.py OUT. Written with
TensorFlow 2.21.

Writes OUT/NAME/model and OUT/NAME/expect.json. Each example has, beside inputs and outputs, its
"row": the features as a row of JSON has them. own_tf1_census is what an Estimator exports
(signatures classify, regression and predict), own_mod_examples a tf.Module that parses in a
function.
"""
import base64
import json
import os
import sys

import tensorflow as tf
from tensorflow.python.saved_model import loader_impl

tf1 = tf.compat.v1
OUT = sys.argv[1]

ROWS = [
    {"age": 41.5, "score": [1.0, 2.5], "n": 3, "city": "Zürich", "tags": ["a", "bb"], "ids": [4, 5, 6], "seq": [[1.0, 2.0], [3.0, 4.0]]},
    {"score": [-1.0, 0.5], "tags": [], "ids": []},
    {"age": 7.25, "score": [0.0, 0.0], "n": -9007199254740993, "city": {"b64": "/wD+"}, "tags": ["ccc"], "seq": [[0.5, 0.25]]},
    {"age": 0.0, "score": [3.0, -3.0], "n": 0, "city": "", "ids": [9]},
]


def flat(v):
    return [x for y in v for x in flat(y)] if isinstance(v, list) else [v]


def feature(v):
    v = [base64.b64decode(x["b64"]) if isinstance(x, dict) else x.encode() if isinstance(x, str) else x for x in flat(v)]
    if v and isinstance(v[0], bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=v))
    if v and isinstance(v[0], float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=v))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=v)) if v else tf.train.Feature()


def serialized(row):
    return tf.train.Example(features=tf.train.Features(feature={k: feature(v) for k, v in row.items()})).SerializeToString(deterministic=True)


def text(b):
    try:
        return b.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(b).decode()}


def tensor(a):
    values = a.ravel().tolist()
    if a.dtype.kind == "O":
        return {"dtype": "string", "shape": list(a.shape), "values": [text(v) for v in values]}
    if a.dtype == "float32":
        values = [float(str(v)) for v in a.ravel()]
    return {"dtype": str(a.dtype), "shape": list(a.shape), "values": values}


def signatures(path):
    meta = loader_impl.parse_saved_model(path).meta_graphs[0]
    info = lambda t: {"dtype": tf.as_dtype(t.dtype).name if t.dtype else "invalid",
                      "shape": None if t.tensor_shape.unknown_rank else [None if d.size < 0 else d.size for d in t.tensor_shape.dim], "tensor": t.name}
    return {name: {"inputs": {k: info(v) for k, v in s.inputs.items()}, "outputs": {k: info(v) for k, v in s.outputs.items()}, "method_name": s.method_name}
            for name, s in meta.signature_def.items()}


def save_expect(name, framework, kind, run):
    path = os.path.join(OUT, name)
    sigs = signatures(path + "/model")
    examples = []
    for sig in sorted(sigs):
        if sig.startswith("__"):
            continue
        (key,) = sigs[sig]["inputs"]
        for row in ROWS:
            data = serialized(row)
            examples.append({"signature": sig, "row": row, "inputs": {key: {"dtype": "string", "shape": [1], "values": [text(data)]}},
                             "outputs": {k: tensor(v) for k, v in run(sig, data).items()}})
    expect = {"name": name, "kind": kind, "framework": framework, "tf_version": tf.__version__, "tag_sets": [["serve"]], "summary_rows": None, "totals": None,
              "model_name": None, "model_class": None, "connected": None, "signatures": sigs, "rtol": 1e-4, "atol": 1e-5, "examples": examples}
    with open(path + "/expect.json", "w") as f:
        json.dump(expect, f, ensure_ascii=False, separators=(",", ":"))


def census():
    path = os.path.join(OUT, "own_tf1_census")
    io = tf1.io
    with tf1.Graph().as_default(), tf1.Session() as s:
        examples = tf1.placeholder(tf.string, [None], name="input_example_tensor")
        f = io.parse_example(examples, {
            "age": io.FixedLenFeature([1], tf.float32, default_value=[30.0]), "score": io.FixedLenFeature([2], tf.float32),
            "n": io.FixedLenFeature([], tf.int64, default_value=7), "city": io.FixedLenFeature([], tf.string, default_value="?"),
            "tags": io.VarLenFeature(tf.string), "ids": io.VarLenFeature(tf.int64),
            "seq": io.FixedLenSequenceFeature([2], tf.float32, allow_missing=True, default_value=0.0)})
        w = tf1.get_variable("w", initializer=[[0.5], [-0.25], [0.125]])
        ids = tf1.sparse.to_dense(f["ids"], default_value=-1)
        total = tf.reduce_sum(tf.cast(ids + 1, tf.float32), 1, keepdims=True) + tf.reduce_sum(f["seq"], [1, 2])[:, None]
        logit = tf.matmul(tf.concat([f["age"] / 10, f["score"]], 1), w) + 0.01 * total
        p = tf.sigmoid(logit)
        scores = tf.concat([1 - p, p], 1)
        classes = tf.tile(tf.constant([["no", "yes"]]), [tf.shape(p)[0], 1])
        tags = tf1.strings.reduce_join(tf1.sparse.to_dense(f["tags"], default_value=""), 1, separator="")
        predict = {"logit": logit, "n": f["n"], "city": f["city"], "tags": tags, "sequence": tf.reduce_sum(f["seq"], [1, 2])}
        s.run(tf1.global_variables_initializer())
        sm, build = tf1.saved_model, tf1.saved_model.build_tensor_info
        classify = sm.classification_signature_def(examples, classes, scores)
        b = sm.Builder(path + "/model")
        b.add_meta_graph_and_variables(s, ["serve"], signature_def_map={
            "serving_default": classify, "classification": classify, "regression": sm.regression_signature_def(examples, logit),
            "predict": sm.build_signature_def({"examples": build(examples)}, {k: build(v) for k, v in predict.items()}, sm.PREDICT_METHOD_NAME)})
        b.save()
        fetch = {"serving_default": {"classes": classes, "scores": scores}, "classification": {"classes": classes, "scores": scores},
                 "regression": {"outputs": logit}, "predict": predict}
        save_expect("own_tf1_census", "tf1", "examples", lambda sig, data: s.run(fetch[sig], {examples: [data]}))


class Module(tf.Module):
    SPEC = {
        "age": tf.io.FixedLenFeature([], tf.float32, 30.0), "score": tf.io.FixedLenFeature([2], tf.float32), "n": tf.io.FixedLenFeature([], tf.int64, 7),
        "city": tf.io.VarLenFeature(tf.string), "tags": tf.io.RaggedFeature(tf.string), "ids": tf.io.RaggedFeature(tf.int64),
    }

    def __init__(self):
        self.w = tf.Variable([0.5, -0.25])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def parse(self, examples):
        f = tf.io.parse_example(tf.identity(examples), self.SPEC)
        return {"y": f["age"] + tf.linalg.matvec(f["score"], self.w), "n": f["n"] * 2, "sum": tf.reduce_sum(f["ids"], 1),
                "joined": tf.strings.reduce_join(f["tags"], axis=1, separator="+"), "cities": tf.sparse.reduce_sum(tf.sparse.map_values(tf.strings.length, f["city"]), 1)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def one_by_one(self, examples):
        spec = {k: self.SPEC[k] for k in ("age", "score")}
        return {"y": tf.map_fn(lambda e: tf.reduce_sum(tf.io.parse_single_example(e, spec)["score"]), examples, fn_output_signature=tf.float32)}


def module():
    path = os.path.join(OUT, "own_mod_examples")
    m = Module()
    fns = {"serving_default": m.parse, "one_by_one": m.one_by_one}
    tf.saved_model.save(m, path + "/model", signatures=fns)
    loaded = tf.saved_model.load(path + "/model")
    save_expect("own_mod_examples", "tf.Module", "examples",
                lambda sig, data: {k: v.numpy() for k, v in loaded.signatures[sig](examples=tf.constant([data])).items()})


census()
module()
