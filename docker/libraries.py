#!/usr/bin/env python3
"""Get libtensorflow, and the CUDA libraries for the GPU build, from hash-pinned wheels; keep what
inference needs.

usage: libraries.py --arch amd64|arm64 --cache DIR [--partners DIR] [--relr] REQUIREMENTS OUT

REQUIREMENTS has lines "name==version --hash=sha256:…"; pip fetches the wheels, for whatever machine
this runs on. A wheel that lies in the cache folder with the right sha256 is not fetched again.
PARTNERS is the root folder whose C and C++ libraries the programs will run with, --relr says that
its glibc is 2.36 or later (see slim.py). OUT gets

    lib/                    libtensorflow_cc.so.2 and libtensorflow_framework.so.2, made smaller by
                            slim.py
    lib/nvidia/…            the CUDA libraries in the wheels' own layout, which their runpaths fit
    include/                headers of the C API, for building
    licenses/NAME/          licence and notices of each wheel
    components/NAME.json    what sbom.py needs to know of each wheel
"""

import argparse
import email
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile

PLATFORMS = {"amd64": "x86_64", "arm64": "aarch64"}

# Members of a wheel that are kept: a pattern for the name, and where it goes.
TENSORFLOW = (
    (r"tensorflow/(libtensorflow_(?:cc|framework)\.so\.2)", r"lib/\1"),
    (r"tensorflow/include/((?:tensorflow/c|tsl|xla/tsl/c)/.+\.h)", r"include/\1"),
    (r"tensorflow/include/(tensorflow/core/platform/ctstring\w*\.h)", r"include/\1"),
    (r"tensorflow/(THIRD_PARTY_NOTICES\.txt)", r"licenses/{name}/\1"),
)
NVIDIA = (
    # Not these: other builds of nvrtc, several GPUs in one solver, the interfaces of fftw and of
    # BLAS.
    (r"(nvidia/\w+/lib/(?!.*\.alt\.|libcusolverMg|libcufftw|libnvblas)[\w.-]+\.so[\w.]*)", r"lib/\1"),
    # Of the compiler, what XLA calls.
    (r"(nvidia/cuda_nvcc/(?:bin/ptxas|nvvm/libdevice/libdevice\.10\.bc))", r"lib/\1"),
)
LICENSES = ((r"[\w.+-]+\.dist-info/(?:licenses/)?((?:LICEN[CS]E|License|NOTICE)[\w.-]*)", r"licenses/{name}/\1"),)

# The C APIs of TensorFlow: of the library itself, its eager runtime, and for plugins.
EXPORTS = r"(TF|TFE|TSL|SP|SE|TP)_\w+"
# Libraries of custom operations use what the framework exports, but for instances of the C++
# library's templates: they have their own.
FRAMEWORK = r"(?!_Z(N[VK]*|T[ISV]N?|GVZ?N?K?)?S[a-z]).*"
CPLUSPLUS = ("libstdc++.so.6", "libgcc_s.so.1", "libc.so.6", "libm.so.6")


def requirements(path):
    """Yield name, version and sha256 of each line."""
    for line in open(path):
        if line.split("#")[0].strip():
            m = re.fullmatch(r"([\w.-]+)==([\w.]+)\s+--hash=sha256:([0-9a-f]{64})\s*", line)
            if not m:
                raise ValueError("%s: want name==version --hash=sha256:…, got %r" % (path, line.strip()))
            yield m.groups()


def sha256(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            h.update(block)
    return h.hexdigest()


def wheel(name, version, want, arch, cache):
    """Return the path of a wheel whose sha256 is right, in the cache folder."""
    pattern = os.path.join(cache, "%s-%s-*%s.whl" % (re.sub(r"[-_.]+", "_", name), version, PLATFORMS[arch]))
    for path in glob.glob(pattern):
        if sha256(path) == want:
            return path
    pinned = os.path.join(cache, "requirement.%d.txt" % os.getpid())
    with open(pinned, "w") as f:
        f.write("%s==%s --hash=sha256:%s\n" % (name, version, want))
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-cache-dir", "--no-deps"]
    command += ["--only-binary=:all:", "--require-hashes", "--implementation=cp", "--python-version=311", "--abi=cp311", "--abi=none"]
    for glibc in ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014", "manylinux_2_12", "manylinux2010"):
        command.append("--platform=%s_%s" % (glibc, PLATFORMS[arch]))
    try:
        # pip gathers the file in TMPDIR, which may be small.
        subprocess.run(command + ["-d", cache, "-r", pinned], check=True, env=dict(os.environ, TMPDIR=cache))
    finally:
        os.remove(pinned)
    found = [p for p in glob.glob(pattern) if sha256(p) == want]
    if not found:
        raise ValueError("pip fetched no %s with sha256 %s" % (os.path.basename(pattern), want))
    return found[0]


def unpack(path, name, out):
    """Copy what is wanted of a wheel; zipfile checks each member's CRC."""
    rules = (TENSORFLOW if name.startswith("tensorflow") else NVIDIA) + LICENSES
    metadata = None
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if re.fullmatch(r"[\w.+-]+\.dist-info/METADATA", member.filename):
                metadata = archive.read(member)
            for pattern, to in rules:
                if m := re.fullmatch(pattern, member.filename):
                    copy(archive, member, os.path.join(out, m.expand(to.replace("{name}", name))))
                    break
    if metadata is None:
        raise ValueError("%s: no METADATA" % path)
    return email.message_from_bytes(metadata)


def copy(archive, member, to):
    os.makedirs(os.path.dirname(to), exist_ok=True)
    with archive.open(member) as source, open(to, "wb") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)
    if "/lib/" in to or "/bin/" in to:
        os.chmod(to, 0o755)


