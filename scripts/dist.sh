#!/usr/bin/env bash
# dist.sh makes what a page of a release needs, in dist/, and tries it.
#
#   dist.sh [--no-try] [PART...]      all parts, but for those that this machine cannot make, which
#                                     is said
#
#   linux   tfrun-VERSION-linux-ARCH.tar.gz: the command with libtensorflow, in a folder that may
#           lie anywhere
#   deb     tfrun_RELEASE_ARCH.deb: the same for Debian and Ubuntu
#   wheel   tfrun-RELEASE-py3-none-manylinux_….whl: the command for Python; libtensorflow comes from
#           an installed TensorFlow
#   arm64   the tarball and the Debian package for ARM, by a cross compiler (gcc-aarch64-linux-gnu);
#           they cannot be tried here
#   pure    what runs without libtensorflow (shapes, scan, lib, env), for macOS and Windows
#
# Beside them lie SHA256SUMS and, of each program, a CycloneDX bill of materials (….cdx.json). The
# tarball holds
#
#   bin/tfrun               finds libtensorflow in ../lib
#   lib/                    TensorFlow's two libraries, made smaller by docker/slim.py
#   share/man/man1/         manual pages of tfrun and its commands
#   share/…                 completions, where bash, zsh and fish look for them
#   share/doc/tfrun/        licences of all that is inside, and the bill of materials
#
# Linux parts need glibc 2.34 (Debian 12, Ubuntu 22.04, RHEL 9) and libstdc++. They are tried in a
# bare Debian root, which mmdebstrap makes, without network; where that is not possible (not root,
# no mmdebstrap), in an empty environment of this machine. The wheel is installed from dist/ as an
# index; it takes the TensorFlow of PYTHON, where that has one. VARIANT=gpu packs TensorFlow's GPU
# build and the CUDA libraries, as a tarball alone. The same sources give the same bytes with
# SOURCE_DATE_EPOCH set. VERSION is what git describes; RELEASE is that as Debian and Python write
# it: 1.2.0+4.g0123abc.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly variant=${VARIANT:-cpu} go=${GO:-go} python=${PYTHON:-python3}
version=$(git describe --tags --always --dirty 2>/dev/null || echo dev)
host=$("$go" env GOHOSTARCH)
cache=${TFRUN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tfrun}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
work=$(mktemp -d "${TMPDIR:-/var/tmp}/tfrun-dist.XXXXXX")
trap 'rm -rf "$work"' EXIT

say() { printf 'dist: %s\n' "$*" >&2; }
die() { say "error: $*" && exit 1; }

# release writes what git describes as Debian and Python write versions.
release() {
  if [[ $1 =~ ^v?([0-9]+(\.[0-9]+)+)(-([0-9]+)-g([0-9a-f]+))?(-dirty)?$ ]]; then
    echo "${BASH_REMATCH[1]}${BASH_REMATCH[3]:++${BASH_REMATCH[4]}.g${BASH_REMATCH[5]}}${BASH_REMATCH[6]:++dirty}" | sed 's/+dirty$/.dirty/; s/^\([0-9.]*[0-9]\)\.dirty$/\1+dirty/'
  else
    echo "0.0.0+g${1/-/.}"
  fi
}

# name prints how the files for a machine are called.
name() { echo "tfrun-$version-linux-$1$([ "$variant" = cpu ] || echo "-$variant")"; }

