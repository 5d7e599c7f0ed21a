import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { canonicalJson, isAppError } from '#libs/platform/domain';
import { testAuthenticator } from '../../../../test/builders/assertion.js';
import { FAR, testApprover, testPolicy } from '../../../../test/builders/quorum.js';
import { Approval, approvalBytes, Authorisation, HsmRequest, subjectDigest, Ticket } from './approval.js';
import { type QuorumRules, requireApproved, requireQuorum, requireTicketApproved, requireTicketTime } from './quorum.js';
import { QuorumPolicy } from './quorum-policy.js';

const NOW = new Date('2026-06-01T08:00:00.000Z');
const PAST = '2026-06-01T08:00:00.000Z';
const key = (n: number): string => n.toString(16).toUpperCase().padStart(32, '0');

const [first, second, third, gm] = [
  testApprover('security-1', { roles: ['securityOfficer'] }),
  testApprover('security-2', { roles: ['securityOfficer'] }),
  testApprover('keys-1', { roles: ['keyOfficer'] }),
  testApprover('gm-1', { roles: ['keyOfficer'], algorithm: 'sm2Sm3' }),
];
const policy = testPolicy([first, second, third, gm], {});
const request: HsmRequest = {
  format: 'hufu/request/1',
  requestId: key(1),
  requester: 'service',
  recipe: 'generateKey',
  devices: [{ device: 'general-1', tokenSerial: 'A1' }],
  keys: [key(2)],
  parameters: { label: '根密钥', keyClass: 'dataRoot', algorithm: '3des2' },
  policyVersion: 1,
  createdAt: '2026-06-01T07:59:00.000Z',
  notAfter: '2026-06-01T08:15:00.000Z',
};
const ticket: Ticket = {
  format: 'hufu/ticket/1',
  ticketId: key(3),
  line: 'service',
  recipe: 'tacs',
  keys: [key(2)],
  count: 10,
  notBefore: '2026-06-01T07:00:00.000Z',
  notAfter: '2026-06-01T09:00:00.000Z',
  policyVersion: 1,
};
const rules = (changes: Partial<QuorumRules> = {}): QuorumRules & { now: Date } => ({ policy, need: { count: 2, roles: { securityOfficer: 1 } }, requester: 'service', ...changes, now: NOW });
const codeOf = (act: () => void): string => {
  try {
    act();
    return 'ok';
  } catch (error) {
    return isAppError(error) ? error.code : String(error);
  }
};
const check = (approvals: readonly Approval[], changes: Partial<QuorumRules> = {}): string => codeOf(() => requireQuorum(request, approvals, rules(changes)));

