import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { derBitString, derBoolean, derContext, derInteger, derOctetString, derOid, derSequence, derTime, isAppError } from '#libs/platform/domain';
import { GuardedClock, Logger } from '#libs/platform/host';
import { type PlainApproval, type Authorisation, type HsmRequest, type QuorumPolicy, subjectDigest, type Ticket, ticketDigest } from '#libs/signature';
import { signPolicy, testApprover, testPolicy } from '../../../../test/builders/quorum.js';
import { webauthnApprover } from '../../../../test/builders/webauthn-approver.js';
import { POLICY_RULES } from '../domain/authority.js';
import { packBatch } from '../domain/batch.js';
import type { RecipeName } from '../domain/recipes.js';
import { describeRequest } from '../domain/request-description.js';
import { Gate, type GateOrder } from './gate.js';
import { PolicyFolder } from './policy-folder.js';
import { SupervisorTime } from './supervisor-time.js';
import { RESERVED_AHEAD } from './ticket-counts.js';

const START = Date.parse('2026-06-01T08:00:00.000Z');
const MINUTE = 60_000;
const people = [testApprover('a', { roles: ['securityOfficer'] }), testApprover('b', { roles: ['keyOfficer'] }), testApprover('c', { roles: ['keyOfficer'], algorithm: 'sm2Sm3' })];
const [a, b, c] = people as [(typeof people)[0], (typeof people)[0], (typeof people)[0]];
const RULES: QuorumPolicy['rules'] = Object.fromEntries(POLICY_RULES.map((rule) => [rule, { count: 2, roles: { securityOfficer: 1 } }]));
const one = testPolicy(people, RULES);

const GENERAL = { device: 'general-1', tokenSerial: 'A1' };
const OTHER = { device: 'diversification-1', tokenSerial: 'B2' };
const id = (n: number): string => n.toString(16).toUpperCase().padStart(32, '0');
const KEY = id(1);

let nowMs: number;
let folder: string;
let gates: Gate[];
beforeEach(() => {
  nowMs = START;
  gates = [];
  folder = mkdtempSync(join(tmpdir(), 'hufu-gate-'));
  for (const name of ['policy', 'state']) mkdirSync(join(folder, name));
  putPolicy(one, people);
});
afterEach(() => {
  for (const gate of gates) gate.close();
  rmSync(folder, { recursive: true, force: true });
});

const putPolicy = (policy: QuorumPolicy, signers: typeof people): void => writeFileSync(join(folder, 'policy', `${policy.version}.json`), JSON.stringify(signPolicy(policy, signers)));

/** A supervisor that starts on the same folders. */
function openGate(now = (): Date => new Date(nowMs)): Gate {
  const gate = new Gate(new PolicyFolder(join(folder, 'policy'), join(folder, 'state')), join(folder, 'state'), now);
  gates.push(gate);
  return gate;
}

const order = (recipe: RecipeName, request: object, changes: Partial<GateOrder> = {}): GateOrder => ({ client: 'service', recipe, devices: [GENERAL], holders: [], request, authorisation: undefined, ...changes });
const generate = (changes: Partial<GateOrder> = {}, label = 'root'): GateOrder => order('generateKey', { keyId: KEY, label, keyClass: 'dataRoot', algorithm: '3des2' }, changes);
const tacs = (count: number, changes: Partial<GateOrder> = {}): GateOrder =>
  order('tacs', { batch: packBatch('tacs', Array.from({ length: count }, () => ({ key: { keyId: KEY, factors: [Uint8Array.of(1, 1, 1, 1, 1, 1, 1, 1), Uint8Array.of(2, 2, 2, 2, 2, 2, 2, 2)] }, data: new Uint8Array(16) }))) }, changes);

