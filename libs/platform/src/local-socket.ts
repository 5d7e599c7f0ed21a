import { relative } from 'node:path';

/** sun_path holds 107 bytes and a NUL (unix(7)). */
const LONGEST_SOCKET_PATH = 107;

/**
 * The form under which a Unix socket can be reached from this process: absolute where it fits, else relative to the
 * working directory (all of the product's processes run in the state folder, so that deep state folders work).
 */
export function socketPath(absolute: string): string {
  if (Buffer.byteLength(absolute) <= LONGEST_SOCKET_PATH) return absolute;
  const near = relative(process.cwd(), absolute);
  if (Buffer.byteLength(near) <= LONGEST_SOCKET_PATH) return near;
  throw new RangeError(`socket path too long: ${absolute}`);
}
