#!/usr/bin/env python3
"""make_wild.py writes small models of kinds that stand in public repositories, with rows and what
TensorFlow answers.

Each folder has the model, rows (rows.jsonl or rows.tfrecord), the flags that go with them (flags),
and want.jsonl, a line a row, as `tfrun predict` writes it; or error, a part of the message with
which it has to end. Recorded with TensorFlow 2.21.

    python make_wild.py [FOLDER [main] [composites]]
"""

import json
import os
import shutil
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

v1 = tf.compat.v1
here = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))


def folder(name):
    path = os.path.join(here, name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def note(name, flags="", error=None, rows=None, want=None):
    """Writes what belongs to a model beside it."""
    path = os.path.join(here, name)
    texts = {"flags": flags, "error": error}
    for file, lines in (("rows.jsonl", rows), ("want.jsonl", want)):
        if lines is not None:
            texts[file] = "".join(json.dumps(x, separators=(",", ":")) + "\n" for x in lines)
    for file, text in texts.items():
        if text:
            with open(os.path.join(path, file), "w") as f:
                f.write(text if text.endswith("\n") else text + "\n")


def plain(x):
    if isinstance(x, bytes):
        return x.decode()
    x = x.tolist() if hasattr(x, "tolist") else x
    return [plain(y) for y in x] if isinstance(x, list) else x.decode() if isinstance(x, bytes) else int(x) if isinstance(x, float) and x == int(x) else x


def save_v1(name, build, tags=("serve",), key="serving_default", restore=True, feeds=(), asset=None):
    """Saves what build() makes, a pair of dictionaries of inputs and outputs, and runs it: a list
    of rows for each feed."""
    path = os.path.join(folder(name), "model")
    answers = []
    with tf.Graph().as_default(), v1.Session() as session:
        inputs, outputs = build()
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        info = lambda d: {k: v1.saved_model.build_tensor_info(t) for k, t in d.items()}
        signature = v1.saved_model.build_signature_def(info(inputs), info(outputs), "tensorflow/serving/predict")
        builder = v1.saved_model.Builder(path)
        assets = None
        if asset:
            assets = [tf.convert_to_tensor(asset)]
            v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, assets[0])
        builder.add_meta_graph_and_variables(session, list(tags), {key: signature}, assets_collection=assets)
        for feed in feeds:
            got = session.run(outputs, {inputs[k]: x for k, x in feed.items()})
            answers.append({k: plain(x) for k, x in sorted(got.items())})
        builder.save()
    if not restore:  # a graph without variables has no saver, and some writers leave out the folder
        shutil.rmtree(os.path.join(path, "variables"), ignore_errors=True)
    return answers


def by_row(batch):
    keys = sorted(batch)
    return [dict(zip(keys, values)) for values in zip(*(batch[k] for k in keys))]