# tree lays everything for a machine out in $work/NAME, once.
tree() {
  local arch=$1 list=docker/wheels/$variant-$1.txt tree doc partners=/
  tree=$work/$(name "$arch") doc=$work/$(name "$arch")/share/doc/tfrun
  [ ! -e "$tree" ] || return 0
  [ -f "$list" ] || die "there is no list of wheels for $variant on $arch"
  if [ "$arch" != "$host" ]; then
    partners=$work/partners
    cross_partners "$partners"
  fi
  mkdir -p "$cache/dist"
  # Wheels that tfrun lib has fetched are not fetched again; what is in them is checked.
  ln -f "$cache"/wheels/linux-*/"$variant"-*/*.whl "$cache/dist/" 2>/dev/null || true
  docker/libraries.py --arch "$arch" --cache "$cache/dist" --partners "$partners" "$list" "$work/$arch"
  mkdir -p "$tree/bin" "$doc"
  mv "$work/$arch/lib" "$tree/lib"
  docker/compile.sh --arch "$arch" --include "$work/$arch/include" --version "$version" "$tree/bin/tfrun"
  pages "$tree/share"
  docker/licenses.sh "$tree/bin/tfrun" "$doc/licenses"
  mv "$work/$arch"/licenses/* "$doc/licenses/"
  materials "$tree/bin/tfrun" "$(name "$arch")" --components "$work/$arch/components"
  cp "dist/$(name "$arch").cdx.json" "$doc/sbom.cdx.json"
}

# cross_partners gathers the C and C++ libraries of the cross compiler as slim.py looks for them.
cross_partners() {
  mkdir -p "$1/usr/lib/aarch64-linux-gnu"
  local file
  for file in libstdc++.so.6 libgcc_s.so.1 libc.so.6 libm.so.6; do
    ln -s "/usr/aarch64-linux-gnu/lib/$file" "$1/usr/lib/aarch64-linux-gnu/$file"
  done
}

# materials writes the bill of materials of a program to dist/.
materials() {
  local program=$1 name=$2
  shift 2
  "$go" version -m "$program" | sed '1s/^[^:]*/tfrun/' >"$work/modules"
  docker/sbom.py --version "$version" --program "$work/modules" "$@" "dist/$name.cdx.json"
}

# pages writes manual pages and completions, as the program for this machine prints them.
pages() {
  local share=$1 command run=$work/own
  [ -x "$run" ] || CGO_ENABLED=0 "$go" build -buildvcs=false -ldflags "-X main.version=$version" -o "$run" ./cmd/tfrun
  mkdir -p "$share"/man/man1 "$share"/bash-completion/completions "$share"/zsh/site-functions "$share"/fish/vendor_completions.d
  "$run" man >"$share/man/man1/tfrun.1"
  for command in predict shapes scan bench doctor lib env; do
    "$run" man "$command" >"$share/man/man1/tfrun-$command.1"
  done
  "$run" completion bash >"$share/bash-completion/completions/tfrun"
  "$run" completion zsh >"$share/zsh/site-functions/_tfrun"
  "$run" completion fish >"$share/fish/vendor_completions.d/tfrun.fish"
}

# pack makes a tarball of a folder of $work.
pack() {
  tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -cf - "$1" | gzip -6n >"dist/$1.tar.gz.new"
  mv "dist/$1.tar.gz.new" "dist/$1.tar.gz"
  made "$1.tar.gz"
}

# made says what a file takes, and notes it for SHA256SUMS.
made() {
  files+=("$1")
  say "dist/$1: $((($(stat -c %s "dist/$1") + 500000) / 1000000)) MB"
}

# part_linux makes the tarball for this machine.
part_linux() { tree "$host" && pack "$(name "$host")"; }

# part_arm64 makes what this machine can make for ARM.
part_arm64() {
  [ "$host" != arm64 ] || return 0
  [ "$variant" = cpu ] || return 0
  command -v aarch64-linux-gnu-gcc >/dev/null || { say 'NOT MADE: for ARM, as there is no cross compiler (apt-get install gcc-aarch64-linux-gnu)' && return 0; }
  tree arm64
  readelf -h "$work/$(name arm64)/bin/tfrun" | grep -q AArch64 || die 'the program for ARM is for another machine'
  pack "$(name arm64)"
  debian arm64
}

# part_deb makes the Debian package for this machine.
part_deb() { debian "$host"; }

