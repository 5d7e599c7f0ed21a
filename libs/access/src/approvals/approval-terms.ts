import { z } from 'zod';

/** How long what waits for approvers waits. */
export const ApprovalsConfig = z.object({
  /** A request or a ticket, whose asker waits meanwhile. */
  requestMinutes: z.int().min(1).max(1440).default(15),
  /** A new version of the policy, which many may have to sign. */
  policyHours: z.int().min(1).max(336).default(72),
});
export type ApprovalsConfig = z.infer<typeof ApprovalsConfig>;

export class ApprovalsTerms {
  constructor(readonly config: ApprovalsConfig) {}
}