def main():
    x2 = np.array([[1, 2], [3, 4]], np.float32)

    def double(shape=(None, 2)):
        x = v1.placeholder(tf.float32, shape, "x")
        w = v1.get_variable("w", initializer=tf.constant(2.0))
        return {"x": x}, {"y": x * w}

    asset = os.path.join("/tmp", "words.txt")
    with open(asset, "w") as f:
        f.write("word\n")
    got = save_v1("asset_unused", double, feeds=[{"x": x2}], asset=asset)
    os.remove(os.path.join(here, "asset_unused", "model", "assets", "words.txt"))
    note("asset_unused", rows=x2.tolist(), want=by_row(got[0]))

    got = save_v1("no_tags", double, tags=(), key="default", feeds=[{"x": x2}])
    note("no_tags", "--tags []", rows=x2.tolist(), want=by_row(got[0]))

    def add():
        x, y = (v1.placeholder(tf.float32, (1, 2), n) for n in "xy")
        return {"x": x, "y": y}, {"z": x + y}

    got = save_v1("no_variables", add, restore=False, feeds=[{"x": x2[:1], "y": x2[1:]}])
    note("no_variables", rows=[{"x": [1, 2], "y": [3, 4]}], want=by_row(got[0]))

    def passes():
        key, x = v1.placeholder(tf.string, (None,), "key"), v1.placeholder(tf.float32, (None, 2), "x")
        return {"key": key, "x": x}, {"key": tf.identity(key), "x": tf.identity(x), "y": tf.reduce_sum(x, 1)}

    def returns():
        inputs, outputs = passes()
        return inputs, {**outputs, "key": inputs["key"], "x": inputs["x"]}

    folder("key_passthrough")
    keys = np.array(["a1", "a2"], object)
    want = save_v1("key_passthrough", passes, feeds=[{"key": keys, "x": x2}])
    save_v1("key_passthrough", returns)
    note("key_passthrough", rows=[{"key": "a1", "x": [1, 2]}, {"key": "a2", "x": [3, 4]}], want=by_row(want[0]))

    def classes():
        x = v1.placeholder(tf.float32, (None, 2), "x")
        return {"x": x}, {"class_names": tf.constant(["cat", "dog", "bird"]), "sum": tf.reduce_sum(x, 1)}

    got = save_v1("classes_once", classes, feeds=[{"x": np.array([[1, 2], [3, 4], [5, 6]], np.float32)}])
    note("classes_once", error='output "class_names": has 3 entries along its first axis whatever the number of rows',
         rows=[[1, 2], [3, 4], [5, 6]])

    def counter():
        delta = v1.placeholder(tf.float32, (), "delta")
        count = v1.Variable(0.0, use_resource=False, name="count")
        return {"delta": delta}, {"count": v1.assign_add(count, delta)}

    got = save_v1("ref_dtype", counter, feeds=[{"delta": 3.0}])
    note("ref_dtype", "--no-batch --format csv", rows=[{"delta": 3}])
    with open(os.path.join(here, "ref_dtype", "want.jsonl"), "w") as f:  # what is written is no JSON there
        f.write("count\n%d\n" % got[0]["count"])

    def waveform():
        x = v1.placeholder(tf.float32, (None,), "waveform")
        frames = tf.reshape(x, (-1, 2))
        return {"waveform": x}, {"energy": tf.reduce_sum(frames * frames, 1)}

    wave = np.array([1, 2, 3, 4], np.float32)
    got = save_v1("waveform", waveform, feeds=[{"waveform": wave}])
    note("waveform", "--no-batch", rows=[{"waveform": wave.tolist()}], want=[{"energy": got[0]["energy"]}])

    def examples():
        serialized = v1.placeholder(tf.string, (None,), "serialized")
        parsed = v1.parse_example(serialized, {
            "a": tf.io.FixedLenFeature((2,), tf.float32), "name": tf.io.FixedLenFeature((), tf.string, "nobody"),
            "ids": tf.io.VarLenFeature(tf.int64)})
        ids = tf.sparse.to_dense(parsed["ids"])
        return {"examples": serialized}, {"a": tf.reduce_sum(parsed["a"], 1), "ids": tf.reduce_sum(ids, 1), "name": parsed["name"]}

    def example(**features):
        kinds = {float: "float_list", int: "int64_list", bytes: "bytes_list"}
        e = tf.train.Example()
        for k, v in features.items():
            getattr(e.features.feature[k], kinds[type(v[0])]).value.extend(v)
        return e.SerializeToString()

    feed = np.array([example(a=[1.0, 2.0], name=[b"x"], ids=[4, 5]), example(a=[3.0, 4.0])], object)
    got = save_v1("examples", examples, feeds=[{"examples": feed}])
    note("examples", rows=[{"a": [1, 2], "name": "x", "ids": [4, 5]}, {"a": [3, 4]}], want=by_row(got[0]))

    def sequences():
        serialized = v1.placeholder(tf.string, (None,), "serialized")
        context, parts, lengths = tf.io.parse_sequence_example(
            serialized, {"id": tf.io.FixedLenFeature((), tf.int64)}, {"toks": tf.io.FixedLenSequenceFeature((), tf.int64)})
        return {"serialized": serialized}, {"id": context["id"], "sum": tf.reduce_sum(parts["toks"], 1)}

    records = []
    for i in range(3):
        e = tf.train.SequenceExample()
        e.context.feature["id"].int64_list.value.append(i)
        for t in range(i + 1):
            e.feature_lists.feature_list["toks"].feature.add().int64_list.value.append(t)
        records.append(e.SerializeToString())
    got = save_v1("sequence_examples", sequences, feeds=[{"serialized": np.array(records, object)}])
    with tf.io.TFRecordWriter(os.path.join(here, "sequence_examples", "rows.tfrecord")) as w:
        for r in records:
            w.write(r)
    note("sequence_examples", want=by_row(got[0]))

    class Scaled(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32, "x"), tf.TensorSpec((), tf.float32, "scale")])
        def f(self, x, scale=tf.constant(2.0)):
            return {"y": x * scale}

    m = Scaled()
    tf.saved_model.save(m, os.path.join(folder("defaults"), "model"), signatures=m.f)
    note("defaults", rows=[{"x": 1}, {"x": 3}], want=by_row({"y": plain(m.f(tf.constant([1.0, 3.0]))["y"].numpy())}))

    def words():
        ids, weights = v1.sparse_placeholder(tf.int64, (None, None), "ids"), v1.get_variable("table", initializer=np.arange(8, dtype=np.float32).reshape(4, 2))
        return {"ids": ids}, {"y": v1.nn.embedding_lookup_sparse(weights, ids, None, combiner="sum")}

    value = v1.SparseTensorValue([[0, 0], [0, 1], [1, 0]], [0, 3, 1], [2, 2])
    got = save_v1("sparse_ids", words, feeds=[{"ids": value}])
    note("sparse_ids", rows=[{"ids": [0, 3]}, {"ids": [1]}], want=by_row(got[0]))


