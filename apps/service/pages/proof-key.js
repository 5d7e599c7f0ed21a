// @ts-check
import { toBase64url, utf8 } from './bytes.js';

/*
 * The key that a session is bound to (RFC 9449). It is made by the browser, is not extractable and stays in this site's own store: a
 * copied cookie is worth nothing without it.
 */
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' };
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' };
const STORE = 'session';

/** @typedef {{ privateKey: CryptoKey, publicKey: CryptoKey }} ProofKey */
/** @typedef {{ key: ProofKey, tokenDigest: string }} KeptSession `tokenDigest`: SHA-256 of the token that the cookie holds, base64url */

/** @returns {Promise<ProofKey>} */
export function makeProofKey() {
  return /** @type {Promise<ProofKey>} */ (crypto.subtle.generateKey(ALGORITHM, false, ['sign', 'verify']));
}

/**
 * The members that a thumbprint covers (RFC 7638 3.2), and no other.
 * @param {ProofKey} key
 */
export async function publicJwk({ publicKey }) {
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey);
  return { kty, crv, x, y };
}

/**
 * A DPoP proof (RFC 9449 4.2) for one request.
 * @param {{ key: ProofKey, method: string, url: string, at: number, tokenDigest?: string | undefined }} request `at` in milliseconds
 */
export async function proof({ key, method, url, at, tokenDigest }) {
  const { origin, pathname } = new URL(url);
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: await publicJwk(key) };
  const claims = { jti: toBase64url(crypto.getRandomValues(new Uint8Array(16))), htm: method, htu: origin + pathname, iat: Math.floor(at / 1000), ...(tokenDigest === undefined ? {} : { ath: tokenDigest }) };
  const signed = [header, claims].map((part) => toBase64url(utf8(JSON.stringify(part)))).join('.');
  return `${signed}.${toBase64url(await crypto.subtle.sign(SIGNING, key.privateKey, utf8(signed)))}`;
}

/** @param {KeptSession} session */
export const keep = (session) => inStore('readwrite', (store) => store.put(session, STORE));
/** @returns {Promise<KeptSession | undefined>} */
export const kept = () => inStore('readonly', (store) => store.get(STORE));
export const forget = () => inStore('readwrite', (store) => store.delete(STORE));

/**
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest} act
 * @returns {Promise<any>}
 */
function inStore(mode, act) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open('hufu', 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const request = act(opening.result.transaction(STORE, mode).objectStore(STORE));
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        resolve(request.result);
        opening.result.close();
      };
    };
  });
}
