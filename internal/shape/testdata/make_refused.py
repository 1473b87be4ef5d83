#!/usr/bin/env python3
"""make_refused.py runs operations on tensors of many sizes, and writes refused.jsonl.gz: each operation
with the sizes that it was given, and whether TensorFlow ran it.

    python make_refused.py

refused.jsonl.gz was written so by TensorFlow 2.21.
"""

import base64
import gzip
import itertools
import json
import os

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

R = tf.raw_ops
I = np.int32  # noqa: E741


def of(make, *ranks):
    """An operation on tensors of open sizes, and what to feed: each axis but the first of 1 to 6 places."""
    return make, ranks


def windows(op, **attrs):
    for k, stride, pad in itertools.product((1, 2, 3, 5), (1, 2, 3), ("VALID", "SAME")):
        if op in ("MaxPool", "AvgPool"):
            yield of(lambda x, k=k, s=stride, p=pad: getattr(R, op)(**{"input" if op == "MaxPool" else "value": x}, ksize=[1, k, k, 1], strides=[1, s, s, 1], padding=p), 4)
        else:
            for d in (1, 2) if stride == 1 else (1,):
                yield of(lambda x, k=k, s=stride, p=pad, d=d: R.Conv2D(input=x, filter=np.zeros((k, k, 2, 3), "f"), strides=[1, s, s, 1], padding=p, dilations=[1, d, d, 1]), 4)


CASES = [
    of(lambda a, b: R.AddV2(x=a, y=b), 2, 2), of(lambda a, b: R.Mul(x=a, y=b), 1, 3), of(lambda a, b: R.Equal(x=a, y=b), 2, 2),
    of(lambda a, b: R.Maximum(x=a, y=b), 3, 2), of(lambda a, b: R.SelectV2(condition=a > 0, t=a, e=b), 2, 2),
    of(lambda a, b: R.Select(condition=a > 0, x=a, y=b), 2, 2), of(lambda a, b: R.AddN(inputs=[a, b]), 2, 2),
    of(lambda a, b: R.Pack(values=[a, b], axis=1), 2, 2),
    of(lambda a, b: R.ConcatV2(values=[a, b], axis=1), 2, 2), of(lambda a, b: R.ConcatV2(values=[a, b], axis=-1), 3, 3),
    of(lambda a, b: R.MatMul(a=a, b=b), 2, 2), of(lambda a, b: R.MatMul(a=a, b=b, transpose_b=True), 2, 2), of(lambda a, b: R.BatchMatMulV2(x=a, y=b), 3, 3),
    of(lambda a, b: R.BatchMatMulV2(x=a, y=b, adj_x=True), 3, 2),
    of(lambda a, b: R.Einsum(inputs=[a, b], equation="ij,jk->ik"), 2, 2), of(lambda a, b: R.Einsum(inputs=[a, b], equation="abc,cd->abd"), 3, 2),
    of(lambda a, b: R.Einsum(inputs=[a, b], equation="...ij,...jk->...ik"), 3, 3),
    of(lambda a: R.Reshape(tensor=a, shape=I([-1, 4])), 2), of(lambda a: R.Reshape(tensor=a, shape=I([2, 6])), 2), of(lambda a: R.Reshape(tensor=a, shape=I([-1])), 3),
    of(lambda a: R.Reshape(tensor=a, shape=I([0, -1])), 2),
    of(lambda a: R.Split(axis=1, value=a, num_split=2), 2), of(lambda a: R.SplitV(value=a, size_splits=I([1, 3]), axis=1, num_split=2), 2),
    of(lambda a: R.SplitV(value=a, size_splits=I([2, -1]), axis=1, num_split=2), 2),
    of(lambda a: R.Squeeze(input=a, axis=[1]), 3), of(lambda a: R.Squeeze(input=a, axis=[-1, 1]), 3),
    of(lambda a: R.StridedSlice(input=a, begin=I([0, 3]), end=I([0, 4]), strides=I([1, 1]), begin_mask=1, end_mask=1, shrink_axis_mask=2), 2),
    of(lambda a: R.StridedSlice(input=a, begin=I([0, -3]), end=I([0, -2]), strides=I([1, 1]), begin_mask=1, end_mask=1, shrink_axis_mask=2), 2),
    of(lambda a: R.StridedSlice(input=a, begin=I([0, 3]), end=I([0, 5]), strides=I([1, 1]), begin_mask=1, end_mask=1), 2),
    of(lambda a: R.Slice(input=a, begin=I([0, 2]), size=I([-1, 2])), 2), of(lambda a: R.Slice(input=a, begin=I([0, 3]), size=I([-1, -1])), 2),
    of(lambda a: R.EnsureShape(input=a, shape=[None, 4]), 2), of(lambda a: R.BroadcastTo(input=a, shape=I([3, 4])), 2), of(lambda a: R.BroadcastTo(input=a, shape=I([2, 3, 4])), 2),
    of(lambda a: R.SpaceToDepth(input=a, block_size=2), 4), of(lambda a: R.DepthToSpace(input=a, block_size=2), 4),
    of(lambda a: R.SpaceToBatchND(input=a, block_shape=I([2]), paddings=I([[0, 1]])), 3), of(lambda a: R.BatchToSpaceND(input=a, block_shape=I([2]), crops=I([[1, 1]])), 3),
    of(lambda a: R.MirrorPad(input=a, paddings=I([[0, 0], [2, 2]]), mode="REFLECT"), 2), of(lambda a: R.MirrorPad(input=a, paddings=I([[0, 0], [2, 2]]), mode="SYMMETRIC"), 2),
    of(lambda a: R.Pad(input=a, paddings=I([[0, 0], [2, 2]])), 2), of(lambda a: R.TopKV2(input=a, k=3, sorted=True), 2), of(lambda a: R.Tile(input=a, multiples=I([1, 2])), 2),
    of(lambda a: R.BiasAdd(value=a, bias=np.zeros(4, "f")), 2), of(lambda a: R.Mean(input=a, axis=I([1])), 2),
    of(lambda a: R.Transpose(x=a, perm=I([1, 0])), 2), of(lambda a: R.Unpack(value=a, num=3, axis=1), 2),
    of(lambda a, b: R.GatherV2(params=a, indices=tf.cast(b, "int32"), axis=1, batch_dims=1), 3, 2),
    of(lambda a: R.Conv2D(input=a, filter=np.zeros((1, 1, 2, 4), "f"), strides=[1] * 4, padding="SAME"), 4),
    of(lambda a: R.DepthwiseConv2dNative(input=a, filter=np.zeros((1, 1, 2, 4), "f"), strides=[1] * 4, padding="SAME"), 4),
    of(lambda a: R.BiasAdd(value=a, bias=np.zeros(2, "f")), 4),
    *windows("Conv2D"), *windows("MaxPool"), *windows("AvgPool"),
]


