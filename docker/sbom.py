#!/usr/bin/env python3
"""Write the bill of materials of an image or a tarball: CycloneDX 1.5, JSON.

usage: sbom.py --version VERSION --program FILE.modules [--components DIR] [--packages DIR] OUTPUT

The modules are what `go version -m` prints of the program; the components those that libraries.py
wrote, one file a wheel; the packages a dpkg status.d folder. The same content gives the same bytes:
SOURCE_DATE_EPOCH sets the time, which is left out otherwise.
"""

import argparse
import base64
import email
import glob
import json
import os
import sys
import time
import uuid
from urllib.parse import quote


def go_modules(path):
    """Return Go's own entry and one for each module in the program."""
    found = []
    for line in open(path):
        fields = line.strip().split("\t")
        if fields[0] == "dep":
            ref = "pkg:golang/%s@%s" % (fields[1], fields[2])
            entry = {"type": "library", "bom-ref": ref, "name": fields[1], "version": fields[2], "purl": ref}
            if len(fields) > 3 and fields[3].startswith("h1:"):
                # dirhash of the module: SHA-256 over its files' names and hashes.
                entry["properties"] = [{"name": "golang:h1", "value": base64.b64decode(fields[3][3:]).hex()}]
            found.append(entry)
        elif ": go1" in line:
            version = line.split(": go")[1].split()[0]
            found.append({"type": "library", "bom-ref": "pkg:golang/std@" + version, "name": "std", "version": version, "purl": "pkg:golang/std@" + version})
    if len(found) < 2:
        raise ValueError("%s: not what go version -m prints of a program" % path)
    return found


def packages(folder):
    """Return one entry for each Debian package."""
    for path in sorted(glob.glob(os.path.join(folder, "*"))):
        m = email.message_from_string(open(path).read())
        ref = "pkg:deb/debian/%s@%s?arch=%s" % (m["Package"], quote(m["Version"], safe=".~-"), m["Architecture"])
        yield {
            "type": "library", "bom-ref": ref, "name": m["Package"], "version": m["Version"], "description": m["Description"].split("\n")[0],
            "licenses": [{"license": {"name": "see /usr/share/doc/%s/copyright" % m["Package"]}}], "purl": ref,
        }  # fmt: skip


def document(version, components):
    application = {
        "type": "application", "bom-ref": "tfrun", "name": "tfrun", "version": version,
        "licenses": [{"license": {"id": "Apache-2.0"}}], "purl": "pkg:golang/github.com/tfrun/tfrun@" + quote(version),
    }  # fmt: skip
    metadata = {"component": application}
    if epoch := os.environ.get("SOURCE_DATE_EPOCH"):
        metadata["timestamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(epoch)))
    body = {
        "metadata": metadata,
        "components": components,
        "dependencies": [{"ref": "tfrun", "dependsOn": [c["bom-ref"] for c in components]}],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(body, sort_keys=True))
    return {"bomFormat": "CycloneDX", "specVersion": "1.5", "serialNumber": "urn:uuid:%s" % serial, "version": 1, **body}


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n")[2][7:])
    parser.add_argument("--version", required=True)
    parser.add_argument("--program", required=True)
    parser.add_argument("--components")
    parser.add_argument("--packages")
    parser.add_argument("output")
    o = parser.parse_args()
    try:
        components = go_modules(o.program)
        if o.components:
            components += [json.load(open(p)) for p in sorted(glob.glob(os.path.join(o.components, "*.json")))]
        if o.packages:
            components += packages(o.packages)
        with open(o.output, "w") as f:
            json.dump(document(o.version, components), f, indent=1)
            f.write("\n")
    except (OSError, ValueError, TypeError) as err:
        sys.exit("sbom: error: %s" % err)


if __name__ == "__main__":
    main()