describe('requireQuorum', () => {
  it('takes enough persons of the right roles, whatever their algorithm and order', () => {
    expect(check([first.approve(request), third.approve(request)])).toBe('ok');
    expect(check([gm.approve(request), second.approve(request)])).toBe('ok');
    expect(check([first, second, third, gm].map((approver) => approver.approve(request)))).toBe('ok');
  });

  it('too few, or none of the needed role', () => {
    expect(check([])).toBe('QUORUM_NOT_MET');
    expect(check([first.approve(request)])).toBe('QUORUM_NOT_MET');
    expect(check([third.approve(request), gm.approve(request)])).toBe('QUORUM_NOT_MET');
    expect(check([first.approve(request), third.approve(request)], { need: { count: 2, roles: { securityOfficer: 2 } } })).toBe('QUORUM_NOT_MET');
    expect(check([first.approve(request), third.approve(request)], { need: { count: 1, roles: { auditor: 1 } } })).toBe('QUORUM_NOT_MET');
  });

  it('a person counts once, by one account or two', () => {
    const twin = testApprover('security-1b', { person: first.entry.person, roles: ['securityOfficer'] });
    const twins = { policy: testPolicy([first, twin, second], {}) };
    expect(check([first.approve(request), first.approve(request)])).toBe('QUORUM_NOT_MET');
    expect(check([first.approve(request), twin.approve(request)], twins)).toBe('QUORUM_NOT_MET');
    expect(check([first.approve(request), twin.approve(request), second.approve(request)], { ...twins, need: { count: 2, roles: { securityOfficer: 3 } } })).toBe('QUORUM_NOT_MET');
    expect(check([twin.approve(request), second.approve(request)], twins)).toBe('ok');
  });

  it('the requester never counts, neither as account nor as person', () => {
    const account = testApprover('service');
    const person = testApprover('service-admin', { person: 'service' });
    const list = { policy: testPolicy([first, second, account, person], {}) };
    for (const asker of [account, person]) expect(check([first.approve(request), second.approve(request), asker.approve(request)], list)).toBe('APPROVAL_INVALID');
  });

  it('who asked never counts either: not the operator, nor a second account of the same person', () => {
    const twin = testApprover('security-1b', { person: first.entry.person, roles: ['securityOfficer'] });
    const list = { policy: testPolicy([first, twin, second, third], {}) };
    const asked = (requestedBy: string, approvers: readonly { approve(subject: object): Approval }[]): string => {
      const by = { ...request, requestedBy };
      return codeOf(() => requireApproved(by, approvers.map((approver) => approver.approve(by)), rules(list)));
    };
    expect(asked('security-1', [second, third])).toBe('ok');
    expect(asked('security-1', [first, second])).toBe('APPROVAL_INVALID');
    expect(asked('security-1', [twin, second])).toBe('APPROVAL_INVALID');
    // The name stands under the signatures: nobody takes it out afterwards.
    expect(codeOf(() => requireApproved(request, [first.approve({ ...request, requestedBy: 'security-1' }), second.approve(request)], rules(list)))).toBe('APPROVAL_INVALID');
    const byTicket = { ...ticket, requestedBy: 'security-1' };
    expect(codeOf(() => requireTicketApproved(byTicket, [first.approve(byTicket), second.approve(byTicket)], rules(list)))).toBe('APPROVAL_INVALID');
  });

  describe('each approver in the way that the policy names', () => {
    const [key1, token] = [testAuthenticator('webauthn-1', { roles: ['securityOfficer'] }), testApprover('ukey-1', { roles: ['keyOfficer'], algorithm: 'sm2Sm3', method: 'ukey' })];
    const list = { policy: testPolicy([key1, token, first, third] as (typeof first)[], {}) };
    const byToken = (): Approval => ({ ...token.approve(request, { method: 'ukey' as never }) });

    it('WebAuthn, UKey and terminal count together', () => {
      expect(check([key1.approve(request), byToken()], list)).toBe('ok');
      expect(check([byToken(), first.approve(request)], list)).toBe('ok');
      expect(check([first.approve(request), key1.approve(request), third.approve(request)], list)).toBe('ok');
    });

    it('no other way is taken: a plain signature by the key of a UKey, a UKey for a key of the terminal', () => {
      expect(check([key1.approve(request), token.approve(request)], list)).toBe('APPROVAL_INVALID');
      expect(check([key1.approve(request), first.approve(request, { method: 'ukey' as never })], list)).toBe('APPROVAL_INVALID');
      expect(check([{ ...first.approve(request), approver: 'webauthn-1' }, third.approve(request)], list)).toBe('APPROVAL_INVALID');
    });

    it('an assertion made for another request, for a foreign origin or without a PIN refuses all', () => {
      const altered = key1.approve({ ...request, keys: [key(9)] });
      for (const bad of [altered, key1.approve(request, {}, { origin: 'https://approve.example.evil' }), key1.approve(request, {}, { flags: 0x01 })]) expect(check([bad, first.approve(request), third.approve(request)], list)).toBe('APPROVAL_INVALID');
    });

    it('a policy names a credential for WebAuthn and for nothing else', () => {
      const listed = (entry: object): boolean => QuorumPolicy.safeParse({ ...list.policy, approvers: [entry] }).success;
      expect([listed(key1.entry), listed(token.entry), listed(first.entry)]).toEqual([true, true, true]);
      const { webauthn: _, ...without } = key1.entry;
      for (const planted of [without, { ...first.entry, webauthn: key1.entry.webauthn }, { ...key1.entry, algorithm: 'sm2Sm3' }, { ...key1.entry, method: 'ukey' }]) expect(listed(planted)).toBe(false);
    });
  });

  describe("the owner's leg", () => {
    const owner = testApprover('owner-1', { roles: ['ownerRepresentative'] });
    const list = { policy: testPolicy([first, second, third, owner], {}) };
    const need = { count: 2, roles: { ownerRepresentative: 1 } };
    const paper = { number: '京人社批〔2026〕12号', digest: 'A'.repeat(64) };
    const other = { ...paper, number: '京人社批〔2026〕13号' };
    const onPaper = (approvers: readonly (readonly [typeof first, object?])[], changes: object = { ownerDocument: true }): string =>
      check(approvers.map(([approver, ownerDocument]) => approver.approve(request, ownerDocument === undefined ? {} : { ownerDocument } as never)), { ...list, need: { ...need, ...changes } });

    it('by their own key', () => {
      expect(onPaper([[first], [owner]], {})).toBe('ok');
      expect(onPaper([[first], [second]], {})).toBe('QUORUM_NOT_MET');
    });

    it('by a document whose number two persons have entered; one alone, or two numbers, do not count', () => {
      expect(onPaper([[first, paper], [second, paper]])).toBe('ok');
      expect(onPaper([[first, paper], [second]])).toBe('QUORUM_NOT_MET');
      expect(onPaper([[first, paper], [second, other]])).toBe('QUORUM_NOT_MET');
      expect(onPaper([[first, paper], [second, { ...paper, digest: 'B'.repeat(64) }]])).toBe('QUORUM_NOT_MET');
      expect(onPaper([[first, paper], [first, paper], [second]])).toBe('QUORUM_NOT_MET');
    });

    it('only where the policy allows paper, and for the owner alone', () => {
      expect(onPaper([[first, paper], [second, paper]], {})).toBe('QUORUM_NOT_MET');
      expect(onPaper([[first, paper], [second, paper]], { roles: { keyOfficer: 1 }, ownerDocument: true })).toBe('QUORUM_NOT_MET');
    });

    it('the number stands under the signature', () => {
      const signed = first.approve(request, { ownerDocument: paper });
      expect(check([{ ...signed, ownerDocument: other }, second.approve(request, { ownerDocument: other })], { ...list, need: { ...need, ownerDocument: true } })).toBe('APPROVAL_INVALID');
    });
  });

  it.each([
    ['of an approver who is not on the list', () => testApprover('stranger').approve(request)],
    ['under the name of another', () => ({ ...testApprover('x').approve(request, { approver: 'keys-1' }), approver: 'keys-1' })],
    ['for another policy version', () => third.approve(request, { policyVersion: 2 })],
    ['of another request', () => third.approve({ ...request, requestId: key(9) })],
    ['in the other encoding of the signature', () => ({ ...third.approve(request), signature: `${third.approve(request).signature}00` })],
  ])('one bad approval refuses all: %s', (_name, bad) => {
    expect(check([first.approve(request), second.approve(request), bad()])).toBe('APPROVAL_INVALID');
  });

  it('a nonce twice is refused, also by two approvers', () => {
    const nonce = key(7);
    expect(check([first.approve(request, { nonce }), second.approve(request, { nonce })])).toBe('APPROVAL_INVALID');
  });

  it('a listed key that is none, or of another curve, verifies nothing', () => {
    for (const changes of [{ publicKey: '3003020100' }, { publicKey: gm.entry.publicKey }, { algorithm: 'sm2Sm3' as const }]) {
      const list = { policy: { ...policy, approvers: [first.entry, { ...second.entry, ...changes }] } };
      expect(check([first.approve(request), second.approve(request)], list)).toBe('APPROVAL_INVALID');
    }
  });

  it('an expired approval or approver; only the latter once the approvals were seen in time; none where times are not judged', () => {
    const gone = testApprover('security-2', { notAfter: PAST });
    const goneList = { policy: testPolicy([first, gone], {}) };
    expect(check([first.approve(request), second.approve(request, { notAfter: PAST })])).toBe('APPROVAL_EXPIRED');
    expect(check([first.approve(request), second.approve(request, { notAfter: PAST })], { seenInTime: true })).toBe('ok');
    expect(check([first.approve(request), gone.approve(request)], goneList)).toBe('APPROVAL_EXPIRED');
    expect(check([first.approve(request), gone.approve(request)], { ...goneList, seenInTime: true })).toBe('APPROVAL_EXPIRED');
    expect(codeOf(() => requireQuorum(request, [first.approve(request), gone.approve(request, { notAfter: PAST })], { ...rules(goneList), now: undefined }))).toBe('ok');
  });
});

