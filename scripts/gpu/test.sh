#!/usr/bin/env bash
# test.sh runs the tests of the GPU (test.py) on this machine; see there for what they are. Where
# the program comes from:
#
#   IMAGE=tfrun:gpu        in this image, by docker or podman
#   PIECES=DIR             from a GPU tarball that arrived in pieces (pieces.sh); the machine needs
#                          no network and no compiler
#   otherwise              from this clone: VARIANT=gpu make dist, which downloads 2.7 GB once
#
# To carry the tarball to a machine that is lent by the minute and takes small files:
#
#   here    VARIANT=gpu make dist && scripts/gpu/pieces.sh split dist/tfrun-*-gpu.tar.gz pieces
#   there   scripts/gpu/pieces.sh take pieces STORE, as often as pieces come; then PIECES=STORE make
#           gpu-test
#
# Ends with 2 where there is no GPU, and says what is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if [ -n "${IMAGE:-}" ]; then
  engine=$(command -v docker || command -v podman) || { echo 'gpu test: no docker and no podman' >&2 && exit 2; }
  gpus=(--gpus all)
  [ "${engine##*/}" = docker ] || gpus=(--device nvidia.com/gpu=all)
  work=$(mktemp -d)
  chmod 755 "$work"
  trap 'rm -rf "$work"' EXIT
  export TMPDIR=$work
  tfrun="$engine run --rm ${gpus[*]} --network none --read-only --cap-drop ALL -e NVIDIA_TF32_OVERRIDE -v $PWD:$PWD:ro -v $work:$work:ro --user $(id -u):$(id -g) $IMAGE"
else
  # Before anything is downloaded.
  python3 -c 'import ctypes; ctypes.CDLL("libcuda.so.1"); ctypes.CDLL("libnvidia-ml.so.1")' 2>/dev/null ||
    { echo 'gpu test: no GPU here: there is no NVIDIA driver (libcuda.so.1, libnvidia-ml.so.1)' >&2 && exit 2; }
  unpacked=${UNPACKED:-${TMPDIR:-/var/tmp}/tfrun-gpu-test}
  if [ ! -x "$unpacked/bin/tfrun" ]; then
    if [ -n "${PIECES:-}" ]; then
      mkdir -p dist
      tarball=dist/carried-gpu.tar.gz
      [ -f "$tarball" ] || scripts/gpu/pieces.sh join "$PIECES" "$tarball"
    else
      VARIANT=gpu scripts/dist.sh --no-try
      tarball=$(ls -t dist/tfrun-*-gpu.tar.gz | head -n 1)
    fi
    mkdir -p "$unpacked"
    tar -C "$unpacked" --strip-components=1 -xzf "$tarball"
  fi
  tfrun=$unpacked/bin/tfrun
fi
python3 scripts/gpu/test.py --tfrun "$tfrun" "$@"