let nextId = 100;
/** What an honest client would ask for this order, approved by `signers`. */
function approved(of: GateOrder, changes: Partial<HsmRequest> = {}, signers = [a, b], overrides: Partial<PlainApproval> = {}): GateOrder {
  const { keys, parameters } = describeRequest(of.recipe, of.request);
  const request = {
    format: 'hufu/request/1', requestId: id(nextId++), requester: of.client, recipe: of.recipe, devices: [...of.devices], keys: [...keys], parameters,
    policyVersion: 1, createdAt: new Date(START - MINUTE).toISOString(), notAfter: new Date(START + 15 * MINUTE).toISOString(), ...changes,
  } as HsmRequest;
  const authorisation: Authorisation = { kind: 'approvals', request, approvals: signers.map((signer) => signer.approve(request, { policyVersion: request.policyVersion, ...overrides })) };
  return { ...of, authorisation };
}

function ticket(changes: Partial<Ticket> = {}, signers = [a, c], overrides: Partial<PlainApproval> = {}): Authorisation {
  const made: Ticket = {
    format: 'hufu/ticket/1', ticketId: id(nextId++), line: 'service', recipe: 'tacs', keys: [KEY], count: 100,
    notBefore: new Date(START).toISOString(), notAfter: new Date(START + 600 * MINUTE).toISOString(), policyVersion: 1, ...changes,
  };
  return { kind: 'ticket', ticket: made, approvals: signers.map((signer) => signer.approve(made, { policyVersion: made.policyVersion, ...overrides })) };
}

const codeOf = (act: Promise<unknown>): Promise<string> => act.then(() => 'ok', (error: unknown) => (isAppError(error) ? error.code : String(error)));
const pass = (gate: Gate, what: GateOrder): Promise<string> => codeOf(gate.pass(what));

