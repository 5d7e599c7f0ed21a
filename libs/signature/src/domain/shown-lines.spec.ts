import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { approvalBytes } from './approval.js';
import { readApprovalSubject, requireSubjectOpen, signingPolicyVersion } from './approval-subject.js';
import { hsmRequest, hsmTicket } from '../../../../test/builders/authorisations.js';
import { testApprover, testPolicy } from '../../../../test/builders/quorum.js';
import { signInBytes } from './sign-in.js';
import { terminalLines, termsLines } from './shown-lines.js';

const line = (name: string, value: string) => ({ name: { zh: name, en: name }, value });
const cells = (text: string): number => [...text].reduce((sum, character) => sum + ((character.codePointAt(0) as number) >= 0x1100 && character !== '│' && character !== '↳' ? 2 : 1), 0);

describe('lines for a terminal', () => {
  it('a value cannot write a line of its own, hide or turn', () => {
    const forged = `1${' '.repeat(120)}规则 amend │ 9\r\n  规则 amend │ 9\x1b[1A\u202e`;
    const shown = terminalLines([line('次数', forged), line('x'.repeat(70), '2')]);
    for (const each of shown) {
      expect(each).toMatch(/^[ ↳] .* │ /u);
      expect(cells(each)).toBeLessThanOrEqual(79);
      expect(each).not.toMatch(/[\p{C}]/u);
    }
    expect(shown.filter((each) => each.startsWith(' '))).toHaveLength(2);
  });

  it('leave nothing out', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '密', ' ', '7', '│'), maxLength: 300 }), (value) => {
        const shown = terminalLines([line('名', value)]);
        expect(shown.map((each) => each.slice(each.indexOf('│') + 2)).join('')).toBe(value);
      }),
    );
  });

  it('say what an approval adds to its subject', () => {
    const digest = 'A'.repeat(64);
    const shown = termsLines({ approver: 'wang', method: 'ukey', policyVersion: 3, notAfter: '2026-07-02T01:02:03.000Z', ownerDocument: { number: '人社〔2026〕7号', digest } }).map(({ value }) => value);
    expect(shown).toEqual(['wang', 'ukey', '3', '2026-07-02T01:02:03.000Z', '人社〔2026〕7号', digest]);
  });
});

describe('what may be approved', () => {
  const policy = testPolicy([testApprover('a')], {}, { version: 3, previous: 'A'.repeat(64) });
  it('is a request, a ticket or a policy, and nothing else', () => {
    for (const subject of [hsmRequest({}), hsmTicket({}), policy]) expect(readApprovalSubject(subject)).toEqual(subject);
    for (const other of [null, 7, 'x', {}, { ...hsmRequest({}), more: 1 }, { ...hsmTicket({}), count: 0 }, { ...policy, format: 'hufu/approval/1' }, { format: 'hufu/sign-in/v1' }]) {
      expect(() => readApprovalSubject(other)).toThrow(expect.objectContaining({ code: 'SUBJECT_MALFORMED' }));
    }
  });

  it('names the policy that signs it: a policy is signed by the one before it', () => {
    expect([hsmRequest({ policyVersion: 4 }), policy, { ...policy, version: 1, previous: null }].map(signingPolicyVersion)).toEqual([4, 2, 1]);
  });

  it('is not over', () => {
    const request = hsmRequest({});
    expect(() => requireSubjectOpen(request, new Date(request.notAfter))).toThrow(expect.objectContaining({ code: 'APPROVAL_EXPIRED' }));
    requireSubjectOpen(request, new Date(new Date(request.notAfter).getTime() - 1));
    requireSubjectOpen(policy, new Date('2999-01-01'));
  });
});

it('no sign-in is ever an approval: the bytes that a UKey signs begin differently, whatever origin and challenge', () => {
  const approval = approvalBytes(hsmRequest({}), { approver: 'a', nonce: 'A'.repeat(32), policyVersion: 1, notAfter: '2026-07-02T01:02:03.000Z', decision: 'approve', method: 'ukey' });
  expect(Buffer.from(approval).toString('latin1', 0, 1)).toBe('{');
  fc.assert(
    fc.property(fc.string(), fc.uint8Array(), (origin, challenge) => {
      expect(Buffer.from(signInBytes(origin, challenge)).toString('latin1', 0, 16)).toBe('hufu/sign-in/v1\0');
    }),
  );
});
