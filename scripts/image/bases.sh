#!/usr/bin/env bash
# bases.sh makes stand-ins for debian:bookworm-slim and golang:1.26-bookworm from package registries
# alone, for machines that reach no image registry, and tags them with those names. Nothing is done
# where they exist already.
#
#   bases.sh [FOLDER]     work in FOLDER and leave the packages there for the next time (a temporary
#                         one)
#
# They are for building and testing here only: the certificates that this machine trusts are added,
# as a proxy may need. None of that reaches an image of tfrun, which is put together from files of
# named packages.
set -euo pipefail

readonly debian=docker.io/library/debian:bookworm-slim golang=docker.io/library/golang:1.26-bookworm suite=bookworm
work=${1:-$(mktemp -d)}
[ $# != 0 ] || trap 'rm -rf "$work"' EXIT
mkdir -p "$work"

say() { printf 'bases: %s\n' "$*" >&2; }

# mirrors prints the apt lines that this machine uses for the suite, or Debian's own.
mirrors() {
  local sources=/etc/apt/sources.list.d/debian.sources main='' security=''
  if [ -r "$sources" ]; then
    main=$(awk '/^URIs:/ { print $2; exit }' "$sources")
    security=$(awk '/^URIs:/ { u = $2 } /^Suites:.*security/ { print u; exit }' "$sources")
  fi
  main=${main:-http://deb.debian.org/debian} security=${security:-http://deb.debian.org/debian-security}
  printf 'deb %s %s main\n' "$main" "$suite" "$main" "$suite-updates" "$security" "$suite-security"
}

# commit turns a working container into an image.
commit() { buildah commit --quiet --rm "$1" "$2" >/dev/null; }

make_debian() {
  local c n
  if [ ! -s "$work/debian.tar" ]; then
    mirrors | mmdebstrap --quiet --variant=minbase --mode=root --include=ca-certificates \
      --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
      --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' "$suite" "$work/debian.new" -
    mv "$work/debian.new" "$work/debian.tar"
  fi
  # One file a certificate, so that update-ca-certificates keeps them.
  mkdir -p "$work/ca"
  n=$(awk -v d="$work/ca" '/BEGIN CERT/ { n++ } n { print > (d "/host-" n ".crt") } END { print n }' /etc/ssl/certs/ca-certificates.crt)
  c=$(buildah from scratch)
  buildah add --quiet "$c" "$work/debian.tar" / >/dev/null
  buildah add --quiet "$c" "$work/ca" /usr/local/share/ca-certificates/ >/dev/null
  buildah run --isolation chroot "$c" -- update-ca-certificates >/dev/null 2>&1
  buildah config --cmd bash --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$c"
  commit "$c" "$debian"
  say "$debian, with $n certificates of this machine"
}

# The Go toolchain is a zip that every module proxy serves.
make_golang() {
  local go=${GO:-go} c version zip
  version=$("$go" env GOVERSION)
  zip=$(cd "$work" && GOFLAGS=-modcacherw "$go" mod download -json "golang.org/toolchain@v0.0.1-$version.linux-$("$go" env GOHOSTARCH)" |
    sed -n 's/.*"Zip": "\(.*\)".*/\1/p')
  rm -rf "$work/go"
  python3 -m zipfile -e "$zip" "$work/go"
  mv "$work"/go/golang.org/toolchain@* "$work/go/go"
  chmod -R a+rX "$work/go/go" && chmod -R a+x "$work/go/go/bin" "$work/go/go/pkg/tool"
  c=$(buildah from --pull-never "$debian")
  buildah run --isolation chroot --network host "$c" -- sh -c \
    'apt-get update -q && apt-get install -qy --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*' >/dev/null
  buildah add --quiet "$c" "$work/go/go" /usr/local/go >/dev/null
  buildah config --workingdir /go --env GOTOOLCHAIN=local --env GOPATH=/go \
    --env PATH=/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$c"
  commit "$c" "$golang"
  rm -rf "$work/go"
  say "$golang, with $version"
}

buildah inspect --type image "$debian" >/dev/null 2>&1 || make_debian
buildah inspect --type image "$golang" >/dev/null 2>&1 || make_golang
