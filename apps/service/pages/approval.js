// @ts-check
import { concat, sha256, toHex, utf8 } from './bytes.js';
import { canonicalJson } from './canonical-json.js';

/**
 * @typedef {object} Terms
 * @property {string} approver
 * @property {string} nonce 16 random bytes, upper-case hex
 * @property {number} policyVersion
 * @property {string} notAfter
 * @property {'approve'} decision
 * @property {'plain' | 'ukey' | 'webauthn'} method
 * @property {{ number: string, digest: string }} [ownerDocument]
 */

/** @param {object} subject */
export async function subjectDigest(subject) {
  return toHex(await sha256(canonicalJson(subject)));
}

/**
 * What an approver signs: made here, from what is on the screen, and by nobody else.
 * @param {object} subject
 * @param {Terms} terms
 */
export async function approvalBytes(subject, { approver, nonce, policyVersion, notAfter, decision, method, ownerDocument }) {
  return canonicalJson({
    format: 'hufu/approval/1',
    subject: await subjectDigest(subject),
    ...{ approver, nonce, policyVersion, notAfter, decision, method },
    ...(ownerDocument === undefined ? {} : { ownerDocument }),
  });
}

/**
 * What an authenticator signs in place of the bytes: SHA-256("hufu/approve/v1" ‖ approvalBytes).
 * @param {Uint8Array} bytes
 */
export function approvalChallenge(bytes) {
  return sha256(concat(utf8('hufu/approve/v1'), bytes));
}
