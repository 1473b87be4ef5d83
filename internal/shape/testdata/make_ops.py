"""Records what TensorFlow's shape inference gives for operations, with inputs known in part.

    python make_ops.py FOLDER...

writes ops.jsonl.gz beside this file: for the operations of all SavedModels below the folders, as
they stand in the graphs, and for others that are made up (see extra), with sizes and values of the
inputs that are known, known in part, or not known at all. Each line has the node without its
inputs, the inputs' shapes (null: unknown rank) and whole numbers (null: not known), the shapes of
the variables behind handles, and the outputs' shapes. What TensorFlow refuses is left out.
"""

import base64
import glob
import gzip
import json
import os
import random
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2, node_def_pb2
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

random.seed(1)
NODES = 14  # of each operation, that differ in attributes, ranks or constants
UNKNOWN = "unknown rank"


def shape_of(proto):
    return None if proto.unknown_rank else [None if d.size < 0 else d.size for d in proto.dim]


def values(n):
    """The whole numbers of a constant, or None."""
    if n is None or n.op != "Const" or n.attr["value"].tensor.dtype not in (tf.int32.as_datatype_enum, tf.int64.as_datatype_enum):
        return None
    v = tf.make_ndarray(n.attr["value"].tensor)
    return v if v.size <= 64 else None


class In:
    """An input: a shape, and its values where it is a constant."""

    def __init__(self, dtype, shape, value=None, handle=None):
        self.dtype, self.shape, self.value, self.handle = dtype, shape, value, handle


def inputs(nodes, n, op_def, by_name):
    """The inputs of a node of a graph; None where they cannot be made."""
    types = []
    for a in op_def.input_arg:
        count = n.attr[a.number_attr].i if a.number_attr else 1
        if a.type_list_attr:
            types += list(n.attr[a.type_list_attr].list.type)
        else:
            types += [a.type or n.attr[a.type_attr].type] * count
    names = [i for i in n.input if not i.startswith("^")]
    if len(types) != len(names):
        return None
    found = []
    for name, t in zip(names, types):
        parts = name.split(":")
        src = by_name.get(parts[0])
        shape = None
        if src is not None:
            shapes = src.attr["_output_shapes"].list.shape
            out = int(parts[-1]) if len(parts) > 1 else 0
            if out < len(shapes):
                shape = shape_of(shapes[out])
        hops = 0
        while src is not None and src.op == "Identity" and hops < 10:
            src, hops = by_name.get(src.input[0].split(":")[0]), hops + 1
        v = values(src)
        if t % 100 in (0, tf.variant.as_datatype_enum):
            return None
        dtype = tf.as_dtype(t % 100)
        handle = None
        if dtype == tf.resource:
            outs = n.attr["_output_shapes"].list.shape
            if n.op == "ReadVariableOp" and outs:
                handle = shape_of(outs[0])
            elif n.op == "ResourceGather" and outs:
                handle = [11] + (shape_of(outs[0]) or [None])[-1:]
            if handle is None or None in handle:
                return None
        found.append(In(dtype, list(v.shape) if v is not None else shape, v, handle))
    return found


def strip(n):
    """The node without what depends on its place."""
    m = node_def_pb2.NodeDef(name="n", op=n.op)
    for k, a in n.attr.items():
        if not k.startswith("_") and a.WhichOneof("value") != "func" and not (k == "value" and a.tensor.ByteSize() > 300):
            m.attr[k].CopyFrom(a)
    return m


lines, seen, refused = [], set(), {}


def record(n, ins):
    op_def = op_def_registry.get(n.op)
    with tf.Graph().as_default() as g:
        try:
            tensors = []
            for i in ins:
                if i.handle is not None:
                    t = tf.raw_ops.VarHandleOp(dtype=n.attr["dtype"].type, shape=i.handle)
                elif i.value is not None:
                    t = tf.constant(i.value, i.dtype)
                else:
                    t = tf.compat.v1.placeholder(i.dtype, None if i.shape == UNKNOWN else i.shape)
                tensors.append(t)
            op = g._create_op_internal(n.op, tensors, None, name="n", attrs=dict(n.attr.items()), op_def=op_def)
            outs = [None if o.shape.rank is None else o.shape.as_list() for o in op.outputs]
        except Exception as err:  # sizes that do not fit each other
            refused[n.op] = refused.get(n.op, 0) + 1
            return
    line = {"node": base64.b64encode(n.SerializeToString(deterministic=True)).decode()}
    line["in"] = [{"shape": None if i.shape == UNKNOWN else i.shape, **({} if i.value is None else {"ints": np.asarray(i.value).ravel().tolist()}), **({} if i.handle is None else {"held": i.handle})} for i in ins]
    line["out"] = outs
    text = json.dumps(line, separators=(",", ":"))
    if text not in seen:
        seen.add(text)
        lines.append(text)


