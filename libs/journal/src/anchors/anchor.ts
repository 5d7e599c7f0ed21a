import { z } from 'zod';

/**
 * A place outside the database that takes the line of each signed head, in the order of the log. The same line may come twice
 * after a power cut. A push that returns has been taken: it survives this process.
 */
export abstract class Anchor {
  abstract readonly name: string;
  /** Lines without newline. Throws whatever kept a line from being taken. */
  abstract push(lines: readonly string[]): Promise<void>;
  abstract close(): Promise<void>;
}

const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'a name of lower-case letters, digits and hyphens');

const syslog = { kind: z.literal('syslog'), name };
const internet = { host: z.string().min(1).max(255), port: z.int().min(1).max(65_535) };

/** How a process is told of its anchors. */
export const AnchorConfig = z.union([
  /** Append-only file in a folder of its own, meant for another account or another host's mount. */
  z.strictObject({ kind: z.literal('file'), name, path: z.string().min(1) }),
  /** RFC 5424 to a collector; octet-counted over TCP (RFC 6587 3.4.1), one message a datagram over UDP (RFC 5426). */
  z.strictObject({ ...syslog, transport: z.literal('udp'), ...internet }),
  z.strictObject({ ...syslog, transport: z.literal('tcp'), ...internet }),
  /** The stream socket of a local syslog daemon, octet-counted as over TCP: Node has no datagram sockets of this family. */
  z.strictObject({ ...syslog, transport: z.literal('unix'), path: z.string().min(1).max(107) }),
]);
export type AnchorConfig = z.infer<typeof AnchorConfig>;

/** An anchor beside the database alone proves little: in production there are at least two. */
export const AnchorConfigs = z
  .array(AnchorConfig)
  .min(1)
  .max(8)
  .refine((anchors) => new Set(anchors.map((each) => each.name)).size === anchors.length, 'anchor names are unique');