describe('approvals', () => {
  it('what was approved runs once, also under a supervisor that starts anew', async () => {
    const gate = openGate();
    const asked = approved(generate());
    expect(await pass(gate, generate())).toBe('APPROVAL_REQUIRED');
    expect(await pass(gate, asked)).toBe('ok');
    expect(await pass(gate, asked)).toBe('REQUEST_REPLAYED');
    expect(await pass(openGate(), asked)).toBe('REQUEST_REPLAYED');
  });

  it('of two that come at the same time one runs', async () => {
    const gate = openGate();
    const asked = approved(generate());
    expect((await Promise.all([pass(gate, asked), pass(gate, asked)])).sort()).toEqual(['REQUEST_REPLAYED', 'ok']);
  });

  it('is on disk before it is released', async () => {
    const gate = openGate();
    const asked = approved(generate());
    const { request } = asked.authorisation as Extract<Authorisation, { kind: 'approvals' }>;
    await gate.pass(asked);
    expect(readFileSync(join(folder, 'state', 'used-requests.log'), 'utf8')).toBe(`${request.requestId}\n`);
  });

  it('a client that is told what it lacks is told all that an approver must see', async () => {
    const error = await openGate().pass(generate()).catch((refused: unknown) => refused);
    expect(error).toMatchObject({ code: 'APPROVAL_REQUIRED', details: { recipe: 'generateKey', rule: 'generateKey', count: 2, policyVersion: 1, devices: ['general-1 A1'], keys: [KEY] } });
  });

  it.each<[string, () => GateOrder, string]>([
    ['one approval', () => approved(generate(), {}, [a]), 'QUORUM_NOT_MET'],
    ['two without the needed role', () => approved(generate(), {}, [b, c]), 'QUORUM_NOT_MET'],
    ['the same person twice', () => approved(generate(), {}, [a, a]), 'QUORUM_NOT_MET'],
    ['a stranger', () => approved(generate(), {}, [a, testApprover('b')]), 'APPROVAL_INVALID'],
    ['no approvals', () => approved(generate(), {}, []), 'QUORUM_NOT_MET'],
    ['an expired approval', () => approved(generate(), {}, [a, b], { notAfter: new Date(START).toISOString() }), 'APPROVAL_EXPIRED'],
    ['an expired request', () => approved(generate(), { notAfter: new Date(START).toISOString() }), 'APPROVAL_EXPIRED'],
    ['a request of the future', () => approved(generate(), { createdAt: new Date(START + 1).toISOString() }), 'APPROVAL_EXPIRED'],
    ['another policy version', () => approved(generate(), { policyVersion: 2 }), 'APPROVAL_INVALID'],
    ['another client', () => approved(generate(), { requester: 'worker' }), 'REQUEST_DIFFERS'],
    ['another recipe', () => approved(generate(), { recipe: 'generateKeyPair' }), 'REQUEST_DIFFERS'],
    ['another key', () => approved(generate(), { keys: [id(2)] }), 'REQUEST_DIFFERS'],
    ['another device', () => approved(generate(), { devices: [OTHER] }), 'REQUEST_DIFFERS'],
    ['another token in the same device', () => approved(generate(), { devices: [{ ...GENERAL, tokenSerial: 'A2' }] }), 'REQUEST_DIFFERS'],
    ['one device more', () => approved(generate(), { devices: [GENERAL, OTHER] }), 'REQUEST_DIFFERS'],
    ['another label', () => approved(generate(), { parameters: { label: 'toor', keyClass: 'dataRoot', algorithm: '3des2' } }), 'REQUEST_DIFFERS'],
    ['one parameter less', () => approved(generate(), { parameters: { label: 'root', keyClass: 'dataRoot' } }), 'REQUEST_DIFFERS'],
    ['a ticket in its place', () => generate({ authorisation: ticket({ recipe: 'generateKey' }) }), 'APPROVAL_REQUIRED'],
    ['anything else', () => generate({ authorisation: true }), 'APPROVAL_INVALID'],
    ['nothing in particular', () => generate({ authorisation: null }), 'APPROVAL_INVALID'],
    ['a field too many', () => ({ ...generate(), authorisation: { ...(approved(generate()).authorisation as object), trusted: true } }), 'APPROVAL_INVALID'],
  ])('refused with %s', async (_name, asked, code) => {
    const gate = openGate();
    expect(await pass(gate, asked())).toBe(code);
    expect(readFileSync(join(folder, 'state', 'used-requests.log'), 'utf8')).toBe('');
  });

  it('the requester is no approver', async () => {
    const service = testApprover('service', { roles: ['securityOfficer'] });
    const policy = testPolicy([...people, service], RULES);
    rmSync(join(folder, 'policy', '1.json'));
    putPolicy(policy, [...people, service]);
    expect(await pass(openGate(), approved(generate(), {}, [a, service]))).toBe('APPROVAL_INVALID');
  });

  it('a CA certificate needs approvals over its exact bytes; a CRL and a report need none', async () => {
    const gate = openGate();
    const certificate = (serial: number): Uint8Array => tbsOf(serial, derSequence(derOid('2.5.29.19'), derBoolean(true), derOctetString(derSequence(derBoolean(true)))));
    const sign = (purpose: string, bytes: Uint8Array): GateOrder => order('sign', { items: [{ keyId: KEY, purpose, bytes }] });
    const asked = approved(sign('tbsCertificate', certificate(1)));
    expect(await pass(gate, sign('tbsCertificate', certificate(1)))).toBe('APPROVAL_REQUIRED');
    expect(await pass(gate, { ...sign('tbsCertificate', certificate(2)), authorisation: asked.authorisation })).toBe('REQUEST_DIFFERS');
    expect(await pass(gate, { ...sign('tbsCertificate', certificate(1)), authorisation: ticket({ recipe: 'sign:certificate' }) })).toBe('APPROVAL_REQUIRED');
    expect(await pass(gate, asked)).toBe('ok');
    for (const purpose of ['tbsCrl', 'ocspResponse', 'report']) expect(await pass(gate, sign(purpose, certificate(1)))).toBe('ok');
  });
});

function tbsOf(serial: number, ...extensions: readonly Uint8Array[]): Uint8Array {
  const at = derTime(new Date('2026-01-01T00:00:00Z'));
  return derSequence(derContext(0, derInteger(2)), derInteger(serial), derSequence(), derSequence(), derSequence(at, at), derSequence(), derSequence(derSequence(), derBitString(new Uint8Array(65))), derContext(3, derSequence(...extensions)));
}

