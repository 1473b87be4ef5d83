#!/usr/bin/env python3
"""Make the Python wheel of tfrun: the command, and a few lines that give it the libtensorflow of an
installed TensorFlow.

usage: wheel.py --version VERSION --platform manylinux_2_34_x86_64 --program FILE [--licenses DIR]
OUT

OUT is a folder; the name of the wheel is printed. The same content gives the same bytes;
SOURCE_DATE_EPOCH sets the time.
"""

import argparse
import base64
import hashlib
import os
import sys
import time
import zipfile

PACKAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../integrations/python/tfrun")

METADATA = """Metadata-Version: 2.1
Name: tfrun
Version: %s
Summary: Run any TensorFlow SavedModel over rows of data, with the padding right and the shapes explained
License: Apache-2.0
Requires-Python: >=3.9
Provides-Extra: cpu
Requires-Dist: tensorflow-cpu>=2.15; extra == "cpu"
Provides-Extra: gpu
Requires-Dist: tensorflow[and-cuda]>=2.15; extra == "gpu"
Provides-Extra: arrow
Requires-Dist: pyarrow>=15; extra == "arrow"
Provides-Extra: spark
Requires-Dist: pyspark>=4.0; extra == "spark"
Requires-Dist: pyarrow>=15; extra == "spark"
Requires-Dist: pandas>=2; extra == "spark"
Description-Content-Type: text/plain

The command tfrun. It takes libtensorflow from an installed TensorFlow, 2.15 or later: that of the
extras cpu and gpu, or any other; without one, `tfrun lib` gets it. The modules tfrun.arrow and
tfrun.spark, for which the extras arrow and spark bring what they need, send it the rows of pyarrow
and of Spark.
"""


def members(o):
    """Yield the name, content and mode of each file but RECORD."""
    info = "tfrun-%s.dist-info" % o.version
    for name in sorted(os.listdir(PACKAGE)):
        if name.endswith(".py"):
            with open(os.path.join(PACKAGE, name), "rb") as f:
                yield "tfrun/" + name, f.read(), 0o644
    with open(o.program, "rb") as f:
        yield "tfrun/bin/tfrun", f.read(), 0o755
    yield info + "/METADATA", (METADATA % o.version).encode(), 0o644
    yield info + "/WHEEL", ("Wheel-Version: 1.0\nGenerator: tfrun\nRoot-Is-Purelib: false\nTag: py3-none-%s\n" % o.platform).encode(), 0o644
    yield info + "/entry_points.txt", b"[console_scripts]\ntfrun = tfrun:main\n", 0o644
    for folder, _, names in sorted(os.walk(o.licenses)) if o.licenses else ():
        for name in sorted(names):
            path = os.path.join(folder, name)
            with open(path, "rb") as f:
                yield info + "/licenses/" + os.path.relpath(path, o.licenses), f.read(), 0o644


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n")[2][7:])
    parser.add_argument("--version", required=True)
    parser.add_argument("--platform", required=True)
    parser.add_argument("--program", required=True)
    parser.add_argument("--licenses")
    parser.add_argument("out")
    o = parser.parse_args()
    date = time.gmtime(max(int(os.environ.get("SOURCE_DATE_EPOCH") or time.time()), 315532800))[:6]
    name = "tfrun-%s-py3-none-%s.whl" % (o.version, o.platform)
    record = []
    try:
        with zipfile.ZipFile(os.path.join(o.out, name + ".new"), "w", zipfile.ZIP_DEFLATED) as z:

            def add(member, data, mode):
                entry = zipfile.ZipInfo(member, date)
                entry.external_attr = (0o100000 | mode) << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                z.writestr(entry, data)

            for member, data, mode in members(o):
                add(member, data, mode)
                digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                record.append('"%s",sha256=%s,%d' % (member, digest, len(data)))
            own = "tfrun-%s.dist-info/RECORD" % o.version
            add(own, ("\n".join(record + [own + ",,"]) + "\n").encode(), 0o644)
        os.replace(os.path.join(o.out, name + ".new"), os.path.join(o.out, name))
    except OSError as err:
        sys.exit("wheel: error: %s" % err)
    print(name)


if __name__ == "__main__":
    main()