describe('requests and tickets', () => {
  const approved = (subject: HsmRequest): string => codeOf(() => requireApproved(subject, [first.approve(subject), third.approve(subject)], rules()));
  const taken = (subject: Ticket): string => codeOf(() => requireTicketApproved(subject, [first.approve(subject), third.approve(subject)], rules()));

  it('a request has its time and its policy', () => {
    expect(approved(request)).toBe('ok');
    expect(approved({ ...request, notAfter: PAST })).toBe('APPROVAL_EXPIRED');
    expect(approved({ ...request, createdAt: '2026-06-01T08:00:00.001Z' })).toBe('APPROVAL_EXPIRED');
    expect(approved({ ...request, policyVersion: 2 })).toBe('APPROVAL_INVALID');
  });

  it('a ticket has its time and its policy', () => {
    expect(taken(ticket)).toBe('ok');
    expect(taken({ ...ticket, notAfter: PAST })).toBe('TICKET_EXPIRED');
    expect(taken({ ...ticket, notBefore: '2026-06-01T08:00:00.001Z' })).toBe('TICKET_EXPIRED');
    expect(taken({ ...ticket, policyVersion: 2 })).toBe('TICKET_INVALID');
    expect(codeOf(() => requireTicketTime(ticket, new Date(ticket.notAfter)))).toBe('TICKET_EXPIRED');
  });
});

