// @ts-check
import { call, Problem } from './api.js';

/** @typedef {{ zh: string, en: string }} Bilingual */
/** @typedef {{ console: string, approve: string, clientCertificates: string | null, ukeyAgent: string, roles: Record<string, Bilingual> }} Site */

/** @type {Promise<Site> | undefined} */
let known;

/** Where the sites and the UKey agent are, and what roles are called. */
export function site() {
  known ??= call('GET', '/pages/site.json');
  return known;
}

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function at(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`no #${id}`);
  return found;
}

/** @param {string} id */
export const field = (id) => /** @type {HTMLInputElement} */ (at(id));

/**
 * @param {string} tag
 * @param {Record<string, string>} attributes
 * @param {...(Node | string)} children
 */
export function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/**
 * Both languages, Chinese first.
 * @param {Bilingual} text
 */
export function both({ zh, en }) {
  return element('span', { class: 'both' }, element('span', { lang: 'zh-CN' }, zh), ' ', element('span', { lang: 'en' }, en));
}

/**
 * A button that works once at a time; what goes wrong is shown in the page's alert.
 * @param {HTMLElement} button
 * @param {() => Promise<void>} act
 */
export function does(button, act) {
  button.addEventListener('click', () => void during(/** @type {HTMLButtonElement} */ (button), act));
}

/**
 * @param {HTMLButtonElement} button
 * @param {() => Promise<void>} act
 */
async function during(button, act) {
  if (button.getAttribute('aria-disabled') === 'true') return;
  // Not `disabled`: that would throw the keyboard's place away.
  button.setAttribute('aria-disabled', 'true');
  try {
    await attempt(act);
  } finally {
    button.removeAttribute('aria-disabled');
  }
}

/**
 * Runs an act, and shows its problem if it has one. Answers whether it was done.
 * @param {() => Promise<void>} act
 */
export async function attempt(act) {
  clear('alert');
  clear('status');
  try {
    await act();
    return true;
  } catch (error) {
    showProblem(error);
    return false;
  }
}

/** @param {unknown} error */
export function showProblem(error) {
  const problem =
    error instanceof Problem
      ? error
      : new Problem('PAGE', { zh: '页面出错', en: 'The page failed' }, { zh: `刷新后重试（${String(error)}）`, en: 'Load it again and retry' });
  at('alert').replaceChildren(
    element('p', {}, element('strong', {}, '✗ '), both(problem.text)),
    element('p', {}, element('strong', {}, '→ '), both(problem.next)),
    element('p', { class: 'code' }, problem.code),
  );
  at('alert').hidden = false;
}

/** @param {Bilingual} text */
export function say(text) {
  at('status').replaceChildren(element('p', {}, element('strong', {}, '✓ '), both(text)));
  at('status').hidden = false;
}

/** @param {string} id */
function clear(id) {
  at(id).replaceChildren();
  at(id).hidden = true;
}

/**
 * Shows one of several parts and puts the keyboard at its heading.
 * @param {string} shown
 * @param {readonly string[]} parts
 */
export function show(shown, parts) {
  for (const part of parts) at(part).hidden = part !== shown;
  const heading = at(shown).querySelector('h1, h2');
  if (heading instanceof HTMLElement) {
    heading.tabIndex = -1;
    heading.focus();
  }
}

/**
 * Local time with its offset, to the second: 2026-11-24 16:05:09 +08:00.
 * @param {string | number} moment
 */
export function time(moment) {
  const date = new Date(moment);
  const two = (/** @type {number} */ number) => String(Math.trunc(Math.abs(number))).padStart(2, '0');
  const minutes = -date.getTimezoneOffset();
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')} ${minutes < 0 ? '-' : '+'}${two(minutes / 60)}:${two(minutes % 60)}`;
}

/**
 * @param {string} id
 * @param {readonly (readonly [Bilingual, string | Node])[]} rows
 */
export function list(id, rows) {
  at(id).replaceChildren(...rows.flatMap(([name, value]) => [element('dt', {}, both(name)), element('dd', {}, value)]));
}

/** @param {string} hex */
export const inFours = (hex) => hex.match(/.{1,4}/g)?.join(' ') ?? '';

/**
 * Asks which key of several is meant; with one there is nothing to ask.
 * @template T
 * @param {readonly T[]} keys
 * @param {(key: T) => string} name
 * @returns {Promise<T>}
 */
export async function choose(keys, name) {
  const [first] = keys;
  if (first === undefined) throw new Problem('UKEY_EMPTY', { zh: 'UKey 中没有可用的密钥', en: 'The UKey holds no key' }, { zh: '插入 UKey，或换一个', en: 'Insert the UKey, or take another' });
  if (keys.length === 1) return first;
  const dialog = /** @type {HTMLDialogElement} */ (at('choice'));
  return new Promise((resolve, reject) => {
    const buttons = keys.map((key) => {
      const button = element('button', { type: 'button' }, name(key));
      button.addEventListener('click', () => {
        resolve(key);
        dialog.close();
      });
      return button;
    });
    dialog.onclose = () => reject(new Problem('CANCELLED', { zh: '未选择密钥', en: 'No key was chosen' }, { zh: '重新操作并选择一个', en: 'Start again and choose one' }));
    at('choices').replaceChildren(...buttons);
    dialog.showModal();
  });
}
