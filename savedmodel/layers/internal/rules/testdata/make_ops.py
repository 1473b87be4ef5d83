"""Records what Keras gives as the output shapes of operations, as the summary prints them: of the
functions of keras.ops in Keras 3, and of those of TensorFlow in Keras 2.

    python make_ops.py keras2
    python make_ops.py keras3

Each adds ops2.json or ops3.json to rules.zip beside this file, which must not have it yet. Each
function is called with the arguments below on every group of inputs that it takes; calls that make
more than one operation, or none, are left out. Each entry has the class, the config, the call as
the config of a model has it, the shapes of the inputs and of the outputs.
"""

import json
import os
import sys
import zipfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
K3 = sys.argv[1] == "keras3"
if K3:
    import keras
    ops = keras.ops
else:
    import tf_keras as keras
import tensorflow as tf  # noqa: E402

flatten = keras.tree.flatten if K3 else tf.nest.flatten
N = None
INPUTS = [
    [(6, 8)], [(N, 8)], [(5,)], [(4, 6, 2)], [()], [(6, 6)], [(N, N, 3)], [(1, 8)],
    [(6, 8), (6, 8)], [(6, 8), (8, 6)], [(5,), (5,)], [(4, 1), (1, 7)], [(N, 8), (N, 8)], [(6, 8), (1,)], [(6, 6), (6, 6)], [(6, 6), (6, 2)],
    [(9, 9, 3)], [(12, 3)],
]
AXES = [{}, {"axis": 1}, {"axis": -1}, {"axis": 0}, {"axis": (1, 2)}, {"axis": -1, "keepdims": True}, {"axis": (0, -1)}, {"keepdims": True}]
ARGUMENTS = {
    "reshape": [((-1, 4),), ((-1, 2, 8),), ((3, -1),)], "transpose": [(), ((0, 2, 1),), ((2, 0, 1),), ((0, 3, 1, 2),)],
    "expand_dims": [(0,), (1,), (-1,), (2,), ((1, -1),)], "squeeze": [(), (1,), (-1,), ((1,),)],
    "repeat": [(2,), (2, 1), (3, -1), ([1, 2, 1, 1, 1, 2], 1)], "tile": [(2,), ((1, 2),), ((2, 1, 3),), ((2, 1, 1, 1),)],
    "pad": [(1,), (((0, 0), (1, 2)),), (((0, 0), (1, 2), (0, 3)),), ((1, 2),)], "roll": [(1,), (1, 1)], "flip": [(), (1,)], "rot90": [(), (1, (1, 2)), (2,)],
    "moveaxis": [(1, -1), (0, 1), ((0, 1), (1, 0)), (-1, 0)], "swapaxes": [(0, 1), (1, 2), (-1, 0)],
    "broadcast_to": [((3, 6, 8),), ((1, 4, 7),)], "take": [(1, 1), ([0, 2, 1], 1), ([[0, 1], [1, 0]], -1), (0,), ([0, 1],)], "take_along_axis": [()],
    "split": [(2,), (2, 1), (2, -1), ([2, 3], 1), ([2], -1)], "array_split": [(4, 1), (3, -1)], "vsplit": [(2,)], "hsplit": [(2,)], "dsplit": [(2,)],
    "unstack": [(6, 1), (N, 1), (N, -1), (8, 2)], "one_hot": [(5,), (5, 1), (7, 0)], "multi_hot": [(5,), (5, 1)], "top_k": [(3,), (1,)],
    "diagonal": [(), (0, 1, 2), (1,), (0, 0, 1)], "trace": [(), (0, 1, 2)], "diag": [(), (1,)], "diff": [(), (2,), (1, 1)], "cumsum": [(), (1,)], "cumprod": [(), (1,)],
    "sort": [(), (1,)], "argsort": [(), (1,), (N,)], "quantile": [(0.5,), (0.5, 1), ([0.1, 0.9], -1), (0.5, 1, "linear", True)], "percentile": [(50,), (50, 1)],
    "clip": [(0.0, 1.0)], "cast": [("float32",), ("int32",)], "saturate_cast": [("uint8",)], "view": [("int32",)],
    "power": [(), (2,)], "full_like": [(1.0,)], "nan_to_num": [()], "round": [(), (2,)],
    "bincount": [()], "digitize": [([0.0, 1.0],)], "searchsorted": [()], "argpartition": [(2,), (2, 1)], "histogram": [()], "isin": [([1.0, 2.0],)],
    "tensordot": [(2,), (1,), ([[2], [2]],), ([[1], [1]],), ([[1, 2], [2, 1]],)], "dot": [()], "vdot": [()], "inner": [()], "outer": [()], "cross": [()], "kron": [()], "matmul": [()],
    "einsum": [("abc,abc->ab",), ("abc,acd->abd",), ("abc->acb",), ("ab->a",), ("...c->...",), ("abc->",), ("abc,abd",)],
    "average": [(), (1,), (-1,)], "meshgrid": [()], "unravel_index": [((3, 4),)], "select": [], "nonzero": [()], "where": [()],
    "norm": [(), ("fro", (1, 2)), (2, 1), (N, -1)], "normalize": [(), (1,)], "logsumexp": [(), (1,), (-1, True)], "segment_sum": [], "segment_max": [],
    "in_top_k": [(2,)], "rfft": [(), (4,)], "irfft": [(), (9,)], "fft": [], "fft2": [], "stft": [(4, 2, 4)], "istft": [], "extract_sequences": [(3, 2), (4, 1)], "erfinv": [()],
    "max_pool": [(2,), (2, 1, "same"), ((3, 2), (1, 2)), (3, 2, "same")], "average_pool": [(2,), (2, 1, "same"), ((3, 2), (1, 2))],
    "adaptive_average_pool": [(2,), ((3, 2),)], "adaptive_max_pool": [(2,), ((3, 2),)],
    "conv": [], "glu": [(), (1,)], "softmax": [(), (1,), ((1, 2),)], "log_softmax": [()], "moments": [(1,), ((1, 2),), ((0, 1), True)], "threshold": [(0.5, 0.0)], "leaky_relu": [()],
    "squareplus": [()], "unfold": [(2,), (3, 1, 1, 2)], "dot_product_attention": [], "depth_to_space": [(1,)], "space_to_depth": [(3,), (2,)],
    "slice": [((0, 1, 0), (2, 3, 4))], "stop_gradient": [()], "convert_to_tensor": [()], "bitwise_left_shift": [], "allclose": [()],
    "tril": [(), (1,)], "triu": [()], "ones_like": [()], "zeros_like": [()], "vander": [(), (3,)], "polar": [()], "qr": [(), ("complete",)], "svd": [(), (True, False), (False,)],
    "solve": [()], "solve_triangular": [()], "lstsq": [()], "cholesky": [()], "cholesky_inverse": [()], "det": [()], "inv": [()], "eigh": [()], "eig": [()], "lu_factor": [()], "expm": [()], "jvp": [], "matrix_rank": [()],
    "pinv": [()], "slogdet": [()], "hypot": [()], "view_as_complex": [()], "view_as_real": [()], "ctc_decode": [], "ctc_loss": [], "psnr": [()], "rearrange": [("b t c -> b (t c)",), ("b t c -> b c t",)],
    "nanmean": AXES, "nansum": AXES, "nanmax": AXES, "nanvar": AXES, "nanstd": AXES, "nanmin": AXES, "nanprod": AXES, "nanmedian": AXES, "nanargmax": AXES, "nanargmin": AXES, "ptp": AXES,
    "mean": AXES, "sum": AXES, "max": AXES, "min": AXES, "prod": AXES, "any": AXES, "all": AXES, "std": AXES, "var": AXES, "median": AXES, "count_nonzero": AXES, "amax": AXES, "amin": AXES,
    "argmax": AXES, "argmin": AXES, "logaddexp2": [()],
    "image.resize": [((4, 5),), ((4, 5), "nearest")], "image.rgb_to_grayscale": [()], "image.rgb_to_hsv": [()], "image.hsv_to_rgb": [()], "image.crop_images": [({"top_cropping": 1, "left_cropping": 2, "target_height": 4, "target_width": 5},)],
    "image.pad_images": [({"top_padding": 1, "left_padding": 2, "target_height": 14, "target_width": 15},), ({"top_padding": 1, "left_padding": 2, "bottom_padding": 0, "right_padding": 1},)],
    "image.extract_patches": [((3, 3),), (3, 2), ((3, 3), (2, 2), 1, "same")], "image.gaussian_blur": [()], "image.elastic_transform": [()], "image.scale_and_translate": [],
    "linalg.norm": [(), (N, 1)], "nn.polar": [],
}
TENSORFLOW = """
gather(x, [0, 2], axis=1) | gather(x, 1, axis=-1) | gather(x, [[0, 1], [1, 0]], axis=1) | gather(x, [0, 1]) | gather(x, [0], axis=-1, batch_dims=0)
pad(x, [[0, 0], [1, 2]]) | pad(x, [[0, 0], [1, 2], [0, 3]]) | pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="REFLECT") | tile(x, [1, 2]) | tile(x, [1, 2, 1]) | tile(x, [2, 1, 3])
repeat(x, 2, axis=1) | repeat(x, 3) | repeat(x, 3, axis=-1) | unstack(x, axis=1) | unstack(x, axis=-1) | split(x, 2, axis=1) | split(x, [2, 4], axis=1) | split(x, [3, 5], axis=-1)
split(x, [2, -1], axis=-1) | slice(x, [0, 1, 0], [-1, 3, 4]) | slice(x, [0, 1], [-1, 2]) | strided_slice(x, [0, 1], [5, 4]) | broadcast_to(x, [3, 6, 8]) | reverse(x, [1])
reshape(x, [-1, 4]) | reshape(x, [-1, 2, 8]) | reshape(x, (-1,)) | transpose(x) | transpose(x, [0, 2, 1]) | expand_dims(x, 1) | expand_dims(x, -1) | squeeze(x) | squeeze(x, 1) | squeeze(x, [-1])
one_hot(cast(x, "int32"), 5) | zeros_like(x)
shape(x) | rank(x) | size(x) | argmax(x, 1) | argmax(x, axis=-1) | argmin(x, -1) | argsort(x) | sort(x, axis=1) | cumsum(x) | cumsum(x, axis=1) | norm(x) | norm(x, axis=-1) | norm(x, axis=1, keepdims=True)
reduce_sum(x) | reduce_mean(x, 1) | reduce_max(x, axis=[1, 2]) | reduce_min(x, -1, keepdims=True) | reduce_any(x > 0, 1) | reduce_logsumexp(x, axis=1) | math.reduce_std(x, 1) | math.reduce_variance(x, axis=-1)
math.reduce_euclidean_norm(x, 1) | math.l2_normalize(x, -1) | nn.l2_normalize(x, axis=1) | math.top_k(x, 3) | nn.top_k(x, k=2) | nn.softmax(x) | nn.log_softmax(x, axis=1) | nn.relu(x) | nn.gelu(x)
nn.leaky_relu(x, 0.1) | nn.moments(x, axes=[1]) | nn.avg_pool2d(x, 2, 2, "SAME") | nn.max_pool2d(x, 3, 1, "VALID") | nn.max_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], "VALID") | nn.avg_pool1d(x, 2, 2, "VALID")
nn.max_pool1d(x, 2, 1, "SAME") | nn.depth_to_space(x, 1) | nn.space_to_depth(x, 3) | nn.space_to_depth(x, 2) | nn.local_response_normalization(x) | nn.dropout(x, 0.2) | nn.bias_add(x, [1.0, 2.0, 3.0])
image.resize(x, [4, 5]) | image.resize(x, (4, 5), method="nearest") | image.central_crop(x, 0.5) | image.resize_with_pad(x, 10, 12) | image.resize_with_crop_or_pad(x, 10, 12) | image.rgb_to_grayscale(x)
image.flip_left_right(x) | image.per_image_standardization(x) | image.adjust_brightness(x, 0.1) | image.extract_patches(x, [1, 3, 3, 1], [1, 3, 3, 1], [1, 1, 1, 1], "VALID") | image.grayscale_to_rgb(x)
image.extract_patches(x, [1, 3, 3, 1], [1, 2, 2, 1], [1, 1, 1, 1], "SAME") | image.crop_to_bounding_box(x, 1, 1, 4, 4) | image.pad_to_bounding_box(x, 1, 1, 14, 14) | image.sobel_edges(x) | image.rgb_to_hsv(x)
signal.frame(x, 3, 1) | signal.frame(x, 4, 2, axis=1) | signal.stft(x, 4, 2) | signal.rfft(x) | signal.fft(cast(x, "complex64")) | linalg.diag_part(x) | linalg.trace(x) | linalg.band_part(x, -1, 0) | linalg.diag(x)
linalg.inv(x) | linalg.det(x) | linalg.matrix_transpose(x) | linalg.l2_normalize(x) | sequence_mask(cast(x, "int32"), 7) | range(7) | roll(x, 1, 1) | where(x > 0) | where(x > 0, x, 0.0)
cast(x, "int32") | stop_gradient(x) | identity(x) | ones_like(x) | fill([2, 3], 1.0) | clip_by_value(x, 0.0, 1.0) | math.divide_no_nan(x, 2.0) | math.is_nan(x) | math.bincount(cast(x, "int32"))
math.add(x, 1.0) | x + 1.0 | 2.0 * x | 1.0 - x | x / 3.0 | -x | x > 0 | x ** 2 | x[:, 0] | x[..., -1] | x[:, 1:3] | x[:, ::2] | x[:, None] | x[..., None] | x[0] | x[:, :, 1:] | x[:, -1, :] | ensure_shape(x, x.shape) | abs(x)
histogram_fixed_width(x, [0.0, 1.0]) | map_fn(lambda v: v, x) | random.normal([2, 3]) | squeeze(expand_dims(x, 1), 1) | einsum("abc->acb", x)
matmul(x, y) | matmul(x, y, transpose_b=True) | linalg.matmul(x, y, transpose_a=True) | tensordot(x, y, 1) | tensordot(x, y, [[2], [2]]) | tensordot(x, y, axes=2) | einsum("abc,abc->ab", x, y) | einsum("abc,acd->abd", x, y)
add(x, y) | x * y | x - y | maximum(x, y) | minimum(x, y) | math.squared_difference(x, y) | concat([x, y], -1) | concat([x, y], axis=1) | stack([x, y], 1) | where(x > y, x, y) | equal(x, y) | pow(x, y) | atan2(x, y) | x @ y
linalg.matvec(x, y) | gather(x, cast(y, "int32"), batch_dims=1, axis=1) | gather(x, cast(y, "int32"), axis=1, batch_dims=0) | gather_nd(x, cast(y, "int32"), batch_dims=1) | math.logical_and(x > 0, y > 0) | linalg.cross(x, y)
keras.losses.mean_squared_error(x, y) | nn.sigmoid_cross_entropy_with_logits(x, y) | nn.softmax_cross_entropy_with_logits(x, y) | math.mod(x, y) | math.floordiv(x, y) | broadcast_to(x, shape(y)) | tile(x, [1, 2]) + y
"""
entries = []