/** Changes one byte of the canonical text and hands on what still parses by the schema; undefined when nothing does. */
function changed(bytes: Uint8Array, at: number, to: number): unknown {
  const other = Uint8Array.from(bytes);
  other[at] = to;
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(other)) as unknown;
  } catch {
    return undefined;
  }
}

describe('any changed byte is refused', () => {
  const subjects = { request, ticket, policy } as const;
  const schemas = { request: HsmRequest, ticket: Ticket, policy: QuorumPolicy } as const;
  const place = fc.record({ at: fc.nat(20_000), to: fc.integer({ min: 0x20, max: 0x7e }) });

  it.each(['request', 'ticket', 'policy'] as const)('of a %s', (name) => {
    const subject = subjects[name];
    const approvals = [first.approve(subject), gm.approve(subject)];
    const bytes = canonicalJson(subject as never);
    expect(codeOf(() => requireQuorum(schemas[name].parse(JSON.parse(new TextDecoder().decode(bytes))), approvals, rules()))).toBe('ok');
    fc.assert(
      fc.property(place, ({ at, to }) => {
        const where = at % bytes.length;
        fc.pre(bytes[where] !== to);
        const parsed = schemas[name].safeParse(changed(bytes, where, to));
        return !parsed.success || codeOf(() => requireQuorum(parsed.data, approvals, rules())) === 'APPROVAL_INVALID';
      }),
      { numRuns: 400 },
    );
  });

  it.each([['P-256', third], ['SM2', gm]] as const)('of an approval by %s', (_name, approver) => {
    const good = first.approve(request);
    const bytes = canonicalJson(approver.approve(request) as never);
    fc.assert(
      fc.property(place, ({ at, to }) => {
        const where = at % bytes.length;
        fc.pre(bytes[where] !== to);
        const parsed = Approval.safeParse(changed(bytes, where, to));
        return !parsed.success || codeOf(() => requireQuorum(request, [good, parsed.data], rules())) === 'APPROVAL_INVALID';
      }),
      { numRuns: 400 },
    );
  });
});

describe('the format', () => {
  it('has one sequence of bytes for one content', () => {
    const turned = Object.fromEntries(Object.entries(request).reverse());
    expect(subjectDigest(turned)).toBe(subjectDigest(request));
    expect(subjectDigest({ ...request, keys: [] })).not.toBe(subjectDigest(request));
  });

  it('binds an approval to subject, approver, nonce, policy, expiry, decision and method', () => {
    const { signature, ...approval } = first.approve(request);
    expect(signature.length).toBeGreaterThan(0);
    expect(JSON.parse(new TextDecoder().decode(approvalBytes(request, approval)))).toEqual({
      format: 'hufu/approval/1', subject: subjectDigest(request), approver: 'security-1', nonce: approval.nonce, policyVersion: 1, notAfter: FAR, decision: 'approve', method: 'plain',
    });
  });

  it('takes nothing that it does not know', () => {
    const approvals = [first.approve(request)];
    expect(Authorisation.safeParse({ kind: 'approvals', request, approvals }).success).toBe(true);
    for (const planted of [
      { kind: 'approvals', request, approvals, skip: true },
      { kind: 'none' },
      { kind: 'approvals', request: { ...request, approved: true }, approvals },
      { kind: 'approvals', request: { ...request, notAfter: '2026-06-01' }, approvals },
      { kind: 'approvals', request, approvals: [{ ...first.approve(request), method: 'trusted' }] },
      { kind: 'approvals', request, approvals: [{ ...first.approve(request), decision: 'refuse' }] },
      { kind: 'ticket', ticket: { ...ticket, count: 0 }, approvals },
      { kind: 'ticket', ticket: { ...ticket, count: 1.5 }, approvals },
      { kind: 'ticket', ticket: { ...ticket, keys: [] }, approvals },
    ]) expect([planted, Authorisation.safeParse(planted).success]).toEqual([planted, false]);
  });
});
