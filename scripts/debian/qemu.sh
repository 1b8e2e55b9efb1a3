#!/usr/bin/env bash
# Fetches Debian's qemu-system-riscv64 of a recent suite with the libraries it was built against, and prints the path of
# a wrapper that starts it on this machine, whatever this machine's own libraries are. Nothing is installed.
#
#   qemu=$(scripts/debian/qemu.sh) && "$qemu" -M virt ...
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

arch=$(dpkg --print-architecture)
apt_open "$arch"
packages=(opensbi u-boot-qemu)
if [ -n "$(apt-cache -c "$APT_DIR/apt.conf" madison qemu-system-riscv)" ]; then
  packages+=(qemu-system-riscv)
else
  packages+=(qemu-system-misc)
fi
files=$(apt_closure "${packages[@]}")
key=$(content_key "$0" "$here/lib.sh" <<<"$files")
if artefact_begin qemu "$key"; then
  say "fetching ${packages[*]} and what they need ($(wc -l <<<"$files") packages)"
  apt_fetch_closure "${packages[@]}"
  mkdir "$NEW/root" "$NEW/bin"
  # The archive's directories are links into /usr in a merged system; packages may still carry /lib.
  mkdir -p "$NEW"/root/usr/{bin,sbin,lib,lib64}
  for dir in bin sbin lib lib64; do ln -s "usr/$dir" "$NEW/root/$dir"; done
  for file in $files; do
    dpkg-deb --fsys-tarfile "$APT_DIR/archives/$file" |
      tar -C "$NEW/root" --extract --keep-directory-symlink --no-same-owner \
        --exclude=./usr/share/doc --exclude=./usr/share/locale --exclude=./usr/share/man
  done
  interpreter=$(cd "$NEW/root" && find usr/lib usr/lib64 -name 'ld-linux*.so.[0-9]' | head -n 1)
  [ -n "$interpreter" ] || die "the fetched libc6 has no program interpreter"
  libraries=$(cd "$NEW/root" && find usr/lib -name 'libc.so.6' -printf '%h\n' | head -n 1)
  cat >"$NEW/bin/qemu-system-riscv64" <<END
#!/bin/sh
# Starts this copy of QEMU through the program interpreter and the libraries it was built against.
root=\$(dirname "\$(dirname "\$(readlink -f "\$0")")")/root
export QEMU_MODULE_DIR="\$root/$libraries/qemu"
exec "\$root/$interpreter" --library-path "\$root/$libraries:\$root/$libraries/pulseaudio" --argv0 qemu-system-riscv64 \\
  "\$root/usr/bin/qemu-system-riscv64" -L "\$root/usr/share/qemu" "\$@"
END
  chmod 755 "$NEW/bin/qemu-system-riscv64"
  "$NEW/bin/qemu-system-riscv64" --version >&2 || die "the fetched QEMU does not start here"
  artefact_commit
fi
echo "$OUT/bin/qemu-system-riscv64"
