#!/usr/bin/env bash
# Builds the embedded guest from Debian packages: kernel (linux-source, cross-compiled) and initramfs (busybox-static and
# the files of root/). Writes Image.gz, initramfs.cpio.gz, SOURCES, licences/ and SHA256SUMS beside itself.
# The same packages and compiler give the same bytes. See README.md.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../scripts/debian/lib.sh"

linux=linux-source-6.12
cross=riscv64-linux-gnu-
jobs=${JOBS:-$(nproc)}

need make make gcc gcc flex flex bison bison bc bc xz xz-utils gzip gzip dpkg-parsechangelog dpkg-dev \
  "${cross}gcc" gcc-riscv64-linux-gnu
apt_open riscv64
files=$(apt_files "$linux" busybox-static)
apt_fetch "$linux" busybox-static

# The source is unpacked once for each version; the kernel is built incrementally beside it.
work=$VIV_CACHE/guests/linux-riscv64/$(content_key <<<"$files")
if [ ! -d "$work" ]; then
  say "unpacking the sources"
  mkdir -p "${work%/*}"
  new=$(mktemp -d "$work.XXXXXX")
  trap 'rm -rf "$new"' EXIT
  for file in $files; do dpkg-deb -x "$APT_DIR/archives/$file" "$new/packages"; done
  mkdir "$new/linux" "$new/build"
  tar -C "$new/linux" --strip-components=1 -xf "$new/packages/usr/src/$linux.tar.xz"
  mv -T "$new" "$work"
fi

changes=$work/packages/usr/share/doc/$linux/changelog.Debian.gz
KBUILD_BUILD_TIMESTAMP=$(dpkg-parsechangelog -l - -S Date < <(zcat "$changes" 2>/dev/null))
export KBUILD_BUILD_TIMESTAMP KBUILD_BUILD_VERSION=1 KBUILD_BUILD_USER=vivarium KBUILD_BUILD_HOST=vivarium
# Zba, Zbb and Zbs in all of the kernel: 3 % fewer instructions.
march=rv64imac_zicsr_zifencei_zihintpause_zba_zbb_zbs
kmake() {
  make -s -C "$work/linux" O="$work/build" ARCH=riscv CROSS_COMPILE="$cross" KCFLAGS="-march=$march" "$@"
}

say "configuring the kernel"
kmake KCONFIG_ALLCONFIG="$here/kernel.config" allnoconfig >&2
if missing=$(grep '^CONFIG_' "$here/kernel.config" | grep -vxFf "$work/build/.config"); then
  die "the kernel's configuration does not keep:"$'\n'"$missing"
fi
say "building the kernel in $work/build"
kmake -j"$jobs" Image >&2

say "packing the initramfs"
manual=$work/packages/usr/share/man/man1/busybox.1.gz
# The manual's list of applets: lines of "\&        a, b, c" between two requests.
applets=$(zcat "$manual" | sed -n '/applets include:/,/^\.Ve/s/^\(\\&\)\? \{4,\}//p' | tr -d ' \n\\' | tr ',' '\n' | sort)
for applet in sh mount cp dd setsid stty poweroff udhcpc; do
  grep -qx "$applet" <<<"$applets" || die "no applet $applet in the list of $manual"
done
# Applets for hardware and services that this machine does not have get no link: each costs 13,800 instructions at boot.
# `busybox NAME` runs them all the same.
unlinked="acpid ar arping brctl busybox chvt crond crontab deallocvt depmod devmem dpkg dpkg-deb dumpkmap dumpleases ed
  fatattr freeramdisk fsfreeze ftpget ftpput getty httpd i2cdetect i2cdump i2cget i2cset i2ctransfer ifdown ifup init
  insmod klogd last linux32 linux64 linuxrc loadfont loadkmap logger login logread lsmod lsscsi lzop microcom mim
  mkpasswd modinfo modprobe mt nameif nbd-client nuke openvt partprobe passwd rdate resume rmmod rpm rpm2cpio run-init
  run-parts setkeycodes ssl_client start-stop-daemon su sulogin svc svok syslogd telnetd tftp ts tunctl ubirename udhcpc6
  udhcpd uevent vconfig w watchdog who"
applets=$(grep -vxFf <(printf '%s\n' $unlinked) <<<"$applets")

