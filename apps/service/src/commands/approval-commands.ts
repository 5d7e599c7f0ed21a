import { z } from 'zod';
import { Approvals, PolicyChanges, PolicyDraft } from '#libs/access';
import type { JsonValue } from '#libs/platform';
import { Approval } from '#libs/signature';
import { command, type Command } from './command.js';

const id = z.string().regex(/^[0-9A-F]{64}$/);

/**
 * What waits for approvers, for a terminal and for rehearsal: the signature alone tells who approves. These commands are answered from
 * the first moment on, since settling intents may need a ticket.
 */
export const APPROVAL_COMMANDS: Readonly<Record<string, Command>> = {
  'approvals.pending': command(z.strictObject({}), async (app) => app.get(Approvals).pending() as unknown as JsonValue),
  'approvals.export': command(z.strictObject({ id }), async (app, args) => (await app.get(Approvals).view(undefined, args.id)) as unknown as JsonValue),
  'approvals.approve': command(z.strictObject({ id, approval: Approval }), async (app, args) => (await app.get(Approvals).approve(undefined, args.id, args.approval)) as unknown as JsonValue),
  'approvals.submit': command(z.strictObject({ id, approvals: z.array(Approval).max(32) }), async (app, args) => (await app.get(Approvals).submit(args.id, args.approvals)) as unknown as JsonValue),
  'approvals.refuse': command(z.strictObject({ id, approver: z.string().min(1).max(64), reason: z.string().max(500) }), async (app, args) => {
    await app.get(Approvals).refuse(args.approver, args.id, args.reason);
    return null;
  }),
  'approvals.proposePolicy': command(PolicyDraft, async (app, draft) => (await app.get(PolicyChanges).propose(undefined, draft)) as unknown as JsonValue),
};
