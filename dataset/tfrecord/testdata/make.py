"""Writes the records of this folder with TensorFlow, and cases.json, which says what they hold.

    pip install -r requirements.txt && python make.py
"""

import json
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

CASES = []


def spec(dtype, *shape, ragged_rank=None):
    out = {"dtype": dtype, "shape": [None if d < 0 else d for d in shape]}
    if ragged_rank is not None:
        out["ragged_rank"] = ragged_rank
    return out


def case(file, spec, rows, **more):
    CASES.append({"file": file, "spec": spec, "rows": rows, **more})


def feature(values):
    if isinstance(values, str):
        values = [values]
    values = values if isinstance(values, (list, np.ndarray)) else [values]
    f = tf.train.Feature()
    if len(values) == 0:
        return f
    if isinstance(values[0], (bytes, str)):
        f.bytes_list.value.extend(v.encode() if isinstance(v, str) else v for v in values)
    elif isinstance(values[0], (float, np.floating)):
        f.float_list.value.extend(float(v) for v in values)
    else:
        f.int64_list.value.extend(int(v) for v in values)
    return f


def example(**features):
    return tf.train.Example(features=tf.train.Features(feature={k: feature(v) for k, v in features.items()})).SerializeToString()


def write(name, records):
    with tf.io.TFRecordWriter(name) as w:
        for r in records:
            w.write(r)


def number(v):
    v = float(np.float32(v))
    return "NaN" if np.isnan(v) else "Infinity" if v == np.inf else "-Infinity" if v == -np.inf else v


rng = np.random.default_rng(5)
data = []
for i in range(6):
    data.append({
        "id": int(rng.integers(-2**62, 2**62)), "x": rng.standard_normal(4).astype(np.float32), "tokens": rng.integers(0, 1000, i).tolist(),
        "text": "é%d" % i, "words": ["w%d" % k for k in range(i % 3)], "flag": i % 2, "image": rng.integers(0, 256, 12).astype(np.uint8).tobytes(),
    })
data[1]["x"][:3] = np.nan, np.inf, -np.inf
data[2]["id"] = -1
write("example.tfrecord", [example(**d) for d in data])
case("example.tfrecord",
     {"id": spec("int64"), "x": spec("float32", 4), "tokens": spec("int32", -1), "text": spec("string"), "words": spec("string", -1), "flag": spec("bool"),
      "image": spec("uint8", 2, 2, 3)},
     [{"id": d["id"], "x": [number(v) for v in d["x"]], "tokens": d["tokens"], "text": d["text"], "words": d["words"], "flag": bool(d["flag"]),
       "image": np.frombuffer(d["image"], np.uint8).reshape(2, 2, 3).tolist()} for d in data])
case("example.tfrecord", {"a": spec("float64", -1, 2), "b": spec("int64", 1), "r": spec("float32", -1, ragged_rank=0)},
     [{"a": np.array([number(v) for v in d["x"]], object).reshape(2, 2).tolist(), "b": [d["id"]], "r": d["tokens"], "text": d["text"],
       "tokens": d["tokens"][0] if len(d["tokens"]) == 1 else d["tokens"] or None} for d in data],
     name="mapped and kept", columns={"a": ["x"], "b": ["id"], "r": ["tokens"]}, keep=["text", "tokens"])
# A feature without values is the same as none: TensorFlow's parser says so too.
for c in CASES[-1]["rows"]:
    if c["tokens"] is None:
        c["tokens"] = None
case("example.tfrecord", {"id": spec("int32")}, [{"$error": f'example.tfrecord: row {i + 1}: field "id": {d["id"]} does not fit int32'}
                                                 if not -2**31 <= d["id"] < 2**31 else {"id": d["id"]} for i, d in enumerate(data)], name="too large")