# Without the unwinding tables, which a C program does not use: libgcc reads them through at each start of a program when
# they are there, 230,000 instructions.
"${cross}objcopy" --remove-section=.eh_frame --remove-section=.gcc_except_table "$work/packages/usr/bin/busybox" "$work/busybox"
# The scripts without comments and indentation: the shell reads each byte.
rm -rf "$work/root"
cp -r "$here/root" "$work/root"
sed -i -e '1!{/^ *#/d}' -e 's/^ *//' -e '/^$/d' "$work/root/init" "$work"/root/lib/vivarium/*
# initramfs_list AFTER: what gen_init_cpio is to pack, with busybox after so many of its links.
initramfs_list() {
  local applet file mode
  for dir in bin dev etc etc/udhcpc lib lib/dev lib/dev/pts lib/vivarium mnt proc run sys usr usr/lib usr/local \
    usr/local/bin usr/share var viv; do
    echo "dir /$dir 755 0 0"
  done
  echo "dir /root 700 0 0"
  echo "dir /tmp 1777 0 0"
  echo "dir /lib/dev/shm 1777 0 0"
  echo "slink /lib/dev/fd /proc/self/fd 777 0 0"
  echo "slink /lib/dev/stdin /proc/self/fd/0 777 0 0"
  echo "slink /lib/dev/stdout /proc/self/fd/1 777 0 0"
  echo "slink /lib/dev/stderr /proc/self/fd/2 777 0 0"
  echo "slink /sbin bin 777 0 0"
  echo "slink /usr/bin ../bin 777 0 0"
  echo "slink /usr/sbin ../bin 777 0 0"
  echo "slink /var/run ../run 777 0 0"
  echo "slink /var/tmp ../tmp 777 0 0"
  echo "slink /etc/mtab ../proc/self/mounts 777 0 0"
  echo "nod /dev/console 600 0 0 c 5 1"
  echo "nod /dev/null 666 0 0 c 1 3"
  for pipe in stdout stderr; do echo "pipe /viv/$pipe 666 0 0"; done
  for applet in $applets; do echo "slink /bin/$applet busybox 777 0 0"; done |
    sed "$1a file /bin/busybox $work/busybox 755 0 0"
  (cd "$work/root" && find . -type f -printf '%P\n' | sort) | while read -r file; do
    mode=644
    [ ! -x "$work/root/$file" ] || mode=755
    [ "$file" != etc/shadow ] || mode=600
    echo "file /$file $work/root/$file $mode 0 0"
  done
}
# The kernel copies eight bytes at a time only from where they are aligned; a cpio aligns to four. One of these places suits.
for after in 1 2 3 4 5 6 7 8; do
  initramfs_list $after >"$work/initramfs.list"
  "$work/build/usr/gen_init_cpio" -t 0 "$work/initramfs.list" >"$work/initramfs.cpio"
  offset=$(grep -abo $'\x7fELF' "$work/initramfs.cpio" | head -n 1 | cut -d: -f1)
  [ $((offset % 8)) -ne 0 ] || break
done
[ $((offset % 8)) -eq 0 ] || die "cannot align busybox in the archive"

gzip -9 -n <"$work/build/arch/riscv/boot/Image" >"$work/Image.gz"
gzip -9 -n <"$work/initramfs.cpio" >"$work/initramfs.cpio.gz"
{
  echo "What Image.gz and initramfs.cpio.gz were built from: source packages of Debian ($DEBIAN_SUITE), to be had with"
  echo "\`apt-get source NAME=VERSION\`, of older versions from Debian's snapshot archive."
  echo
  for package in "$linux" busybox-static; do
    papt apt-cache show --no-all-versions "$package" | awk -v package="$package" '
      $1 == "Source:" { source = $2; if ($3 != "") version = substr($3, 2, length($3) - 2) }
      $1 == "Version:" && version == "" { version = $2 }
      $1 == "Version:" { binary = $2 }
      /^(Static-)?Built-Using:/ { sub(/^[^:]*: /, ""); using = $0 }
      END {
        print package " " binary ": source " source " " version
        if (using != "") print "  statically linked with " using
      }'
  done
  echo "compiler: $("${cross}gcc" --version | head -n 1), $("${cross}ld" --version | head -n 1)"
} >"$work/SOURCES"

mkdir -p "$here/licences"
cp "$work/linux/COPYING" "$here/licences/linux.COPYING"
cp "$work/linux/LICENSES/preferred/GPL-2.0" "$here/licences/GPL-2.0"
cp "$work/linux/LICENSES/preferred/LGPL-2.1" "$here/licences/LGPL-2.1"
cp "$work/linux/LICENSES/exceptions/Linux-syscall-note" "$here/licences/Linux-syscall-note"
cp "$work/packages/usr/share/doc/busybox-static/copyright" "$here/licences/busybox.copyright"
chmod 644 "$here"/licences/*
cp "$work/SOURCES" "$work/Image.gz" "$work/initramfs.cpio.gz" "$here/"
(cd "$here" && sha256sum Image.gz initramfs.cpio.gz >SHA256SUMS)
size=$(cat "$here/Image.gz" "$here/initramfs.cpio.gz" | wc -c)
say "kernel and initramfs: $size bytes"
[ "$size" -lt 6000000 ] || die "over 6 MB together"
printf '%s\n' "$here/Image.gz" "$here/initramfs.cpio.gz"