describe('tickets', () => {
  const spend = (gate: Gate, authorisation: Authorisation, count = 1): Promise<string> => pass(gate, tacs(count, { authorisation }));

  it('are counted down to the last operation', async () => {
    const gate = openGate();
    const bought = ticket({ count: 10 });
    expect(await pass(gate, tacs(1))).toBe('TICKET_REQUIRED');
    expect(await spend(gate, bought, 4)).toBe('ok');
    expect(await spend(gate, bought, 7)).toBe('TICKET_SPENT');
    expect(await spend(gate, bought, 6)).toBe('ok');
    expect(await spend(gate, bought)).toBe('TICKET_SPENT');
  });

  it('are spent for good, also after a restart', async () => {
    const bought = ticket({ count: 10 });
    expect(await spend(openGate(), bought, 10)).toBe('ok');
    expect(await spend(openGate(), bought)).toBe('TICKET_SPENT');
  });

  it('a restart burns what was written down ahead and no more, and gives nothing out twice', async () => {
    const bought = ticket({ count: 1000 });
    const before = openGate();
    for (let n = 0; n < 3; n++) expect(await spend(before, bought, 100)).toBe('ok');
    const after = openGate();
    const left = await after.pass(tacs(1000, { authorisation: bought })).catch((error: unknown) => (isAppError(error) ? Number(error.details['left']) : -1));
    expect(left).toBeLessThanOrEqual(700);
    expect(left).toBeGreaterThanOrEqual(700 - RESERVED_AHEAD);
    expect(await spend(after, bought, left as number)).toBe('ok');
    expect(await spend(after, bought)).toBe('TICKET_SPENT');
  });

  it('many at the same time never exceed the count', async () => {
    const gate = openGate();
    const bought = ticket({ count: 100 });
    const codes = await Promise.all(Array.from({ length: 60 }, () => spend(gate, bought, 3)));
    expect(codes.filter((code) => code === 'ok')).toHaveLength(33);
    expect(codes.filter((code) => code === 'TICKET_SPENT')).toHaveLength(27);
  });

  it('their count belongs to the ticket, whoever signed it', async () => {
    const gate = openGate();
    const bought = ticket({ count: 10 }) as Extract<Authorisation, { kind: 'ticket' }>;
    const again: Authorisation = { ...bought, approvals: [a, b].map((signer) => signer.approve(bought.ticket)) };
    expect(await spend(gate, bought, 10)).toBe('ok');
    expect(await spend(gate, again)).toBe('TICKET_SPENT');
  });

  it.each<[string, () => Authorisation, string]>([
    ['one approval', () => ticket({}, [a]), 'QUORUM_NOT_MET'],
    ['a stranger', () => ticket({}, [a, testApprover('c', { algorithm: 'sm2Sm3' })]), 'APPROVAL_INVALID'],
    ['expired approvals', () => ticket({}, [a, c], { notAfter: new Date(START).toISOString() }), 'APPROVAL_EXPIRED'],
    ['another line', () => ticket({ line: 'worker' }), 'TICKET_INVALID'],
    ['another recipe', () => ticket({ recipe: 'commandMacs' }), 'TICKET_INVALID'],
    ['another key', () => ticket({ keys: [id(2)] }), 'TICKET_INVALID'],
    ['another policy version', () => ticket({ policyVersion: 2 }), 'TICKET_INVALID'],
    ['its time over', () => ticket({ notAfter: new Date(START).toISOString() }), 'TICKET_EXPIRED'],
    ['its time not come', () => ticket({ notBefore: new Date(START + 1).toISOString() }), 'TICKET_EXPIRED'],
    ['approvals in its place', () => approved(tacs(1)).authorisation as Authorisation, 'TICKET_REQUIRED'],
  ])('refused with %s', async (_name, bought, code) => {
    const gate = openGate();
    expect(await spend(gate, bought())).toBe(code);
    expect(readFileSync(join(folder, 'state', 'tickets.log'), 'utf8')).toBe('');
  });

  it('once taken it goes by its digest, for its own line, recipe, keys and count', async () => {
    const gate = openGate();
    const bought = ticket({ count: 5 }) as Extract<Authorisation, { kind: 'ticket' }>;
    const named: Authorisation = { kind: 'ticketDigest', digest: ticketDigest(bought) };
    expect(await spend(gate, named, 1)).toBe('TICKET_UNKNOWN');
    expect(await spend(gate, bought, 1)).toBe('ok');
    expect(await spend(gate, named, 2)).toBe('ok');
    expect(await pass(gate, { ...tacs(1, { authorisation: named }), client: 'worker' })).toBe('TICKET_INVALID');
    expect(await spend(gate, named, 3)).toBe('TICKET_SPENT');
    expect(await spend(gate, named, 2)).toBe('ok');
    expect(await spend(openGate(), named, 1)).toBe('TICKET_UNKNOWN');
  });
  it('a digest is no approval', async () => {
    const gate = openGate();
    const bought = ticket() as Extract<Authorisation, { kind: 'ticket' }>;
    expect(await spend(gate, bought, 1)).toBe('ok');
    expect(await pass(gate, generate({ authorisation: { kind: 'ticketDigest', digest: ticketDigest(bought) } }))).toBe('APPROVAL_REQUIRED');
  });

  it('a changed count is another ticket', async () => {
    const bought = ticket({ count: 1 }) as Extract<Authorisation, { kind: 'ticket' }>;
    expect(await spend(openGate(), { ...bought, ticket: { ...bought.ticket, count: 1000 } }, 2)).toBe('APPROVAL_INVALID');
  });

  it('run out while they are in use; their approvals do not, also not by a restart', async () => {
    const gate = openGate();
    const bought = ticket({}, [a, c], { notAfter: new Date(START + 15 * MINUTE).toISOString() });
    expect(await spend(gate, bought)).toBe('ok');
    nowMs += 30 * MINUTE;
    expect(await spend(gate, bought)).toBe('ok');
    const after = openGate();
    expect(await spend(after, bought)).toBe('ok');
    const unseen = ticket({}, [a, c], { notAfter: new Date(START + 15 * MINUTE).toISOString() });
    expect(await spend(after, unseen)).toBe('APPROVAL_EXPIRED');
    nowMs += 600 * MINUTE;
    for (const each of [gate, after]) expect(await spend(each, bought)).toBe('TICKET_EXPIRED');
  });
});

