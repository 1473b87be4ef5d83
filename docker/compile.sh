#!/usr/bin/env bash
# compile.sh builds the program that images and tarballs carry: for a machine of this or the other
# architecture, without paths of this machine in it. It finds libtensorflow in ../lib beside itself.
#
#   compile.sh [--arch amd64|arm64] --include DIR --version VERSION OUTPUT
#
# DIR holds the headers of TensorFlow's C API.
set -euo pipefail

go=${GO:-go} arch='' include='' version=dev
while [ $# -gt 1 ]; do
  case $1 in
    --arch) arch=$2 ;;
    --include) include=$2 ;;
    --version) version=$2 ;;
    *) echo "compile: error: unknown option $1" >&2 && exit 2 ;;
  esac
  shift 2
done
arch=${arch:-$("$go" env GOHOSTARCH)}
cc=${CC:-gcc} ar=ar
if [ "$arch" != "$("$go" env GOHOSTARCH)" ]; then
  case $arch in
    amd64) triple=x86_64-linux-gnu ;;
    arm64) triple=aarch64-linux-gnu ;;
    *) echo "compile: error: no compiler is known for $arch" >&2 && exit 2 ;;
  esac
  cc=$triple-gcc ar=$triple-ar
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
$cc -O2 -fPIC -c internal/cgoenv/shim/shim.c -o "$work/shim.o"
$ar rcs "$work/libtensorflow.a" "$work/shim.o"
mkdir -p "$(dirname "$1")"
# Folders of this run are no part of the cache's keys: CPATH is read by gcc alone, and the linker's
# flags count for the last step.
CPATH=$include CC=$cc CGO_ENABLED=1 GOOS=linux GOARCH=$arch CGO_CFLAGS='-O2' CGO_LDFLAGS='' \
  "$go" build -buildvcs=false -trimpath -ldflags "-s -w -buildid= -X main.version=$version -extldflags '-L$work'" -o "$1" ./cmd/tfrun
