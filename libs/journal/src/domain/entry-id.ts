/** When an entry was recorded, and how many were before it in the same millisecond (0..4095). */
export interface EntryTick {
  readonly milliseconds: number;
  readonly count: number;
}

const COUNT_MOST = 0xfff;

/** The tick after `last` at `milliseconds`, also when the clock stands still or was set back (RFC 9562 6.2, method 1). */
export function nextTick(last: EntryTick | undefined, milliseconds: number): EntryTick {
  if (last === undefined || milliseconds > last.milliseconds) return { milliseconds, count: 0 };
  return last.count < COUNT_MOST ? { milliseconds: last.milliseconds, count: last.count + 1 } : { milliseconds: last.milliseconds + 1, count: 0 };
}

/**
 * UUID version 7 (RFC 9562 5.7): 48 bits of milliseconds, 12 of count, then `random` (8 bytes) less the two bits of the variant. Entries
 * of one transaction stand in the log in the order in which they were recorded, and those of one moment lie together in every index.
 */
export function entryId({ milliseconds, count }: EntryTick, random: Uint8Array): string {
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(milliseconds, 0, 6);
  bytes.writeUInt16BE(0x7000 | count, 6);
  bytes.set(random.subarray(0, 8), 8);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
