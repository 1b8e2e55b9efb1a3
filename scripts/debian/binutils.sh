#!/usr/bin/env bash
# Fetches Debian's binutils for riscv64 of a recent suite, with the libraries that they were built against, and prints
# the path of a directory of wrappers: `as`, `objdump` and `objcopy`. Nothing is installed.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

arch=$(dpkg --print-architecture)
apt_open "$arch"
files=$(apt_closure binutils-riscv64-linux-gnu)
key=$(content_key "$0" "$here/lib.sh" <<<"$files")
if artefact_begin binutils "$key"; then
  say "fetching binutils-riscv64-linux-gnu and what it needs ($(wc -l <<<"$files") packages)"
  apt_fetch_closure binutils-riscv64-linux-gnu
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
  for tool in as objdump objcopy; do
    cat >"$NEW/bin/$tool" <<END
#!/bin/sh
# Starts this copy of $tool through the program interpreter and the libraries it was built against.
root=\$(dirname "\$(dirname "\$(readlink -f "\$0")")")/root
exec "\$root/$interpreter" --library-path "\$root/$libraries" --argv0 $tool "\$root/usr/bin/riscv64-linux-gnu-$tool" "\$@"
END
  done
  chmod 755 "$NEW"/bin/*
  "$NEW/bin/objdump" --version >&2 || die "the fetched objdump does not start here"
  artefact_commit
fi
echo "$OUT/bin"