# debian makes a Debian package: the tree in /usr/lib/tfrun, and links to it.
debian() {
  local arch=$1 root=$work/deb-$1 from file
  [ "$variant" = cpu ] || return 0
  command -v dpkg-deb >/dev/null || { say 'NOT MADE: the Debian package, as there is no dpkg-deb' && return 0; }
  tree "$arch"
  from=$work/$(name "$arch")
  mkdir -p "$root/DEBIAN" "$root/usr/bin" "$root/usr/lib/tfrun"
  cp -al "$from/bin" "$from/lib" "$root/usr/lib/tfrun/"
  cp -al "$from/share" "$root/usr/share"
  mkdir -p "$root/usr/share/zsh/vendor-completions" && mv "$root"/usr/share/zsh/site-functions/* "$root/usr/share/zsh/vendor-completions/" && rmdir "$root/usr/share/zsh/site-functions"
  ln -s ../lib/tfrun/bin/tfrun "$root/usr/bin/tfrun"
  cp "$from"/share/doc/tfrun/licenses/tfrun/LICENSE "$root/usr/share/doc/tfrun/copyright"
  for file in "$root"/usr/share/man/man1/*.1; do # a copy, as the tree shares its files
    gzip -9nc "$file" >"$file.gz" && rm "$file"
  done
  cat >"$root/DEBIAN/control" <<CONTROL
Package: tfrun
Version: $(release "$version")
Architecture: $arch
Maintainer: The tfrun authors <tfrun@users.noreply.github.com>
Installed-Size: $(du -sk --apparent-size "$root/usr" | cut -f1)
Depends: libc6 (>= 2.34), libgcc-s1, libstdc++6
Section: science
Priority: optional
Homepage: https://github.com/tfrun/tfrun
Description: runs TensorFlow SavedModels over rows of data
 Describes what is inside a SavedModel, and runs rows of data through it in
 padded batches, as tf.data's padded_batch makes them. No Python is needed;
 libtensorflow is in the package.
CONTROL
  find "$root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
  file=tfrun_$(release "$version")_$arch.deb
  dpkg-deb --root-owner-group -Zgzip -z6 --build "$root" "dist/$file.new" >/dev/null
  mv "dist/$file.new" "dist/$file"
  made "$file"
}

# part_wheel makes the wheel for this machine.
part_wheel() {
  local machine
  [ "$variant" = cpu ] || return 0
  tree "$host"
  machine=$(uname -m)
  made "$("$python" scripts/dist/wheel.py --version "$(release "$version")" --platform "manylinux_2_34_$machine" \
    --program "$work/$(name "$host")/bin/tfrun" --licenses "$work/$(name "$host")/share/doc/tfrun/licenses" dist)"
}

# part_pure makes the command without TensorFlow for other systems.
part_pure() {
  local system os name
  [ "$variant" = cpu ] || return 0
  for system in darwin/arm64 darwin/amd64 windows/amd64; do
    os=${system%/*} name=tfrun-$version-${system/\//-}
    mkdir -p "$work/$name"
    (export CGO_ENABLED=0 GOOS=$os GOARCH=${system#*/} && "$go" vet ./cmd/tfrun &&
      "$go" build -buildvcs=false -trimpath -ldflags "-s -w -buildid= -X main.version=$version" -o "$work/$name/" ./cmd/tfrun)
    docker/licenses.sh "$work/$name"/tfrun* "$work/$name/licenses"
    materials "$work/$name"/tfrun* "$name"
    if [ "$os" = windows ]; then
      find "$work/$name" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
      (cd "$work" && "$python" -m zipfile -c "$OLDPWD/dist/$name.zip" "$name")
      made "$name.zip"
    else
      pack "$name"
    fi
  done
}

# bare makes a Debian root with nothing but what every Debian has.
bare() {
  local mirror
  mirror=$(awk '/^URIs:/ { print $2; exit }' /etc/apt/sources.list.d/debian.sources 2>/dev/null || true)
  mmdebstrap --quiet --variant=minbase --mode=root --include=libstdc++6 bookworm "$1" "deb ${mirror:-http://deb.debian.org/debian} bookworm main"
}

