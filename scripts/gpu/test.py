#!/usr/bin/env python3
"""Test tfrun on a machine with an NVIDIA GPU. The last line is "N passed, N failed".

usage: test.py [--tfrun COMMAND] [--only NAME] [--report FILE.json]

COMMAND is the program, of an unpacked tarball or of bin/ (bin/tfrun), or what starts it in a
container, for instance

    --tfrun "docker run --rm --gpus all -v $PWD:$PWD -w $PWD tfrun:gpu"

in which the folders of this run have to be visible under the same names. Python needs nothing but
its own library; the machine needs no network.

  predictions   recurrent, convolutional and attention models: the GPU's outputs against the CPU's
  throughput    rows per second, CPU and GPU, by batch size
  memory        what a process takes of the GPU: as needed, and with --gpu-memory 0.25
  sharing       two processes at the same time
  spreading     where there are several GPUs: batches go to all, the results are those of one
  exhausted     a batch that does not fit on the device is run in halves; a row that does not fit
                is a clear error; never a crash

Tolerances, relative to the largest magnitude of an output: 1e-4 with NVIDIA_TF32_OVERRIDE=0, when
GPU and CPU multiply float32 alike and differ by the order of sums alone; 1e-2 as TensorFlow runs by
default, with the 10 bits of mantissa of TF32 in matrix products and convolutions, through up to
twenty layers.
"""

import argparse
import ctypes
import json
import math
import os
import random
import re
import shlex
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MODELS = {
    "recurrent": ["k2_gru", "k3_gru", "k2_seed", "k3_seed", "k3_stacked"],
    "convolutional": ["k2_cnn2d", "k3_cnn2d", "k3_resnet", "k2_cnn1d", "k3_conv3d"],
    "attention": ["k2_mha", "k3_mha", "own_k2_transformer", "own_k3_cross_attention"],
}
EXACT, TF32 = 1e-4, 1e-2


class Failed(Exception):
    pass


class Memory:
    """The GPU's memory, from NVIDIA's management library."""

    class Info(ctypes.Structure):
        _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]

    def __init__(self, index=0):
        self.nvml = ctypes.CDLL("libnvidia-ml.so.1")
        self.device = ctypes.c_void_p()
        if self.nvml.nvmlInit_v2() or self.nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(self.device)):
            raise Failed("the driver's management library does not show a GPU")

    def read(self):
        info = self.Info()
        if self.nvml.nvmlDeviceGetMemoryInfo(self.device, ctypes.byref(info)):
            raise Failed("the GPU's memory cannot be read")
        return info

    def peak(self, action):
        """Run the action; return its result and how much more memory was in use at most
        meanwhile."""
        before, top, done = self.read().used, 0, threading.Event()

        def watch():
            nonlocal top
            while not done.wait(0.02):
                top = max(top, self.read().used)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            result = action()
        finally:
            done.set()
            watcher.join()
        return result, max(0, top - before)