describe('undoing', () => {
  const undo = (device = GENERAL): GateOrder => order('destroy', { keyId: KEY }, { devices: [device] });

  it('what an approved act has just made may be destroyed by its maker, again and after a restart; nothing else', async () => {
    const gate = openGate();
    expect(await pass(gate, undo())).toBe('APPROVAL_REQUIRED');
    await gate.pass(approved(generate()));
    expect(await pass(gate, undo(OTHER))).toBe('APPROVAL_REQUIRED');
    expect(await pass(gate, order('destroy', { keyId: id(2) }))).toBe('APPROVAL_REQUIRED');
    for (const each of [gate, gate, openGate()]) expect(await pass(each, undo())).toBe('ok');
  });

  it('a copy is made in the target', async () => {
    const gate = openGate();
    await gate.pass(approved(order('transfer', { keyId: KEY, from: GENERAL.device, to: OTHER.device }, { devices: [GENERAL, OTHER], holders: [GENERAL.device] })));
    expect(await pass(gate, undo(GENERAL))).toBe('APPROVAL_REQUIRED');
    expect(await pass(gate, undo(OTHER))).toBe('ok');
  });

  const sign = (changes: Partial<GateOrder> = {}): GateOrder => order('sign', { items: [{ keyId: KEY, purpose: 'report', bytes: Uint8Array.of(1) }] }, changes);
  it.each<[string, () => GateOrder]>([
    ['sealing', () => approved(order('seal', { keyId: KEY }))],
    ['a signature', () => sign()],
    ['a signature by any device of the group', () => sign({ devices: [] })],
    ['work under a ticket', () => tacs(1, { devices: [], authorisation: ticket() })],
  ])('%s ends that for good', async (_name, use) => {
    const gate = openGate();
    await gate.pass(approved(generate()));
    await gate.pass(use());
    for (const each of [gate, openGate()]) expect(await pass(each, undo())).toBe('APPROVAL_REQUIRED');
  });

  it('an approval to make what is there already gives no right to destroy it', async () => {
    const gate = openGate();
    await gate.pass(approved(generate({ holders: [GENERAL.device] })));
    expect(await pass(gate, undo())).toBe('APPROVAL_REQUIRED');
  });
});

