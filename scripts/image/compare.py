#!/usr/bin/env python3
"""Compare predictions of the example with what TensorFlow in Python said: of padded batches of 64
rows, or by another key, such as "alone".

usage: compare.py EXPECTED GOT [TOLERANCE [KEY]]
"""

import json
import sys


def main():
    tolerance = float(sys.argv[3]) if len(sys.argv) > 3 else 1e-5
    key = sys.argv[4] if len(sys.argv) > 4 else "padded_batch_64"
    want = [json.loads(line)[key] for line in open(sys.argv[1])]
    got = [next(iter(json.loads(line).values()))[0] for line in open(sys.argv[2])]
    if len(want) != len(got) or not want:
        sys.exit("compare: %d rows, want %d" % (len(got), len(want)))
    worst = max(abs(a - b) for a, b in zip(want, got))
    print("        %d rows, largest difference %.2g" % (len(got), worst))
    if not worst <= tolerance:
        sys.exit("compare: want at most %g" % tolerance)


if __name__ == "__main__":
    main()
