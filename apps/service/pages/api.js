// @ts-check
import { forget, kept, proof } from './proof-key.js';

/** @typedef {{ zh: string, en: string }} Bilingual */

/** What went wrong, and what to do next, in both languages. */
export class Problem extends Error {
  /**
   * @param {string} code
   * @param {Bilingual} text
   * @param {Bilingual} next
   */
  constructor(code, text, next) {
    super(text.en);
    this.code = code;
    this.text = text;
    this.next = next;
  }
}

const UNREACHABLE = [
  { zh: '服务无法连接', en: 'The service cannot be reached' },
  { zh: '检查网络后重试；未确认的操作请刷新后核对', en: 'Check the network and try again; look after a refresh whether the last act was done' },
];
const UNKNOWN = [
  { zh: '服务答复无法识别', en: 'The answer of the service cannot be read' },
  { zh: '刷新页面后重试；仍不行时报告系统管理员', en: 'Load the page again; if that does not help, tell a system administrator' },
];

/** After these there is no session any more. */
const OVER = ['NOT_SIGNED_IN', 'SESSION_ENDED'];

/** The service's clock minus this machine's, in milliseconds: proofs carry the time, and operators' machines are often off. */
let clockOffset = 0;

/** The time at the service, in milliseconds since 1970. */
export const serviceNow = () => Date.now() + clockOffset;

/**
 * One request to this site, with the proof of the session if there is one.
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @param {import('./proof-key.js').ProofKey} [newKey] for a session that is being opened
 * @returns {Promise<any>} undefined when the answer has no content
 */
export async function call(method, path, body, newKey) {
  const session = newKey === undefined ? await kept() : { key: newKey, tokenDigest: undefined };
  const url = new URL(path, location.origin).href;
  /** @type {Record<string, string>} */
  const headers = body === undefined ? {} : { 'content-type': 'application/json' };
  if (session !== undefined) headers['dpop'] = await proof({ ...session, method, url, at: serviceNow() });
  const response = await fetch(url, { method, headers, credentials: 'same-origin', redirect: 'error', cache: 'no-store', ...(body === undefined ? {} : { body: JSON.stringify(body) }) }).catch(() => {
    throw new Problem('UNREACHABLE', ...pair(UNREACHABLE));
  });
  const date = Date.parse(response.headers.get('date') ?? '');
  if (!Number.isNaN(date)) clockOffset = date - Date.now();
  const text = await response.text();
  const content = parsed(text);
  if (response.ok) return content;
  if (OVER.includes(content?.code)) await forget();
  if (typeof content?.text?.zh !== 'string' || typeof content?.next?.zh !== 'string') throw new Problem(String(content?.code ?? response.status), ...pair(UNKNOWN));
  throw new Problem(content.code, content.text, content.next);
}

/** @param {string} text */
function parsed(text) {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    throw new Problem('UNKNOWN', ...pair(UNKNOWN));
  }
}

/**
 * @param {Bilingual[]} texts
 * @returns {[Bilingual, Bilingual]}
 */
const pair = (texts) => /** @type {[Bilingual, Bilingual]} */ (texts);