def vary(n, ins):
    """Records a node with sizes that are known, known in part, and not known."""

    def with_sizes(size, hide=0.0, lose=0.0, forget=0.0):
        made = []
        for i in ins:
            shape, v = i.shape, i.value
            if v is None and shape is not None and shape != UNKNOWN:
                shape = [size if d is None else d for d in shape]
                shape = [None if random.random() < hide else d for d in shape]
                if random.random() < lose:
                    shape = UNKNOWN
                whole = i.dtype in (tf.int32, tf.int64)
                if whole and len(shape) <= 1 and None not in shape and sum(shape) <= 6 and random.random() < 0.7:
                    v = np.random.randint(1, 7, shape)
            elif v is None:
                shape = UNKNOWN
            elif random.random() < forget:
                v = None
            made.append(In(i.dtype, shape, v, i.handle))
        record(n, made)

    for size in (None, 12, 7, 23):
        with_sizes(size)
    with_sizes(12, hide=0.4)
    with_sizes(7, hide=0.3)
    with_sizes(12, hide=0.2, forget=0.6)
    with_sizes(12, lose=0.6)
    with_sizes(None, lose=0.3, forget=0.4)


counts, keys = {}, set()


def graph_nodes(folder):
    for path in sorted(glob.glob(folder + "/**/saved_model.pb", recursive=True)):
        try:
            model = saved_model_pb2.SavedModel.FromString(open(path, "rb").read())
        except Exception:
            continue  # broken on purpose
        for mg in model.meta_graphs:
            for nodes in [mg.graph_def.node] + [f.node_def for f in mg.graph_def.library.function]:
                yield nodes, {n.name: n for n in nodes}


def walk(folder):
    for nodes, by_name in graph_nodes(folder):
        for n in nodes:
            op_def = op_def_registry.get(n.op)
            if op_def is None or counts.get(n.op, 0) >= NODES or not op_def.output_arg or n.op in ("NoOp", "Placeholder"):
                continue
            if any(a.is_ref for a in op_def.output_arg) or any(a.WhichOneof("value") == "func" for a in n.attr.values()):
                continue
            ins = inputs(nodes, n, op_def, by_name)
            if ins is None:
                continue
            m = strip(n)
            key = m.SerializeToString(deterministic=True) + repr([(len(i.shape or []), None if i.value is None else i.value.tolist()) for i in ins]).encode()
            if key in keys:
                continue
            keys.add(key)
            counts[n.op] = counts.get(n.op, 0) + 1
            vary(m, ins)


def node(op, **attrs):
    n = node_def_pb2.NodeDef(name="n", op=op)
    for k, v in attrs.items():
        a = n.attr[k]
        if isinstance(v, tf.DType):
            a.type = v.as_datatype_enum
        elif isinstance(v, bool):
            a.b = v
        elif isinstance(v, int):
            a.i = v
        elif isinstance(v, str):
            a.s = v.encode()
        else:
            a.list.i.extend(v)
    return n


F, I = tf.float32, tf.int32


def x(*shape):
    return In(F, list(shape))


def ints(*v, shape=None):
    return In(I, [len(v)] if shape is None else shape, np.array(v, np.int32).reshape([len(v)] if shape is None else shape))


def scalar(v):
    return ints(v, shape=[])