def sizes(ranks, images):
    """All sizes of axes that are open, of which only a few are tried for many axes."""
    n = sum(ranks)
    if images:
        return [(1, s, s, 2) for s in range(1, 7)]
    every = list(itertools.product(*[(1, 2, 3, 4, 5) if n < 4 else (1, 2, 3) if n < 5 else (1, 2)] * n))
    if n > 4:
        every += [tuple(3 if i == k else 2 for i in range(n)) for k in range(n)]
    return every


def main():
    lines = []
    for make, ranks in CASES:
        graph = tf.Graph()
        with graph.as_default():
            ins = [tf.compat.v1.placeholder("float32", [None] * r) for r in ranks]
            out = make(*ins)
            out = out[0] if isinstance(out, (list, tuple)) else out
        op = out.op
        node = op.node_def
        with tf.compat.v1.Session(graph=graph) as session:
            images = ranks == (4,) and op.type in ("Conv2D", "MaxPool", "AvgPool") and node.attr["padding"].s != b"SAME"
            for dims in sizes(ranks, images):
                at, feed = 0, {}
                for t, r in zip(ins, ranks):
                    feed[t] = np.zeros(dims[at:at + r], "f")
                    at += r
                given = []
                for t in op.inputs:
                    ints = None
                    value = tf.get_static_value(t)
                    if value is not None and value.dtype.kind == "i":
                        ints = [int(v) for v in value.flatten()]
                    source = t.op.inputs[0] if t.op.type in ("Cast", "Greater") else t
                    shape = list(feed[source].shape) if any(source is i for i in feed) else t.shape.as_list()
                    given.append({"Shape": shape, "Ints": ints})
                try:
                    session.run(out, feed)
                    ran = True
                except (tf.errors.InvalidArgumentError, tf.errors.UnknownError):
                    ran = False
                lines.append({"Node": base64.b64encode(node.SerializeToString()).decode(), "In": given, "Ran": ran})
    with gzip.GzipFile(os.path.join(os.path.dirname(os.path.abspath(__file__)), "refused.jsonl.gz"), "wb", mtime=0) as f:
        for line in lines:
            f.write((json.dumps(line) + "\n").encode())
    print(len(lines), sum(not x["Ran"] for x in lines))


main()
