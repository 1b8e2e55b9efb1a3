import { type Register, RegisterTable } from "../../registers.ts";
import { configOffset, virtioMmioSize } from "../registers.ts";
import type { VirtioBlock } from "./device.ts";

export const sectorSize = 512;

/** Feature bits (virtio 1.2, 5.2.3). */
export const blockFeature = {
  SEG_MAX: 1n << 2n,
  RO: 1n << 5n,
  BLK_SIZE: 1n << 6n,
  FLUSH: 1n << 9n,
  TOPOLOGY: 1n << 10n,
  DISCARD: 1n << 13n,
  WRITE_ZEROES: 1n << 14n,
} as const;

/** `type` of a request (virtio 1.2, 5.2.6). */
export const requestType = { IN: 0, OUT: 1, FLUSH: 4, GET_ID: 8, DISCARD: 11, WRITE_ZEROES: 13 } as const;
export const requestStatus = { OK: 0, IOERR: 1, UNSUPP: 2 } as const;

export const queueSize = 256;
/** Data segments of a request: a chain as long as the queue, less header and status. */
export const segMax = queueSize - 2;
/** Most that one request may free or zero; zeroing may be real work for the host, so it comes in smaller pieces. */
export const discardLimits = { sectors: 1 << 22, segments: 16 } as const;
export const writeZeroesLimits = { sectors: 1 << 16, segments: 1 } as const;

const constant = (name: string, at: number, size: 1 | 2 | 4, value: number): Register<VirtioBlock> => ({
  name,
  at,
  size,
  access: "ro",
  partial: "merge",
  reset: value,
  read: () => value,
});

/** `struct virtio_blk_config` (virtio 1.2, 5.2.4). */
export const blockConfig = new RegisterTable<VirtioBlock>(virtioMmioSize - configOffset, [
  { name: "capacity", at: 0, size: 8, access: "ro", partial: "merge", reset: undefined, read: (block) => block.capacity() },
  constant("size_max", 8, 4, 0),
  constant("seg_max", 12, 4, segMax),
  constant("geometry.cylinders", 16, 2, 0),
  constant("geometry.heads", 18, 1, 0),
  constant("geometry.sectors", 19, 1, 0),
  constant("blk_size", 20, 4, sectorSize),
  // Pages of 4096 bytes are what hosts and their files like best.
  constant("topology.physical_block_exp", 24, 1, 3),
  constant("topology.alignment_offset", 25, 1, 0),
  constant("topology.min_io_size", 26, 2, 8),
  constant("topology.opt_io_size", 28, 4, 0),
  constant("writeback", 32, 1, 0),
  constant("unused0", 33, 1, 0),
  constant("num_queues", 34, 2, 1),
  constant("max_discard_sectors", 36, 4, discardLimits.sectors),
  constant("max_discard_seg", 40, 4, discardLimits.segments),
  constant("discard_sector_alignment", 44, 4, 8),
  constant("max_write_zeroes_sectors", 48, 4, writeZeroesLimits.sectors),
  constant("max_write_zeroes_seg", 52, 4, writeZeroesLimits.segments),
  constant("write_zeroes_may_unmap", 56, 1, 1),
]);