def component(name, version, digest, metadata, out):
    """Write what the bill of materials says of a wheel."""
    os.makedirs(os.path.join(out, "components"), exist_ok=True)
    entry = {
        "type": "library",
        "bom-ref": "pkg:pypi/%s@%s" % (name, version),
        "name": name,
        "version": version,
        "description": metadata.get("Summary", ""),
        "licenses": [{"license": {"name": metadata.get("License-Expression") or metadata.get("License") or "see licenses/%s" % name}}],
        "purl": "pkg:pypi/%s@%s" % (name, version),
        # Of the wheel as it was published; the files that were taken from it may be smaller.
        "externalReferences": [{"type": "distribution", "url": "https://pypi.org/project/%s/%s/" % (name, version), "hashes": [{"alg": "SHA-256", "content": digest}]}],
    }
    with open(os.path.join(out, "components", name + ".json"), "w") as f:
        json.dump(entry, f)


def partners(root):
    """Find the C and C++ libraries below a root folder."""
    for name in CPLUSPLUS:
        for path in sorted(glob.glob(os.path.join(root, "usr/lib/*-linux-gnu", name)) + glob.glob(os.path.join(root, "usr/lib64", name))):
            yield path
            break
        else:
            raise ValueError("no %s below %s" % (name, root))


def slim(out, root, relr):
    """Make the two libraries of TensorFlow smaller, and let both find CUDA's beside them."""
    tool = os.path.join(os.path.dirname(os.path.abspath(__file__)), "slim.py")
    lib = os.path.join(out, "lib")
    cuda = sorted(glob.glob(os.path.join(lib, "nvidia/*/lib")))
    runpath = ":".join(["$ORIGIN"] + ["$ORIGIN/" + os.path.relpath(d, lib) for d in cuda])
    framework, cc = (os.path.join(lib, n) for n in ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2"))
    common = ["--runpath", runpath] + ["--relr"] * relr
    for path in partners(root):
        common += ["--partner", path]
    # CUDA's are as NVIDIA built them: its licence allows to pass them on unchanged.
    jobs = [
        (cc, ["--exports", EXPORTS, "--partner", framework] + common),
        (framework, ["--exports", FRAMEWORK, "--partner", cc] + common),
    ]
    for path, options in jobs:
        subprocess.run([sys.executable, tool] + options + [path, path + ".new"], check=True)
    for path, _ in jobs:
        os.replace(path + ".new", path)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n")[2][7:])
    parser.add_argument("--arch", choices=PLATFORMS, required=True)
    parser.add_argument("--cache", required=True)
    parser.add_argument("--partners", default="/")
    parser.add_argument("--relr", action="store_true")
    parser.add_argument("requirements")
    parser.add_argument("out")
    o = parser.parse_args()
    os.umask(0o022)
    os.makedirs(o.cache, exist_ok=True)
    try:
        for name, version, digest in requirements(o.requirements):
            path = wheel(name, version, digest, o.arch, o.cache)
            component(name, version, digest, unpack(path, name, o.out), o.out)
            print("libraries: %s %s" % (name, version), file=sys.stderr)
        slim(o.out, o.partners, o.relr)
    except (OSError, ValueError, zipfile.BadZipFile, zipfile.zlib.error) as err:
        sys.exit("libraries: error: %s" % err)
    except subprocess.CalledProcessError as err:
        sys.exit("libraries: error: %s ended with status %d" % (" ".join(err.cmd[:4]), err.returncode))


if __name__ == "__main__":
    main()