def dims(t):
    return [None if d is None else int(d) for d in t.shape]


def record(function, shapes, arguments, dtype, listed):
    """Records a call, if it makes one operation."""
    named = {}
    if isinstance(arguments, dict):
        arguments, named = (), arguments
    elif arguments and isinstance(arguments[-1], dict):
        arguments, named = arguments[:-1], arguments[-1]
    ins = [keras.Input(shape=s, dtype=dtype) for s in shapes]
    try:
        if K3 and function is ops.einsum:
            out = ops.einsum(arguments[0], *ins)
        else:
            out = function(*([ins] if listed else ins), *arguments, **named)
        flat = flatten(out)
        model = keras.Model(ins, flat)
        config = [l for l in json.loads(model.to_json())["config"]["layers"] if l["class_name"] != "InputLayer"]
    except Exception:  # noqa: BLE001 - it takes other inputs
        return
    if len(config) == 1 and len(config[0]["inbound_nodes"]) == 1 and (K3 and ".ops." in config[0]["module"] or not K3 and all(o.shape.rank is not None for o in flat)):
        entry = {"class": config[0]["class_name"], "config": config[0]["config"], "node": config[0]["inbound_nodes"][0], "in": [dims(i) for i in ins], "out": [dims(o) for o in flat]}
        if entry not in entries:
            entries.append(entry)


