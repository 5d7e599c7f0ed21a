import { afterEach, describe, expect, it } from '@jest/globals';
import { isAppError } from '#libs/platform';
import { type Approval, type Ticket, subjectDigest } from '#libs/signature';
import { ApprovalDesk } from './approval-desk.js';

const ticket = (n: number): Ticket => ({
  format: 'hufu/ticket/1', ticketId: String(n).padStart(32, '0'), line: 'service', recipe: 'tacs', keys: ['1'.repeat(32)], count: 10,
  notBefore: '2026-01-01T00:00:00.000Z', notAfter: '2027-01-01T00:00:00.000Z', policyVersion: 1,
});
const codeOf = (asked: Promise<unknown>): Promise<string> => asked.then(() => 'ok', (error: unknown) => (isAppError(error) ? error.code : String(error)));

describe('ApprovalDesk', () => {
  const desks: ApprovalDesk[] = [];
  const open = (minutes = 15): ApprovalDesk => {
    const desk = new ApprovalDesk(minutes);
    desks.push(desk);
    return desk;
  };
  afterEach(() => desks.splice(0).forEach((desk) => desk.onModuleDestroy()));

  it('lists what waits, under its digest, and hands the approvals to who asked', async () => {
    const desk = open();
    const approvals: Approval[] = [{ method: 'plain', approver: 'a', nonce: '0'.repeat(32), policyVersion: 1, notAfter: '2027-01-01T00:00:00.000Z', decision: 'approve', signature: '00' }];
    const asked = [desk.ask(ticket(1)), codeOf(desk.ask(ticket(2)))] as const;
    expect(desk.pending().map(({ id, subject }) => [id, subject])).toEqual([[subjectDigest(ticket(1)), ticket(1)], [subjectDigest(ticket(2)), ticket(2)]]);
    desk.submit(subjectDigest(ticket(1)), approvals);
    expect(await asked[0]).toEqual(approvals);
    expect(desk.pending().map(({ subject }) => subject)).toEqual([ticket(2)]);
    expect(() => desk.submit(subjectDigest(ticket(1)), approvals)).toThrow('NOT_FOUND');
  });

  it('one rejection ends it', async () => {
    const desk = open();
    const asked = codeOf(desk.ask(ticket(1)));
    desk.refuse(subjectDigest(ticket(1)), 'a', 'not today');
    expect(await asked).toBe('APPROVAL_REFUSED');
    expect(desk.pending()).toEqual([]);
    expect(() => desk.refuse(subjectDigest(ticket(1)), 'a', 'again')).toThrow('NOT_FOUND');
  });

  it('waits no longer than it may, and not at all once the service stops', async () => {
    const short = open(0);
    expect(await codeOf(short.ask(ticket(1)))).toBe('APPROVAL_EXPIRED');
    expect(short.pending()).toEqual([]);
    const desk = open();
    const asked = codeOf(desk.ask(ticket(1)));
    desk.onModuleDestroy();
    expect(await asked).toBe('APPROVAL_EXPIRED');
  });
});
