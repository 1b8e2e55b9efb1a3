/** Plans for a jail's network on a bridge: the bridge and the pair of interfaces on the host, and the jail's end of it. */
import type { ConstantName } from "../constants.ts";
import { flags, type Plan, Steps } from "../operations.ts";
import { allSignals } from "../plan/process.ts";
import type { BridgeNetwork } from "../spec.ts";
import { deleteLink, newAddress, newBridge, newDefaultRoute, newPair, openNetlink, parseIpv4, raise, send } from "./rtnetlink.ts";

const EEXIST = 17;
const lo = 1;
/** The jail's end of the pair: the number that it is made with. */
const eth0 = 2;

function alone(build: (steps: Steps) => void): Plan {
  const steps = new Steps("");
  build(steps);
  steps.add("return", []);
  return {
    blocks: [
      { name: "main", onFail: "return", operations: steps.operations },
      { name: "return", onFail: "return", operations: [{ call: "return", args: [], step: "end" }] },
    ],
  };
}

/** Makes a network namespace; the result `netns` is a descriptor of it, which the caller closes. */
export function planNamespace(): Plan {
  const main = new Steps("");
  main.step("start a process");
  main.add("rt_sigprocmask", [flags("SIG_BLOCK"), allSignals, { buffer: "mask", size: 8 }, 8]);
  // It shares our table of descriptors, so that what it opens is ours.
  const shared: readonly ConstantName[] = ["CLONE_VM", "CLONE_VFORK", "CLONE_FILES", "CLONE_CLEAR_SIGHAND"];
  const fields = ["pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size", "tls"];
  main.add(
    "clone3",
    [
      {
        struct: [
          { name: "flags", bits: 64, value: flags(...shared) },
          ...fields.map((name) => ({ name, bits: 64, value: name === "exit_signal" ? flags("SIGCHLD") : 0 }) as const),
        ],
      },
      64,
    ],
    { name: "maker", onZero: { block: "maker" }, onError: "next" },
  );
  main.add("rt_sigprocmask", [flags("SIG_SETMASK"), { buffer: "mask", size: 8 }, 0, 8]);
  main.add("return", []);
  const maker = new Steps("");
  maker.step("make a network namespace");
  maker.add("unshare", [flags("CLONE_NEWNET")]);
  maker.add("openat", [flags("AT_FDCWD"), "/proc/thread-self/ns/net", flags("O_RDONLY", "O_CLOEXEC"), 0], { name: "netns" });
  maker.add("exit_group", [0]);
  return {
    blocks: [
      { name: "main", onFail: "return", operations: main.operations },
      { name: "return", onFail: "return", operations: [{ call: "return", args: [], step: "end" }] },
      { name: "maker", onFail: "failed", operations: maker.operations },
      { name: "failed", onFail: "failed", operations: [{ call: "exit_group", args: [125], step: "end after a failure" }] },
    ],
  };
}

/** Makes the bridge, unless it is there. */
export function planBridge(bridge: string): Plan {
  return alone((steps) => {
    steps.step(`make the bridge ${bridge}`);
    const socket = openNetlink(steps);
    send(steps, socket, newBridge(bridge), `new bridge ${bridge}`, EEXIST);
    steps.add("close", [socket]);
  });
}

/** Gives the bridge its address, and makes the pair of interfaces that joins the jail's namespace to it. */
export function planPair(network: BridgeNetwork, bridgeIndex: number, name: string, netns: number): Plan {
  return alone((steps) => {
    steps.step(`give the bridge ${network.bridge} its address`);
    const socket = openNetlink(steps);
    const gateway = { address: parseIpv4(network.gateway), prefix: network.prefix };
    send(steps, socket, newAddress(bridgeIndex, gateway), `address ${network.gateway}/${network.prefix}`, EEXIST);
    send(steps, socket, raise(bridgeIndex), `raise ${network.bridge}`);
    steps.step("join the jail to the bridge");
    send(steps, socket, newPair(name, bridgeIndex, "eth0", netns), `pair ${name}, eth0`);
    steps.add("close", [socket]);
  });
}

export function planRemoval(index: number): Plan {
  return alone((steps) => {
    steps.step("remove an interface");
    const socket = openNetlink(steps);
    send(steps, socket, deleteLink(index), `interface ${index}`);
    steps.add("close", [socket]);
  });
}

/** The jail's end: its loopback, its address, and the way out. */
export function configureInside(steps: Steps, network: BridgeNetwork): void {
  steps.step("configure the network");
  const socket = openNetlink(steps);
  const own = { address: parseIpv4(network.address), prefix: network.prefix };
  send(steps, socket, raise(lo), "raise lo");
  send(steps, socket, newAddress(eth0, own), `address ${network.address}/${network.prefix}`);
  send(steps, socket, raise(eth0), "raise eth0");
  send(steps, socket, newDefaultRoute(eth0, parseIpv4(network.gateway)), `route by ${network.gateway}`);
  steps.add("close", [socket]);
}
