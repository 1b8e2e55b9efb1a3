/** Names of users and groups in a jail's own tree. */
import { closeSync, fstatSync, readSync } from "node:fs";
import { VivError } from "../../../core/errors.ts";
import { addressOf, syscall } from "../ffi/libc.ts";

const AT_FDCWD = -100;
const O_PATH_DIRECTORY = 0o10000000 | 0o2000000;
const O_RDONLY_CLOEXEC_NONBLOCK = 0o2000000 | 0o4000;
const RESOLVE_IN_ROOT_NO_MAGICLINKS = 16n | 2n;

/** Opens a file below a root for reading, following links as the jail would; undefined if it is not there. The caller closes it. */
function openBelow(root: string, path: string): number | undefined {
  const encode = (text: string) => new TextEncoder().encode(`${text}\0`);
  const directory = syscall("openat", AT_FDCWD, addressOf(encode(root)), O_PATH_DIRECTORY, 0);
  if (directory < 0) return undefined;
  const how = new BigUint64Array([BigInt(O_RDONLY_CLOEXEC_NONBLOCK), 0n, RESOLVE_IN_ROOT_NO_MAGICLINKS]);
  const fd = syscall("openat2", directory, addressOf(encode(path)), addressOf(new Uint8Array(how.buffer)), 24);
  closeSync(directory);
  return fd < 0 ? undefined : fd;
}

/** Reads the first `limit` bytes of a file below a root. */
export function readBelow(root: string, path: string, limit = 1 << 20): Uint8Array | undefined {
  const fd = openBelow(root, path);
  if (fd === undefined) return undefined;
  try {
    if (!fstatSync(fd).isFile()) return undefined;
    const bytes = new Uint8Array(limit);
    let length = 0;
    for (let count = -1; count !== 0 && length < limit; length += count)
      count = readSync(fd, bytes, length, limit - length, null);
    return bytes.subarray(0, length);
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}

const isNumber = (text: string) => /^\d{1,10}$/.test(text) && Number(text) <= 0xfffffffe;

/** Who `USER[:GROUP]` is, by names of the jail's /etc/passwd and /etc/group or by numbers, with the user's home and supplementary groups. */
export function resolveUser(root: string, text: string): { uid: number; gid: number; groups: number[]; home?: string } {
  const [user = "", group] = text.split(":");
  const lines = (path: string) =>
    new TextDecoder()
      .decode(readBelow(root, path))
      .split("\n")
      .map((line) => line.split(":"))
      .filter((fields) => fields.length > 2);
  const passwd = lines("etc/passwd").filter(([, , uid, gid]) => isNumber(uid!) && isNumber(gid ?? ""));
  const groups = lines("etc/group").filter(([, , gid]) => isNumber(gid!));
  const entry = passwd.find(([name]) => name === user) ?? (isNumber(user) ? passwd.find(([, , uid]) => uid === user) : undefined);
  if (entry === undefined && !isNumber(user))
    throw new VivError("NO_USER", `the jail ${root} has no user ${user} in its /etc/passwd`);
  const uid = Number(entry?.[2] ?? user);
  let gid = Number(entry?.[3] ?? 0);
  if (group !== undefined) {
    const found = groups.find(([name]) => name === group);
    if (found === undefined && !isNumber(group))
      throw new VivError("NO_GROUP", `the jail ${root} has no group ${group} in its /etc/group`);
    gid = Number(found?.[2] ?? group);
  }
  const member = entry?.[0];
  const supplementary =
    member === undefined
      ? []
      : groups.filter(([, , , members]) => members?.split(",").includes(member)).map(([, , id]) => Number(id));
  const home = entry?.[5];
  return { uid, gid, groups: supplementary, ...(home?.startsWith("/") === true ? { home } : {}) };
}
