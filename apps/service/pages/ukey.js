// @ts-check
import { Problem } from './api.js';
import { site } from './page.js';

/** @typedef {{ keyDigest: string, algorithm: 'p256Sha256' | 'sm2Sm3', publicKey: string, label: string, tokenSerial: string }} UkeyKey */

/** @returns {Promise<UkeyKey[]>} */
export const ukeyKeys = () => ask('GET', '/keys');

/**
 * The agent shows what is to be signed and asks for the PIN at its own window; no PIN passes through this page.
 * @param {object} request
 */
export const ukeySignature = (request) => ask('POST', '/signatures', request);

/**
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 */
async function ask(method, path, body) {
  const { ukeyAgent } = await site();
  const response = await fetch(ukeyAgent + path, { method, credentials: 'omit', cache: 'no-store', ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }) }).catch(() => {
    throw new Problem(
      'UKEY_AGENT_UNREACHABLE',
      { zh: '本机未运行 UKey 代理程序，或它不接受此网址', en: 'The UKey agent does not run on this machine, or does not take this address' },
      { zh: '启动 ./hufu ukey-agent，并在其配置中写入本页网址', en: 'Start ./hufu ukey-agent, and name the address of this page in its configuration' },
    );
  });
  const content = await response.json().catch(() => ({}));
  if (response.ok) return content;
  throw new Problem(
    content.code ?? 'UKEY_REFUSED',
    filled(content.text, content.details) ?? { zh: 'UKey 代理程序拒绝了请求', en: 'The UKey agent refused the request' },
    filled(content.next, content.details) ?? { zh: '查看代理程序窗口中的说明', en: "Read what the agent's window says" },
  );
}

/**
 * @param {import('./api.js').Bilingual | undefined} text with `{names}` of details
 * @param {Record<string, unknown>} [details]
 */
function filled(text, details = {}) {
  if (text === undefined) return undefined;
  const fill = (/** @type {string} */ template) => template.replace(/\{(\w+)\}/g, (whole, name) => (Object.hasOwn(details, name) ? String(details[name]) : whole));
  return { zh: fill(text.zh), en: fill(text.en) };
}
