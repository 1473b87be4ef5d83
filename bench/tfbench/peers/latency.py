"""A warm model called again and again with one batch: python -m tfbench.peers.latency
tensorflow|onnxruntime MODEL ROWS TOKENS."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from .protocol import Answer, serve

Call = Callable[[], np.ndarray]


def batch(rows: int, tokens: int) -> np.ndarray:
    """The same numbers as bench/latency feeds."""
    return ((np.arange(rows * tokens) * 7919) % 8184 + 1).reshape(rows, tokens).astype(np.float32)


def tensorflow_call(model: str, x: np.ndarray) -> tuple[Call, dict[str, str]]:
    import tensorflow as tf

    loaded = tf.saved_model.load(model)
    f = loaded.signatures["serving_default"]
    (name,) = f.structured_input_signature[1]
    fed = tf.constant(x)

    def call() -> np.ndarray:
        return f(**{name: fed})["output_0"].numpy()

    call.model = loaded  # the functions hold no reference to the variables
    return call, {"TensorFlow": tf.__version__}


def onnxruntime_call(model: str, x: np.ndarray) -> tuple[Call, dict[str, str]]:
    import onnxruntime as ort

    from . import onnx_model, weights

    session = ort.InferenceSession(onnx_model.build(weights.read(model)).SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"tokens": x})[0], {"ONNX Runtime": ort.__version__}


def main() -> None:
    kind, model, rows, tokens = sys.argv[1:]
    x = batch(int(rows), int(tokens))
    call, versions = {"tensorflow": tensorflow_call, "onnxruntime": onnxruntime_call}[kind](model, x)

    def run(seconds: float) -> Answer:
        """Calls for that long: the median time of a call, and what it answers."""
        times = []
        end = time.perf_counter() + seconds
        while not times or time.perf_counter() < end:
            start = time.perf_counter()
            answer = call()
            times.append(time.perf_counter() - start)
        return {"seconds": statistics.median(times), "calls": len(times), "answer": answer.ravel().tolist()}

    serve(lambda: versions, {"run": run})


if __name__ == "__main__":
    main()
