import { randomBytes } from 'node:crypto';
import { type Command, parseCommand, withStatus } from './apdu.js';
import { externalAuthenticate, getChallenge, readBinary, select } from './commands-access.js';
import { createFile, endIssue, updateBinary, writeKey } from './commands-issue.js';
import { creditSamForPurchase, desCrypt, initForDescrypt, initSamForPurchase } from './commands-use.js';
import type { Fault } from './faults.js';
import { blankMasterFile } from './files.js';
import { type CardMemory, freshSession, type Persistent, type Session } from './memory.js';
import { CardRefusal, refuseUnless, SW } from './status.js';

type Run = (card: CardMemory, command: Command, purchase: Session['purchase']) => Buffer;

/** INS → the classes it may come in, and what it does. */
const COMMANDS: Readonly<Record<number, { readonly classes: readonly number[]; readonly run: Run }>> = {
  0xa4: { classes: [0x00], run: select },
  0x84: { classes: [0x00], run: getChallenge },
  0x82: { classes: [0x00], run: externalAuthenticate },
  0xb0: { classes: [0x00], run: readBinary },
  0xd6: { classes: [0x00, 0x04], run: updateBinary },
  0x80: { classes: [0x80, 0x84], run: createFile },
  0xd4: { classes: [0x80, 0x84], run: writeKey },
  0x1c: { classes: [0x80, 0x84], run: endIssue },
  0x1a: { classes: [0x80], run: initForDescrypt },
  0xfa: { classes: [0x80], run: desCrypt },
  0x70: { classes: [0x80], run: initSamForPurchase },
  0x72: { classes: [0x80], run: creditSamForPurchase },
};

export interface CardOptions {
  readonly chip: Persistent;
  readonly fault?: Fault;
  /** Tests give the challenges of a vector. */
  readonly random?: (length: number) => Buffer;
}

/** A virtual PSAM: bytes in, bytes out. It knows nothing of sockets, files or the product. */
export class PsamCard {
  private readonly memory: CardMemory & { session: Session };

  constructor(options: CardOptions) {
    this.memory = {
      chip: options.chip,
      session: freshSession(options.chip),
      fault: options.fault ?? 'none',
      random: options.random ?? ((length) => randomBytes(length)),
    };
  }

  /** 3B 6C 00 00 ‖ 'HUFU' ‖ chip serial 8 (historical bytes, ISO/IEC 7816-3 8.2). */
  get atr(): Buffer {
    return Buffer.concat([Buffer.from('3B6C000048554655', 'hex'), this.memory.chip.chipSerial]);
  }

  reset(): void {
    this.memory.session = freshSession(this.memory.chip);
  }

  transmit(frame: Buffer): Buffer {
    const { session } = this.memory;
    const { purchase } = session;
    session.challenge = session.pending;
    session.purchase = undefined;
    if (this.memory.fault !== 'reuse-challenge') session.pending = undefined;
    try {
      const command = parseCommand(frame);
      refuseUnless([0x00, 0x04, 0x80, 0x84].includes(command.cla), SW.CLA_UNKNOWN);
      const known = COMMANDS[command.ins];
      refuseUnless(known !== undefined, SW.INS_UNKNOWN);
      refuseUnless(known.classes.includes(command.cla), SW.CLA_UNKNOWN);
      return withStatus(SW.OK, known.run(this.memory, command, purchase));
    } catch (error) {
      if (error instanceof CardRefusal) return withStatus(error.sw);
      throw error;
    }
  }
}

export function blankChip(chipSerial: Buffer, transportKey: Buffer): Persistent {
  return { chipSerial, masterFile: blankMasterFile(transportKey), applications: [] };
}