def functions():
    for module, prefix in ((ops, ""), (ops.image, "image."), (ops.linalg, "linalg."), (ops.nn, "nn.")):
        for name in sorted(vars(module)):
            if callable(getattr(module, name)) and not name.startswith("_") and (not prefix or module is ops.image or not hasattr(ops, name)):
                yield prefix + name, getattr(module, name)


def main():
    for name, function in functions() if K3 else ():
        for shapes in INPUTS:
            for arguments in ARGUMENTS.get(name, [()]):
                for dtype in ("float32", "int32") if name in ("one_hot", "multi_hot", "bincount", "unravel_index", "bitwise_and") else ("float32",):
                    record(function, shapes, arguments, dtype, False)
                    if name in ("concatenate", "stack", "hstack", "vstack", "dstack", "block"):
                        for axis in ({}, {"axis": 1}, {"axis": 2}):
                            record(function, shapes, axis if name in ("concatenate", "stack") else (), dtype, True)
    for op in (lambda x: x[:, 0], lambda x: x[..., -1], lambda x: x[:, 1:, ::2], lambda x: x[:, None], lambda x: x[1:3], lambda x: x[..., 1:-1, None], lambda x: x[:, -3:], lambda x: x[0]):
        for shapes in INPUTS[:7] if K3 else ():
            record(op, shapes, (), "float32", False)
    for text in [] if K3 else [t.strip() for line in TENSORFLOW.strip().splitlines() for t in line.split(" | ")]:
        for shapes in INPUTS:
            for dtype in ("float32", "int32"):
                if len(shapes) == 1 + (", y" in text or "y" in text.split("(")[-1].split(")")[0].replace("axis", "") or text in ("x * y", "x - y", "x @ y")):
                    text = text.replace('cast(x, "int32")', "x").replace('cast(y, "int32")', "y") if dtype == "int32" else text
                    names = "x, y"[:3 * len(shapes) - 2]
                    record(eval(f"lambda {names}: {text}", {**vars(tf), "keras": keras, "range": tf.range, "abs": tf.abs, "pow": tf.pow}), shapes, (), dtype, False)  # noqa: S307
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rules.zip")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
        z.writestr(f"ops{sys.argv[1][-1]}.json", json.dumps({"keras": keras.__version__, "entries": entries}, separators=(",", ":")))
    print(len(entries), "entries")


main()
