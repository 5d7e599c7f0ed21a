import pkcs11js, { type Handle } from 'pkcs11js';
import { concatBytes, fromHex, toHex } from '#libs/platform/domain';
import { KNOWN_ANSWERS, type KnownAnswerVector } from '../domain/known-answers.js';
import type { KnownAnswer, SymmetricAlgorithm } from '../hsm.js';
import { authentication, commandMac, protectKey, purchaseMac } from './card-recipes.js';
import { checkValue, fingerprint } from './check-values.js';
import { diversificationInput } from '../domain/factors.js';
import { type DerivingKey, encryptData } from './diversifier.js';
import { KEY_BYTES, SESSION_KEYS } from './templates.js';
import { type Attributes, type Temporaries, type Token, withTemporaries } from './token.js';

/** Runs every published vector that the module can do; each imports its test key, computes inside, destroys it. */
export function knownAnswers(token: Token): KnownAnswer[] {
  return KNOWN_ANSWERS.filter((vector) => supported(token, vector)).map((vector) => ({
    name: vector.name,
    expected: vector.expected,
    actual: toHex(withTemporaries(token, (temporaries) => new Run(token, temporaries).answer(vector))),
  }));
}

function supported(token: Token, vector: KnownAnswerVector): boolean {
  if (vector.recipe === 'protectForCard') return token.profile.capabilities.protectForCard;
  return vector.recipe !== 'checkValue' || vector.method !== 'cmac5' || token.profile.capabilities.cmac5;
}

class Run {
  constructor(
    private readonly token: Token,
    private readonly temporaries: Temporaries,
  ) {}

  answer(vector: KnownAnswerVector): Uint8Array {
    switch (vector.recipe) {
      case 'checkValue':
        return checkValue(this.token, this.path(vector.root, vector.factors, vector.algorithm), vector.method);
      case 'fingerprint':
        return fingerprint(this.token, this.deriving(vector.root, vector.algorithm));
      case 'purchaseMac': {
        const input = { sessionInput: fromHex(vector.sessionInput), data: fromHex(vector.data) };
        return purchaseMac(this.token, this.temporaries, this.deriving(vector.root, '3des2'), input);
      }
      case 'authenticateToCard':
        return authentication(this.token, this.encrypting(fromHex(vector.controlKey)), fromHex(vector.challenge));
      case 'commandMac': {
        const item = { command: fromHex(vector.command), data: fromHex(vector.data), challenge: fromHex(vector.challenge) };
        return commandMac(this.token, this.macKey(fromHex(vector.controlKey)), item);
      }
      case 'protectForCard':
        return this.protectedKey(vector);
    }
  }

  private protectedKey(vector: Extract<KnownAnswerVector, { recipe: 'protectForCard' }>): Uint8Array {
    const controlKey = fromHex(vector.controlKey);
    const above = this.path(vector.root, vector.factors.slice(0, -1), '3des2');
    const key = this.child(above, vector.factors.at(-1) as string, SESSION_KEYS.loading(KEY_BYTES, false));
    const item = { header: fromHex(vector.header), command: fromHex(vector.command), challenge: fromHex(vector.challenge) };
    const wrapping = this.keep(controlKey, SESSION_KEYS.wrapping());
    const { cipher, mac } = protectKey(this.token, this.temporaries, item, key, { wrapping, ...this.macKey(controlKey) });
    return concatBytes(cipher, mac);
  }

  private macKey(value: Uint8Array): { whole: Handle; leftTwin: Handle } {
    const left = value.subarray(0, KEY_BYTES / 2);
    return { whole: this.encrypting(value), leftTwin: this.encrypting(concatBytes(left, left)) };
  }

  private path(root: string, factors: readonly string[], algorithm: SymmetricAlgorithm): DerivingKey {
    return factors.reduce<DerivingKey>(
      (key, factor) => ({ handle: this.child(key, factor, SESSION_KEYS.diversifying(algorithm)), algorithm }),
      this.deriving(root, algorithm),
    );
  }

  private child(key: DerivingKey, factor: string, attributes: Attributes): Handle {
    return encryptData(this.token, this.temporaries, key, diversificationInput(fromHex(factor)), attributes);
  }

  private deriving(value: string, algorithm: SymmetricAlgorithm): DerivingKey {
    return { handle: this.keep(fromHex(value), SESSION_KEYS.diversifying(algorithm)), algorithm };
  }

  private encrypting(value: Uint8Array): Handle {
    return this.keep(value, SESSION_KEYS.encrypting());
  }

  /** C_CreateObject takes the length from the value; a CKA_VALUE_LEN beside it is an inconsistent template. */
  private keep(value: Uint8Array, { CKA_VALUE_LEN: _, ...attributes }: Attributes): Handle {
    return this.temporaries.keep(this.token.create({ ...attributes, CKA_CLASS: pkcs11js.CKO_SECRET_KEY, CKA_VALUE: value }));
  }
}
