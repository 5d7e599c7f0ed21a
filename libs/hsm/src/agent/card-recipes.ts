import pkcs11js, { type Handle } from 'pkcs11js';
import { AppError, concatBytes } from '#libs/platform/domain';
import { requireLoadUnder } from '../domain/class-rules.js';
import { padMethod2 } from '../domain/factors.js';
import type { RecipeRequest } from '../domain/recipes.js';
import type { CommandMac, PurchaseMac, ProtectedKey, ProtectedKeyLoad } from '../hsm.js';
import { type DerivingKey, Diversifier, encryptData } from './diversifier.js';
import type { Grant } from './key-lookup.js';
import { KEY_BYTES, SESSION_KEYS } from './templates.js';
import { type Temporaries, type Token, withTemporaries } from './token.js';

const BLOCK = 8;
const MAC_BYTES = 4;

/** The control key of a card in its three uses, all inside the token. */
export interface ControlKey extends MacKey {
  readonly wrapping: Handle;
}

/** A card key that makes retail MACs: the whole key, and its left half twice (single DES). */
export interface MacKey {
  readonly whole: Handle;
  readonly leftTwin: Handle;
}

export function protectForCard(token: Token, request: RecipeRequest<'protectForCard'>, grant: Grant): ProtectedKey[] {
  if (!token.profile.capabilities.protectForCard) throw new AppError('HSM_CAPABILITY_MISSING', { device: token.device, recipe: grant.recipe });
  return eachCardKey(token, request.items, grant, ({ item, own, diversifier, below }) => {
    const control = diversifier.cardKey('control', item.controlKey);
    const load = diversifier.cardKey('load', item.key);
    requireLoadUnder(
      { keyClass: load.keyClass, factors: item.key.factors },
      { keyClass: control.keyClass, factors: item.controlKey.factors },
    );
    return protectKey(token, own, item, below.child(load.above, load.factor, SESSION_KEYS.loading(KEY_BYTES, false)), {
      wrapping: below.child(control.above, control.factor, SESSION_KEYS.wrapping()),
      whole: below.child(control.above, control.factor, SESSION_KEYS.encrypting()),
      leftTwin: below.leftTwin(control.above, control.factor),
    });
  });
}

export function commandMacs(token: Token, request: RecipeRequest<'commandMacs'>, grant: Grant): Uint8Array[] {
  return eachCardKey(token, request.items, grant, ({ item, diversifier, below }) => {
    const { above, factor } = diversifier.cardKey('commandMac', item.key);
    const key = { whole: below.child(above, factor, SESSION_KEYS.encrypting()), leftTwin: below.leftTwin(above, factor) };
    return commandMac(token, key, item);
  });
}

export function authenticateToCard(token: Token, request: RecipeRequest<'authenticateToCard'>, grant: Grant): Uint8Array[] {
  return eachCardKey(token, request.items, grant, ({ item, diversifier, below }) => {
    const { above, factor } = diversifier.cardKey('authenticate', item.key);
    return authentication(token, below.child(above, factor, SESSION_KEYS.encrypting()), item.challenge);
  });
}

export function purchaseMacs(token: Token, request: RecipeRequest<'purchaseMacs'>, grant: Grant): Uint8Array[] {
  return eachCardKey(token, request.items, grant, ({ item, own, diversifier, below }) => {
    const { above, factor } = diversifier.cardKey('purchaseMac', item.key);
    const purchaseKey: DerivingKey = {
      handle: below.child(above, factor, SESSION_KEYS.diversifying('3des2')),
      algorithm: '3des2',
    };
    return purchaseMac(token, own, purchaseKey, item);
  });
}

interface CardKeyWork<I> {
  readonly item: I;
  /** Temporaries of this item. */
  readonly own: Temporaries;
  /** Levels shared by the batch. */
  readonly diversifier: Diversifier;
  /** Makes keys that live as long as this item. */
  readonly below: Diversifier;
}

function eachCardKey<I, O>(token: Token, items: readonly I[], grant: Grant, work: (parts: CardKeyWork<I>) => O): O[] {
  return withTemporaries(token, (temporaries) => {
    const diversifier = new Diversifier(token, grant, temporaries);
    return items.map((item) =>
      withTemporaries(token, (own) => work({ item, own, diversifier, below: new Diversifier(token, grant, own) })),
    );
  });
}

