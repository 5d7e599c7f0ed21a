import { AppError } from '#libs/platform/domain';
import type { Link } from './chain.js';
import { type Plan, REHEARSAL_DAYS } from './plan.js';
import { replay } from './replay.js';
import { type Script, scriptDigests } from './script.js';
import type { Signers } from './signers.js';
import { resultOf } from './state.js';
import { sameDigests } from './digests.js';

/** What a real plan says of its rehearsal; undefined when this transcript is none that was carried through, closed and signed. Throws what `replay` throws. */
export function rehearsalOf(script: Script, links: readonly Link[], signers: Signers): Plan['rehearsal'] {
  const state = replay(script, links, signers);
  if (state.last === undefined || state.plan?.mode !== 'rehearsal' || state.phase !== 'closed' || resultOf(state) !== 'completed') return undefined;
  return { ceremony: state.plan.ceremony, closedAt: state.last.event.at, script: scriptDigests(script), head: state.last.digests };
}

/** A real plan rests on exactly this rehearsal. Throws CEREMONY_REHEARSAL_MISSING. */
export function requireRehearsed(plan: Plan, script: Script, links: readonly Link[], signers: Signers): void {
  const found = rehearsalOf(script, links, signers);
  const named = plan.rehearsal;
  const same = found !== undefined && named !== undefined && found.ceremony === named.ceremony && found.closedAt === named.closedAt && sameDigests(found.head, named.head) && sameDigests(found.script, named.script);
  if (!same) throw new AppError('CEREMONY_REHEARSAL_MISSING', { days: REHEARSAL_DAYS });
}
