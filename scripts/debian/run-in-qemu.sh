#!/usr/bin/env bash
# Runs the shell script on stdin in the embedded guest, with the raw disk image DISK as /dev/vda, and ends with its status.
#
#   scripts/debian/run-in-qemu.sh DISK <SCRIPT       MEMORY (MiB), HARTS in the environment
here=$(cd "$(dirname "$0")" && pwd)
set -euo pipefail
guest=$here/../../guests/linux-riscv64
disk=$(realpath "$1")
qemu=${QEMU:-$("$here/qemu.sh")}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cat >"$tmp/in"
mkdir "$tmp/viv"
echo "set -- sh -s" >"$tmp/viv/command"
gzip -dc "$guest/Image.gz" >"$tmp/Image"
{
  gzip -dc "$guest/initramfs.cpio.gz"
  (cd "$tmp" && echo viv/command | cpio --quiet -o -H newc -R 0:0)
} >"$tmp/initrd"
mkfifo "$tmp/out" "$tmp/err"
cat "$tmp/out" &
cat "$tmp/err" >&2 &
"$qemu" -M virt -m "${MEMORY:-1024}" -smp "${HARTS:-2}" -display none -no-reboot -nic none \
  -kernel "$tmp/Image" -initrd "$tmp/initrd" -append "quiet console=hvc0 panic=-1" -serial null \
  -drive "if=none,id=disk,format=raw,discard=unmap,cache=unsafe,file=$disk" -device virtio-blk-device,drive=disk \
  -device virtio-rng-device -device virtio-serial-device \
  -chardev "file,id=console,path=$tmp/console" -device virtconsole,chardev=console \
  -chardev "file,id=in,path=/dev/null,input-path=$tmp/in" -device virtserialport,chardev=in,name=org.vivarium.stdin \
  -chardev "file,id=out,path=$tmp/out" -device virtserialport,chardev=out,name=org.vivarium.stdout \
  -chardev "file,id=err,path=$tmp/err" -device virtserialport,chardev=err,name=org.vivarium.stderr \
  -chardev "file,id=exit,path=$tmp/exit" -device virtserialport,chardev=exit,name=org.vivarium.exit >&2
wait
if [ ! -s "$tmp/exit" ]; then
  echo "the guest ended without an exit status; its console:" >&2
  cat "$tmp/console" >&2
  exit 125
fi
exit "$(cat "$tmp/exit")"