describe('sign counts', () => {
  const authenticator = webauthnApprover('w', { roles: ['keyOfficer'] });
  beforeEach(() => {
    rmSync(join(folder, 'policy', '1.json'));
    authenticator.count = 0;
    const policy = { ...one, approvers: [...one.approvers, authenticator.entry] };
    putPolicy(policy, people);
  });
  const counted = (count: number): GateOrder => {
    const asked = approved(generate(), {}, [a]);
    const { request, approvals } = asked.authorisation as Extract<Authorisation, { kind: 'approvals' }>;
    authenticator.count = count - 1;
    return { ...asked, authorisation: { kind: 'approvals', request, approvals: [...approvals, authenticator.approve(request)] } };
  };

  it('a count stands for one approval: a second one under it is of a cloned authenticator, also after a restart', async () => {
    const gate = openGate();
    expect(await pass(gate, counted(7))).toBe('ok');
    for (const each of [gate, openGate()]) {
      const error = await each.pass(counted(7)).catch((refused: unknown) => refused);
      expect(error).toMatchObject({ code: 'APPROVAL_INVALID', details: { reason: expect.stringContaining('cloned') } });
    }
    expect(await pass(gate, counted(8))).toBe('ok');
  });

  it('approvals that arrive in another order than they were signed pass', async () => {
    const gate = openGate();
    const [early, late] = [counted(3), counted(4)];
    expect([await pass(gate, late), await pass(gate, early)]).toEqual(['ok', 'ok']);
  });

  it('an authenticator that does not count may repeat its 0', async () => {
    const gate = openGate();
    expect([await pass(gate, counted(0)), await pass(gate, counted(0))]).toEqual(['ok', 'ok']);
  });

  it('a ticket that is shown again brings the same approvals', async () => {
    const bought = ticket({}, [a]) as Extract<Authorisation, { kind: 'ticket' }>;
    authenticator.count = 0;
    const shown: Authorisation = { ...bought, approvals: [...bought.approvals, authenticator.approve(bought.ticket)] };
    for (const each of [openGate(), openGate()]) expect(await pass(each, tacs(1, { authorisation: shown }))).toBe('ok');
    expect(await pass(openGate(), counted(1))).toBe('APPROVAL_INVALID');
  });
});

describe('stopping', () => {
  const start = (rule: string): GateOrder => order('start', { rule }, { devices: [] });
  const begin = (gate: Gate, asked: GateOrder): Promise<string> => codeOf(gate.start(asked));

  it('one stops a rule at once, also for the next supervisor, and a quorum starts it', async () => {
    const gate = openGate();
    await gate.stop('tacs');
    expect(gate.stopped()).toEqual(['tacs']);
    expect(await pass(gate, tacs(1, { authorisation: ticket() }))).toBe('RULE_STOPPED');
    expect(await pass(openGate(), tacs(1, { authorisation: ticket() }))).toBe('RULE_STOPPED');
    expect(await pass(gate, approved(generate()))).toBe('ok');
    expect(await begin(gate, start('tacs'))).toBe('APPROVAL_REQUIRED');
    expect(await begin(gate, approved(start('tacs'), {}, [a]))).toBe('QUORUM_NOT_MET');
    expect(await begin(gate, { ...approved(start('seal')), request: { rule: 'tacs' } })).toBe('REQUEST_DIFFERS');
    expect(await pass(gate, tacs(1, { authorisation: ticket() }))).toBe('RULE_STOPPED');
    const asked = approved(start('tacs'));
    expect(await begin(gate, asked)).toBe('ok');
    for (const each of [gate, openGate()]) expect(await pass(each, tacs(1, { authorisation: ticket() }))).toBe('ok');
    await gate.stop('tacs');
    expect(await begin(gate, asked)).toBe('REQUEST_REPLAYED');
    expect(gate.stopped()).toEqual(['tacs']);
  });

  it.each(['start', 'sign', 'devices', 'anything'])('%s is no rule that can be stopped', async (rule) => {
    const gate = openGate();
    expect(await codeOf(gate.stop(rule))).toBe('REQUEST_INVALID');
    expect(gate.stopped()).toEqual([]);
  });

  it('what was begun may be undone although destroying is stopped', async () => {
    const gate = openGate();
    await gate.pass(approved(generate()));
    await gate.stop('destroy');
    expect(await pass(gate, order('destroy', { keyId: KEY }))).toBe('ok');
    expect(await pass(gate, approved(order('destroy', { keyId: id(9) })))).toBe('RULE_STOPPED');
  });
});

