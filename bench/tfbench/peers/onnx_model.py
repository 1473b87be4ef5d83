"""The tutorial's model as an ONNX graph: Gather, a bidirectional LSTM, Concat, Gemm, Relu, Gemm,
Sigmoid, with the weights that Keras has."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def lstm_gates(w: np.ndarray, units: int) -> np.ndarray:
    """Keras keeps the gates of an LSTM as input, forget, cell, output, and ONNX as input, output,
    forget, cell; along the last axis, which becomes the first."""
    i, f, c, o = np.split(w, 4, axis=-1)
    return np.concatenate([i, o, f, c], axis=-1).T


def build(weights: list[np.ndarray]) -> onnx.ModelProto:
    """Weights as weights.read gives them. The input is float32 [rows, tokens], as the SavedModel's
    is."""
    embedding, forward, backward, dense, last = weights[0], weights[1:4], weights[4:7], weights[7:9], weights[9:11]
    units = forward[1].shape[0]
    both = (forward, backward)
    zeros = np.zeros(4 * units, np.float32)  # ONNX has a second bias, Keras has not
    constants = {
        "embedding": embedding,
        "W": np.stack([lstm_gates(k, units) for k, _, _ in both]),
        "R": np.stack([lstm_gates(r, units) for _, r, _ in both]),
        "B": np.stack([np.concatenate([lstm_gates(b, units), zeros]) for _, _, b in both]),
        "dense_w": dense[0], "dense_b": dense[1], "last_w": last[0], "last_b": last[1],
        "zero": np.array(0, np.int64), "one": np.array(1, np.int64),
    }
    node = helper.make_node
    nodes = [
        node("Cast", ["tokens"], ["ids"], to=TensorProto.INT32),
        node("Transpose", ["ids"], ["ids_t"], perm=[1, 0]),  # an LSTM takes [tokens, rows, features]
        node("Gather", ["embedding", "ids_t"], ["x"]),
        node("LSTM", ["x", "W", "R", "B"], ["", "h"], direction="bidirectional", hidden_size=units),
        node("Gather", ["h", "zero"], ["h_forward"]),
        node("Gather", ["h", "one"], ["h_backward"]),
        node("Concat", ["h_forward", "h_backward"], ["h_both"], axis=1),
        node("Gemm", ["h_both", "dense_w", "dense_b"], ["d"]),
        node("Relu", ["d"], ["d_relu"]),
        node("Gemm", ["d_relu", "last_w", "last_b"], ["logit"]),
        node("Sigmoid", ["logit"], ["answer"]),
    ]
    graph = helper.make_graph(
        nodes, "reviews",
        [helper.make_tensor_value_info("tokens", TensorProto.FLOAT, ["rows", "tokens"])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["rows", 1])],
        [numpy_helper.from_array(v, k) for k, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model
