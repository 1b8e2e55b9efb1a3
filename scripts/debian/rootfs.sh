#!/usr/bin/env bash
# Makes a disk with a minimal Debian riscv64: systemd, apt, dpkg, python3, perl, gcc; root logs in on hvc0 and ttyS0 without a
# password. One ext4 partition (MBR, bootable) holds the stock kernel, an initrd and /boot/extlinux/extlinux.conf, so that
# U-Boot's distro boot finds it. Prints `name=path` lines:
#
#   disk             raw image, sparse; treat it as read-only and put an overlay on it
#   kernel, initrd   copies of those in its /boot, for a boot without firmware (root=/dev/vda1)
#
# The packages are configured by Debian's own scripts in a riscv64 guest: $VIV_DEBIAN_RUNNER DISK (default run-in-qemu.sh), which is
# to run the shell script on its stdin with DISK as /dev/vda and to end with its status. run-in-viv.sh does it in our emulator.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

runner=${VIV_DEBIAN_RUNNER:-$here/run-in-qemu.sh}
size=${VIV_DEBIAN_DISK_SIZE:-3G}
start=1048576
packages=systemd,systemd-sysv,udev,dbus,kmod,iproute2,iputils-ping,netbase,procps,less,nano,python3,perl,gcc,libc6-dev,make
packages+=,initramfs-tools,linux-image-riscv64

need debootstrap debootstrap mke2fs e2fsprogs debugfs e2fsprogs sfdisk fdisk cpio cpio
[ "$(id -u)" = 0 ] || die "has to run as root, for the owners of files (or under fakeroot)"
apt_open riscv64
files=$(apt_closure ${packages//,/ })
key=$(content_key "$0" "$here/lib.sh" <<<"$files"$'\n'"$size")
if artefact_begin rootfs "$key"; then
  say "fetching and unpacking the packages"
  debootstrap --foreign --arch=riscv64 --variant=minbase --merged-usr --include="$packages" \
    --keyring="$DEBIAN_KEYRING" --cache-dir="$APT_DIR/archives" "$DEBIAN_SUITE" "$NEW/root" "$(debian_mirror)" >&2
  apt_release
  root=$NEW/root
  echo debian >"$root/etc/hostname"
  echo "/dev/vda1 / ext4 defaults 0 1" >"$root/etc/fstab"
  # An initrd of what this board has, not of every driver there is.
  mkdir -p "$root/etc/initramfs-tools/conf.d" "$root/usr/share/initramfs-tools/modules.d"
  printf 'MODULES=list\nCOMPRESS=gzip\n' >"$root/etc/initramfs-tools/conf.d/virt"
  printf '%s\n' virtio_mmio virtio_blk virtio_net virtio_console ext4 >"$root/usr/share/initramfs-tools/modules.d/virt"
  # Nothing of this is to survive a crash of the guest that configures it.
  mkdir -p "$root/etc/dpkg/dpkg.cfg.d"
  echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"
  mkdir -p "$root/etc/systemd/network"
  printf '[Match]\nType=ether\n\n[Network]\nDHCP=yes\n' >"$root/etc/systemd/network/ether.network"

  say "making the file system"
  truncate -s "$size" "$NEW/disk.img"
  echo "start=$((start / 512)), type=83, bootable" | sfdisk --quiet "$NEW/disk.img"
  blocks=$((($(stat -c %s "$NEW/disk.img") - start) / 4096))
  mke2fs -q -t ext4 -b 4096 -L root -d "$root" -E "offset=$start,lazy_itable_init=0" "$NEW/disk.img" "$blocks" 2>&1 |
    grep -v 'contains a' >&2 || true
  rm -rf "$root"

  say "configuring the packages in a guest (some minutes)"
  $runner "$NEW/disk.img" >&2 <<'END'
set -e
mount -t ext4 /dev/vda1 /mnt
mount -t proc proc /mnt/proc
mount -t sysfs sysfs /mnt/sys
mount --bind /dev /mnt/dev
cat >/mnt/configure <<'CONFIGURE'
set -e
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C
/debootstrap/debootstrap --second-stage
passwd -d root
systemctl enable systemd-networkd
systemctl disable systemd-networkd-wait-online
release=$(ls /lib/modules)
mkdir -p /boot/extlinux
cat >/boot/extlinux/extlinux.conf <<EXTLINUX
default debian
timeout 10
label debian
  linux /boot/vmlinux-$release
  initrd /boot/initrd.img-$release
  append root=/dev/vda1 rw console=ttyS0
EXTLINUX
ln -sf vmlinux-$release /boot/vmlinux
ln -sf initrd.img-$release /boot/initrd.img
apt-get clean
rm /etc/dpkg/dpkg.cfg.d/unsafe-io
CONFIGURE
chroot /mnt /bin/sh /configure
rm /mnt/configure
# debootstrap takes away some of these itself.
for mount in dev sys proc; do umount /mnt/$mount 2>/dev/null || true; done
fstrim /mnt
umount /mnt
END
  for file in vmlinux:kernel initrd.img:initrd; do
    # Names in /boot carry the release; debugfs follows no links.
    name=$(debugfs -R "ls -p /boot" "$NEW/disk.img?offset=$start" 2>/dev/null | cut -d/ -f6 | grep "^${file%:*}-" | head -n 1)
    debugfs -R "dump /boot/$name $NEW/${file#*:}" "$NEW/disk.img?offset=$start" 2>/dev/null
    [ -s "$NEW/${file#*:}" ] || die "no /boot/${file%:*}-* on the disk"
  done
  e2fsck -fn "$NEW/disk.img?offset=$start" >&2 || die "the file system is not whole"
  artefact_commit
fi
printf '%s\n' "disk=$OUT/disk.img" "kernel=$OUT/kernel" "initrd=$OUT/initrd"
