/** The file that describes a jail with a name, so that it can be started and stopped as a service. */
import * as v from "valibot";
import { VivError } from "../../core/errors.ts";
import { capabilityNames, defaultCapabilities } from "./capabilities.ts";
import type { JailSpecInput } from "./spec.ts";

const name = v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/, "is no name for a jail"));
const commandList = v.array(v.pipe(v.string(), v.minLength(1, "must not be empty")));
const capabilityList = v.array(v.picklist(capabilityNames, "is not a capability"));

const configSchema = v.strictObject({
  /** The jail's root directory. */
  path: v.pipe(v.string(), v.startsWith("/", "must be an absolute path")),
  hostname: v.optional(v.string()),
  /** The jail's main process; without one it is there for what is started in it. */
  command: v.optional(v.array(v.string())),
  /** Shell commands that are run in the jail after it has started, and before it is stopped. */
  start: v.optional(commandList, []),
  stop: v.optional(commandList, []),
  /** Jails that are started before this one. */
  depends: v.optional(v.array(name), []),
  env: v.optional(v.record(v.string(), v.string()), {}),
  readOnly: v.optional(v.boolean(), false),
  network: v.optional(v.picklist(["none", "loopback", "host"]), "loopback"),
  /** Devices of the host that the jail has besides the usual ones. */
  devices: v.optional(v.array(v.pipe(v.string(), v.startsWith("/dev/", "must be below /dev"))), []),
  /** As in a jail's specification. */
  mounts: v.optional(v.array(v.unknown()), []),
  limits: v.optional(v.unknown()),
  addCapabilities: v.optional(capabilityList, []),
  dropCapabilities: v.optional(capabilityList, []),
  users: v.optional(v.picklist(["host", "own", "all", "shifted"])),
});
export type JailConfig = v.InferOutput<typeof configSchema>;

/**
 * Checks the contents of a jail's file.
 *
 * @param subject the file's name, for the message
 * @throws VivError `BAD_SPEC` naming the field
 */
export function parseJailConfig(value: unknown, subject: string): JailConfig {
  const parsed = v.safeParse(configSchema, value);
  if (parsed.success) return parsed.output;
  const issue = parsed.issues[0];
  const field = v.getDotPath(issue) ?? "it";
  throw new VivError(
    "BAD_SPEC",
    `${subject}: ${field} ${issue.message.startsWith("Invalid") ? `is wrong (${issue.message})` : issue.message}`,
  );
}

/** The specification of a configured jail; devices come from the host. */
export function specOfConfig(jailName: string, config: JailConfig, devices: JailSpecInput["devices"]): JailSpecInput {
  const capabilities = [...new Set([...defaultCapabilities, ...config.addCapabilities])].filter(
    (capability) => !config.dropCapabilities.includes(capability),
  );
  return {
    root: config.path,
    command: config.command ?? [],
    init: true,
    hostname: config.hostname ?? jailName,
    env: config.env,
    readOnly: config.readOnly,
    network: { kind: config.network },
    devices,
    mounts: config.mounts as JailSpecInput["mounts"],
    ...(config.limits === undefined ? {} : { limits: config.limits as JailSpecInput["limits"] }),
    capabilities,
  };
}

/**
 * In which order jails are started so that each comes after those that it depends on.
 *
 * @param configOf the configuration of a jail
 * @throws VivError `BAD_SPEC` for a circle, naming the jails in it
 */
export function startOrder(names: readonly string[], configOf: (name: string) => JailConfig): string[] {
  const order: string[] = [];
  const visit = (current: string, path: readonly string[]): void => {
    if (path.includes(current)) {
      throw new VivError(
        "BAD_SPEC",
        `jails depend on each other in a circle: ${[...path.slice(path.indexOf(current)), current].join(" -> ")}`,
      );
    }
    if (order.includes(current)) return;
    for (const needed of configOf(current).depends) visit(needed, [...path, current]);
    order.push(current);
  };
  for (const current of names) visit(current, []);
  return order;
}