def extra():
    pick = random.choice
    for _ in range(150):  # x[…] of all kinds
        count = random.randint(1, 4)
        masks = {m: random.getrandbits(count) & random.getrandbits(count) for m in ("begin_mask", "end_mask", "new_axis_mask", "shrink_axis_mask")}
        n = node("StridedSlice", T=F, Index=I, ellipsis_mask=pick((0, 0, 1, 2)) & (2**count - 1), **masks)
        at = [ints(*(pick(c) for _ in range(count))) for c in ((-3, -2, 0, 1, 2), (-2, -1, 3, 5, 40), (1, 1, 1, 2, -1, -2))]
        vary(n, [x(*(pick((None, 4, 5, 9)) for _ in range(random.randint(1, 4))))] + at)
    for rank, op in ((2, "Conv2D"), (3, "Conv3D")):
        for _ in range(40):
            last = pick(("N" + "DHW"[3 - rank:] + "C", "NC" + "DHW"[3 - rank:]))
            spread = lambda v: [1] + v + [1] if last[-1] == "C" else [1, 1] + v
            padding = pick(("SAME", "VALID", "EXPLICIT")) if rank == 2 else pick(("SAME", "VALID"))
            more = {"explicit_paddings": sum(([d, e] for d, e in zip(spread([1] * rank), spread([2] * rank))), [])} if padding == "EXPLICIT" else {}
            if more:
                more = {"explicit_paddings": [0 if v == 1 and i // 2 in (0, last.index("C")) else v for i, v in enumerate(more["explicit_paddings"])]}
                for i in (0, last.index("C")):
                    more["explicit_paddings"][2 * i:2 * i + 2] = [0, 0]
            # TensorFlow's inference of Conv3D takes the dilation of one axis for another's; its
            # kernels do not
            dilations = [pick((1, 1, 2))] * rank if rank == 3 else [pick((1, 1, 2)) for _ in range(rank)]
            n = node(op, T=F, strides=spread([pick((1, 2, 3)) for _ in range(rank)]), dilations=spread(dilations), padding=padding, data_format=last, **more)
            space = [pick((None, 9, 14)) for _ in range(rank)]
            vary(n, [x(None, *space, 4) if last[-1] == "C" else x(None, 4, *space), x(*(pick((1, 2, 3)) for _ in range(rank)), pick((2, 4)), 6)])
    for op, rank in (("MaxPool", 2), ("AvgPool", 2), ("MaxPool3D", 3), ("AvgPool3D", 3)):
        for _ in range(12):
            n = node(op, T=F, ksize=[1] + [pick((2, 3)) for _ in range(rank)] + [1], strides=[1] + [pick((1, 2, 3)) for _ in range(rank)] + [1], padding=pick(("SAME", "VALID")))
            vary(n, [x(None, *(pick((None, 9, 14)) for _ in range(rank)), 4)])
    for _ in range(20):
        n = node("DepthwiseConv2dNative", T=F, strides=[1, 2, 2, 1], dilations=[1, 1, 1, 1], padding=pick(("SAME", "VALID")))
        vary(n, [x(None, pick((None, 9)), 11, 4), x(3, 2, 4, pick((1, 2)))])
        a, b = pick((True, False)), pick((True, False))
        vary(node("MatMul", T=F, transpose_a=a, transpose_b=b), [x(5, 5), x(5, 5)])
        vary(node("BatchMatMulV2", T=F, adj_x=a, adj_y=b), [x(None, pick((1, 3)), 4, 4), x(3, 4, 4)])
        batch = pick((0, 1))
        vary(node("GatherV2", Tparams=F, Tindices=I, Taxis=I, batch_dims=batch), [x(None, 5, 6), In(I, [None, 4]), scalar(pick((1, 2, -1)))])
        vary(node("OneHot", T=F, TI=I, axis=pick((-1, 0, 1))), [In(I, [None, 4]), scalar(9), In(F, []), In(F, [])])
        vary(node("Pack", N=2, T=F, axis=pick((-1, 0, 1, 2))), [x(None, 4), x(None, 4)])
        vary(node("ConcatV2", N=2, T=F, Tidx=I), [x(None, 4, 4), x(None, 4, 4), scalar(pick((-1, 0, 1)))])
        vary(node("Split", T=F, num_split=pick((1, 2, 3))), [scalar(pick((0, 1, -1))), x(12, None, 6)])
        vary(node("SplitV", T=F, Tlen=I, num_split=3), [x(None, 9), ints(2, pick((-1, 3)), 4), scalar(1)])
        vary(node("Tile", T=F, Tmultiples=I), [x(None, 4), ints(pick((1, 2)), 3)])
        vary(node("Pad", T=F, Tpaddings=I), [x(None, 4), ints(0, 0, 1, 2, shape=[2, 2])])
        vary(node("Slice", T=F, Index=I), [x(None, 9), ints(pick((0, 1)), 2), ints(pick((-1, 1)), pick((-1, 3)))])
        vary(node("Squeeze", T=F, squeeze_dims=pick(([], [1], [-1], [1, 3]))), [x(None, 1, 5, 1)])
        vary(node("ExpandDims", T=F, Tdim=I), [x(None, 5), scalar(pick((0, 1, 2, -1, -2)))])
        vary(node("Reshape", T=F, Tshape=I), [x(None, 4, 6), ints(*pick(((-1, 24), (-1, 3, 8), (12, 24), (-1,), (12, -1, 2), (12, 4, 6))))])
        vary(node("Transpose", T=F, Tperm=I), [x(None, 4, 6), ints(*random.sample(range(3), 3))])
        vary(node("Mean", T=F, Tidx=I, keep_dims=pick((True, False))), [x(None, 4, 6), ints(*random.sample((0, 1, -1), pick((1, 2))))])
        vary(node("ArgMax", T=F, Tidx=I, output_type=tf.int64), [x(None, 4, 6), scalar(pick((0, 1, -1)))])
        vary(node("AddV2", T=F), [x(*(pick((1, None, 4)) for _ in range(pick((1, 2, 3))))), x(*(pick((1, None, 4)) for _ in range(pick((1, 2, 3)))))])
        vary(node("SelectV2", T=F), [In(tf.bool, [None, 1]), x(None, 4), x(4)])
        vary(node("DepthToSpace", T=F, block_size=2), [x(None, pick((None, 5)), 3, 8)])
        vary(node("SpaceToDepth", T=F, block_size=2), [x(None, pick((None, 6)), 4, 3)])
        vary(node("SpaceToBatchND", T=F, Tblock_shape=I, Tpaddings=I), [x(None, 6, 3), ints(2), ints(pick((0, 2)), 2, shape=[1, 2])])
        vary(node("BatchToSpaceND", T=F, Tblock_shape=I, Tcrops=I), [x(12, 6, 3), ints(2), ints(pick((0, 1)), 1, shape=[1, 2])])
        vary(node("ResizeBilinear", T=F), [x(None, None, 5, 3), ints(7, 9)])
        vary(node("CropAndResize", T=F), [x(None, None, 5, 3), x(None, 4), In(I, [None]), ints(7, 9)])
        vary(node("Range", Tidx=I), [scalar(pick((0, 9))), scalar(pick((5, -4))), scalar(pick((1, 2, -3)))])
        vary(node("GatherNd", Tparams=F, Tindices=I), [x(None, 5, 6), In(I, [None, pick((1, 2, 3))])])
        vary(node("TopKV2", T=F), [x(None, 9), scalar(3)])
        vary(node("BroadcastTo", T=F, Tidx=I), [x(None, 4), ints(5, 3, 4)])
        vary(node("Fill", T=F, index_type=I), [ints(*(pick((1, 3)) for _ in range(pick((0, 1, 2))))), In(F, [])])
    for equation in ("ab,bc->ac", "abc,cd->abd", "aecd,abcd->acbe", "acbe,aecd->abcd", "...a,ab->...b", "a...,...->a...", "ab->ba", "ijk,jkl->il", "abc,abc->a"):
        parts = equation.split("->")[0].split(",")
        for known in range(3):
            n = node("Einsum", T=F, N=len(parts), equation=equation)
            vary(n, [x(*(pick((None, 4)) if known else 4 for _ in p.replace("...", "yz"))) for p in parts])


for folder in sys.argv[1:]:
    walk(folder)
extra()
out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ops.jsonl.gz")
with open(out, "wb") as f, gzip.GzipFile("", "wb", 9, f, mtime=0) as z:
    z.write(("\n".join(lines) + "\n").encode())
print(len(lines), "cases of", len({op for op in counts}), "operations;", os.path.getsize(out), "bytes; refused:", refused, file=sys.stderr)
