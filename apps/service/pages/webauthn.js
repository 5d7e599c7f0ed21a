// @ts-check
import { Problem } from './api.js';
import { fromBase64url, toBase64url } from './bytes.js';

const TIMEOUT_MS = 120_000;

/**
 * A new credential, with the attestation of its authenticator.
 * @param {any} options as the service gives them, bytes as base64url
 */
export async function createCredential({ rp, user, challenge, pubKeyCredParams, attestation, authenticatorSelection, excludeCredentials }) {
  const credential = await asked(() =>
    navigator.credentials.create({
      publicKey: {
        rp,
        user: { ...user, id: fromBase64url(user.id) },
        challenge: fromBase64url(challenge),
        pubKeyCredParams: pubKeyCredParams.map((/** @type {any} */ alg) => (typeof alg === 'number' ? { type: 'public-key', alg } : alg)),
        attestation,
        authenticatorSelection,
        excludeCredentials: (excludeCredentials ?? []).map(descriptor),
        timeout: TIMEOUT_MS,
      },
    }),
  );
  const response = /** @type {AuthenticatorAttestationResponse} */ (credential.response);
  return { credentialId: toBase64url(credential.rawId), attestationObject: toBase64url(response.attestationObject), clientDataJson: toBase64url(response.clientDataJSON) };
}

/**
 * An assertion over a challenge, by one of the named credentials. The user is verified by the authenticator, always.
 * @param {{ challenge: Uint8Array<ArrayBuffer>, rpId: string, credentialIds: readonly string[] }} terms ids as base64url
 */
export async function assertion({ challenge, rpId, credentialIds }) {
  const credential = await asked(() => navigator.credentials.get({ publicKey: { challenge, rpId, allowCredentials: credentialIds.map(descriptor), userVerification: 'required', timeout: TIMEOUT_MS } }));
  const { authenticatorData, clientDataJSON, signature } = /** @type {AuthenticatorAssertionResponse} */ (credential.response);
  return { credentialId: toBase64url(credential.rawId), authenticatorData: new Uint8Array(authenticatorData), clientDataJson: new Uint8Array(clientDataJSON), signature: new Uint8Array(signature) };
}

/** @param {Awaited<ReturnType<typeof assertion>>} made */
export const assertionAsText = ({ credentialId, authenticatorData, clientDataJson, signature }) => ({
  credentialId,
  authenticatorData: toBase64url(authenticatorData),
  clientDataJson: toBase64url(clientDataJson),
  signature: toBase64url(signature),
});

/** @param {string | { id: string }} credential */
const descriptor = (credential) => ({ type: /** @type {const} */ ('public-key'), id: fromBase64url(typeof credential === 'string' ? credential : credential.id) });

/** What browsers say in one English word, in words that help. */
const REFUSALS = /** @type {Record<string, [import('./api.js').Bilingual, import('./api.js').Bilingual]>} */ ({
  NotAllowedError: [
    { zh: '安全密钥未完成操作：已取消、超时，或插入的密钥未登记', en: 'The security key did not finish: cancelled, too late, or this key is not registered' },
    { zh: '插入已登记的安全密钥，验证指纹或 PIN 后重试', en: 'Insert the registered security key, verify by fingerprint or PIN, try again' },
  ],
  InvalidStateError: [
    { zh: '此安全密钥已登记过', en: 'This security key is registered already' },
    { zh: '换一个安全密钥；登录与审批各用一个', en: 'Take another one; signing in and approving have one each' },
  ],
  SecurityError: [
    { zh: '此网址不能使用该凭据', en: 'This address cannot use the credential' },
    { zh: '核对地址栏，从正确的网址打开', en: 'Look at the address bar and open the right site' },
  ],
});

/**
 * @param {() => Promise<Credential | null>} ask
 * @returns {Promise<PublicKeyCredential>}
 */
async function asked(ask) {
  try {
    const credential = await ask();
    if (credential === null) throw new DOMException('none', 'NotAllowedError');
    return /** @type {PublicKeyCredential} */ (credential);
  } catch (error) {
    const name = error instanceof DOMException ? error.name : '';
    const known = REFUSALS[name];
    if (known === undefined) throw error;
    throw new Problem(name, ...known);
  }
}
