/** Operations that give a jail a terminal of its own and hand the other side to the caller. */
import { flags, type Steps, type Value } from "../operations.ts";
import { openHow } from "./files.ts";

const TIOCSPTLCK = 0x40045431;
const TIOCGPTPEER = 0x5441;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;

/**
 * Opens a pair in the jail's own devpts, sends the master over the socket `terminal` (the caller's), and returns the slave. The slave is
 * taken from the master (TIOCGPTPEER), never by its name, which another process of the jail could replace.
 */
export function openTerminal(steps: Steps, pts: Value, socket: Value) {
  steps.step("open a terminal");
  const master = steps.get("master", "openat2", [
    pts,
    "ptmx",
    ...openHow(["O_RDWR", "O_NOCTTY", "O_CLOEXEC"], ["RESOLVE_BENEATH", "RESOLVE_NO_SYMLINKS"]),
  ]);
  steps.add("ioctl", [master, TIOCSPTLCK, { bytes: new Uint8Array(4), label: "0" }]);
  const slave = steps.get("slave", "ioctl", [master, TIOCGPTPEER, flags("O_RDWR", "O_NOCTTY", "O_CLOEXEC")]);
  // A second descriptor of the master: the first one's result is already the ioctls' argument, the record stores one more copy only.
  const sent = steps.get("sent", "dup", [master]);
  steps.add("sendmsg", [
    socket,
    {
      struct: [
        { name: "msg_name", bits: 64, value: 0 },
        { name: "msg_namelen", bits: 64, value: 0 },
        {
          name: "msg_iov",
          bits: 64,
          value: {
            struct: [
              { name: "iov_base", bits: 64, value: "t" },
              { name: "iov_len", bits: 64, value: 1 },
            ],
          },
        },
        { name: "msg_iovlen", bits: 64, value: 1 },
        {
          name: "msg_control",
          bits: 64,
          value: {
            struct: [
              { name: "cmsg_len", bits: 64, value: 20 },
              { name: "cmsg_level", bits: 32, value: SOL_SOCKET },
              { name: "cmsg_type", bits: 32, value: SCM_RIGHTS },
              { name: "fd", bits: 64, value: sent },
            ],
          },
        },
        { name: "msg_controllen", bits: 64, value: 24 },
        { name: "msg_flags", bits: 64, value: 0 },
      ],
    },
    0,
  ]);
  steps.add("close", [sent]);
  return slave;
}

/** Mounts the slave as /dev/console. */
export function mountConsole(steps: Steps, dev: Value, slave: Value): void {
  steps.step("mount /dev/console");
  steps.add("mknodat", [dev, "console", 0o100600, 0]);
  const tree = steps.get("tree", "open_tree", [slave, "", flags("AT_EMPTY_PATH", "OPEN_TREE_CLONE", "OPEN_TREE_CLOEXEC")]);
  steps.add("move_mount", [tree, "", dev, "console", flags("MOVE_MOUNT_F_EMPTY_PATH")]);
}

/** Makes the terminal on descriptor 0 the controlling one of a new session. */
export function controlTerminal(steps: Steps): void {
  steps.step("take the terminal");
  steps.add("ioctl", [0, flags("TIOCSCTTY"), 0]);
}
