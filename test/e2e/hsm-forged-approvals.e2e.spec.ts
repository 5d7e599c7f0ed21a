import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { packBatch } from '#libs/hsm/agent';
import { fromHex } from '#libs/platform';
import type { HsmRequest, PlainApproval, Ticket } from '#libs/signature';
import { hsmRequest, hsmTicket, later, newId, signedApproval, stolenKey } from '../builders/authorisations.js';
import { simulatedPair } from '../builders/hsm-sim.js';
import { RawHsmClient } from '../builders/raw-hsm-client.js';
import { startTestHsm, type TestHsm } from '../env/test-hsm.js';

const [GENERAL, DEVICE] = ['general-1', 'diversification-1'] as const;
const PARAMETERS = { label: 'forged', keyClass: 'dataRoot', algorithm: '3des2' } as const;
const FACTORS = ['3131303030307378', '1100000000000001'].map((hex) => fromHex(hex));

let rig: TestHsm;
let service: RawHsmClient;
let serials: ReadonlyMap<string, string>;
let purchaseRoot: string;
let otherRoot: string;
/** Keys of the two approvers that were stolen or turned: with them anything can be signed well. */
let own: readonly [KeyObject, KeyObject];
const foreign = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;

beforeAll(async () => {
  rig = await startTestHsm({ devices: simulatedPair });
  service = new RawHsmClient(rig.socketDir, 'service');
  serials = new Map((await rig.hsm.devices()).map(({ device, tokenSerial }) => [device, tokenSerial]));
  [purchaseRoot, otherRoot] = [newId(), newId()];
  for (const keyId of [purchaseRoot, otherRoot]) await rig.hsm.generateKey(DEVICE, { keyId, label: 'purchase', keyClass: 'purchaseRoot', algorithm: '3des2' });
  own = [stolenKey(rig.dir, 'rehearsal-1'), stolenKey(rig.dir, 'rehearsal-2')];
});
afterAll(async () => {
  service.close();
  await rig.stop();
});

const deviceEntry = (device: string): { device: string; tokenSerial: string } => ({ device, tokenSerial: serials.get(device) ?? '' });
const requestFor = (keyId: string, changes: Partial<HsmRequest> = {}): HsmRequest => hsmRequest({ keys: [keyId], parameters: PARAMETERS, devices: [deviceEntry(DEVICE)], ...changes });
const bySigners = (subject: object, says: Partial<Omit<PlainApproval, 'signature'>> = {}): PlainApproval[] => own.map((key, i) => signedApproval(key, subject, { approver: `rehearsal-${i + 1}`, ...says }));
const generate = async (keyId: string, authorisation: object | undefined, device = DEVICE as string): Promise<string> =>
  (await service.ask('generateKey', device, { keyId, ...PARAMETERS }, authorisation === undefined ? {} : { authorisation })).code;
const exists = async (keyId: string): Promise<boolean> => (await rig.hsm.inventory(DEVICE)).some((object) => object.keyId === keyId);

