#!/usr/bin/env bash
# Fetches Debian's firmware for QEMU's riscv64 `virt` board. Prints `name=path` lines:
#
#   opensbi_dynamic, opensbi_jump   OpenSBI (M-mode): fw_dynamic.bin, fw_jump.bin
#   uboot_smode                     U-Boot that runs in S-mode, to be started by OpenSBI (at 0x80200000)
#   uboot                           U-Boot that runs in M-mode, without any firmware before it (at 0x80000000)
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

apt_open riscv64
files=$(apt_files opensbi u-boot-qemu)
key=$(content_key "$0" "$here/lib.sh" <<<"$files")
if artefact_begin firmware "$key"; then
  say "fetching opensbi, u-boot-qemu"
  apt_fetch opensbi u-boot-qemu
  for file in $files; do dpkg-deb -x "$APT_DIR/archives/$file" "$NEW"; done
  artefact_commit
fi
print() { # print NAME PATH
  [ -f "$OUT/$2" ] || die "the fetched packages have no $2"
  echo "$1=$OUT/$2"
}
print opensbi_dynamic usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin
print opensbi_jump usr/lib/riscv64-linux-gnu/opensbi/generic/fw_jump.bin
print uboot_smode usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin
print uboot usr/lib/u-boot/qemu-riscv64/u-boot.bin
