"""Makes testdata/deadly: a model that ends the process it runs in, when a row asks for it.

y is the sum of each row of x. A 13 anywhere in x ends the process by TensorFlow's LOG(FATAL), and a
14 by exit(0). The signature "checks" has nothing that tfrun scan could see: there a 15 asks for a
list of 2,147,483,647 tensors, which is std::bad_alloc where memory is bounded, and a 16 for a
transposed convolution to a size that no tensor can have, which is a failed check of TensorFlow's
with oneDNN (MklConvCustomBackpropInputOp), and an error without. z is the sum of the components of
a ragged r, q of a sparse s.

    python make_deadly.py        (TensorFlow 2.21)
"""
import os
import shutil

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.saved_model import nested_structure_coder


RAGGED = tf.RaggedTensorSpec([None, None, None], tf.float32, ragged_rank=2, row_splits_dtype=tf.int32)
SPARSE = tf.SparseTensorSpec([None, None], tf.float32)


class Deadly(tf.Module):
    def abort(self, x):
        """Returns a zero, or does not return."""
        def branch(error_msg, clean):
            def run():
                with tf.control_dependencies([tf.raw_ops.Abort(error_msg=error_msg, exit_without_error=clean)]):
                    return tf.constant(0.0)
            return run
        zero = lambda: tf.constant(0.0)
        has = lambda v: tf.reduce_any(tf.equal(x, v))
        return tf.cond(has(13.0), branch("unlucky number", False), zero) + tf.cond(has(14.0), branch("", True), zero)

    def checks(self, x):
        """The same with operations that compute."""
        none = tf.cast(tf.reduce_max(x) * 0.0, tf.int32)  # no constant: the optimiser would fold what follows from it

        def reserve():
            made = tf.raw_ops.TensorListReserve(element_shape=tf.constant([], tf.int32), num_elements=none + 2147483647, element_dtype=tf.float32)
            return tf.cast(tf.raw_ops.TensorListLength(input_handle=made), tf.float32) * 0.0

        def conv():
            one = tf.ones([1, 1, 1, 1])
            made = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=tf.fill([4], none + 2**30), filter=one, out_backprop=one, strides=[1, 1, 1, 1], padding="VALID")
            return tf.reduce_sum(made)

        zero = lambda: tf.constant(0.0)
        has = lambda v: tf.reduce_any(tf.equal(x, v))
        return tf.cond(has(15.0), reserve, zero) + tf.cond(has(16.0), conv, zero)

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, "x")])
    def dense(self, x):
        return {"y": tf.reduce_sum(x, axis=1) + self.abort(x)}

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, "x")])
    def computing(self, x):
        return {"y": tf.reduce_sum(x, axis=1) + self.checks(x)}

    @tf.function(input_signature=[tf.TensorSpec([2, None], tf.float32, "x")])
    def pairs(self, x):
        return {"y": tf.reduce_sum(x, axis=1) + self.abort(x)}

    @tf.function(input_signature=[
        RAGGED,
        SPARSE,
        tf.TensorSpec([None], tf.string, "t")])
    def composite(self, r, s, t):
        z = tf.reduce_sum(tf.reduce_sum(r, axis=2), axis=1)
        q = tf.sparse.reduce_sum(s, axis=1)
        return {"z": tf.reshape(z, [-1]) + self.abort(r.flat_values), "q": tf.reshape(q, [-1]) + self.abort(s.values), "u": tf.strings.upper(t)}


def describe_composites(path, specs):
    """Puts the components of r and s together: tf.saved_model.save lists them as inputs of their
    own."""
    saved = saved_model_pb2.SavedModel()
    with open(path, "rb") as f:
        saved.ParseFromString(f.read())
    inputs = saved.meta_graphs[0].signature_def["composite"].inputs
    for name, spec in specs.items():
        parts = [inputs[key] for key in sorted(inputs) if key == name or key.startswith(name + "_")]
        info = type(parts[0])(dtype=spec.dtype.as_datatype_enum, tensor_shape=spec.shape.as_proto())
        if isinstance(spec, tf.SparseTensorSpec):
            info.coo_sparse.indices_tensor_name, info.coo_sparse.values_tensor_name, info.coo_sparse.dense_shape_tensor_name = [p.name for p in parts]
        else:
            info.ClearField("tensor_shape")
            info.ClearField("dtype")
            info.composite_tensor.type_spec.CopyFrom(nested_structure_coder.encode_structure(spec).type_spec_value)
            info.composite_tensor.components.extend(parts)
        for key in sorted(inputs):
            if key.startswith(name + "_"):
                del inputs[key]
        inputs[name].CopyFrom(info)
    with open(path, "wb") as f:
        f.write(saved.SerializeToString(deterministic=True))


if __name__ == "__main__":
    here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "deadly")
    m = Deadly()
    tf.saved_model.save(m, here, signatures={
        "serving_default": m.dense.get_concrete_function(), "pairs": m.pairs.get_concrete_function(),
        "checks": m.computing.get_concrete_function(), "composite": m.composite.get_concrete_function()})
    for left in ["assets", "fingerprint.pb"]:
        path = os.path.join(here, left)
        shutil.rmtree(path) if os.path.isdir(path) else os.path.exists(path) and os.remove(path)
    describe_composites(os.path.join(here, "saved_model.pb"), {"r": RAGGED, "s": SPARSE})
