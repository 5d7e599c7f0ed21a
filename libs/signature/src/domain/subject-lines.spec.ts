import { describe, expect, it } from '@jest/globals';
import { hsmRequest, hsmTicket } from '../../../../test/builders/authorisations.js';
import { testApprover, testPolicy } from '../../../../test/builders/quorum.js';
import { subjectDigest } from './approval.js';
import type { QuorumPolicy } from './quorum-policy.js';
import { subjectLines } from './subject-lines.js';

/** Every text and number that stands anywhere in a subject. */
const leaves = (value: unknown): string[] => (typeof value === 'object' && value !== null ? Object.values(value).flatMap(leaves) : [String(value)]);

const webauthn = { rpId: 'approve.example', origins: ['https://approve.example'], credentialId: 'AB12', aaguid: '00'.repeat(16) };
const policy: QuorumPolicy = testPolicy([testApprover('a', { roles: ['keyOfficer'] }), testApprover('w', { method: 'webauthn', webauthn })], { generateKey: { count: 2, roles: { keyOfficer: 1 }, ownerDocument: true } }, { previous: 'A'.repeat(64) });

describe('what an approver is shown', () => {
  const subjects = [
    hsmRequest({ requestedBy: 'keys-1', keys: ['0'.repeat(32), '1'.repeat(32)], devices: [{ device: 'general-1', tokenSerial: 'S1' }], parameters: { label: 'root/x', sha256: ['D1', 'D2'] } }),
    hsmTicket({ requestedBy: 'line-1' }),
    policy,
  ];

  it.each(subjects.map((subject) => [subject.format, subject] as const))('%s: everything that is signed, and its digest', (_, subject) => {
    const shown = subjectLines(subject);
    const text = shown.map(({ value }) => value).join('').replaceAll(' ', '');
    for (const leaf of leaves(subject)) expect([leaf, text.includes(leaf.replaceAll(' ', '')) || leaf === 'null' || leaf === 'true']).toEqual([leaf, true]);
    expect(shown.slice(-4).map(({ value }) => value).join('')).toBe(subjectDigest(subject));
    for (const { name } of shown) expect([name.zh.length > 0, name.en.length > 0]).toEqual([true, true]);
  });
});
