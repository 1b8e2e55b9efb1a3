#!/bin/sh
# As run-in-qemu.sh, in our own emulator: runs the shell script on stdin in the embedded guest, with the raw disk image DISK
# as /dev/vda, and ends with its status.
#
#   VIV_DEBIAN_RUNNER=scripts/debian/run-in-viv.sh scripts/debian/rootfs.sh
exec node "$(dirname "$0")/../../bin/viv.mjs" run --memory "${MEMORY:-1024}M" --disk "$1,raw" -- sh -s
