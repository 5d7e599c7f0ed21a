import { beforeEach, describe, expect, it } from '@jest/globals';
import { canonicalJson } from '#libs/platform/domain';
import { type HsmRequest, type SignedPolicy, subjectDigest } from '#libs/signature';
import { testAuthenticator } from '../../../../test/builders/assertion.js';
import { hsmRequest, hsmTicket, newId } from '../../../../test/builders/authorisations.js';
import { signPolicy, testApprover, testPolicy } from '../../../../test/builders/quorum.js';
import { ApprovedActs } from './approved-acts.js';

const [a, b, key] = [testApprover('a'), testApprover('b'), testAuthenticator('w')];
const policy = testPolicy([a, b, key] as (typeof a)[], { generateKey: { count: 2, roles: {} }, purchaseMacs: { count: 2, roles: {} } }, { amend: { count: 2, roles: {} } });
const first = signPolicy(policy, [a, b]);
type Signer = { approve(subject: object): object };

describe('what a stranger judges of approvals', () => {
  let acts: ApprovedActs;
  let named: number;
  const entry = (kind: string, subject: string, data: object, at = new Date()): string | undefined =>
    acts.fault(canonicalJson({ v: 1, id: String(named++), at: at.toISOString(), kind, subject, data } as never));
  const asked = (subject: object, rule: string): string | undefined => entry('approvals.request', subjectDigest(subject), { subject, rule, kind: 'x' });
  const outcome = (subject: object, signers: readonly Signer[], shown = subject, at?: Date): string | undefined => {
    for (const signer of signers) expect(entry('approvals.approve', subjectDigest(subject), { approval: signer.approve(shown), person: 'p' })).toBeUndefined();
    return entry('approvals.outcome', subjectDigest(subject), { outcome: 'approved' }, at);
  };
  const made = (request: HsmRequest, kind = 'keys.generate'): string | undefined => entry(kind, request.keys[0] ?? '', { label: 'k' });
  const fresh = (changes: Partial<HsmRequest> = {}): HsmRequest => hsmRequest({ keys: [newId()], ...changes });

  beforeEach(() => {
    acts = new ApprovedActs();
    named = 0;
    expect(entry('approvals.policy', 'policy', { signed: first })).toBeUndefined();
  });

  it('a key made under a quorum, by whatever way each has signed; a ticket; the first policy by its digest', () => {
    for (const signers of [[a, b], [a, key], [key, b]]) {
      const request = fresh();
      expect([asked(request, 'generateKey'), outcome(request, signers), made(request)]).toEqual([undefined, undefined, undefined]);
    }
    const ticket = hsmTicket({});
    expect([asked(ticket, 'purchaseMacs'), outcome(ticket, [a, b])]).toEqual([undefined, undefined]);
    expect([acts.count, acts.firstPolicy]).toEqual([4, subjectDigest(policy)]);
  });

  it('too few, one of them twice, by the one who asked, or for another request: what is called approved is not', () => {
    const cases: [HsmRequest, readonly Signer[], object?][] = [[fresh(), [a]], [fresh(), [a, a]], [fresh({ requestedBy: 'a' }), [a, b]], [fresh(), [a, b], fresh()]];
    for (const [request, signers, shown] of cases) {
      expect(asked(request, 'generateKey')).toBeUndefined();
      expect(outcome(request, signers, shown ?? request)).toMatch(/QUORUM_NOT_MET|APPROVAL_INVALID|approv/i);
      expect(made(request)).toMatch(/nobody has approved/);
    }
  });

  it('after its time, of a rule that the policy lacks, or never asked', () => {
    const [late, foreign, silent] = [fresh(), fresh(), fresh()];
    expect(asked(late, 'generateKey')).toBeUndefined();
    expect(outcome(late, [a, b], late, new Date(Date.parse(late.notAfter) + 1))).toMatch(/expired/i);
    expect(asked(foreign, 'destroy')).toBeUndefined();
    expect(outcome(foreign, [a, b])).toMatch(/no rule destroy/);
    expect(entry('approvals.outcome', subjectDigest(silent), { outcome: 'approved' })).toMatch(/not what was asked/);
  });

  it('a key that nobody approved, another key than the approved one, a copy approved as a generation', () => {
    const request = fresh();
    expect([asked(request, 'generateKey'), outcome(request, [a, b])]).toEqual([undefined, undefined]);
    expect(made(fresh())).toMatch(/nobody has approved/);
    expect(made(request, 'keys.copy')).toMatch(/nobody has approved/);
    expect(made(request)).toBeUndefined();
  });

  it('a policy that the one before has not signed, or another under a known version', () => {
    const next = (signers: readonly (typeof a)[], changes: object = {}): SignedPolicy => signPolicy({ ...policy, version: 2, previous: subjectDigest(policy), ...changes }, signers);
    expect(entry('approvals.policy', 'policy', { signed: next([a]) })).toBeDefined();
    expect(entry('approvals.policy', 'policy', { signed: next([a, b], { previous: '0'.repeat(64) }) })).toBeDefined();
    expect(entry('approvals.policy', 'policy', { signed: signPolicy({ ...policy, amend: { count: 1, roles: {} } }, [a, b]) })).toMatch(/another policy of version 1/);
    expect(entry('approvals.policy', 'policy', { signed: next([a, b]) })).toBeUndefined();
    expect(entry('approvals.policy', 'policy', { signed: first })).toBeUndefined();
    const old = fresh();
    expect([asked(old, 'generateKey'), outcome(old, [a, b])]).toEqual([undefined, undefined]);
  });

  it('what was refused counts as nothing, and a body that does not parse is named', () => {
    const request = fresh();
    expect(asked(request, 'generateKey')).toBeUndefined();
    expect(entry('approvals.outcome', subjectDigest(request), { outcome: 'refused' })).toBeUndefined();
    expect(made(request)).toMatch(/nobody/);
    expect(entry('approvals.approve', 'x', { approval: {} })).toMatch(/does not parse/);
    expect(acts.fault(Buffer.from('{'))).toMatch(/does not parse/);
  });

  it('a log without a policy says nothing of keys', () => {
    acts = new ApprovedActs();
    expect(made(fresh())).toBeUndefined();
  });
});
