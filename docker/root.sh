#!/usr/bin/env bash
# root.sh makes the root folder of an image from Debian packages, without running anything in it:
# the packages may be those of another architecture.
#
#   root.sh ARCH OUT PACKAGE...
#
# OUT gets the packages' files less translations, manuals and character set conversions, their
# copyright files, one file a package in var/lib/dpkg/status.d, where scanners look for it, a user
# tfrun (65532), and an empty tmp.
set -euo pipefail

arch=$1 out=$2
shift 2
umask 022
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

[ "$arch" = "$(dpkg --print-architecture)" ] || dpkg --add-architecture "$arch"
ls /var/lib/apt/lists/*_binary-"$arch"_Packages* >/dev/null 2>&1 || apt-get update -qq -o Acquire::Languages=none
(cd "$work" && chmod 777 . && apt-get download -qq "${@/%/:$arch}")

mkdir -p "$out"/{etc,tmp,usr/{bin,sbin,lib,lib64},var/lib/dpkg/status.d}
for dir in bin sbin lib lib64; do ln -s "usr/$dir" "$out/$dir"; done # Debian's merged /usr
chmod 1777 "$out/tmp"
for deb in "$work"/*.deb; do
  dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$out" --no-same-owner --keep-directory-symlink \
    --exclude='./usr/share/man' --exclude='./usr/share/locale' --exclude='./usr/share/info' --exclude='./usr/share/lintian' \
    --exclude='./usr/share/bug' --exclude='./usr/lib/*/gconv' --exclude='./usr/lib/*/audit' --exclude='./usr/share/doc/*/[!c]*' \
    --exclude='./usr/share/doc/*/changelog*' --exclude='./usr/share/initramfs-tools' --exclude='./usr/share/gcc' --exclude='./usr/bin/tini-static'
  dpkg-deb -f "$deb" >"$out/var/lib/dpkg/status.d/$(dpkg-deb -f "$deb" Package)"
done
find "$out" -xdev \( -perm -4000 -o -perm -2000 \) ! -type d -exec chmod ug-s {} +

cat >"$out/etc/passwd" <<'P'
root:x:0:0:root:/root:/usr/sbin/nologin
tfrun:x:65532:65532:tfrun:/nonexistent:/usr/sbin/nologin
P
printf 'root:x:0:\ntfrun:x:65532:\n' >"$out/etc/group"
printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$out/etc/nsswitch.conf"

# busybox brings a shell and the usual tools as one program; its list of names is its own.
if [ -x "$out/usr/bin/busybox" ] || [ -x "$out/bin/busybox" ]; then
  for name in sh ls cat cp mv rm mkdir ln df du env id ps head tail grep find sed awk sort wc gzip zcat tar test sleep true false uname date stat vi less; do
    [ -e "$out/bin/$name" ] || ln -s busybox "$out/bin/$name"
  done
fi
