import { AppError, type Bilingual } from '#libs/platform/domain';
import { type QualificationKind, QUALIFICATIONS } from './qualification-kind.js';
import { type RoleName, roleRule } from './role.js';

/** From `validFrom` (inclusive) to `validUntil` (exclusive). */
export interface Qualification {
  readonly kind: QualificationKind;
  readonly validFrom: Date;
  readonly validUntil: Date;
}

/** What a role needs and the person does not have at this moment. */
export function missingQualifications(held: readonly Qualification[], role: RoleName, at: Date): QualificationKind[] {
  return roleRule(role).needs.filter((kind) => !held.some((each) => each.kind === kind && each.validFrom <= at && at < each.validUntil));
}

/** Throws ROLE_NOT_QUALIFIED with every missing or expired record by name. */
export function requireKeyRole(held: readonly Qualification[], role: RoleName, at: Date): void {
  const missing = missingQualifications(held, role, at);
  if (missing.length === 0) return;
  const { zh, en } = roleRule(role).text;
  const names = (language: keyof Bilingual, mark: string): string => missing.map((kind) => QUALIFICATIONS[kind].text[language]).join(mark);
  throw new AppError('ROLE_NOT_QUALIFIED', { roleZh: zh, roleEn: en, missingZh: names('zh', '、'), missingEn: names('en', ', '), at: at.toISOString() });
}