describe('the policy', () => {
  const next = (changes: Partial<QuorumPolicy> = {}): QuorumPolicy => ({ ...one, version: 2, previous: subjectDigest(one), ...changes });

  it('a recipe without a rule is refused', async () => {
    rmSync(join(folder, 'policy', '1.json'));
    const { seal, ...rest } = RULES;
    expect(seal).toBeDefined();
    putPolicy(testPolicy(people, rest), people);
    const gate = openGate();
    expect(await pass(gate, approved(order('seal', { keyId: KEY })))).toBe('HSM_REFUSED');
    expect(await pass(gate, approved(generate()))).toBe('ok');
  });

  it('of another bootstrap quorum does not start, and a broken one neither', () => {
    openGate();
    const foreign = people.map(({ entry }) => testApprover(entry.id, { roles: entry.roles }));
    putPolicy(testPolicy(foreign, RULES), foreign);
    expect(() => openGate()).toThrow('POLICY_CHANGED');
    writeFileSync(join(folder, 'policy', '1.json'), '{');
    expect(() => openGate()).toThrow('POLICY_INVALID');
    rmSync(join(folder, 'policy', '1.json'));
    expect(() => openGate()).toThrow('POLICY_INVALID');
  });

  it('a new version is taken while running; what was approved for the old one is void', async () => {
    const gate = openGate();
    const bought = ticket();
    expect(await pass(gate, tacs(1, { authorisation: bought }))).toBe('ok');
    const early = approved(generate());
    putPolicy(next({ rules: { ...RULES, generateKey: { count: 3, roles: {} } } }), people);
    expect(await pass(gate, early)).toBe('APPROVAL_INVALID');
    expect(await pass(gate, tacs(1, { authorisation: bought }))).toBe('TICKET_INVALID');
    expect(await pass(gate, approved(generate(), { policyVersion: 2 }))).toBe('QUORUM_NOT_MET');
    expect(await pass(gate, approved(generate(), { policyVersion: 2 }, people))).toBe('ok');
    expect(await pass(gate, tacs(1, { authorisation: ticket({ policyVersion: 2 }) }))).toBe('ok');
  });

  it('a lowered quorum that the old one did not sign stops everything privileged', async () => {
    const gate = openGate();
    putPolicy(next({ rules: { ...RULES, generateKey: { count: 1, roles: {} } } }), [a, b]);
    expect(await pass(gate, approved(generate()))).toBe('POLICY_INVALID');
    expect(await pass(gate, approved(generate(), { policyVersion: 2 }, [a]))).toBe('POLICY_INVALID');
    rmSync(join(folder, 'policy', '2.json'));
    expect(await pass(gate, approved(generate()))).toBe('ok');
  });

  it('a version is handed in: the one in force judges it, it is written down and counts at once', async () => {
    const folderOf = (): PolicyFolder => new PolicyFolder(join(folder, 'policy'), join(folder, 'state'));
    const policies = folderOf();
    const add = (policy: QuorumPolicy, signers: typeof people, overrides: Partial<PlainApproval> = {}): string => {
      const approvals = signers.map((signer) => signer.approve(policy, { policyVersion: policy.version - 1, ...overrides }));
      try {
        policies.add(JSON.stringify({ policy, approvals }), new Date(nowMs));
        return 'ok';
      } catch (error) {
        return isAppError(error) ? error.code : String(error);
      }
    };
    const lower = next({ rules: { ...RULES, generateKey: { count: 1, roles: {} } } });
    expect(add(lower, [a, b])).toBe('QUORUM_NOT_MET');
    expect(add(lower, [a, b, testApprover('c', { algorithm: 'sm2Sm3' })])).toBe('APPROVAL_INVALID');
    expect(add(lower, people, { notAfter: new Date(nowMs).toISOString() })).toBe('APPROVAL_EXPIRED');
    expect(add({ ...lower, version: 3 }, people)).toBe('POLICY_INVALID');
    expect(add({ ...lower, previous: subjectDigest(lower) }, people)).toBe('POLICY_INVALID');
    expect(add(next({ rules: { ...RULES, generateKey: { count: 4, roles: {} } } }), people)).toBe('POLICY_INVALID');
    expect(add({ ...one, rules: lower.rules }, people)).toBe('POLICY_INVALID');
    expect(() => policies.add('{', new Date(nowMs))).toThrow('POLICY_INVALID');
    expect([policies.current(), folderOf().current()]).toEqual([one, one]);
    expect([add(lower, people), add(lower, people)]).toEqual(['ok', 'ok']);
    expect(policies.chain().map(({ policy }) => policy)).toEqual([one, lower]);
    expect(await pass(openGate(), approved(generate(), { policyVersion: 2 }, [c]))).toBe('ok');
    expect(add(next(), people)).toBe('POLICY_INVALID');
  });

  it('who takes the newest version away does not get the older one back', async () => {
    putPolicy(next(), people);
    expect(await pass(openGate(), approved(generate(), { policyVersion: 2 }))).toBe('ok');
    rmSync(join(folder, 'policy', '2.json'));
    expect(() => openGate()).toThrow('POLICY_INVALID');
    putPolicy(next({ rules: { ...RULES, seal: { count: 1, roles: {} } } }), people);
    expect(() => openGate()).toThrow('POLICY_INVALID');
    putPolicy(next(), people);
    expect(() => openGate()).not.toThrow();
  });
});