class Parts(tf.Module):
    """Functions of ragged and sparse arguments, whose signatures take the tensors that those are
    made of."""

    @tf.function(input_signature=[
        {"words": tf.RaggedTensorSpec((None, None, None), tf.string), "weight": tf.TensorSpec((None,), tf.float32)},
        tf.RaggedTensorSpec((None, None), tf.float32, row_splits_dtype=tf.int32)])
    def ragged(self, inputs, numbers):
        words = inputs["words"]
        return {
            "joined": tf.strings.reduce_join(tf.strings.reduce_join(words, 2, separator=" "), 1, separator="|"),
            "lengths": tf.cast(words.row_lengths(2), tf.int32), "sum": tf.reduce_sum(numbers, 1) * inputs["weight"],
            "twice": numbers * 2}

    @tf.function(input_signature=[tf.SparseTensorSpec((None, 5), tf.float32), tf.TensorSpec((None,), tf.int32)])
    def sparse(self, x, y):
        return {"dense": tf.sparse.to_dense(x) + 1, "y": y}


def composites():
    m = Parts()
    words, numbers, weight = [[["a", "b"], ["c"]], [], [[], ["d"]]], [[1.0], [], [2.0, 3.5]], [1.0, 2.0, 3.0]
    got = m.ragged({"words": tf.ragged.constant(words, tf.string, ragged_rank=2), "weight": tf.constant(weight)},
                   tf.ragged.constant(numbers, tf.float32, row_splits_dtype=tf.int32))
    lists = lambda x: plain(x.to_list() if isinstance(x, tf.RaggedTensor) else x.numpy())
    tf.saved_model.save(m, os.path.join(folder("ragged_parts"), "model"), signatures=m.ragged)
    note("ragged_parts", rows=[{"words": a, "weight": b, "numbers": c} for a, b, c in zip(words, weight, numbers)],
         want=by_row({k: lists(x) for k, x in got.items()}))

    x, y = np.array([[1, 0, 2, 0, 0], [0, 0, 0, 0, 9]], np.float32), [7, 8]
    got = m.sparse(tf.sparse.from_dense(x), tf.constant(y))
    tf.saved_model.save(m, os.path.join(folder("sparse_parts"), "model"), signatures=m.sparse)
    note("sparse_parts", rows=[{"x": x[0].tolist(), "y": 7}, {"x": x[1].tolist(), "y": 8}], want=by_row({k: lists(v) for k, v in got.items()}))

    import tf_keras as keras

    keras.utils.set_random_seed(3)
    tokens, extra = keras.Input((None,), ragged=True, dtype=tf.int32, name="tokens"), keras.Input((3,), name="extra")
    bags = keras.Input((4,), sparse=True, name="bags")
    h = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(10, 3)(tokens))
    k2 = keras.Model([extra, tokens, bags], keras.layers.Concatenate(name="out")([h, extra, keras.layers.Dense(2)(bags)]))
    rows = [{"tokens": [1, 2, 3], "extra": [1, 2, 3], "bags": [0, 1, 0, 2]}, {"tokens": [4], "extra": [0, 0, 1], "bags": [3, 0, 0, 0]}]
    got = k2([tf.constant([r["extra"] for r in rows], tf.float32), tf.ragged.constant([r["tokens"] for r in rows], tf.int32),
              tf.sparse.from_dense(np.array([r["bags"] for r in rows], np.float32))]).numpy()
    k2.save(os.path.join(folder("k2_composites"), "model"))
    floats = [[float(np.format_float_positional(v, unique=True)) for v in row] for row in got]
    note("k2_composites", rows=rows, want=[{"out": plain(np.array(row, object))} for row in floats])


if __name__ == "__main__":
    only = sys.argv[2:]
    for f in (main, composites):
        if not only or f.__name__ in only:
            f()
