#!/usr/bin/env bash
# Boots the embedded guest in QEMU and holds it to the protocol in README.md.
#
#   guests/linux-riscv64/check-with-qemu.sh [CASE...]       QEMU=... overrides the one that scripts/debian/qemu.sh fetches
here=$(cd "$(dirname "$0")" && pwd)
set -euo pipefail
export LC_ALL=C
qemu=${QEMU:-$("$here/../../scripts/debian/qemu.sh")}
for tool in cpio timeout gzip; do
  command -v "$tool" >/dev/null || { echo "missing tool: $tool" >&2; exit 1; }
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
(cd "$here" && sha256sum --quiet -c SHA256SUMS)
gzip -dc "$here/Image.gz" >"$tmp/Image"
gzip -dc "$here/initramfs.cpio.gz" >"$tmp/base.cpio"
quote() { # prints each argument as a word that the guest's shell reads as it is
  local word
  for word in "$@"; do printf " '%s'" "${word//\'/\'\\\'\'}"; done
}

# command TEXT: makes TEXT the /viv/command of the second archive.
command() {
  rm -rf "$tmp/second"
  mkdir -p "$tmp/second/viv"
  printf '%s\n' "$1" >"$tmp/second/viv/command"
}
initrd() {
  cp "$tmp/base.cpio" "$tmp/initrd"
  [ ! -d "$tmp/second" ] || (cd "$tmp/second" && find viv -type f | cpio --quiet -o -H newc -R 0:0) >>"$tmp/initrd"
}
machine() {
  echo "$qemu" -M virt -cpu rv64,svadu=on -m "${MEMORY:-256}" -display none -no-reboot -nic none \
    -kernel "$tmp/Image" -initrd "$tmp/initrd" -device virtio-rng-device
}
# run APPEND [QEMU ARGUMENT...]: runs the command; sets status, leaves out, err and console in $tmp. Standard input: $tmp/in.
run() {
  local append=$1
  shift
  initrd
  rm -f "$tmp"/{out,err,exit,console}
  timeout 120 $(machine) -append "quiet console=hvc0 $append" -serial "file:$tmp/serial" \
    -device virtio-serial-device \
    -chardev file,id=console,path="$tmp/console" -device virtconsole,chardev=console \
    -chardev file,id=in,path=/dev/null,input-path="$tmp/in" -device virtserialport,chardev=in,name=org.vivarium.stdin \
    -chardev file,id=out,path="$tmp/out" -device virtserialport,chardev=out,name=org.vivarium.stdout \
    -chardev file,id=err,path="$tmp/err" -device virtserialport,chardev=err,name=org.vivarium.stderr \
    -chardev file,id=exit,path="$tmp/exit" -device virtserialport,chardev=exit,name=org.vivarium.exit \
    "$@" >"$tmp/qemu" 2>&1 || { echo "QEMU ended with status $?"; cat "$tmp/qemu"; return 1; }
  status=$(cat "$tmp/exit")
}
expect_text() { # expect_text FILE TEXT
  [ "$(cat "$tmp/$1"; echo .)" = "$2." ] || { echo "$1 is not as expected:"; head -c 2000 "$tmp/$1" | cat -v; return 1; }
}
expect_status() {
  [ "$status" = "$1" ] || { echo "exit status '$status', not $1"; head -c 2000 "$tmp/err" "$tmp/console"; return 1; }
}

