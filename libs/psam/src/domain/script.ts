import { concatBytes } from '#libs/platform/domain';
import { type Apdu, SECURED, selectFile } from './apdu.js';
import { APPLICATION_NAME, type CardIdentity, FIDS, FILES, type FileName, KEY_SLOTS, keyHeader, slotPath, type SlotName } from './card-profile.js';
import type { KeyCoordinates, KeyLoad, SecuredCommand } from './key-coordinates.js';
import type { PsamKeySet } from './psam.js';

/**
 * One command of a personalisation, and what the token must make for it. Every kind but `send` first asks the card for a
 * challenge, since a challenge is good for the next command only.
 */
export type Step =
  | { readonly kind: 'send'; readonly name: string; readonly apdu: Apdu }
  | { readonly kind: 'authenticate'; readonly name: string; readonly keyId: number; readonly key: KeyCoordinates }
  | { readonly kind: 'load'; readonly name: string; readonly slot: SlotName; readonly load: KeyLoad }
  | { readonly kind: 'secured'; readonly name: string; readonly command: SecuredCommand };

/** The whole script, blank card to END ISSUE; the order is binding (PBOC 2.0 PSAM issuing). */
export function personalisationScript(card: CardIdentity, keySet: PsamKeySet): Step[] {
  const path = (slot: SlotName | 'transport'): KeyCoordinates => slotPath(slot, card, keySet);
  const select = (file: FileName): Step => ({ kind: 'send', name: `select.${file}`, apdu: selectFile(FIDS[file]) });
  const load = (slot: SlotName): Step => loadStep(slot, card, keySet);
  const secured = (name: string, by: SlotName, command: Uint8Array, data: Uint8Array): Step => ({
    kind: 'secured', name, command: { key: path(by), command, data },
  });
  const create = (file: FileName, by: SlotName): Step[] =>
    FILES.filter((each) => each.file === file).map((each) =>
      secured(`create.${fidText(each.fid)}`, by, SECURED.createFile(), elementaryFile(each.fid, each.size, each.readAccess, each.updateAccess)),
    );
  const write = (file: FileName, by: SlotName): Step[] =>
    FILES.filter((each) => each.file === file).flatMap(({ fid, content }) =>
      content === undefined ? [] : [secured(`write.${fidText(fid)}`, by, SECURED.updateBinary(fid), content(card))],
    );
  const endIssue = (file: FileName, by: SlotName): Step => secured(`endIssue.${file}`, by, SECURED.endIssue(), new Uint8Array());

  return [
    { kind: 'authenticate', name: 'authenticate.transport', keyId: 0x00, key: path('transport') },
    load('cardControl'),
    load('cardMaintenance'),
    ...create('masterFile', 'cardControl'),
    ...write('masterFile', 'cardMaintenance'),
    secured('create.application', 'cardControl', SECURED.createFile(), dedicatedFile()),
    select('application'),
    load('applicationControl'),
    load('applicationMaintenance'),
    load('purchase'),
    load('data'),
    ...create('application', 'applicationControl'),
    ...write('application', 'applicationMaintenance'),
    endIssue('application', 'applicationControl'),
    select('masterFile'),
    endIssue('masterFile', 'cardControl'),
  ];
}

/** WRITE KEY of one slot, all but the challenge that it will be bound to. */
export function loadStep(slot: SlotName, card: CardIdentity, keySet: PsamKeySet): Extract<Step, { kind: 'load' }> {
  const { keyId, protectedBy } = KEY_SLOTS[slot];
  return {
    kind: 'load',
    name: `load.${slot}`,
    slot,
    load: {
      key: slotPath(slot, card, keySet),
      controlKey: slotPath(protectedBy, card, keySet),
      header: keyHeader(KEY_SLOTS[slot]),
      command: SECURED.writeKey(keyId),
    },
  };
}

export const fidText = (fid: number): string => fid.toString(16).toUpperCase().padStart(4, '0');

const TRANSPARENT = 0x31;
const DEDICATED = 0x20;
const APPLICATION_SPACE = 0x0400;
/** AC of files and keys below an application: its control key. */
const BY_CONTROL_KEY = 0x0f;
const LONGEST_NAME = 16;
const RESERVED_BYTES = 18;

const word = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 0xff);

function elementaryFile(fid: number, size: number, readAccess: number, updateAccess: number): Uint8Array {
  return concatBytes(word(fid), Uint8Array.of(TRANSPARENT), word(size), Uint8Array.of(readAccess, updateAccess, 0xff));
}

function dedicatedFile(): Uint8Array {
  const filled = new Uint8Array(LONGEST_NAME + RESERVED_BYTES).fill(0xff);
  filled.set(APPLICATION_NAME);
  return concatBytes(
    word(FIDS.application), Uint8Array.of(DEDICATED), word(APPLICATION_SPACE),
    Uint8Array.of(BY_CONTROL_KEY, BY_CONTROL_KEY, APPLICATION_NAME.length), filled,
  );
}
