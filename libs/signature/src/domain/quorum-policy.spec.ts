import { describe, expect, it } from '@jest/globals';
import { isAppError } from '#libs/platform/domain';
import { signPolicy, testApprover, testPolicy } from '../../../../test/builders/quorum.js';
import { subjectDigest } from './approval.js';
import { QuorumPolicy, requirePolicyChain, SignedPolicy } from './quorum-policy.js';

const people = ['a', 'b', 'c'].map((id) => testApprover(id, { roles: ['securityOfficer'] }));
const [a, b, c] = people as [(typeof people)[0], (typeof people)[0], (typeof people)[0]];
const RULES = { generateKey: { count: 2, roles: { securityOfficer: 1 } } };
const one = testPolicy(people, RULES);
const first = signPolicy(one, people);
const next = (changes: Partial<QuorumPolicy> = {}): QuorumPolicy => ({ ...one, version: 2, previous: subjectDigest(one), ...changes });

const codeOf = (chain: readonly SignedPolicy[], bootstrap?: string): string => {
  try {
    requirePolicyChain(chain, bootstrap, 'policy');
    return 'ok';
  } catch (error) {
    return isAppError(error) ? `${error.code} ${String(error.details['reason'] ?? '')}`.trim() : String(error);
  }
};

describe('the first version', () => {
  it('is signed by the quorum that it names itself', () => {
    expect(codeOf([first])).toBe('ok');
    expect(codeOf([first], subjectDigest(one))).toBe('ok');
    expect(codeOf([signPolicy(one, [a, b])])).toMatch(/^POLICY_INVALID version 1: QUORUM_NOT_MET/);
    expect(codeOf([signPolicy(one, [a, b, testApprover('c')])])).toMatch(/^POLICY_INVALID version 1: APPROVAL_INVALID/);
  });

  it('is missing, or numbered otherwise', () => {
    expect(codeOf([])).toBe('POLICY_INVALID 1.json is missing');
    expect(codeOf([signPolicy({ ...one, version: 2 }, people)])).toMatch(/^POLICY_INVALID/);
    expect(codeOf([signPolicy({ ...one, previous: subjectDigest(one) }, people)])).toMatch(/^POLICY_INVALID/);
  });

  it('is another than the host has pinned', () => {
    const foreign = ['a', 'b', 'c'].map((id) => testApprover(id, { roles: ['securityOfficer'] }));
    expect(codeOf([signPolicy(testPolicy(foreign, RULES), foreign)], subjectDigest(one))).toBe('POLICY_CHANGED');
  });
});

describe('a later version', () => {
  it('is signed by the quorum before it, and is then in force', () => {
    expect(codeOf([first, signPolicy(next(), people)])).toBe('ok');
    const third: QuorumPolicy = { ...one, version: 3, previous: subjectDigest(next()) };
    expect(requirePolicyChain([first, signPolicy(next(), people), signPolicy(third, people)], subjectDigest(one)).version).toBe(3);
  });

  it('leaves no gap and names the one before', () => {
    const third: QuorumPolicy = { ...one, version: 3, previous: subjectDigest(one) };
    expect(codeOf([first, signPolicy(third, people)])).toMatch(/^POLICY_INVALID version 3 does not follow/);
    expect(codeOf([first, signPolicy(next({ previous: '00'.repeat(32) }), people)])).toMatch(/^POLICY_INVALID version 2 does not follow/);
    expect(codeOf([first, signPolicy(next({ previous: null }), people)])).toMatch(/^POLICY_INVALID/);
  });

  it('that lowers the quorum needs the old one', () => {
    const lowered = next({ amend: { count: 1, roles: {} }, rules: { generateKey: { count: 1, roles: {} } } });
    expect(codeOf([first, signPolicy(lowered, [a])])).toMatch(/^POLICY_INVALID version 2: QUORUM_NOT_MET/);
    expect(codeOf([first, signPolicy(lowered, [a, b])])).toMatch(/^POLICY_INVALID version 2: QUORUM_NOT_MET/);
    expect(codeOf([first, signPolicy(lowered, people)])).toBe('ok');
  });

  it('with new approvers is signed by the old ones, not by itself', () => {
    const newcomers = ['d', 'e', 'f'].map((id) => testApprover(id, { roles: ['securityOfficer'] }));
    const replaced = next({ approvers: newcomers.map(({ entry }) => entry) });
    expect(codeOf([first, signPolicy(replaced, newcomers)])).toMatch(/^POLICY_INVALID version 2: APPROVAL_INVALID/);
    expect(codeOf([first, signPolicy(replaced, people)])).toBe('ok');
  });

  it('whose approvals were made for another version is refused', () => {
    const approvals = people.map((approver) => approver.approve(next(), { policyVersion: 2 }));
    expect(codeOf([first, { policy: next(), approvals }])).toMatch(/^POLICY_INVALID version 2: APPROVAL_INVALID/);
  });

  it('stays signed after the approvals have expired', () => {
    const approvals = people.map((approver) => approver.approve(next(), { notAfter: '2001-01-01T00:00:00.000Z' }));
    expect(codeOf([first, { policy: next(), approvals }])).toBe('ok');
  });
});

describe('a quorum that nobody can form', () => {
  const twin = testApprover('c2', { person: c.entry.person, roles: ['securityOfficer'] });
  it.each([
    ['more approvals than persons', testPolicy([a, b, c, twin], { generateKey: { count: 4, roles: {} } }, { amend: { count: 3, roles: {} } })],
    ['a role that nobody has', testPolicy(people, { generateKey: { count: 1, roles: { auditor: 1 } } })],
    ['a role that one person has by two accounts', testPolicy([testApprover('x', { person: 'c-person', roles: ['keyOfficer'] }), testApprover('y', { person: 'c-person', roles: ['keyOfficer'] }), a], { generateKey: { count: 1, roles: { keyOfficer: 2 } } }, { amend: { count: 1, roles: {} } })],
    ['no next version', testPolicy(people, RULES, { amend: { count: 4, roles: {} } })],
  ])('%s', (_name, policy) => {
    expect(codeOf([signPolicy(policy, people)])).toMatch(/^POLICY_INVALID nobody can approve/);
  });
});

describe('the schema', () => {
  it('takes a policy as it is, and no approver twice', () => {
    expect(SignedPolicy.safeParse(first).success).toBe(true);
    expect(QuorumPolicy.safeParse({ ...one, approvers: [a.entry, a.entry] }).success).toBe(false);
  });

  it.each([
    ['an unknown field', { ...one, disabled: true }],
    ['a rule for nobody', { ...one, rules: { generateKey: { count: 0 } } }],
    ['a negative role', { ...one, rules: { generateKey: { count: 1, roles: { securityOfficer: -1 } } } }],
    ['no approver', { ...one, approvers: [] }],
    ['an algorithm of its own', { ...one, approvers: [{ ...a.entry, algorithm: 'none' }] }],
  ])('refuses %s', (_name, planted) => {
    expect(QuorumPolicy.safeParse(planted).success).toBe(false);
  });
});
