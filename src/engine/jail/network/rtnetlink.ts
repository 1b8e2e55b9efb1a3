/** Messages of rtnetlink(7): links, addresses and routes, as bytes. */
import { VivError } from "../../../core/errors.ts";
import { flags, type Steps, type Value } from "../operations.ts";

const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const RTM_NEWLINK = 16;
const RTM_NEWADDR = 20;
const RTM_NEWROUTE = 24;
const AF_INET = 2;

const IFLA_IFNAME = 3;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_NET_NS_FD = 28;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const RTA_GATEWAY = 5;
const RTA_OIF = 4;
const IFF_UP = 1;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RTN_UNICAST = 1;

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** An attribute (`struct rtattr`), padded to four bytes. */
function attribute(type: number, ...payload: readonly Uint8Array[]): Uint8Array {
  const body = concat(...payload);
  const bytes = new Uint8Array(Math.ceil((4 + body.length) / 4) * 4);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 4 + body.length, true);
  view.setUint16(2, type, true);
  bytes.set(body, 4);
  return bytes;
}

function text(value: string): Uint8Array {
  return Uint8Array.from([...value].map((character) => character.charCodeAt(0)).concat(0));
}

function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** `struct ifinfomsg`. */
function interfaceInfo(index: number, up: boolean): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setInt32(4, index, true);
  view.setUint32(8, up ? IFF_UP : 0, true);
  view.setUint32(12, up ? IFF_UP : 0, true);
  return bytes;
}

function message(type: number, more: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(16 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, NLM_F_REQUEST | NLM_F_ACK | more, true);
  view.setUint32(8, 1, true);
  bytes.set(body, 16);
  return bytes;
}

const create = NLM_F_CREATE | NLM_F_EXCL;

export function newBridge(name: string): Uint8Array {
  const info = attribute(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, text("bridge")));
  return message(RTM_NEWLINK, create, concat(interfaceInfo(0, true), attribute(IFLA_IFNAME, text(name)), info));
}

/** A pair of interfaces: `name` here, on the bridge with the index `master`, and `peer` in the namespace of a descriptor, as its number 2. */
export function newPair(name: string, master: number, peer: string, namespace: number): Uint8Array {
  const other = attribute(
    VETH_INFO_PEER,
    interfaceInfo(2, false),
    attribute(IFLA_IFNAME, text(peer)),
    attribute(IFLA_NET_NS_FD, word(namespace)),
  );
  const info = attribute(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, text("veth")), attribute(IFLA_INFO_DATA, other));
  return message(
    RTM_NEWLINK,
    create,
    concat(interfaceInfo(0, true), attribute(IFLA_IFNAME, text(name)), attribute(IFLA_MASTER, word(master)), info),
  );
}

export function raise(index: number): Uint8Array {
  return message(RTM_NEWLINK, 0, interfaceInfo(index, true));
}

export type Ipv4Address = readonly [number, number, number, number];

export interface Ipv4Network {
  readonly address: Ipv4Address;
  readonly prefix: number;
}

/** @throws VivError `BAD_SPEC` */
export function parseIpv4(value: string): Ipv4Address {
  const parts = value.split(".").map((part) => (/^(0|[1-9]\d{0,2})$/.test(part) ? Number(part) : 256));
  if (parts.length !== 4 || parts.some((part) => part > 255))
    throw new VivError("BAD_SPEC", `${value} is no IPv4 address, such as 10.88.0.2`);
  return parts as unknown as Ipv4Address;
}

export function newAddress(index: number, { address, prefix }: Ipv4Network): Uint8Array {
  const header = new Uint8Array(8);
  const view = new DataView(header.buffer);
  header[0] = AF_INET;
  header[1] = prefix;
  view.setUint32(4, index, true);
  const bytes = Uint8Array.from(address);
  return message(RTM_NEWADDR, create, concat(header, attribute(IFA_LOCAL, bytes), attribute(IFA_ADDRESS, bytes)));
}

export function newDefaultRoute(index: number, gateway: Ipv4Address): Uint8Array {
  const header = Uint8Array.from([AF_INET, 0, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, 0, RTN_UNICAST, 0, 0, 0, 0]);
  return message(
    RTM_NEWROUTE,
    create,
    concat(header, attribute(RTA_OIF, word(index)), attribute(RTA_GATEWAY, Uint8Array.from(gateway))),
  );
}

/** Removes an interface. */
export function deleteLink(index: number): Uint8Array {
  const RTM_DELLINK = 17;
  return message(RTM_DELLINK, 0, interfaceInfo(index, false));
}

/** Sends a message on a netlink socket and checks the kernel's answer: that its `error` is 0, or one that is `accepted`. */
export function send(steps: Steps, socket: Value, bytes: Uint8Array, label: string, accepted?: number): void {
  steps.add("sendto", [socket, { bytes, label }, bytes.length, 0, 0, 0]);
  const answer = { buffer: "netlink", size: 4096 } as const;
  steps.add("read", [socket, answer, 4096]);
  // struct nlmsgerr follows the header: FUTEX_CMP_REQUEUE compares its first word.
  const equals = (value: number): Value[] => [
    { ...answer, at: 16 },
    flags("FUTEX_CMP_REQUEUE_PRIVATE"),
    0,
    0,
    { buffer: "scratch", size: 8 },
    value >>> 0,
  ];
  if (accepted === undefined) {
    steps.add("futex", equals(0));
    return;
  }
  steps.add("futex", equals(0), { onError: "next", onZero: { skip: 1 }, onPositive: { skip: 1 } });
  steps.add("futex", equals(-accepted));
}

/** Opens a netlink socket for links and routes. */
export function openNetlink(steps: Steps) {
  const AF_NETLINK = 16;
  const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
  const NETLINK_ROUTE = 0;
  return steps.get("netlink", "socket", [AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE]);
}