describe('an approval', () => {
  it('of two of the policy is taken once, and what stands in it is made', async () => {
    const keyId = newId();
    const request = requestFor(keyId);
    const authorisation = { kind: 'approvals', request, approvals: await rig.quorum.approve(request) };
    expect(await generate(keyId, authorisation)).toBe('ok');
    expect(await exists(keyId)).toBe(true);
    expect(await generate(keyId, authorisation)).toBe('REQUEST_REPLAYED');
    // Also with fresh signatures: the request id is what is used up.
    expect(await generate(keyId, { ...authorisation, approvals: bySigners(request) })).toBe('REQUEST_REPLAYED');
    // The maker undoes its unfinished object without approvals (a late object of a killed command); then it is gone for good.
    expect((await service.ask('destroy', DEVICE, { keyId })).code).toBe('ok');
    expect(await generate(keyId, authorisation)).toBe('REQUEST_REPLAYED');
    expect(await exists(keyId)).toBe(false);
  });

  type Forger = (request: HsmRequest) => readonly PlainApproval[];
  const two = (first: Partial<Omit<PlainApproval, 'signature'>>, second: Partial<Omit<PlainApproval, 'signature'>>, keys: { first?: KeyObject; second?: KeyObject } = {}): Forger => (request) =>
    [signedApproval(keys.first ?? own[0], request, { approver: 'rehearsal-1', ...first }), signedApproval(keys.second ?? own[1], request, { approver: 'rehearsal-2', ...second })];
  const spoiled: Forger = (request) => {
    const [good, other] = bySigners(request) as [PlainApproval, PlainApproval];
    return [good, { ...other, signature: other.signature.replace(/.$/, (last) => (last === '0' ? '1' : '0')) }];
  };
  const nonce = newId();
  const CASES: readonly (readonly [string, string, Forger])[] = [
    ['by nobody', 'QUORUM_NOT_MET', () => []],
    ['by one alone', 'QUORUM_NOT_MET', (request) => bySigners(request).slice(0, 1)],
    ['by one person twice', 'QUORUM_NOT_MET', (request) => [signedApproval(own[0], request, {}), signedApproval(own[0], request, {})]],
    ['by one, sent twice', 'APPROVAL_INVALID', (request) => { const [one] = bySigners(request); return [one as PlainApproval, one as PlainApproval]; }],
    ['with one nonce for both', 'APPROVAL_INVALID', two({ nonce }, { nonce })],
    ['with foreign keys', 'APPROVAL_INVALID', two({}, {}, { first: foreign, second: foreign })],
    ['with one foreign key', 'APPROVAL_INVALID', two({}, {}, { second: foreign })],
    ['with two good ones and a third that is foreign', 'APPROVAL_INVALID', (request) => [...bySigners(request), signedApproval(foreign, request, { approver: 'rehearsal-3' })]],
    ['in the name of another approver', 'APPROVAL_INVALID', two({ approver: 'rehearsal-2' }, { approver: 'rehearsal-1' })],
    ['by somebody who is not on the list', 'APPROVAL_INVALID', two({}, { approver: 'rehearsal-9' })],
    ['that has run out', 'APPROVAL_EXPIRED', two({ notAfter: later(-1) }, {})],
    ['for another version of the policy', 'APPROVAL_INVALID', two({ policyVersion: 2 }, {})],
    ['of another request', 'APPROVAL_INVALID', (request) => bySigners({ ...request, requestId: newId() })],
    ['with a bit of its signature changed', 'APPROVAL_INVALID', spoiled],
    ['whose expiry was changed afterwards', 'APPROVAL_INVALID', (request) => bySigners(request, { notAfter: later(1) }).map((approval) => ({ ...approval, notAfter: later(5) }))],
    ['that rejects', 'APPROVAL_INVALID', (request) => bySigners(request).map((approval) => ({ ...approval, decision: 'reject' as never }))],
  ];
  it.each(CASES)('%s: %s', async (_what, code, forge) => {
    const keyId = newId();
    const request = requestFor(keyId);
    expect(await generate(keyId, { kind: 'approvals', request, approvals: forge(request) })).toBe(code);
    expect(await exists(keyId)).toBe(false);
    // What was refused has used nothing up: the request itself is still good.
    expect(await generate(keyId, { kind: 'approvals', request, approvals: bySigners(request) })).toBe('ok');
  });
});