class Tests:
    def __init__(self, command, folder):
        self.command, self.folder = command, folder
        self.report, self.passed, self.failed = {}, 0, 0

    # ---- running

    def run(self, *args, env=None, check=True):
        start = time.monotonic()
        r = subprocess.run(self.command + list(args), capture_output=True, text=True, env=dict(os.environ, **(env or {})), timeout=900)
        r.seconds = time.monotonic() - start
        if check and r.returncode:
            raise Failed("%s: exit code %d: %s" % (" ".join(args[:3]), r.returncode, r.stderr.strip()[-500:]))
        return r

    def predict(self, model, rows, device, *args, env=None):
        flags = ["--require-gpu"] if device == "gpu" else ["--device", "cpu"]
        return self.run("predict", model, rows, "--quiet", *flags, *args, env=env)

    def file(self, name, rows):
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            f.writelines(json.dumps(row) + "\n" for row in rows)
        return path

    # ---- models

    def rows(self, model, count, length=24):
        """Make rows for the model's signature: unknown sizes get a length, the batch axis is left
        out."""
        shapes = json.loads(self.run("shapes", model, "--format", "json").stdout)
        signatures = shapes["meta_graphs"][0]["signatures"]
        inputs = signatures.get("serving_default", next(iter(signatures.values())))["inputs"]
        rng = random.Random(7)

        def value(dtype, dims):
            if dims:
                return [value(dtype, dims[1:]) for _ in range(dims[0])]
            return rng.randrange(1, 20) if dtype.startswith(("int", "uint")) else round(rng.uniform(-1, 1), 4)

        def row():
            return {name: value(i["dtype"], [length if d is None else d for d in i["shape"][1:]]) for name, i in inputs.items()}

        return [row() for _ in range(count)]

    def predictions(self):
        lines = []
        for kind, names in MODELS.items():
            for name in names:
                model = os.path.join(ROOT, "testdata/models", name, "model")
                if not os.path.isdir(model):
                    raise Failed("no model %s" % name)
                rows = self.file(name + ".jsonl", self.rows(model, 32))
                cpu = self.predict(model, rows, "cpu").stdout
                worst = {}
                for how, tolerance, env in (("exact", EXACT, {"NVIDIA_TF32_OVERRIDE": "0"}), ("tf32", TF32, {})):
                    gpu = self.predict(model, rows, "gpu", env=env).stdout
                    worst[how] = difference(cpu, gpu)
                    if not worst[how] <= tolerance:
                        raise Failed("%s (%s): the GPU differs by %.2g from the CPU, want %g at most" % (name, how, worst[how], tolerance))
                lines.append({"model": name, "kind": kind, **worst})
                print("        %-14s %-24s exact %.1e  tf32 %.1e" % (kind, name, worst["exact"], worst["tf32"]))
        self.report["predictions"] = lines

    def throughput(self):
        """Rows per second of whole runs, with the time of an almost empty run taken off."""
        lines = []
        for name, length, count in (("k3_seed", 256, 4096), ("k3_mha", 64, 4096), ("k3_resnet", 64, 2048)):
            model = os.path.join(ROOT, "testdata/models", name, "model")
            rows = self.rows(model, 64, length)
            big, one = self.file("big.jsonl", rows * (count // 64)), self.file("one.jsonl", rows[:1])
            for batch in (1, 8, 64, 512):
                line = {"model": name, "batch_size": batch}
                for device in ("cpu", "gpu"):
                    start = min(self.predict(model, one, device, "--batch-size", str(batch)).seconds for _ in range(2))
                    took = min(self.predict(model, big, device, "--batch-size", str(batch)).seconds for _ in range(3)) - start
                    line[device] = round(count / max(took, 1e-3))
                lines.append(line)
                print("        %-10s batch %4d   cpu %8d rows/s   gpu %8d rows/s   %.2f x" % (name, batch, line["cpu"], line["gpu"], line["gpu"] / line["cpu"]))
        self.report["throughput"] = lines

    def memory(self):
        memory = Memory()
        total = memory.read().total
        model = os.path.join(ROOT, "testdata/models/k3_resnet/model")
        rows = self.file("memory.jsonl", self.rows(model, 64, 64) * 32)
        _, grown = memory.peak(lambda: self.predict(model, rows, "gpu"))
        _, share = memory.peak(lambda: self.predict(model, rows, "gpu", "--gpu-memory", "0.25"))
        self.report["memory"] = {"total": total, "grown": grown, "share_0.25": share}
        print("        of %.1f GiB: %.2f as needed, %.2f with --gpu-memory 0.25" % tuple(x / 2**30 for x in (total, grown, share)))
        if not 0 < grown < 0.2 * total:
            raise Failed("memory does not grow as needed")
        if not 0.2 * total < share < 0.32 * total:
            raise Failed("--gpu-memory 0.25 does not take a quarter")

    def sharing(self):
        model = os.path.join(ROOT, "testdata/models/k3_seed/model")
        rows = self.file("sharing.jsonl", self.rows(model, 64, 256) * 16)
        alone = self.predict(model, rows, "gpu").stdout
        results = [None, None]

        def one(i):
            try:
                results[i] = self.predict(model, rows, "gpu").stdout
            except Failed as e:
                results[i] = e

        threads = [threading.Thread(target=one, args=(i,)) for i in range(2)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for r in results:
            if isinstance(r, Failed):
                raise r
            if difference(alone, r) > EXACT:
                raise Failed("two processes at once give other results than one alone")

    def spreading(self):
        gpus = self.report["doctor"]["gpu"]["gpus"]
        if len(gpus) < 2:
            print("        one GPU: nothing to spread over")
            return
        model = os.path.join(ROOT, "testdata/models/k3_resnet/model")
        rows = self.file("spreading.jsonl", self.rows(model, 64, 64) * 32)
        one = self.run("predict", model, rows, "--quiet", "--device", "gpu:0", "--batch-size", "32")
        memories = [Memory(i) for i in range(len(gpus))]
        before = [m.read().used for m in memories]
        used, everywhere = [0] * len(gpus), threading.Event()

        def watch():
            while not everywhere.wait(0.02):
                for i, m in enumerate(memories):
                    used[i] = max(used[i], m.read().used - before[i])

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            every = self.run("predict", model, rows, "--quiet", "--device", "gpu", "--batch-size", "32")
        finally:
            everywhere.set()
            watcher.join()
        print("        %d GPUs: %.1f s, one: %.1f s; MiB used: %s" % (len(gpus), every.seconds, one.seconds, " ".join("%d" % (u >> 20) for u in used)))
        self.report["spreading"] = {"gpus": len(gpus), "seconds": every.seconds, "one": one.seconds, "used": used}
        if difference(one.stdout, every.stdout) > EXACT:
            raise Failed("several GPUs give other results than one")
        # An idle device of TensorFlow's takes some memory too; one with the model takes the model's
        # workspace on top.
        if min(used) < 0.5 * max(used):
            raise Failed("not all GPUs were used alike")

    def exhausted(self):
        """A part of the device's memory that holds the model and few rows, and a batch that wants
        more."""
        fraction = "%.5f" % (96 * 2**20 / Memory().read().total)
        model = os.path.join(ROOT, "testdata/models/k3_resnet/model")
        rows = self.file("exhausted.jsonl", self.rows(model, 64, 64) * 64)
        whole = self.predict(model, rows, "gpu", "--batch-size", "64").stdout
        r = self.run("predict", model, rows, "--require-gpu", "--gpu-memory", fraction, "--batch-size", "4096", check=False)
        said = [line for line in r.stderr.split("\n") if "in halves" in line]
        print("        exit code %d; %s" % (r.returncode, (said or r.stderr.strip().split("\n"))[0][:200] or "no message"))
        self.report["exhausted"] = {"code": r.returncode, "message": r.stderr[-2000:]}
        if r.returncode == 0:
            if len(said) != 1:
                raise Failed("the note about halves came %d times, want once" % len(said))
            if difference(whole, r.stdout) > TF32:
                raise Failed("batches in halves give other results")
            return
        lines = [line for line in r.stderr.strip().split("\n") if line.startswith(("tfrun: error", "tfrun: hint"))]
        if r.returncode != 1 or not re.match(r"tfrun: error: .*memory", lines[0]) or not 1 < len(lines) <= 3:
            raise Failed("want the results, or exit code 1, one line that speaks of memory, and a hint")

    # ---- all of it

    def all(self, only):
        doctor = self.run("doctor", "--device", "gpu", "--format", "json", check=False)
        if doctor.returncode:
            print(doctor.stderr.strip())
            return 2
        self.report["doctor"] = json.loads(doctor.stdout)
        for gpu in self.report["doctor"]["gpu"]["gpus"]:
            print("        %s, compute capability %s" % (gpu["name"], gpu["compute_capability"]))
        for name in ("predictions", "throughput", "memory", "sharing", "spreading", "exhausted"):
            if only and name != only:
                continue
            start = time.monotonic()
            try:
                getattr(self, name)()
                self.passed += 1
                print("ok      %s (%.0f s)" % (name, time.monotonic() - start), flush=True)
            except (Failed, OSError, ValueError, subprocess.TimeoutExpired) as e:
                self.failed += 1
                print("FAILED  %s: %s" % (name, e), flush=True)
        print("%d passed, %d failed" % (self.passed, self.failed))
        return int(self.failed > 0)


def difference(want, got):
    """The largest difference of two outputs, relative to the largest magnitude of each value's
    column."""
    a, b = ([json.loads(line) for line in text.splitlines()] for text in (want, got))
    if len(a) != len(b) or not a:
        raise Failed("%d rows, want %d" % (len(b), len(a)))
    worst = 0.0
    for key in a[0]:
        x, y = [flat(r[key]) for r in a], [flat(r[key]) for r in b]
        scale = max([abs(v) for row in x for v in row if isinstance(v, (int, float))] + [1e-6])
        for row, other in zip(x, y):
            if len(row) != len(other):
                raise Failed("%s: another shape" % key)
            for v, w in zip(row, other):
                if isinstance(v, (int, float)) and isinstance(w, (int, float)):
                    same = v == w or math.isnan(v) and math.isnan(w)
                    worst = worst if same else max(worst, abs(v - w) / scale if math.isfinite(v - w) else math.inf)
                elif v != w:
                    raise Failed("%s: %r, want %r" % (key, w, v))
    return worst


def flat(value):
    return [x for v in value for x in flat(v)] if isinstance(value, list) else [value]


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n")[2][7:])
    parser.add_argument("--tfrun", default=os.path.join(ROOT, "bin/tfrun"))
    parser.add_argument("--only")
    parser.add_argument("--report")
    o = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        tests = Tests(shlex.split(o.tfrun), folder)
        try:
            code = tests.all(o.only)
        except (Failed, OSError, ValueError) as e:
            sys.exit("gpu test: %s" % e)
    if o.report:
        with open(o.report, "w") as f:
            json.dump(tests.report, f, indent=1)
    sys.exit(code)


if __name__ == "__main__":
    main()
