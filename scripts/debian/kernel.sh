#!/usr/bin/env bash
# Fetches Debian's stock riscv64 kernel and makes an initial RAM disk for it. Prints `name=path` lines:
#
#   kernel    as Debian packages it (/boot/vmlinux-..., an S-mode `Image`)
#   initrd    busybox and the script of our embedded guest (guests/linux-riscv64/root: same protocol with the host), and
#             the modules of virtio-mmio, its devices, ext4 and 9p, loaded before anything else; a plain cpio
#   release   what `uname -r` prints
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
root=$here/../../guests/linux-riscv64/root

need cpio cpio depmod kmod xz xz-utils
apt_open riscv64
image=$(papt apt-cache depends linux-image-riscv64 | awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }')
[ -n "$image" ] || die "linux-image-riscv64 names no kernel"
files=$(apt_files "$image" busybox-static)
key=$(content_key "$0" "$here/lib.sh" $(find "$root" -type f | sort) <<<"$files")

# newc_entry NAME MODE MAJOR MINOR: an entry without data, which no ordinary user could make a file for.
newc_entry() {
  local size=$((${#1} + 1))
  printf '070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\0' \
    0 "$2" 0 0 1 0 0 0 0 "$3" "$4" $size 0 "$1"
  head -c $(((4 - (110 + size) % 4) % 4)) /dev/zero
}

if artefact_begin kernel "$key"; then
  say "fetching $image, busybox-static"
  apt_fetch "$image" busybox-static
  release=${image#linux-image-}
  for file in $files; do dpkg-deb -x "$APT_DIR/archives/$file" "$NEW/packages"; done
  cp "$NEW/packages/boot/vmlinux-$release" "$NEW/kernel"
  echo "$release" >"$NEW/release"

  say "making the initrd"
  modules=$NEW/packages/usr/lib/modules/$release
  mkdir -p "$NEW/packages/lib" "$NEW/initrd"/{bin,dev,etc,lib/dev/pts,lib/modules,mnt,proc,root,run,sys,tmp,usr,var,viv}
  ln -s ../usr/lib/modules "$NEW/packages/lib/modules"
  depmod -b "$NEW/packages" "$release"
  # modules.dep: "MODULE: WHAT IT NEEDS ...", the needed ones to be loaded from the last to the first.
  number=100
  for name in virtio_mmio virtio_blk virtio_console virtio-rng virtio_net ext4 9pnet_virtio 9p overlay; do
    line=$(grep -E "/$name\.ko(\.xz)?:" "$modules/modules.dep" || true)
    if [ -z "$line" ]; then
      grep -q "/$name\.ko" "$modules/modules.builtin" || die "$image has no $name, neither a module nor built in"
      continue
    fi
    for module in $(tr -d ':' <<<"$line" | tr ' ' '\n' | tac); do
      plain=${module##*/}
      plain=${plain%.xz}
      [ -z "$(find "$NEW/initrd/lib/modules" -name "*-$plain")" ] || continue
      number=$((number + 1))
      xz -dc "$modules/$module" >"$NEW/initrd/lib/modules/$number-$plain"
    done
  done
  chmod 1777 "$NEW/initrd/tmp"
  mkdir -m 1777 "$NEW/initrd/lib/dev/shm"
  ln -s /proc/self/fd "$NEW/initrd/lib/dev/fd"
  for i in 0:stdin 1:stdout 2:stderr; do
    ln -s "/proc/self/fd/${i%:*}" "$NEW/initrd/lib/dev/${i#*:}"
    [ $i = 0:stdin ] || mkfifo -m 666 "$NEW/initrd/viv/${i#*:}"
  done
  cp -r "$root/." "$NEW/initrd/"
  mv "$NEW/initrd/init" "$NEW/initrd/init.guest"
  cat >"$NEW/initrd/init" <<'END'
#!/bin/sh
for module in /lib/modules/*; do insmod $module || echo "cannot load $module"; done
exec /init.guest
END
  chmod 755 "$NEW/initrd/init"
  cp "$NEW/packages/usr/bin/busybox" "$NEW/initrd/bin/busybox"
  zcat "$NEW/packages/usr/share/man/man1/busybox.1.gz" |
    sed -n '/applets include:/,/^\.Ve/s/^\(\\&\)\? \{4,\}//p' | tr -d ' \n\\' | tr ',' '\n' | sort -u |
    while read -r applet; do [ "$applet" = busybox ] || ln -s busybox "$NEW/initrd/bin/$applet"; done
  ln -s bin "$NEW/initrd/sbin"
  ln -s ../bin "$NEW/initrd/usr/bin"
  ln -s ../bin "$NEW/initrd/usr/sbin"
  {
    newc_entry dev $((0040755)) 0 0
    newc_entry dev/console $((0020600)) 5 1
    newc_entry dev/null $((0020666)) 1 3
    newc_entry 'TRAILER!!!' 0 0 0
    (cd "$NEW/initrd" && find . -mindepth 1 ! -path ./dev -printf '%P\n' | sort | cpio --quiet -o -H newc -R 0:0)
  } >"$NEW/initrd.cpio"
  rm -rf "$NEW/initrd" "$NEW/packages"
  artefact_commit
fi
printf '%s\n' "kernel=$OUT/kernel" "initrd=$OUT/initrd.cpio" "release=$(cat "$OUT/release")"
