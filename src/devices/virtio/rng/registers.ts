import { RegisterTable } from "../../registers.ts";
import { configOffset, virtioMmioSize } from "../registers.ts";
import type { VirtioRng } from "./device.ts";

/** There is no configuration (virtio 1.2, 5.4.4). */
export const rngConfig = new RegisterTable<VirtioRng>(virtioMmioSize - configOffset, []);
