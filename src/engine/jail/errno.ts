/** Error numbers of the generic table (include/uapi/asm-generic/errno*.h), which every supported architecture uses. */
const names =
  "EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP".split(
    " ",
  );
const others: Readonly<Record<number, string>> = {
  61: "ENODATA",
  71: "EPROTO",
  75: "EOVERFLOW",
  84: "EILSEQ",
  87: "EUSERS",
  95: "EOPNOTSUPP",
  97: "EAFNOSUPPORT",
  98: "EADDRINUSE",
  99: "EADDRNOTAVAIL",
  100: "ENETDOWN",
  105: "ENOBUFS",
  110: "ETIMEDOUT",
  111: "ECONNREFUSED",
  116: "ESTALE",
  122: "EDQUOT",
  126: "ENOKEY",
};

/** `ENOENT` for 2; the number itself if it has no name here. */
export function errnoName(errno: number): string {
  return names[errno - 1] ?? others[errno] ?? `errno ${errno}`;
}

/** 2 for `ENOENT`. */
export function errnoNumber(name: string): number {
  const index = names.indexOf(name);
  if (index >= 0) return index + 1;
  const entry = Object.entries(others).find(([, other]) => other === name);
  if (entry === undefined) throw new Error(`broken invariant: ${name} is not in the table`);
  return Number(entry[0]);
}