describe('approvals that are good, of a request that is not the act', () => {
  const CASES: readonly (readonly [string, string, (keyId: string) => Partial<HsmRequest>])[] = [
    ['another key', 'REQUEST_DIFFERS', () => ({ keys: [newId()] })],
    ['one key more', 'REQUEST_DIFFERS', (keyId) => ({ keys: [keyId, newId()] })],
    ['another class', 'REQUEST_DIFFERS', () => ({ parameters: { ...PARAMETERS, keyClass: 'purchaseRoot' } })],
    ['another label', 'REQUEST_DIFFERS', () => ({ parameters: { ...PARAMETERS, label: 'harmless' } })],
    ['another algorithm', 'REQUEST_DIFFERS', () => ({ parameters: { ...PARAMETERS, algorithm: 'aes128' } })],
    ['a parameter more', 'REQUEST_DIFFERS', () => ({ parameters: { ...PARAMETERS, note: 'x' } })],
    ['no parameters', 'REQUEST_DIFFERS', () => ({ parameters: {} })],
    ['another recipe', 'REQUEST_DIFFERS', () => ({ recipe: 'destroy' })],
    ['another device', 'REQUEST_DIFFERS', () => ({ devices: [deviceEntry(GENERAL)] })],
    ['the same device with another token', 'REQUEST_DIFFERS', () => ({ devices: [{ device: DEVICE, tokenSerial: serials.get(GENERAL) ?? '' }] })],
    ['both devices', 'REQUEST_DIFFERS', () => ({ devices: [deviceEntry(DEVICE), deviceEntry(GENERAL)] })],
    ['no device', 'REQUEST_DIFFERS', () => ({ devices: [] })],
    ['another requester', 'REQUEST_DIFFERS', () => ({ requester: 'worker' })],
    ['a time that is over', 'APPROVAL_EXPIRED', () => ({ createdAt: later(-20), notAfter: later(-1) })],
    ['a time that has not come', 'APPROVAL_EXPIRED', () => ({ createdAt: later(5) })],
    ['another version of the policy', 'APPROVAL_INVALID', () => ({ policyVersion: 2 })],
    ['another format', 'APPROVAL_INVALID', () => ({ format: 'hufu/request/2' as never })],
    ['a field that nobody reads', 'APPROVAL_INVALID', () => ({ urgent: true }) as object],
  ];
  it.each(CASES)('%s: %s', async (_what, code, changes) => {
    const keyId = newId();
    const request = requestFor(keyId, changes(keyId));
    expect(await generate(keyId, { kind: 'approvals', request, approvals: bySigners(request) })).toBe(code);
    expect(await exists(keyId)).toBe(false);
  });

  it('a ticket is no approval, an approval no ticket, and neither is anything else', async () => {
    const keyId = newId();
    const [request, ticket] = [requestFor(keyId), hsmTicket({ recipe: 'generateKey', keys: [keyId] })];
    expect(await generate(keyId, { kind: 'ticket', ticket, approvals: bySigners(ticket) })).toBe('APPROVAL_REQUIRED');
    for (const junk of ['yes', true, 1, [], {}, { kind: 'none' }, { kind: 'approvals' }, { kind: 'approvals', request, approvals: 'all' }]) expect(await generate(keyId, junk as object)).toBe('APPROVAL_INVALID');
    expect(await generate(keyId, undefined)).toBe('APPROVAL_REQUIRED');
    expect(await spend({ kind: 'approvals', request, approvals: bySigners(request) })).toBe('TICKET_REQUIRED');
  });
});

/** `count` MACs with the purchase root, under what `authorisation` says. */
async function spend(authorisation: object | undefined, count = 1, client = service, keyId = purchaseRoot): Promise<string> {
  const item = { key: { keyId, factors: FACTORS }, sessionInput: FACTORS[1] as Uint8Array, data: new Uint8Array(8) };
  const batch = packBatch('purchaseMacs', Array.from({ length: count }, () => item));
  return (await client.ask('purchaseMacs', DEVICE, { batch }, authorisation === undefined ? {} : { authorisation })).code;
}

