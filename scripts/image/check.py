#!/usr/bin/env python3
"""Check what an image holds and says of itself.

usage: check.py TARGET ROOT INSPECT.json HISTORY.json

ROOT is the mounted image; the other two are what podman says of it.
"""

import json
import os
import re
import stat
import subprocess
import sys

DOC = "usr/local/share/doc/tfrun"


class Checks:
    def __init__(self, target, root, inspect, history):
        self.target, self.root = target, root
        self.config = inspect[0]["Config"]
        self.history = history  # the newest layer first
        self.bad = []

    def want(self, ok, text):
        if not ok:
            self.bad.append(text)

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def configuration(self):
        c = self.config
        self.want(c["User"] == "65532:65532", "user %r" % c.get("User"))
        self.want(c["Entrypoint"] == ["/usr/bin/tini", "--", "/usr/local/bin/tfrun"], "entrypoint %r" % c.get("Entrypoint"))
        labels = c.get("Labels") or {}
        for name in ("title", "description", "licenses", "source", "version", "revision"):
            self.want(labels.get("org.opencontainers.image." + name), "no label " + name)
        env = dict(e.split("=", 1) for e in c["Env"])
        gpu = env.get("NVIDIA_DRIVER_CAPABILITIES") == "compute,utility" and env.get("NVIDIA_VISIBLE_DEVICES") == "all"
        self.want(gpu == (self.target == "gpu"), "variables for NVIDIA's runtime: %r" % env)

    def files(self):
        for folder, dirs, names in os.walk(self.root):
            for name in dirs + names:
                path = os.path.join(folder, name)
                s, short = os.lstat(path), path[len(self.root) :]
                if stat.S_ISLNK(s.st_mode):
                    target = os.readlink(path)
                    inside = self.root + target if target.startswith("/") else os.path.join(folder, target)
                    self.want(os.path.lexists(inside), "%s leads nowhere: %s" % (short, target))
                    continue
                self.want((s.st_uid, s.st_gid) == (0, 0) or short.startswith("/var/"), "%s belongs to %d:%d" % (short, s.st_uid, s.st_gid))
                self.want(not s.st_mode & (stat.S_ISUID | stat.S_ISGID) or stat.S_ISDIR(s.st_mode), "%s is setuid" % short)
                sticky = stat.S_ISDIR(s.st_mode) and s.st_mode & stat.S_ISVTX
                # Groups of Debian's own may write to folders below /var, which nobody in the image
                # belongs to.
                self.want(sticky or not s.st_mode & (0o002 if short.startswith("/var/") else 0o022), "%s can be written by others" % short)
                self.want(s.st_mode & 0o004 or short in ("/root", "/var/cache/ldconfig"), "%s cannot be read" % short)
        programs = {n for d in ("bin", "usr/local/bin") for n in os.listdir(self.path(d))}
        if self.target == "cpu-scratch":
            self.want(programs == {"tini", "tfrun"}, "programs besides tfrun and tini: %r" % sorted(programs))
        else:
            self.want({"tfrun", "sh"} <= programs, "tfrun or sh is missing")
        for leftover in ("usr/bin/python3", "usr/bin/apt", "usr/bin/dpkg", "usr/bin/perl", "usr/local/share/ca-certificates", "root/.cache"):
            self.want(not os.path.exists(self.path(leftover)), "/%s is in the image" % leftover)
        with open(self.path("usr/local/bin/tfrun"), "rb") as f:
            text = f.read()
        self.want(not re.search(rb"/root/go/|/src/cmd/tfrun", text), "the program names folders of the build")

    def libraries(self):
        here = os.path.dirname(os.path.abspath(__file__))
        elsewhere = ["libcuda.so.1", "libnvidia-ml.so.1"] if self.target == "gpu" else []
        r = subprocess.run([sys.executable, os.path.join(here, "closure.py"), self.root] + elsewhere, capture_output=True, text=True)
        self.want(r.returncode == 0, r.stderr.strip())
        if self.target == "gpu":
            cache = open(self.path("etc/ld.so.cache"), "rb").read()
            for name in (b"libcudart.so.12", b"libcublas.so.12", b"libcusolver.so.11", b"libcudnn.so.9"):
                self.want(name in cache, "%s is not in the loader's cache" % name.decode())

    def papers(self):
        text = open(self.path(DOC, "sbom.cdx.json")).read()
        sbom = json.loads(text)
        try:
            from cyclonedx.schema import SchemaVersion
            from cyclonedx.validation.json import JsonStrictValidator

            error = JsonStrictValidator(SchemaVersion.V1_5).validate_str(text)
            self.want(error is None, "bill of materials: %s" % error)
        except ImportError as e:
            self.bad.append("the bill of materials could not be validated: %s" % e)
        by_kind = {}
        for c in sbom["components"]:
            by_kind.setdefault(c["purl"].split("/")[0], []).append(c)
            self.want(c.get("version"), "%s has no version" % c["name"])
        for kind, least in (("pkg:golang", 8), ("pkg:pypi", 10 if self.target == "gpu" else 1), ("pkg:deb", 4)):
            self.want(len(by_kind.get(kind, [])) >= least, "%d components %s, want %d at least" % (len(by_kind.get(kind, [])), kind, least))
        for c in by_kind.get("pkg:golang", []):
            folder = "go" if c["name"] == "std" else "%s@%s" % (c["name"], c["version"])
            self.licence(self.path(DOC, "licenses", folder))
        for c in by_kind.get("pkg:pypi", []):
            self.licence(self.path(DOC, "licenses", c["name"]))
        for c in by_kind.get("pkg:deb", []):
            self.want(os.path.exists(self.path("usr/share/doc", c["name"], "copyright")), "no copyright of package %s" % c["name"])
        self.licence(self.path(DOC, "licenses/tfrun"))

    def licence(self, folder):
        ok = os.path.isdir(folder) and any(os.path.getsize(os.path.join(folder, n)) > 100 for n in os.listdir(folder))
        self.want(ok, "no licence in /%s" % os.path.relpath(folder, self.root))

    def layers(self):
        sizes = [layer.get("size", 0) for layer in self.history]
        self.want("tfrun" in self.history[0]["CreatedBy"] or sizes[0] < 60e6, "the program is not in the last layer")
        below = next(i for i, s in enumerate(sizes) if s > 100e6)
        moved = sum(sizes[:below])
        self.want(below >= 1 and moved < 60e6, "a rebuild of the program moves %.0f MB" % (moved / 1e6))
        print("        a rebuild of the program moves %.1f MB in %d layers" % (moved / 1e6, sum(s > 0 for s in sizes[:below])))


def main():
    target, root, inspect, history = sys.argv[1:]
    c = Checks(target, root, json.load(open(inspect)), json.load(open(history)))
    for part in (c.configuration, c.files, c.libraries, c.papers, c.layers):
        part()
    if c.bad:
        sys.exit("check: " + "\ncheck: ".join(c.bad[:20]))


if __name__ == "__main__":
    main()