case("example.tfrecord", {"x": spec("float32", 5)}, [{"$error": "4 values do not fill the shape (5,)"}] * 6, name="wrong number")
case("example.tfrecord", {"text": spec("float32")}, [{"$error": "got a value of 3 bytes, which are no whole number of them"}] * 6, name="bytes that are no floats")
case("example.tfrecord", {"x": spec("string", -1)}, [{"$error": "want strings, got a list of floats"}] * 6, name="floats that are no strings")
case("example.tfrecord", {"txt": spec("string")}, [], error='did you mean "text"?', name="missing")

write("missing.tfrecord", [example(a=1.5, b=[1, 2]), example(b=[]), example(a=[], b=3), example(a=2.5)])
case("missing.tfrecord", {"a": spec("float32"), "b": spec("int64", -1)},
     [{"a": 1.5, "b": [1, 2]}, {"$error": 'field "a": the row has no feature "a"'}, {"$error": 'field "a": 0 values do not fill the shape ()'}, {"a": 2.5, "b": []}])

steps = [[1, 2, 3], [], [4]], [], [[5]]
words = [["a", "b"], ["c", "d"]], [["e", "f"]], [["g", "h"], ["i", "j"], ["k", "l"]]


def sequence(i):
    s = tf.train.SequenceExample()
    s.context.feature["id"].CopyFrom(feature(i))
    for v in steps[i]:
        s.feature_lists.feature_list["steps"].feature.append(feature(v))
    s.feature_lists.feature_list["words"].SetInParent()
    for v in words[i]:
        s.feature_lists.feature_list["words"].feature.append(feature(v))
    for v in words[i]:
        s.feature_lists.feature_list["first"].feature.append(feature(v[0]))
    return s.SerializeToString()


write("sequence.tfrecord", [sequence(i) for i in range(3)])
case("sequence.tfrecord", {"id": spec("int64"), "steps": spec("int64", -1, -1, ragged_rank=1), "words": spec("string", -1, 2), "first": spec("string", -1)},
     [{"id": i, "steps": steps[i], "words": words[i], "first": [w[0] for w in words[i]]} for i in range(3)])
case("sequence.tfrecord", {"steps": spec("int64", -1, -1)}, [{"$error": "a feature list of 3 steps does not fill the shape"}, {"steps": []}, {"steps": [[5]]}],
     name="ragged steps for a dense input")

write("empty.tfrecord", [])
case("empty.tfrecord", {"x": spec("float32")}, [])
# Values that are not packed, as old writers wrote them: tag 1 and a value each.
unpacked = b"\x0d\x00\x00\xc0\x3f\x0d\x00\x00\x20\xc0"
f = b"\x12" + bytes([len(unpacked)]) + unpacked
entry = b"\x0a\x01x\x12" + bytes([len(f)]) + f
features = b"\x0a" + bytes([len(entry)]) + entry
record = b"\x0a" + bytes([len(features)]) + features
assert list(tf.train.Example.FromString(record).features.feature["x"].float_list.value) == [1.5, -2.5]
write("unpacked.tfrecord", [record])
case("unpacked.tfrecord", {"x": spec("float32", 2)}, [{"x": [1.5, -2.5]}])

whole = open("missing.tfrecord", "rb").read()
damaged = bytearray(whole)
damaged[14] ^= 1
open("damaged.tfrecord", "wb").write(damaged)
case("damaged.tfrecord", {"a": spec("float32"), "b": spec("int64", -1)},
     [{"$error": "damaged.tfrecord: row 1: the record's checksum is wrong"}] + CASES[[c["file"] for c in CASES].index("missing.tfrecord")]["rows"][1:])
open("cut.tfrecord", "wb").write(whole[:-3])
case("cut.tfrecord", {"b": spec("int64", -1)}, [], error="the file is cut off in record 4")

with open("cases.json", "w", encoding="utf-8") as f:
    f.write("[\n" + ",\n".join(json.dumps(c, allow_nan=False, ensure_ascii=False) for c in CASES) + "\n]\n")
