import { covers, credentialsOf, qualificationsOf, rolesOf, statusOf } from './authority.js';
import { missingQualifications } from './qualification.js';
import type { PersonRecord, Row } from './record.js';
import { ROLE_NAMES, type RoleName, roleRule } from './role.js';

export const FORECAST_DAYS = 30;
const DAY = 86_400_000;

/** Why a holder of a role would not count on a day. */
export type Lapse = 'assignment' | 'account' | 'qualification' | 'leave' | 'credential';

export interface Shortage {
  /** Start of the day, UTC instant: `from` + n days. */
  readonly day: Date;
  readonly role: RoleName;
  /** `quorum`: fewer than needed. `backup`: just enough, nobody could step in for a key role. */
  readonly sort: 'quorum' | 'backup';
  readonly needed: number;
  readonly valid: number;
  readonly lapses: readonly { readonly personId: string; readonly lapse: Lapse }[];
}

/**
 * The days of the next 30 on which a role has fewer valid persons than the approval policy needs, or, for a key role that anybody
 * holds, no second one. A person counts for a day when nothing of theirs ends or is missing within it.
 */
export function quorumForecast(records: readonly PersonRecord[], needs: Readonly<Partial<Record<RoleName, number>>>, from: Date, days = FORECAST_DAYS): Shortage[] {
  const holders = new Map(ROLE_NAMES.map((role) => [role, records.filter((record) => rolesOf(record).some((held) => held.role === role && (held.validUntil === null || held.validUntil > from)))]));
  return Array.from({ length: days }, (_, n) => new Date(from.getTime() + n * DAY)).flatMap((day) =>
    ROLE_NAMES.flatMap((role): Shortage[] => {
      const judged = (holders.get(role) ?? []).map((record) => ({ personId: record.personId, lapse: lapseWithin(record, role, day) }));
      const needed = needs[role] ?? 0;
      const valid = judged.filter(({ lapse }) => lapse === undefined).length;
      const wanted = roleRule(role).keyRole && judged.length > 0 ? Math.max(needed, 1) + 1 : needed;
      if (valid >= wanted) return [];
      const lapses = judged.flatMap(({ personId, lapse }) => (lapse === undefined ? [] : [{ personId, lapse }]));
      return [{ day, role, sort: valid < needed ? 'quorum' : 'backup', needed, valid, lapses }];
    }),
  );
}

/** The first reason found at the start of the day or at any moment of it where something ends or begins. */
function lapseWithin(record: PersonRecord, role: RoleName, day: Date): Lapse | undefined {
  const until = new Date(day.getTime() + DAY);
  const qualifications = qualificationsOf(record);
  const credentials = credentialsOf(record).filter(({ purpose }) => purpose === 'approve');
  const held = rolesOf(record);
  const edges = [...qualifications, ...credentials, ...held, ...record.leave].flatMap(({ validFrom, validUntil }) => [validFrom, ...(validUntil === null ? [] : [validUntil])]);
  const moments = [day, ...[...edges, ...record.operatorStatus.map(({ effectiveAt }) => effectiveAt)].filter((edge) => day < edge && edge < until)];
  return moments.map((at) => lapseAt(record, role, { held, qualifications, credentials }, at)).find((lapse) => lapse !== undefined);
}

interface Standing {
  readonly held: ReturnType<typeof rolesOf>;
  readonly qualifications: ReturnType<typeof qualificationsOf>;
  readonly credentials: readonly Row<'credential'>[];
}

function lapseAt(record: PersonRecord, role: RoleName, { held, qualifications, credentials }: Standing, at: Date): Lapse | undefined {
  const assigned = held.filter((each) => each.role === role && covers(each, at));
  if (assigned.length === 0) return 'assignment';
  const accounts = assigned.map(({ operatorId }) => operatorId).filter((operatorId) => statusOf(record, operatorId, at) === 'active');
  if (accounts.length === 0) return 'account';
  if (missingQualifications(qualifications, role, at).length > 0) return 'qualification';
  if (record.leave.some((leave) => covers(leave, at))) return 'leave';
  return credentials.some((each) => accounts.includes(each.operatorId) && covers(each, at)) ? undefined : 'credential';
}
