#!/usr/bin/env python3
"""ops.py brings internal/ops/ops.txt up to date with the operations that libtensorflow registers.

    scripts/ops.py              the newest release of each minor version that internal/getlib pins
    scripts/ops.py 2.22.0 …     these releases; VARIANT=gpu takes the GPU builds

Each library is fetched by scripts/libtensorflow.sh (once, into its cache) and asked by the C
function TF_GetAllOpList, in a process of its own. A new operation gets a line with the class "?"
and what its definition says of it; somebody has to look at it and write what it does in its place.
What is known of an operation stays as it is, but for what the definition itself says. Operations
are never taken out: a model may hold what a later TensorFlow has dropped.
"""

import ctypes
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TABLE = os.path.join(ROOT, "internal", "ops", "ops.txt")
STRING, RESOURCE, VARIANT = 7, 20, 21  # types.proto


def fields(message):
    """Yields the field numbers and values of a serialized protobuf message."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        number, wire = divmod(varint(), 8)
        if wire == 0:
            yield number, varint()
            continue
        size = {1: 8, 5: 4}.get(wire) or varint()
        yield number, message[at : at + size]
        at += size


def definition(op_def):
    """What op_def.proto says of one operation, as far as the table and its reader need it."""
    name, stateful, calls, texts = "", False, [], []
    for number, value in fields(op_def):
        if number == 1:
            name = value.decode()
        elif number == 2:  # input_arg
            arg = dict(fields(value))
            if arg.get(3) in (STRING, RESOURCE, VARIANT):
                texts.append("input " + arg[1].decode())
        elif number == 4:  # attr
            attr = {n: v for n, v in fields(value) if n in (1, 2)}
            kind = attr[2].decode()
            if kind in ("func", "list(func)"):
                calls.append(attr[1].decode())
            elif kind in ("string", "list(string)"):
                texts.append("attr " + attr[1].decode())
        elif number == 17:
            stateful = bool(value)
    return name, {"stateful": stateful, "calls": calls, "texts": texts}


def ask(library):
    """The operations of the library in a folder. It stays loaded: only for a process of its own."""

    class Buffer(ctypes.Structure):
        _fields_ = [("data", ctypes.c_void_p), ("length", ctypes.c_size_t)]

    lib = ctypes.CDLL(os.path.join(library, "lib", "libtensorflow_cc.so.2"))
    lib.TF_GetAllOpList.restype = ctypes.POINTER(Buffer)
    buffer = lib.TF_GetAllOpList().contents
    ops = ctypes.string_at(buffer.data, buffer.length)
    return dict(definition(op) for number, op in fields(ops) if number == 1)


def releases():
    """The newest release of each minor version that has a pinned wheel."""
    with open(os.path.join(ROOT, "internal", "getlib", "build.go"), encoding="utf-8") as table:
        pinned = re.findall(r"^x86_64 cpu (\d+\.(\d+)\.\d+) ", table.read(), re.M)
    return list({minor: release for release, minor in pinned}.values())


def line_of(name, known, found):
    """The table's line for an operation: what is known of it, with what its definition says."""
    rest, _, why = known.partition(" # ")
    words = [w for w in rest.split()[1:] if w != "stateful" and not w.startswith("calls=")] or ["?"]
    if words == ["?"]:
        why = ", ".join(found["texts"])
    facts = (["stateful"] if found["stateful"] else []) + (["calls=" + ",".join(found["calls"])] if found["calls"] else [])
    return " ".join([name, words[0], *facts, *words[1:]]) + (" # " + why if why else "")


def main():
    if sys.argv[1:2] == ["--ask"]:
        json.dump(ask(sys.argv[2]), sys.stdout)
        return
    with open(TABLE, encoding="utf-8") as table:
        lines = table.read().splitlines()
    head = [line for line in lines if line.startswith("#")]
    known = {line.split()[0]: line for line in lines if not line.startswith("#")}
    for release in sys.argv[1:] or releases():
        env = dict(os.environ, TF=release, TF_CPP_MIN_LOG_LEVEL="3")
        script = os.path.join(ROOT, "scripts", "libtensorflow.sh")
        prefix = subprocess.run([script, "prefix"], env=env, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        asked = subprocess.run([sys.executable, __file__, "--ask", prefix], env=env, check=True, stdout=subprocess.PIPE).stdout
        found = json.loads(asked)
        new = sorted(set(found) - set(known))
        for name, definition_ in found.items():
            known[name] = line_of(name, known.get(name, name), definition_)
        print(f"TensorFlow {release}: {len(found)} operations, {len(new)} new{': ' if new else ''}{' '.join(new)}")
    with open(TABLE, "w", encoding="utf-8") as table:
        table.write("\n".join([*head, *(known[name] for name in sorted(known))]) + "\n")


if __name__ == "__main__":
    main()
