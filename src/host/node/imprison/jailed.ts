import { VivError } from "../../../core/errors.ts";

/** A command line for `spawn`. */
export interface Invocation {
  readonly file: string;
  readonly args: string[];
}

/**
 * Mounts what a program expects of a running system, from nothing of the host: a new proc, devices in a tmpfs, a tmpfs
 * for temporary files. In a mount namespace of its own, which ends with the command.
 */
const setUp = `set -e
jail=$1; shift
mount -t proc proc "$jail/proc"
mount -t tmpfs -o mode=755 dev "$jail/dev"
for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
  name=\${node%%:*}; number=\${node#*:}
  mknod -m 666 "$jail/dev/$name" c "\${number%:*}" "\${number#*:}"
done
mkdir "$jail/dev/pts" "$jail/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$jail/dev/pts"
mount -t tmpfs -o mode=1777 shm "$jail/dev/shm"
ln -s pts/ptmx "$jail/dev/ptmx"
ln -s /proc/self/fd "$jail/dev/fd"
ln -s /proc/self/fd/0 "$jail/dev/stdin"
ln -s /proc/self/fd/1 "$jail/dev/stdout"
ln -s /proc/self/fd/2 "$jail/dev/stderr"
mount -t tmpfs -o mode=1777 tmp "$jail/tmp"
exec "$@"`;

/**
 * How to run a command in a jail's directory under a tracer that stands outside of it: the command sees the jail's files
 * and no path of the host. It is not `viv jail run`, whose processes a tracer of the host may not watch.
 * @param tracer what the command is started through (`strace` with its options)
 * @throws VivError `EPERM` for another user than root
 */
export function jailedCommand(directory: string, command: readonly string[], tracer: readonly string[]): Invocation {
  requireRoot(directory);
  const enter = [...tracer, "chroot", directory, ...command];
  return {
    file: "unshare",
    args: ["--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "sh", "-c", setUp, "sh", directory, ...enter],
  };
}

/** @throws VivError `EPERM` for another user than root */
export function requireRoot(directory: string): void {
  if (process.getuid?.() !== 0) {
    throw new VivError(
      "EPERM",
      `running a command in ${directory} changes the root directory, which only root may; run it as root`,
    );
  }
}
