import { AppError } from '#libs/platform/domain';
import { ESCROW_KEYS, shareMechanism } from './escrow-keys.js';
import type { WrappingKey } from '../domain/escrow.js';
import { SHARE_TRANSPORT } from '../domain/mechanisms.js';
import { requireNumber } from './templates.js';
import { ckrOf, type Token, withTemporaries } from './token.js';
import { wrappingKeyTemplate } from './wrapping-keys.js';

/** What the user of a token tries that only its security officer may, or nobody. The first that works is named. */
export type TrustRule = 'WRAP_WITH_TRUSTED' | 'TRUSTED' | 'UNWRAP_TEMPLATE';

/**
 * Whether a key with WRAP_WITH_TRUSTED stays where it is, tried with a throw-away one: it must not leave under a key that nobody
 * trusts, trust is not the user's to give, and the condition does not come off. Most tokens have the attributes and keep none of this.
 * Undefined = it keeps all.
 */
export async function brokenTrustRule(token: Token, key: WrappingKey): Promise<TrustRule | undefined> {
  return withTemporaries(token, (kept) => {
    const generation = requireNumber(token.profile, 'CKM_GENERIC_SECRET_KEY_GEN');
    const bound = kept.keep(token.generateKey(generation, ESCROW_KEYS.freshShare()));
    if (!token.flag(bound, 'CKA_WRAP_WITH_TRUSTED')) return 'WRAP_WITH_TRUSTED';
    const untrusted = kept.keep(token.create({ ...wrappingKeyTemplate(token.profile, key), CKA_TOKEN: false }));
    const mechanism = shareMechanism(token.profile, key.algorithm);
    const { bytesMost } = SHARE_TRANSPORT[key.algorithm];
    const works = (act: () => unknown): boolean => {
      try {
        act();
        return true;
      } catch (error) {
        if (ckrOf(error) === undefined) throw error;
        return false;
      }
    };
    // A refusal says something only where the same act without the condition is done.
    const free = kept.keep(token.generateKey(generation, { ...ESCROW_KEYS.freshShare(), CKA_WRAP_WITH_TRUSTED: false }));
    if (!works(() => token.wrap(untrusted, mechanism, free, bytesMost))) throw new AppError('HSM_ANSWER_WRONG', { device: token.device, what: 'a share does not wrap at all' });
    if (works(() => token.wrap(untrusted, mechanism, bound, bytesMost))) return 'WRAP_WITH_TRUSTED';
    if (works(() => token.change(bound, { CKA_WRAP_WITH_TRUSTED: false }))) return 'WRAP_WITH_TRUSTED';
    if (works(() => token.change(untrusted, { CKA_TRUSTED: true })) || token.flag(untrusted, 'CKA_TRUSTED')) return 'TRUSTED';
    if (works(() => kept.keep(token.create({ ...wrappingKeyTemplate(token.profile, key), CKA_TOKEN: false, CKA_TRUSTED: true })))) return 'TRUSTED';
    return undefined;
  });
}