case_uname() {
  command "set -- uname -a"
  run ""
  expect_status 0
  grep -Eqx 'Linux vivarium [0-9.]+-vivarium .* riscv64 GNU/Linux' "$tmp/out"
  expect_text err ""
}
case_status() {
  command "set -- sh -c 'exit 7'"
  run ""
  expect_status 7
  command "set -- sh -c 'kill -9 \$\$'"
  run ""
  expect_status 137
  command "set -- no-such-command"
  run ""
  expect_status 127
  grep -q no-such-command "$tmp/err"
  command "set -- /etc/passwd"
  run ""
  expect_status 126
}
case_apart() {
  command "set -- sh -c 'echo one; echo two >&2; echo three'"
  run ""
  expect_status 0
  expect_text out $'one\nthree\n'
  expect_text err $'two\n'
}
case_reopen() { # a program may open its standard streams again
  printf 'input\n' >"$tmp/in"
  command "set -- sh -c 'sleep 1; cat /dev/stdin; echo e >/dev/stderr; echo o >/dev/stdout'"
  run ""
  expect_status 0
  expect_text out $'input\no\n'
  expect_text err $'e\n'
}
case_binary() { # several megabytes there and back, unchanged, and nothing lost at the end
  head -c 7654321 /dev/urandom >"$tmp/in"
  command "set -- cat"
  run ""
  expect_status 0
  cmp "$tmp/in" "$tmp/out"
  command "set -- sh -c 'cat >&2'"
  run ""
  cmp "$tmp/in" "$tmp/err"
  expect_text out ""
}
case_unread_input() { # a command that leaves its input unread ends nevertheless
  head -c 3000000 /dev/zero >"$tmp/in"
  command "set -- true"
  run ""
  expect_status 0
}
case_words() { # every byte but NUL, white space and empty words arrive as given
  local bytes="" i
  for ((i = 1; i < 256; i++)); do bytes+=$(printf '\\x%02x' "$i"); done
  bytes=$(printf "$bytes."); bytes=${bytes%.}
  command "set --$(quote printf '%s|' "$bytes" "" "two words" "it's" $'line\nline\n' '$HOME `id` \' '*')"
  run ""
  expect_status 0
  { printf '%s|' "$bytes" "" "two words" "it's" $'line\nline\n' '$HOME `id` \' '*'; } | cmp - "$tmp/out"
}
case_environment() {
  command "export$(quote "NAME=it's")"$'\n'"cd /usr/share"$'\n'"set -- sh -c 'pwd; echo \$NAME; env | grep -v -e ^SHLVL= -e ^OLDPWD= | sort'"
  run "TERM=xterm-256color"
  expect_status 0
  expect_text out $'/usr/share\nit\'s\nHOME=/root\nNAME=it\'s\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nPWD=/usr/share\nTERM=xterm-256color\n'
}
case_left_behind() { # processes that the command leaves behind neither hold it up nor lose its output
  command "set -- sh -c 'setsid sh -c \"sleep 1000 & sleep 1000\" & sleep 1000 & echo hi; exit 3'"
  run ""
  expect_status 3
  expect_text out $'hi\n'
}
case_mounts() {
  command "set -- sh -c 'mount | cut -d\" \" -f3,5; ls -d /dev/pts/ptmx /dev/shm; grep -c . /sys/fs/cgroup/cgroup.controllers; cat /sys/fs/cgroup/cgroup.controllers; ip -o addr show dev lo | grep -c 127.0.0.1; ls /proc/self/ns; cat /proc/filesystems | tr -s \"\\t\\n\" \"  \"'"
  run ""
  expect_status 0
  local word
  for word in '/proc proc' '/sys sysfs' '/dev devtmpfs' '/dev/pts devpts' '/sys/fs/cgroup cgroup2' \
    cpuset cpu io memory pids cgroup ipc mnt net pid time user uts ext4 squashfs overlay 9p virtiofs fuse iso9660 vfat bpf; do
    grep -q "$word" "$tmp/out" || { echo "no $word in:"; cat "$tmp/out"; return 1; }
  done
  expect_text err ""
}
case_harts() {
  command "set -- nproc"
  run "" -smp 4
  expect_text out $'4\n'
}
case_network() {
  command "set -- sh -c 'ip -o -4 addr show dev eth0; ip route; cat /etc/resolv.conf; ping -c 1 -w 5 127.0.0.1 >/dev/null'"
  run "viv.net=dhcp" -netdev user,id=net -device virtio-net-device,netdev=net
  expect_status 0
  grep -q 'inet 10.0.2.15/24' "$tmp/out"
  grep -q 'default via 10.0.2.2' "$tmp/out"
  grep -q 'nameserver 10.0.2.3' "$tmp/out"
}
case_share() {
  mkdir -p "$tmp/share"
  echo shared >"$tmp/share/file"
  command "set -- sh -c 'cat /srv/a/file; echo back >/srv/a/new; echo no >/srv/b/new'"
  run "viv.share=one:/srv/a viv.share=one2:/srv/b:ro" \
    -fsdev local,id=one,path="$tmp/share",security_model=none -device virtio-9p-device,fsdev=one,mount_tag=one \
    -fsdev local,id=two,path="$tmp/share",security_model=none -device virtio-9p-device,fsdev=two,mount_tag=one2
  expect_status 1
  expect_text out $'shared\n'
  grep -q 'Read-only file system' "$tmp/err"
  [ "$(cat "$tmp/share/new")" = back ]
}
case_refusals() { # a request that cannot be met ends the guest with a line on the console and no exit status
  command "set -- true"
  run "viv.share=none:/srv"
  expect_status ""
  grep -q 'vivarium: viv.share=none:/srv: cannot mount it' "$tmp/console"
  run "viv.net=static"
  expect_status ""
  grep -q 'vivarium: viv.net=static' "$tmp/console"
}
case_terminal() { # a command on the console: the status goes to the host apart
  command "set -- sh -c 'tty; test -t 0 -a -t 1 -a -t 2 && echo yes; exit 5'"
  : >"$tmp/second/viv/tty"
  run ""
  expect_status 5
  grep -q $'/dev/hvc0\r' "$tmp/console"
  grep -q $'yes\r' "$tmp/console"
}
case_interactive() { # a login shell with job control on either console; it powers off when the shell ends
  rm -rf "$tmp/second"
  initrd
  mkfifo "$tmp/keys"
  exec 5<>"$tmp/keys"
  local console devices guest
  for console in hvc0 ttyS0; do
    devices="-serial chardev:console"
    [ $console = ttyS0 ] || devices="-serial null -device virtio-serial-device -device virtconsole,chardev=console"
    : >"$tmp/console"
    timeout 120 $(machine) -append "quiet console=$console TERM=dumb" \
      -chardev "file,id=console,path=$tmp/console,input-path=$tmp/keys" $devices >"$tmp/qemu" 2>&1 &
    guest=$!
    want 1 '~ # '
    type_line 'tty; hostname; whoami'
    want 2 '~ # '
    want 1 "/dev/$console"
    want 1 root
    type_line 'sleep 1000; echo not $((40 + 2))'
    sleep 1
    printf '\003' >&5
    want 3 '~ # '
    type_line 'sleep 1000 &'
    want 4 '~ # '
    type_line 'jobs; kill %1'
    want 1 'Running '
    want 5 '~ # '
    type_line 'cd /tmp; seq 1 20000; echo the end; exit 3'
    wait $guest
    want 1 20000
    want 2 'the end'
    if grep -q 'not 42' "$tmp/console"; then return 1; fi
  done
}
type_line() {
  printf '%s\r' "$1" >&5
}
want() { # want COUNT TEXT: waits until the console has shown TEXT so often
  local tries
  for ((tries = 0; tries < 600; tries++)); do
    [ "$(tr -d '\r' <"$tmp/console" | grep -oF -e "${2//$'\r'/}" | wc -l)" -lt "$1" ] || return 0
    sleep 0.1
  done
  echo "'$2' is not $1 times on the console:"
  cat -v "$tmp/console"
  return 1
}

[ $# -gt 0 ] || set -- $(declare -F | sed -n 's/^declare -f case_//p')
failed=0
for name in "$@"; do
  rm -rf "$tmp/second"
  : >"$tmp/in"
  set +e # in a condition, `set -e` would hold nowhere below
  (set -e; "case_$name") >"$tmp/log" 2>&1
  result=$?
  set -e
  if [ $result = 0 ]; then
    echo "ok $name"
  else
    failed=1
    echo "not ok $name"
    sed 's/^/  /' "$tmp/log"
  fi
done
exit $failed
