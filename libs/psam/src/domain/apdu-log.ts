import { createHash } from 'node:crypto';
import { canonicalJson, toHex } from '#libs/platform/domain';

/** One exchange as it is kept: hex, key-bearing parts replaced by a digest. */
export interface LoggedExchange {
  readonly [field: string]: string;
  readonly name: string;
  readonly command: string;
  readonly response: string;
}

const WRITE_KEY = 0xd4;
const DES_CRYPT = 0xfa;
/** As much of a cipher under a card key as a check value shows (24 bits). */
const CHECK_VALUE_BYTES = 3;

/** WRITE KEY keeps its head and a digest of the rest; the answer of DES CRYPT keeps what a check value would show. */
export function loggedExchange(name: string, command: Uint8Array, response: Uint8Array): LoggedExchange {
  const secret = command[1] === WRITE_KEY;
  const cipher = command[1] === DES_CRYPT && response.length > 2;
  return {
    name,
    command: secret ? `${toHex(command.slice(0, 5))}[sha256:${digestHex(command.slice(5))}]` : toHex(command),
    response: cipher ? `${toHex(response.slice(0, CHECK_VALUE_BYTES))}…${toHex(response.slice(-2))}` : toHex(response),
  };
}

export function logDigest(log: readonly LoggedExchange[]): string {
  return digestHex(canonicalJson(log));
}

export function digestHex(bytes: Uint8Array): string {
  return toHex(createHash('sha256').update(bytes).digest());
}