describe('a ticket', () => {
  const ticketed = (changes: Partial<Ticket> = {}, says: Partial<Omit<PlainApproval, 'signature'>> = {}): { kind: string; ticket: Ticket; approvals: PlainApproval[] } => {
    const ticket = hsmTicket({ keys: [purchaseRoot], ...changes });
    return { kind: 'ticket', ticket, approvals: bySigners(ticket, says) };
  };

  it('is counted down to nothing, item by item, and no batch gets more than is left', async () => {
    const authorisation = ticketed({ count: 10 });
    expect(await spend(authorisation, 6)).toBe('ok');
    expect(await spend(authorisation, 5)).toBe('TICKET_SPENT');
    expect(await spend(authorisation, 4)).toBe('ok');
    expect(await spend(authorisation, 1)).toBe('TICKET_SPENT');
    // Signed anew it is the same ticket.
    expect(await spend({ ...authorisation, approvals: bySigners(authorisation.ticket) }, 1)).toBe('TICKET_SPENT');
    expect(await spend(undefined)).toBe('TICKET_REQUIRED');
  });

  it('holds its count when many spend it at once', async () => {
    const authorisation = ticketed({ count: 20 });
    const codes = await Promise.all(Array.from({ length: 40 }, () => spend(authorisation)));
    expect([codes.filter((code) => code === 'ok').length, codes.filter((code) => code === 'TICKET_SPENT').length]).toEqual([20, 20]);
  });

  it('with its count raised under the same id never lives again', async () => {
    const first = ticketed({ count: 3 });
    expect(await spend(first, 3)).toBe('ok');
    const raised = { ...first.ticket, count: 100 };
    // Without the approvers' signatures: refused. With them it is theirs to give, and what was spent stays spent.
    expect(await spend({ ...first, ticket: raised })).toBe('APPROVAL_INVALID');
    expect(await spend({ kind: 'ticket', ticket: raised, approvals: bySigners(raised) }, 98)).toBe('TICKET_SPENT');
  });

  const CASES: readonly (readonly [string, string, () => object])[] = [
    ['over its time', 'TICKET_EXPIRED', () => ticketed({ notBefore: later(-20), notAfter: later(-1) })],
    ['before its time', 'TICKET_EXPIRED', () => ticketed({ notBefore: later(5) })],
    ['of another line', 'TICKET_INVALID', () => ticketed({ line: 'worker' })],
    ['of another recipe', 'TICKET_INVALID', () => ticketed({ recipe: 'tacs' })],
    ['of another key', 'TICKET_INVALID', () => ticketed({ keys: [otherRoot] })],
    ['of another policy', 'TICKET_INVALID', () => ticketed({ policyVersion: 2 })],
    ['signed by one', 'QUORUM_NOT_MET', () => { const good = ticketed(); return { ...good, approvals: good.approvals.slice(0, 1) }; }],
    ['signed with foreign keys', 'APPROVAL_INVALID', () => { const good = ticketed(); return { ...good, approvals: good.approvals.map(({ approver }) => signedApproval(foreign, good.ticket, { approver })) }; }],
    ['with approvals that have run out', 'APPROVAL_EXPIRED', () => ticketed({}, { notAfter: later(-1) })],
    ['with keys added afterwards', 'APPROVAL_INVALID', () => { const good = ticketed({ keys: [otherRoot] }); return { ...good, ticket: { ...good.ticket, keys: [otherRoot, purchaseRoot] } }; }],
    ['for less than nothing', 'TICKET_INVALID', () => ticketed({ count: -1 })],
    ['for a part of an operation', 'TICKET_INVALID', () => ticketed({ count: 1.5 })],
  ];
  it.each(CASES)('%s: %s', async (_what, code, forged) => {
    expect(await spend(forged())).toBe(code);
  });

  it('of the service is nothing in the hands of another client', async () => {
    const authorisation = ticketed();
    for (const name of ['worker', 'doctor']) {
      const other = new RawHsmClient(rig.socketDir, name);
      expect(await spend(authorisation, 1, other)).toBe('HSM_REFUSED');
      other.close();
    }
    expect(await spend(authorisation)).toBe('ok');
    expect(await spend(authorisation, 1, service, otherRoot)).toBe('TICKET_INVALID');
  });
});

describe('a supervisor that was killed', () => {
  it('remembers used requests and spent tickets', async () => {
    const keyId = newId();
    const request = requestFor(keyId);
    const authorisation = { kind: 'approvals', request, approvals: bySigners(request) };
    const ticket = hsmTicket({ keys: [purchaseRoot], count: 5 });
    const spent = { kind: 'ticket', ticket, approvals: bySigners(ticket) };
    expect([await generate(keyId, authorisation), await spend(spent, 5)]).toEqual(['ok', 'ok']);
    rig.supervisor.kill('SIGKILL');
    await service.cut;
    await rig.stop({ keep: true });
    rig = await startTestHsm({ devices: simulatedPair, dir: rig.dir });
    service = new RawHsmClient(rig.socketDir, 'service');
    expect([await generate(keyId, authorisation), await spend(spent)]).toEqual(['REQUEST_REPLAYED', 'TICKET_SPENT']);
  });
});
