import { z } from 'zod';
import type { JsonValue } from '#libs/platform';
import { Approval } from '#libs/signature';
import { ApprovalDesk } from '../approvals/approval-desk.js';
import { command, type Command } from './command.js';

const id = z.string().regex(/^[0-9A-F]{64}$/);

/** What waits for approvers. These commands are answered from the first moment on: settling intents may need a ticket. */
export const APPROVAL_COMMANDS: Readonly<Record<string, Command>> = {
  'approvals.pending': command(z.strictObject({}), async (app) => app.get(ApprovalDesk).pending() as unknown as JsonValue),
  'approvals.submit': command(z.strictObject({ id, approvals: z.array(Approval).max(32) }), async (app, args) => {
    app.get(ApprovalDesk).submit(args.id, args.approvals);
    return null;
  }),
  'approvals.refuse': command(z.strictObject({ id, approver: z.string().min(1).max(64), reason: z.string().max(500) }), async (app, args) => {
    app.get(ApprovalDesk).refuse(args.id, args.approver, args.reason);
    return null;
  }),
};