/**
 * The data of a WRITE KEY: E3(control, LEN ‖ header ‖ key ‖ 80 00…) by concatenation and one C_WrapKey, and the MAC over the
 * whole command. LEN counts header and key. The clear block never leaves the token.
 */
export function protectKey(
  token: Token,
  temporaries: Temporaries,
  item: Pick<ProtectedKeyLoad, 'header' | 'command' | 'challenge'>,
  key: Handle,
  control: ControlKey,
): ProtectedKey {
  const head = concatBytes(Uint8Array.of(item.header.length + KEY_BYTES), item.header);
  const tail = padMethod2(new Uint8Array(head.length + KEY_BYTES)).subarray(head.length + KEY_BYTES);
  const blockBytes = head.length + KEY_BYTES + tail.length;
  const headed = temporaries.keep(
    token.deriveByData(key, pkcs11js.CKM_CONCATENATE_DATA_AND_BASE, head, SESSION_KEYS.loading(head.length + KEY_BYTES, false)),
  );
  const block = temporaries.keep(
    token.deriveByData(headed, pkcs11js.CKM_CONCATENATE_BASE_AND_DATA, tail, SESSION_KEYS.loading(blockBytes, true)),
  );
  const cipher = token.wrap(control.wrapping, { mechanism: pkcs11js.CKM_DES3_ECB }, block, blockBytes);
  if (cipher.length !== blockBytes) throw new AppError('HSM_ANSWER_WRONG', { device: token.device, what: `cipher of ${cipher.length} bytes` });
  return { cipher, mac: commandMac(token, control, { command: item.command, data: cipher, challenge: item.challenge }) };
}

/** Secure-messaging MAC of PBOC 2.0: retail MAC (ISO/IEC 9797-1 algorithm 3, padding 2) over CLA INS P1 P2 Lc ‖ data. */
export function commandMac(token: Token, key: MacKey, item: Pick<CommandMac, 'command' | 'data' | 'challenge'>): Uint8Array {
  const lc = item.data.length + MAC_BYTES;
  const blocks = padMethod2(concatBytes(item.command, Uint8Array.of(lc), item.data));
  const chain = blocks.subarray(0, -BLOCK);
  const initial = padded(item.challenge);
  const last = chain.length === 0 ? initial : cbc(token, key.leftTwin, initial, chain).subarray(-BLOCK);
  const final = blocks.subarray(-BLOCK).map((octet, i) => octet ^ (last[i] as number));
  return ecb(token, key.whole, final).slice(0, MAC_BYTES);
}

/** EXTERNAL AUTHENTICATE: E3(key, challenge), a challenge of 4 bytes filled up with zeros. */
export function authentication(token: Token, key: Handle, challenge: Uint8Array): Uint8Array {
  return ecb(token, key, padded(challenge));
}

/** PBOC purchase MAC: session key E3(DPK, input) as single DES (the same 8 bytes twice), CBC-MAC with padding 2, 4 bytes. */
export function purchaseMac(token: Token, temporaries: Temporaries, purchaseKey: DerivingKey, item: Pick<PurchaseMac, 'sessionInput' | 'data'>): Uint8Array {
  const twice = concatBytes(item.sessionInput, item.sessionInput);
  const session = encryptData(token, temporaries, purchaseKey, twice, SESSION_KEYS.encrypting());
  return cbc(token, session, new Uint8Array(BLOCK), padMethod2(item.data)).subarray(-BLOCK).slice(0, MAC_BYTES);
}

function ecb(token: Token, key: Handle, block: Uint8Array): Uint8Array {
  return token.encrypt(key, { mechanism: pkcs11js.CKM_DES3_ECB }, block);
}

function cbc(token: Token, key: Handle, initial: Uint8Array, blocks: Uint8Array): Uint8Array {
  return token.encrypt(key, { mechanism: pkcs11js.CKM_DES3_CBC, parameter: Buffer.from(initial) }, blocks);
}

function padded(challenge: Uint8Array): Uint8Array {
  const block = new Uint8Array(BLOCK);
  block.set(challenge);
  return block;
}
