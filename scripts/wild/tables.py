#!/usr/bin/env python3
"""tables.py FOLDER OUT asks Keras for the tables of the models below FOLDER: SavedModels of Keras 2,
.keras and .h5 files. It leaves each in OUT, with expect.json beside a link to it, for
`TFRUN_MODELS=OUT make tables`, and prints a line a model. Tables do not depend on values: where the
variables of a SavedModel are not there, as in repositories that keep large files elsewhere, a copy
of it has made-up ones. Models with code in them (Lambda) are left out: loading runs it."""

import json
import os
import shutil
import signal
import sys
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "testdata", "tables"))
from make_tables import FORMS, keras2, keras3, summary_rows, tf, totals  # noqa: E402
from tensorflow.core.protobuf import saved_model_pb2, trackable_object_graph_pb2  # noqa: E402


def text_of(path):
    """Returns the bytes in which a model says what layers it has."""
    if os.path.isdir(path):
        names = [os.path.join(path, n) for n in ("saved_model.pb", "keras_metadata.pb")]
        return b"".join(open(n, "rb").read() for n in names if os.path.exists(n))
    if zipfile.is_zipfile(path):
        return zipfile.ZipFile(path).read("config.json")
    with open(path, "rb") as f:
        return f.read()


def fill(path):
    """Writes a checkpoint of zeros for the variables in the graph of a SavedModel's objects."""
    model = saved_model_pb2.SavedModel()
    with open(os.path.join(path, "saved_model.pb"), "rb") as f:
        model.ParseFromString(f.read())
    objects = model.meta_graphs[0].object_graph_def
    kept = trackable_object_graph_pb2.TrackableObjectGraph()
    at, todo, names, values = {0: ""}, [0], [], []
    for i in todo:
        for c in objects.nodes[i].children:
            if c.node_id not in at:
                at[c.node_id] = at[i] + c.local_name.replace(".", "..").replace("/", ".S") + "/"
                todo.append(c.node_id)
    for i in todo:
        for s in objects.nodes[i].slot_variables:
            at[s.slot_variable_node_id] = at[s.original_variable_node_id] + ".OPTIMIZER_SLOT/" + at[i] + s.slot_name + "/"
    for i, node in enumerate(objects.nodes):
        copy = kept.nodes.add()
        for c in node.children:
            copy.children.add(node_id=c.node_id, local_name=c.local_name)
        for s in node.slot_variables:
            copy.slot_variables.add(**{f.name: getattr(s, f.name) for f in s.DESCRIPTOR.fields})
        if node.WhichOneof("kind") == "variable" and i in at:
            key = at[i] + ".ATTRIBUTES/VARIABLE_VALUE"
            copy.attributes.add(name="VARIABLE_VALUE", full_name=node.variable.name, checkpoint_key=key)
            names.append(key)
            values.append(tf.zeros([d.size for d in node.variable.shape.dim], node.variable.dtype))
    names.append("_CHECKPOINTABLE_OBJECT_GRAPH")
    values.append(tf.constant(kept.SerializeToString()))
    shutil.rmtree(os.path.join(path, "variables"), ignore_errors=True)
    os.makedirs(os.path.join(path, "variables"))
    tf.raw_ops.SaveV2(prefix=os.path.join(path, "variables", "variables"), tensor_names=names, shape_and_slices=[""] * len(names), tensors=values)


def has_values(path):
    """Reports whether a SavedModel has the data of its variables, and no pointer to them."""
    folder = os.path.join(path, "variables")
    data = [os.path.join(folder, n) for n in os.listdir(folder) if ".data-" in n] if os.path.isdir(folder) else []
    return any(os.path.getsize(f) and not open(f, "rb").read(8) == b"version " for f in data)


def tables(path, name, out):
    """Writes what each Keras that loads a model prints of it, and returns what became of it."""
    text = text_of(path)
    if b'"class_name": "Lambda"' in text:
        return "has code in it"
    ext = "save" if os.path.isdir(path) else path.rsplit(".", 1)[1]
    said = []
    for key, keras in (("k3" + ext, keras3), ("k2" + ext, keras2)):
        if key not in FORMS or key == "k3save":
            continue
        folder = os.path.join(out, f"{name}__{key}")
        model = os.path.join(folder, "model" + ("" if ext == "save" else "." + ext))
        try:
            signal.alarm(120)
            os.makedirs(folder)
            if ext == "save" and not has_values(path):
                shutil.copytree(path, model)
                fill(model)
            else:
                os.symlink(os.path.abspath(path), model)
            keras.backend.clear_session()
            m = keras.models.load_model(model, compile=False)
            rows = summary_rows(m, keras)
            expect = {"form": FORMS[key], "connected": any("connected_to" in r for r in rows), "summary_rows": rows, "totals": totals(m)}
            with open(os.path.join(folder, "expect.json"), "w") as f:
                json.dump(expect, f)
            said.append(f"{FORMS[key]}: {len(rows)} rows")
        except Exception as e:  # noqa: BLE001 - the others are still to be asked
            shutil.rmtree(folder, ignore_errors=True)
            said.append(f"{FORMS[key]}: {type(e).__name__}: {str(e)[:80]!r}")
        finally:
            signal.alarm(0)
    return "; ".join(said)


def timeout(*_):
    raise TimeoutError("it takes more than two minutes")


def main():
    root, out = sys.argv[1:]
    signal.signal(signal.SIGALRM, timeout)
    for folder, _, files in sorted(os.walk(root)):
        found = [os.path.join(folder, f) for f in files if f.endswith((".keras", ".h5"))]
        if "saved_model.pb" in files and b"_tf_keras" in text_of(folder):
            found.append(folder)
        for path in found:
            name = os.path.relpath(path, root).replace(os.sep, "_")
            print(f"{name}: {tables(path, name, out)}", flush=True)


if __name__ == "__main__":
    main()