describe('a clock that is set back', () => {
  const HOUR = 60 * MINUTE;
  let monotonicMs: number;
  beforeEach(() => {
    monotonicMs = 0;
  });
  const file = (): string => join(folder, 'state', 'latest-time');
  /** A supervisor that starts now, on whatever the wall clock says. */
  const started = (): Gate => {
    const time = new SupervisorTime(file(), new GuardedClock({ now: () => new Date(nowMs) }, () => monotonicMs), new Logger('test', () => undefined));
    return openGate(() => time.now());
  };
  const later = (ms: number): void => {
    nowMs += ms;
    monotonicMs += ms;
  };

  it.each<[string, () => GateOrder, string]>([
    ['ticket', () => tacs(1, { authorisation: ticket({ notAfter: new Date(START + 10 * MINUTE).toISOString() }) }), 'TICKET_EXPIRED'],
    ['approval', () => approved(generate(), { notAfter: new Date(START + 10 * MINUTE).toISOString() }), 'APPROVAL_EXPIRED'],
  ])('an expired %s stays expired, also under a supervisor that starts anew', async (_, make, expired) => {
    const asked = make();
    const gate = started();
    later(HOUR);
    expect(await pass(gate, asked)).toBe(expired);
    nowMs -= HOUR;
    expect(await pass(gate, asked)).toBe('CLOCK_STEPPED_BACK');
    expect(await pass(started(), asked)).toBe('CLOCK_STEPPED_BACK');
    // Without the guard it would be good again.
    expect(await pass(openGate(), asked)).toBe('ok');
    nowMs += HOUR;
    expect(await pass(started(), asked)).toBe(expired);
  });

  it('by what NTP mends is none: tickets are spent on', async () => {
    const gate = started();
    const shown = ticket();
    for (const slewMs of [0, -900, 800, -1500]) {
      later(MINUTE);
      nowMs += slewMs;
      expect(await pass(gate, tacs(1, { authorisation: shown }))).toBe('ok');
    }
  });

  it('and a record of the latest time that was damaged keeps the supervisor from starting', () => {
    writeFileSync(file(), 'yesterday');
    expect(started).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});
