import { hash } from 'node:crypto';
import { AppError, fromHex } from '#libs/platform/domain';
import { type Approval, type QuorumPolicy, signCountOf, subjectDigest } from '#libs/signature';
import { AppendLog } from './append-log.js';

interface Counted {
  /** `keyDigest signCount`. */
  readonly name: string;
  readonly approver: string;
  readonly count: number;
  readonly digest: string;
}

/**
 * Sign counts of the authenticators whose approvals were released on. A count stands for one approval: a second one under it was made
 * by a copy of the authenticator, or by one that was set back (WebAuthn 6.1.1). Approvals arrive in any order, so a lower count alone
 * says nothing. Authenticators that do not count (0) are not listed. A line says `keyDigest signCount approvalDigest`.
 */
export class SignCounts {
  readonly #seen = new Map<string, string>();
  readonly #log: AppendLog;

  constructor(path: string) {
    this.#log = new AppendLog(path, (line) => {
      const [keyDigest, count, digest = ''] = line.split(' ');
      this.#seen.set(`${keyDigest} ${count}`, digest);
    });
  }

  close(): void {
    this.#log.close();
  }

  /** Resolves when the counts are on disk. Throws APPROVAL_INVALID. The approvals were verified before. */
  async take(approvals: readonly Approval[], policy: QuorumPolicy): Promise<void> {
    const counted = approvals.flatMap((approval) => countOf(approval, policy));
    for (const { name, digest, approver, count } of counted) {
      const known = this.#seen.get(name);
      if (known !== undefined && known !== digest) throw new AppError('APPROVAL_INVALID', { reason: `sign count ${count} of ${approver} was used for another approval: the authenticator may have been cloned` });
      if (counted.some((other) => other.name === name && other.digest !== digest)) throw new AppError('APPROVAL_INVALID', { reason: `sign count ${count} of ${approver} is used twice: the authenticator may have been cloned` });
    }
    const fresh = counted.filter(({ name }) => !this.#seen.has(name));
    for (const { name, digest } of fresh) this.#seen.set(name, digest);
    await Promise.all(fresh.map(({ name, digest }) => this.#log.append(`${name} ${digest}`)));
  }
}

function countOf(approval: Approval, policy: QuorumPolicy): Counted[] {
  if (approval.method !== 'webauthn') return [];
  const [count, key] = [signCountOf(fromHex(approval.authenticatorData)), policy.approvers.find(({ id }) => id === approval.approver)?.publicKey ?? ''];
  return count === 0 ? [] : [{ name: `${hash('sha256', fromHex(key), 'hex').toUpperCase()} ${count}`, approver: approval.approver, count, digest: subjectDigest(approval) }];
}
