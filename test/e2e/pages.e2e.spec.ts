import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';
import { Approvals } from '#libs/access';
import { Keys } from '#libs/keys';
import { ERROR_TEXTS } from '#libs/platform';
import { type Approval, type HsmRequest, subjectDigest, subjectLines } from '#libs/signature';
import { BrowserPerson } from '../builders/browser.js';
import { type Office, type Officer, openOffice, typePin } from './rigs/office.js';

const two = { count: 2, roles: { keyAdministrator: 1 } };
let office: Office;

beforeAll(async () => {
  office = await openOffice({ generateKeyPair: two, generateKey: { count: 2, roles: { ownerRepresentative: 1 }, ownerDocument: true }, destroy: two });
}, 120_000);
afterAll(() => office?.close());

async function signIn({ operatorId, person }: Officer, site: string): Promise<void> {
  await person.page.goto(`${site}/sign-in`);
  if (await person.page.locator('#signed-in').isVisible()) return;
  await person.page.waitForSelector('#signed-out:not([hidden]), #signed-in:not([hidden])');
  if (await person.page.locator('#signed-in').isVisible()) return;
  await person.page.fill('#account', operatorId);
  await person.page.keyboard.press('Enter');
  await person.page.waitForSelector('#signed-in:not([hidden])');
}

const alertOf = (page: Page): Promise<string> => page.innerText('#alert:not([hidden])');
const texts = (page: Page, selector: string): Promise<string[]> => page.locator(selector).allInnerTexts();

/** Somebody asks for a key; what becomes of it is looked at by its own outcome. */
function asked(label: string, kind: 'generateSigning' | 'generateRoot' = 'generateSigning'): Promise<string> {
  const keys = office.app.get(Keys);
  const made = kind === 'generateSigning' ? keys.generateSigning({ label, keyClass: 'reportSigning', algorithm: 'p256', device: 'general-1' }) : keys.generateRoot({ label, keyClass: 'purchaseRoot', algorithm: '3des2', device: 'general-1' });
  return made.then(({ state }) => state, (error: { code?: string }) => error.code ?? String(error));
}

async function openRequest({ person }: Officer, label: string): Promise<void> {
  await person.page.goto(`${office.approve}/approve`);
  const row = person.page.locator('#rows tr', { hasText: label });
  for (let n = 0; n < 50 && (await row.count()) === 0; n++) await person.page.click('#refresh').then(() => person.page.waitForTimeout(100));
  await row.getByRole('button').click();
  await person.page.waitForSelector('#opened:not([hidden])');
}

describe('sign-in', () => {
  it('by keyboard alone: who is signed in, in which roles, until when, and out again', async () => {
    const { page } = office.wang.person;
    await page.goto(`${office.console}/sign-in`);
    await page.waitForSelector('#signed-out:not([hidden])');
    await office.wang.person.picture('sign-in');
    for (const name of ['#account', '#by-webauthn']) {
      for (let n = 0; n < 12 && !(await page.locator(name).evaluate((element) => element === element.ownerDocument.activeElement)); n++) await page.keyboard.press('Tab');
      if (name === '#account') await page.keyboard.type('keys-1');
    }
    await page.keyboard.press('Enter');
    await page.waitForSelector('#signed-in:not([hidden])');
    const shown = await page.innerText('#session');
    for (const text of ['keys-1', '密钥管理员', 'key administrator', '+08:00']) expect(shown).toContain(text);
    await page.waitForSelector('#no-notices:not([hidden])');
    await office.wang.person.picture('signed-in');
    await page.reload();
    await page.waitForSelector('#signed-in:not([hidden])');
    await page.focus('#sign-out');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#signed-out:not([hidden])');
    await page.reload();
    await page.waitForSelector('#signed-out:not([hidden])');
  });

  it('a stolen cookie signs nobody in: the key of the browser that it is bound to cannot be copied', async () => {
    await signIn(office.wang, office.console);
    const thief = await BrowserPerson.sitDown(office.browser);
    const cookies = await office.wang.person.cookies();
    expect(cookies.map(({ httpOnly, sameSite, secure, path }) => ({ httpOnly, sameSite, secure, path }))).toContainEqual({ httpOnly: true, sameSite: 'Strict', secure: true, path: '/' });
    await thief.addCookies(cookies);
    const ask = (page: Page): Promise<number> => page.evaluate(async () => (await fetch('/sign-in/session')).status);
    await thief.page.goto(`${office.console}/sign-in`);
    await thief.page.waitForSelector('#signed-out:not([hidden])');
    expect(await ask(thief.page)).toBe(401);
    const kept = await office.wang.person.page.evaluate(`import('/pages/proof-key.js').then(async ({ kept }) => {
      const { privateKey } = (await kept()).key;
      return [privateKey.extractable, await crypto.subtle.exportKey('jwk', privateKey).then(() => 'exported', ({ name }) => name)];
    })`);
    expect(kept).toEqual([false, 'InvalidAccessError']);
    await thief.leave();
  });

  it('a security key that does not recognise its user, an unknown account and an empty one are refused in both languages', async () => {
    const stranger = await BrowserPerson.sitDown(office.browser);
    const key = await stranger.insertSecurityKey();
    const { page } = stranger;
    await page.goto(`${office.console}/sign-in`);
    await page.click('#by-webauthn');
    expect(await alertOf(page)).toMatch(/未填账号[\s\S]*Type your account/);
    await page.fill('#account', 'nobody');
    await page.click('#by-webauthn');
    await page.waitForSelector('#alert:has-text("NotAllowedError")');
    expect(await alertOf(page)).toMatch(/安全密钥未完成操作[\s\S]*Insert the registered security key/);
    await stranger.picture('sign-in-refused');
    await key.remove();
    await stranger.leave();
    await office.wang.key.verifiesUser(false);
    const { page: own } = office.wang.person;
    await own.goto(`${office.console}/sign-in`);
    await own.waitForSelector('#signed-in:not([hidden])');
    await own.click('#prove-webauthn');
    expect(await alertOf(own)).toContain('NotAllowedError');
    await office.wang.key.verifiesUser(true);
    await own.click('#prove-webauthn');
    await own.waitForSelector('#status:has-text("已再次验证")');
  });
});

