#!/usr/bin/env python3
"""schema.py writes savedmodel/saved_model.protoset: the message definitions of saved_model.proto
and of all that it imports, as the TensorFlow of this Python has them (protobuf's
FileDescriptorSet).

    python scripts/schema.py    with the newest TensorFlow that tfrun supports
"""

import os

from google.protobuf import descriptor_pb2
from tensorflow.core.protobuf import saved_model_pb2

FILE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "savedmodel", "saved_model.protoset")


def main():
    files = descriptor_pb2.FileDescriptorSet()
    seen = set()

    def add(file):
        if file.name in seen:
            return
        seen.add(file.name)
        for imported in file.dependencies:
            add(imported)
        file.CopyToProto(files.file.add())

    add(saved_model_pb2.DESCRIPTOR)
    with open(FILE, "wb") as out:
        out.write(files.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
