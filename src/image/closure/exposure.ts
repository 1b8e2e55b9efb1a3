/** What a device node gives to whoever may open it. */
export interface DeviceExposure {
  readonly gives: string;
  /** Every jail may have it. */
  readonly harmless: boolean;
}

type Row = readonly [kind: "character" | "block", major: number, minor: number | undefined, gives: string, harmless?: true];

/** Linux's device numbers (Documentation/admin-guide/devices.txt) and what their drivers let one do. */
const rows: readonly Row[] = [
  ["character", 1, 1, "all of the host's memory"],
  ["character", 1, 2, "the kernel's memory"],
  ["character", 1, 3, "nothing", true],
  ["character", 1, 4, "the host's I/O ports, and so its hardware"],
  ["character", 1, 5, "zeros", true],
  ["character", 1, 7, "a full disk", true],
  ["character", 1, 8, "random numbers", true],
  ["character", 1, 9, "random numbers", true],
  ["character", 1, 11, "the kernel's messages"],
  ["character", 1, undefined, "memory devices"],
  ["character", 4, undefined, "the host's consoles and serial ports, with what is typed there"],
  ["character", 5, 0, "the terminal of the process itself", true],
  ["character", 5, 1, "the host's console"],
  ["character", 5, 2, "new pseudo-terminals of the host's /dev/pts unless it is mounted anew"],
  ["character", 7, undefined, "what the host's text consoles show"],
  ["character", 10, 229, "mounting file systems of its own (FUSE)"],
  ["character", 10, 200, "network interfaces of its own (TUN/TAP)"],
  ["character", 10, 232, "virtual machines (KVM)"],
  ["character", 10, 223, "made-up keyboards and mice (uinput)"],
  ["character", 10, 237, "making block devices of files (loop control)"],
  ["character", 10, 236, "the device mapper: any disk"],
  ["character", 10, undefined, "a driver of the host"],
  ["character", 13, undefined, "every key that is pressed on the host"],
  ["character", 29, undefined, "the host's screen"],
  ["character", 81, undefined, "the host's cameras"],
  ["character", 116, undefined, "the host's microphones and speakers"],
  ["character", 136, undefined, "a terminal of the host"],
  ["character", 188, undefined, "a serial device on USB"],
  ["character", 189, undefined, "a USB device, whole"],
  ["character", 226, undefined, "the host's graphics card"],
  ["character", 21, undefined, "commands to a SCSI device, such as overwriting a disk"],
  ["block", 1, undefined, "a RAM disk of the host"],
  ["block", 7, undefined, "a disk image that the host has attached"],
  ["block", 8, undefined, "a whole disk or partition of the host, past all permissions"],
  ["block", 9, undefined, "a RAID array of the host, past all permissions"],
  ["block", 11, undefined, "a CD drive"],
  ["block", 43, undefined, "a network disk of the host"],
  ["block", 179, undefined, "a memory card of the host, past all permissions"],
  ["block", 202, undefined, "a whole disk or partition of the host, past all permissions"],
  ["block", 252, undefined, "a whole disk or volume of the host, past all permissions"],
  ["block", 253, undefined, "a whole disk or volume of the host, past all permissions"],
  ["block", 254, undefined, "a whole disk or volume of the host, past all permissions"],
  ["block", 259, undefined, "a whole disk or partition of the host, past all permissions"],
];

/** Says what a device node gives away; an unknown one counts as dangerous. */
export function deviceExposure(kind: "character" | "block", device: { major: number; minor: number }): DeviceExposure {
  const row = rows.find(
    ([type, major, minor]) => type === kind && major === device.major && (minor ?? device.minor) === device.minor,
  );
  const unknown = kind === "block" ? "a block device of the host, past all permissions" : "a driver of the host";
  return { gives: row?.[3] ?? unknown, harmless: row?.[4] ?? false };
}