describe('a request from the page of another site', () => {
  it('changes nothing, whoever looks at that page', async () => {
    const post = (origin: string | undefined): Promise<{ statusCode: number; body: string }> => office.app.inject({ method: 'POST', url: '/sign-in/challenges', headers: origin === undefined ? {} : { origin }, payload: {} });
    for (const foreign of ['https://evil.example', 'null', 'http://hufu.localhost', office.console.replace('http:', 'https:'), office.console.replace('hufu', 'evil.hufu'), '']) {
      const { statusCode, body } = await post(foreign);
      expect([foreign, statusCode, (JSON.parse(body) as { code: string }).code]).toEqual([foreign, 403, 'ORIGIN_REFUSED']);
      expect(body).toContain(ERROR_TEXTS.ORIGIN_REFUSED.next.zh);
    }
    for (const own of [office.console, office.approve, undefined]) expect([own, (await post(own)).statusCode]).toEqual([own, 400]);
  });
});

describe('approvals', () => {
  beforeEach(async () => {
    for (const officer of [office.wang, office.li]) await signIn(officer, office.approve);
  });

  it('whoever is not signed in at the approval site sees where to go; nothing waits says so', async () => {
    const nobody = await BrowserPerson.sitDown(office.browser);
    await nobody.page.goto(`${office.approve}/approve`);
    await nobody.page.waitForSelector('#nobody:not([hidden])');
    await nobody.page.click('#nobody a');
    await nobody.page.waitForURL(`${office.approve}/sign-in`);
    await nobody.leave();
    const { page } = office.wang.person;
    await page.goto(`${office.approve}/approve`);
    await page.waitForSelector('#nothing:not([hidden])');
    await office.wang.person.picture('approve-empty');
  });

  it('every signed line is shown, a security key and a UKey approve, and the HSM makes the key', async () => {
    const outcome = asked('report-1');
    const { page } = office.wang.person;
    await openRequest(office.wang, 'report-1');
    const request = office.app.get(Approvals).pending().map(({ subject }) => subject as HsmRequest).find(({ parameters }) => parameters['label'] === 'report-1');
    expect(await texts(page, '#lines dt')).toEqual(subjectLines(request as HsmRequest).map(({ name: { zh, en } }) => `${zh} ${en}`));
    expect(await texts(page, '#lines dd')).toEqual(subjectLines(request as HsmRequest).map(({ value }) => value));
    expect(await page.locator('#progress').innerText()).toMatch(/2 人[\s\S]*1 × 密钥管理员[\s\S]*截止[\s\S]* · 1[0-5]:[0-5][0-9]/);
    await office.wang.person.picture('approve-request');
    await page.click('#approve-webauthn');
    await page.waitForSelector('#status:has-text("还缺 1 人")');
    await office.wang.person.picture('approved-one');
    expect(await page.locator('#rows tr', { hasText: 'report-1' }).innerText()).toMatch(/1 \/ 2[\s\S]*你已审批/);

    await openRequest(office.li, 'report-1');
    await office.li.person.page.click('#approve-ukey');
    const shown = await typePin(office.agent, office.ukey, 'y');
    for (const part of subjectDigest(request as HsmRequest).match(/.{16}/g) ?? []) expect(shown).toContain(part);
    await office.li.person.page.waitForSelector('#status:has-text("人数已足")');
    expect(await outcome).toBe('active');
    const given = (await office.entries('approvals.approve')).map(({ approval }) => approval as Approval);
    expect(given.map(({ method, approver }) => [method, approver])).toEqual(expect.arrayContaining([['webauthn', 'keys-1'], ['ukey', 'keys-2']]));
  });

  it('one rejection with its reason ends it, and none without', async () => {
    const outcome = asked('report-2');
    const { page } = office.li.person;
    await openRequest(office.li, 'report-2');
    await page.click('#reject');
    expect(await alertOf(page)).toMatch(/未填拒绝理由/);
    await page.fill('#reason', '标签不对');
    await page.click('#reject');
    await page.waitForSelector('#status:has-text("已拒绝")');
    expect(await outcome).toBe('APPROVAL_REFUSED');
    expect(await office.entries('approvals.refuse')).toContainEqual({ approver: 'keys-2', reason: '标签不对' });
  });

  it('content that was exchanged on its way is neither shown nor signed', async () => {
    const outcome = asked('report-3');
    const { page } = office.wang.person;
    await page.route('**/approvals', async (route) => {
      // The service's own answer, changed by somebody in between.
      const { statusCode, headers, body } = await office.app.inject({ method: 'GET', url: '/approvals', headers: await route.request().allHeaders() });
      await route.fulfill({ status: statusCode, headers: { 'content-type': String(headers['content-type']) }, body: body.replaceAll('report-3', 'report-X') });
    });
    await page.goto(`${office.approve}/approve`);
    const row = page.locator('#rows tr', { hasText: 'report-X' });
    for (let n = 0; n < 50 && (await row.count()) === 0; n++) await page.click('#refresh').then(() => page.waitForTimeout(100));
    await row.getByRole('button').click();
    expect(await alertOf(page)).toMatch(/内容与编号不符[\s\S]*Do not approve/);
    expect(await page.locator('#opened').isVisible()).toBe(false);
    await page.unrouteAll();
    await openRequest(office.wang, 'report-3');
    await page.fill('#reason', 'test');
    await page.click('#reject');
    expect(await outcome).toBe('APPROVAL_REFUSED');
  });

  it("the owner's document counts when two enter its number and the digest of its scan", async () => {
    const outcome = asked('root-1', 'generateRoot');
    const enter = async ({ person: { page } }: Officer): Promise<void> => {
      await page.click('#document summary');
      await page.setInputFiles('#document-scan', { name: 'scan.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF scan') });
      await page.fill('#document-number', '人社〔2026〕7号');
    };
    const { page } = office.wang.person;
    await openRequest(office.wang, 'root-1');
    await enter(office.wang);
    await page.fill('#document-number', '');
    await page.click('#approve-webauthn');
    expect(await alertOf(page)).toMatch(/批件须同时有文号和扫描件/);
    await page.fill('#document-number', '人社〔2026〕7号');
    await office.wang.person.picture('approve-document');
    await page.click('#approve-webauthn');
    await page.waitForSelector('#status:has-text("还缺")');
    await openRequest(office.li, 'root-1');
    await enter(office.li);
    await office.li.person.page.click('#approve-ukey');
    expect(await typePin(office.agent, office.ukey, 'y')).toContain('人社〔2026〕7号');
    await office.li.person.page.waitForSelector('#status:has-text("人数已足")');
    expect(await outcome).toBe('preActive');
  });

  it('a long list has pages, and what was opened closes by Escape', async () => {
    const outcomes = Array.from({ length: 14 }, (_, n) => asked(`many-${n}`));
    const { page } = office.wang.person;
    await page.goto(`${office.approve}/approve`);
    for (let n = 0; n < 50 && !(await page.innerText('#page-number')).includes('(14)'); n++) await page.click('#refresh').then(() => page.waitForTimeout(100));
    expect([await page.locator('#rows tr').count(), await page.innerText('#page-number')]).toEqual([12, '1 / 2 (14)']);
    await office.wang.person.picture('approve-list');
    await page.click('#after');
    expect(await page.locator('#rows tr').count()).toBe(2);
    await page.locator('#rows button').first().click();
    await page.waitForSelector('#opened:not([hidden])');
    await page.keyboard.press('Escape');
    await page.waitForSelector('#waiting:not([hidden])');
    const csp: string[] = [];
    page.on('console', (message) => void csp.push(message.text()));
    for (const path of ['/approve', '/sign-in', '/enrol']) await page.goto(office.approve + path).then(() => page.waitForTimeout(300));
    expect(csp).toEqual([]);
    const approvals = office.app.get(Approvals);
    for (const { id } of approvals.pending()) await approvals.refuse('keys-1', id, 'test');
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['APPROVAL_REFUSED']));
  });
});
