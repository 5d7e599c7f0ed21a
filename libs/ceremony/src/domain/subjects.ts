import type { Digests } from './digests.js';
import type { Plan } from './plan.js';

/*
 * What people sign. Each names the ceremony and its mode, so that a signature of a rehearsal is none of a real ceremony; canonical JSON and
 * the approval around it are the room `signature`'s.
 */
type Named = Pick<Plan, 'ceremony' | 'mode'>;
const named = ({ ceremony, mode }: Named): Named => ({ ceremony, mode });

/** The touch at check-in: this account is here, under this plan. */
export const checkInSubject = (plan: Named, participant: string, planned: Digests) => ({ format: 'hufu/ceremony-check-in/1', ...named(plan), participant, plan: planned });

/** An act with no request of the supervisor's own. `head` makes it one of a kind: the event after which it was armed. */
export const actSubject = (plan: Named, step: string, recipe: string, head: Digests, parameters: Readonly<Record<string, string>> = {}) => ({ format: 'hufu/ceremony-act/1' as const, ...named(plan), step, recipe, head, parameters });

/** What two persons decide about an act whose outcome nobody saw. */
export const decisionSubject = (plan: Named, step: string, intent: Digests, outcome: object, reason: string) => ({ format: 'hufu/ceremony-decision/1', ...named(plan), step, intent, outcome, reason });

export const bagSubject = (plan: Named, step: string, bag: { readonly act: 'seal' | 'open'; readonly bag: string; readonly contents: string; readonly safe: string }) => ({ format: 'hufu/ceremony-bag/1', ...named(plan), step, ...bag });

/** Sign-off: the transcript up to its last event before the signatures. */
export const transcriptSubject = (plan: Named, result: 'completed' | 'aborted', script: Digests, events: number, head: Digests) => ({ format: 'hufu/ceremony-transcript/1', ...named(plan), result, script: { sha256: script.sha256, sm3: script.sm3 }, events, head });
