/** Networks of jails on this host: a bridge, a pair of interfaces and a table of nftables for each jail on it. */
import { spawnSync } from "node:child_process";
import { closeSync, writeFileSync } from "node:fs";
import { VivError } from "../../../core/errors.ts";
import { planBridge, planNamespace, planPair, planRemoval } from "../../../engine/jail/network/plan.ts";
import type { Plan } from "../../../engine/jail/operations.ts";
import { printFailure } from "../../../engine/jail/print.ts";
import type { BridgeNetwork } from "../../../engine/jail/spec.ts";
import { HostExecutor } from "../ffi/executor.ts";
import { addressOf, mustSyscall, syscall } from "../ffi/libc.ts";
import { waitFor } from "./process.ts";

const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const SIOCGIFINDEX = 0x8933;

function run(plan: Plan, what: string) {
  const done = new HostExecutor().run(plan);
  if (done.failure !== undefined)
    throw new VivError("NETWORK", `${what}: ${printFailure(done.failure)}; networks on a bridge need root`);
  return done;
}

/** The number of an interface in our network namespace; undefined if there is none of that name. */
function interfaceIndex(name: string): number | undefined {
  const socket = mustSyscall("looking for an interface", "socket", AF_INET, SOCK_DGRAM_CLOEXEC, 0);
  try {
    const request = new Uint8Array(40);
    request.set(new TextEncoder().encode(name).subarray(0, 15));
    if (syscall("ioctl", socket, SIOCGIFINDEX, addressOf(request)) < 0) return undefined;
    return new DataView(request.buffer).getInt32(16, true);
  } finally {
    closeSync(socket);
  }
}

function nft(script: string): void {
  const result = spawnSync("nft", ["-f", "-"], { input: script, encoding: "utf8" });
  if (result.status === 0) return;
  const reason = result.error === undefined ? result.stderr.trim().split("\n")[0] : "nft is not installed; apt install nftables";
  throw new VivError("NETWORK", `setting the jail's network rules: ${reason}`);
}

/** The jail's rules: its way out by the host's addresses, and the host's ports that lead to it. */
export function networkRules(table: string, { bridge, address, publish }: BridgeNetwork): string {
  const forward = publish.map(
    ({ host, jail, protocol }) => `fib daddr type local ${protocol} dport ${host} dnat to ${address}:${jail}`,
  );
  return `table ip ${table} {
  chain out {
    type nat hook postrouting priority srcnat;
    ip saddr ${address} oifname != "${bridge}" masquerade
    ip saddr 127.0.0.0/8 ip daddr ${address} masquerade
  }
  chain in {
    type nat hook prerouting priority dstnat;
    ${forward.join("\n    ")}
  }
  chain local {
    type nat hook output priority -100;
    ${forward.join("\n    ")}
  }
}
`;
}

export interface NetworkParts {
  /** The host's end of the pair; it is gone when the jail's namespace is. */
  readonly pair: string;
  readonly table: string;
  readonly bridge: string;
}

/** Names for what a jail's network consists of, unique by its address. */
export function networkParts(network: BridgeNetwork): NetworkParts {
  const number = network.address
    .split(".")
    .map((part) => Number(part).toString(16).padStart(2, "0"))
    .join("");
  return { pair: `viv${number}`, table: `vivarium_${number}`, bridge: network.bridge };
}

/** Makes the network of a jail that is about to be made; returns its namespace's descriptor, which the caller closes. */
export function makeNetwork(network: BridgeNetwork): number {
  const { pair, table } = networkParts(network);
  const made = run(planNamespace(), "making a network namespace");
  const maker = Number(made.result("maker") ?? 0n);
  if (maker > 0) waitFor(maker);
  const netns = Number(made.result("netns") ?? -1n);
  if (maker <= 0 || netns < 0) throw new VivError("NETWORK", "making a network namespace failed; networks on a bridge need root");
  try {
    run(planBridge(network.bridge), "making the bridge");
    const index = interfaceIndex(network.bridge);
    if (index === undefined) throw new VivError("NETWORK", `the bridge ${network.bridge} is not there`);
    run(planPair(network, index, pair, netns), `joining the jail to ${network.bridge}`);
    writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
    writeFileSync(`/proc/sys/net/ipv4/conf/${network.bridge}/route_localnet`, "1");
    nft(networkRules(table, network));
    return netns;
  } catch (error) {
    closeSync(netns);
    removeNetwork({ ...networkParts(network) });
    throw error;
  }
}

/** Removes what a jail's network has left on the host, and the bridge if nobody else is on it. */
export function removeNetwork({ pair, table, bridge }: NetworkParts): void {
  // "destroy" would not mind that it is not there, but nft has it only since 1.0.8.
  spawnSync("nft", ["delete", "table", "ip", table], { stdio: "ignore" });
  const index = interfaceIndex(pair);
  if (index !== undefined) new HostExecutor().run(planRemoval(index));
  const bridgeIndex = interfaceIndex(bridge);
  if (bridgeIndex !== undefined && !hasPorts(bridgeIndex)) new HostExecutor().run(planRemoval(bridgeIndex));
}

/** Whether a bridge has interfaces on it: SIOCBRADDIF and friends are not needed to ask, a list of its ports is (BRCTL_GET_PORT_LIST). */
function hasPorts(bridge: number): boolean {
  const SIOCGIFNAME = 0x8910;
  const SIOCDEVPRIVATE = 0x89f0;
  const BRCTL_GET_PORT_LIST = 7;
  const socket = mustSyscall("looking at the bridge", "socket", AF_INET, SOCK_DGRAM_CLOEXEC, 0);
  try {
    const request = new Uint8Array(40);
    new DataView(request.buffer).setInt32(16, bridge, true);
    if (syscall("ioctl", socket, SIOCGIFNAME, addressOf(request)) < 0) return false;
    const ports = new Int32Array(256);
    const args = new BigUint64Array([BigInt(BRCTL_GET_PORT_LIST), addressOf(new Uint8Array(ports.buffer)), 256n, 0n]);
    new DataView(request.buffer).setBigUint64(16, addressOf(new Uint8Array(args.buffer)), true);
    const answer = syscall("ioctl", socket, SIOCDEVPRIVATE, addressOf(request));
    return answer < 0 || ports.some((port) => port !== 0);
  } finally {
    closeSync(socket);
  }
}