# compare holds the example's predictions against TensorFlow's in Python.
compare() { python3 scripts/image/compare.py examples/reviews/expected.jsonl "$1" >&2; }

readonly example=(model reviews.jsonl --text text --vocab vocab.subwords)

# try_linux unpacks the tarball somewhere else, and installs the Debian package, and runs the
# example with no variable set and no network.
try_linux() {
  local root=$work/root deb at=/opt/somewhere
  if [ "$(id -u)" = 0 ] && command -v mmdebstrap >/dev/null && unshare --net --mount true 2>/dev/null; then
    say 'trying the tarball and the package in a bare Debian root'
    bare "$root"
    mkdir -p "$root$at" "$root/example"
    tar -C "$root$at" --strip-components=1 --no-same-owner -xzf "dist/$(name "$host").tar.gz"
    cp -r examples/reviews/. "$root/example/"
    deb=dist/tfrun_$(release "$version")_$host.deb
    [ ! -e "$deb" ] || cp "$deb" "$root/tfrun.deb"
    # shellcheck disable=SC2016
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin unshare --net --mount --pid --fork chroot "$root" /bin/sh -c '
      mount -t proc proc /proc && cd /example && at=$1 && shift && "$at"/bin/tfrun doctor >&2 && "$at"/bin/tfrun predict "$@" >/tarball.jsonl &&
      { [ ! -e /tfrun.deb ] || { dpkg -i /tfrun.deb >&2 && tfrun predict "$@" >/deb.jsonl && dpkg -r tfrun >&2 && [ ! -e /usr/lib/tfrun ]; } }' \
      sh "$at" "${example[@]}"
    compare "$root/tarball.jsonl"
    [ ! -e "$root/tfrun.deb" ] || compare "$root/deb.jsonl"
  else
    say 'trying the tarball in an empty environment of this machine (as root, with mmdebstrap: in a bare Debian root)'
    mkdir -p "$root"
    tar -C "$root" --strip-components=1 -xzf "dist/$(name "$host").tar.gz"
    (cd examples/reviews && env -i "$root/bin/tfrun" predict "${example[@]}") >"$work/got.jsonl"
    compare "$work/got.jsonl"
  fi
}

# try_wheel installs the wheel from dist/ as an index, and runs the example where PYTHON has a
# TensorFlow.
try_wheel() {
  local site=$work/site
  python3 -m pip install --quiet --no-index --find-links dist --no-deps --target "$site" "tfrun==$(release "$version")"
  PYTHONPATH=$site "$python" -m tfrun shapes examples/reviews/model >/dev/null
  if PYTHONPATH=$site "$python" -c 'import tfrun, sys; sys.exit(tfrun.library() is None)'; then
    say 'trying the wheel with the TensorFlow of PYTHON'
    (cd examples/reviews && env -u TFRUN_LIBTENSORFLOW TFRUN_CACHE="$work/none" PYTHONPATH="$site" "$python" -m tfrun predict "${example[@]}") >"$work/wheel.jsonl"
    compare "$work/wheel.jsonl"
  else
    say "NOT TRIED: the wheel with a TensorFlow, as $python has none (PYTHON names another)"
  fi
}

attempt=yes files=()
[ "${1:-}" != --no-try ] || { attempt='' && shift; }
parts=("$@")
[ ${#parts[@]} != 0 ] || parts=(linux deb wheel arm64 pure)
mkdir -p dist
for part in "${parts[@]}"; do
  declare -F "part_$part" >/dev/null || die "there is no part $part: want linux, deb, wheel, arm64 or pure"
done
for part in "${parts[@]}"; do
  "part_$part"
  case $attempt-$part in
    yes-wheel) try_wheel ;;
    yes-linux) tried=linux ;;
    yes-deb) [ "${tried:-}" != linux ] || { try_linux && tried=both; } ;;
  esac
done
[ "${tried:-}" != linux ] || try_linux
(cd dist && sha256sum "${files[@]}" >SHA256SUMS)
say "${#files[@]} files and SHA256SUMS, made in $SECONDS s"
