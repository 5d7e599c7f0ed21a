import { AppError } from '#libs/platform/domain';
import { covers, credentialsOf } from './authority.js';
import type { PersonRecord, Row } from './record.js';

/** The key with which the approval policy knows an account. */
export interface ApprovingKey {
  readonly operatorId: string;
  /** SHA-256 of the SubjectPublicKeyInfo. */
  readonly keyDigest: string;
  readonly method: Row<'credential'>['method'];
}

/** Throws CREDENTIAL_REPLACED unless exactly this key is registered for approvals of the account, in force now. */
export function requireApprovingKey(record: PersonRecord, { operatorId, keyDigest, method }: ApprovingKey, at: Date): void {
  const inForce = credentialsOf(record).some(
    (row) => row.purpose === 'approve' && row.operatorId === operatorId && row.keyDigest === keyDigest && row.method === method && covers(row, at),
  );
  if (!inForce) throw new AppError('CREDENTIAL_REPLACED', { approver: operatorId });
}
