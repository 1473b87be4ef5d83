#!/usr/bin/env bash
# dist.sh makes the relocatable tarball dist/tfrun-VERSION-linux-ARCH.tar.gz, and tries it.
#
#   dist.sh [--no-try]
#
#   bin/tfrun               finds libtensorflow in ../lib, wherever the folder lies
#   lib/                    TensorFlow's two libraries, made smaller by docker/slim.py
#   share/man/man1/         manual pages of tfrun and its commands
#   share/…                 completions, where bash, zsh and fish look for them
#   share/doc/tfrun/        licences of all that is inside, and a CycloneDX bill of materials
#
# It needs Linux with glibc 2.34 (Debian 12, Ubuntu 22.04, RHEL 9) and libstdc++. It is tried in a bare Debian root, which mmdebstrap
# makes, without network; where that is not possible (not root, no mmdebstrap), in an empty environment of this machine.
# VARIANT=gpu packs TensorFlow's GPU build and the CUDA libraries. The same sources give the same bytes with SOURCE_DATE_EPOCH set.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly variant=${VARIANT:-cpu} go=${GO:-go}
version=$(git describe --tags --always --dirty 2>/dev/null || echo dev)
arch=$("$go" env GOHOSTARCH)
name=tfrun-$version-linux-$arch
[ "$variant" = cpu ] || name+=-$variant
work=$(mktemp -d "${TMPDIR:-/var/tmp}/tfrun-dist.XXXXXX")
trap 'rm -rf "$work"' EXIT

say() { printf 'dist: %s\n' "$*" >&2; }
die() { say "error: $*" && exit 1; }

# make_tree lays everything out in $work/$name.
make_tree() {
  local tree=$work/$name doc=$work/$name/share/doc/tfrun list=docker/wheels/$variant-$arch.txt
  [ -f "$list" ] || die "there is no list of wheels for $variant on $arch"
  docker/libraries.py --arch "$arch" --cache "${TFRUN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tfrun}/dist" "$list" "$work/out"
  mkdir -p "$tree/bin" "$doc"
  mv "$work/out/lib" "$tree/lib"
  docker/compile.sh --include "$work/out/include" --version "$version" "$tree/bin/tfrun"
  make_pages "$tree"
  docker/licenses.sh "$tree/bin/tfrun" "$doc/licenses"
  mv "$work"/out/licenses/* "$doc/licenses/"
  "$go" version -m "$tree/bin/tfrun" | sed '1s/^[^:]*/tfrun/' >"$work/modules"
  docker/sbom.py --version "$version" --program "$work/modules" --components "$work/out/components" "$doc/sbom.cdx.json"
}

# make_pages writes manual pages and completions.
make_pages() {
  local run=$1/bin/tfrun share=$1/share command
  mkdir -p "$share"/man/man1 "$share"/bash-completion/completions "$share"/zsh/site-functions "$share"/fish/vendor_completions.d
  "$run" man >"$share/man/man1/tfrun.1"
  for command in predict shapes scan bench doctor; do
    "$run" man "$command" >"$share/man/man1/tfrun-$command.1"
  done
  "$run" completion bash >"$share/bash-completion/completions/tfrun"
  "$run" completion zsh >"$share/zsh/site-functions/_tfrun"
  "$run" completion fish >"$share/fish/vendor_completions.d/tfrun.fish"
}

pack() {
  local epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
  mkdir -p dist
  tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$epoch" -cf - "$name" | gzip -6n >"dist/$name.tar.gz.new"
  mv "dist/$name.tar.gz.new" "dist/$name.tar.gz"
  (cd dist && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
}

# bare makes a Debian root with nothing but what every Debian has.
bare() {
  local mirror
  mirror=$(awk '/^URIs:/ { print $2; exit }' /etc/apt/sources.list.d/debian.sources 2>/dev/null || true)
  mmdebstrap --quiet --variant=minbase --mode=root bookworm "$1" "deb ${mirror:-http://deb.debian.org/debian} bookworm main"
}

# try unpacks the tarball somewhere else and runs the example, with no variable set and no network.
try() {
  local root=$work/root at=/opt/somewhere
  if [ "$(id -u)" = 0 ] && command -v mmdebstrap >/dev/null; then
    say 'trying it in a bare Debian root'
    bare "$root"
    mkdir -p "$root$at" "$root/example"
    tar -C "$root$at" --strip-components=1 --no-same-owner -xzf "dist/$name.tar.gz"
    cp -r examples/reviews/. "$root/example/"
    # shellcheck disable=SC2016
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin unshare --net --mount --pid --fork chroot "$root" /bin/sh -c '
      mount -t proc proc /proc && cd / && "$1"/bin/tfrun doctor >&2 &&
      "$1"/bin/tfrun predict /example/model /example/reviews.jsonl --text text --vocab /example/vocab.subwords' sh "$at" >"$work/got.jsonl"
  else
    say 'trying it in an empty environment of this machine (as root, with mmdebstrap: in a bare Debian root)'
    mkdir -p "$root"
    tar -C "$root" --strip-components=1 -xzf "dist/$name.tar.gz"
    env -i "$root/bin/tfrun" predict examples/reviews/model examples/reviews/reviews.jsonl --text text \
      --vocab examples/reviews/vocab.subwords >"$work/got.jsonl"
  fi
  python3 scripts/image/compare.py examples/reviews/expected.jsonl "$work/got.jsonl" >&2
}

start=$SECONDS
make_tree
pack
[ "${1:-}" = --no-try ] || try
unpacked=$(du -sm --apparent-size "$work/$name" | cut -f1)
say "dist/$name.tar.gz: $(($(stat -c %s "dist/$name.tar.gz") / 1000000)) MB, $unpacked MB unpacked, made in $((SECONDS - start)) s"
