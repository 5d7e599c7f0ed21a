import { createHash, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { Hsm } from '#libs/hsm';
import { Journal } from '#libs/journal';
import { Clock } from '#libs/platform';
import { AppError, toHex } from '#libs/platform/domain';
import { CertificateRepository, type CertificateIntent } from './certificate.repository.js';
import type { CertificationAuthority } from './domain/authority.js';
import { encodeSigned } from './domain/certificate.js';
import { type CertificateContent, type Issuer, tbsOf } from './domain/enrolment.js';

/** Items of one batch: one transaction for the intents, one call of the token, one transaction for the outcomes. */
export const ISSUE_BATCH = 500;

export interface IssuedCertificate {
  /** Upper-case hex. */
  readonly serial: string;
  /** DER. */
  readonly certificate: Uint8Array;
}

type SigningKey = Pick<CertificationAuthority, 'caId' | 'keyId' | 'device' | 'algorithm'>;

/** What every issuance does: intents committed → signed in the token → outcomes committed. */
@Injectable()
export class Issuance {
  constructor(
    private readonly dataSource: DataSource,
    private readonly certificates: CertificateRepository,
    private readonly journal: Journal,
    private readonly hsm: Hsm,
    private readonly clock: Clock,
  ) {}

  /** Gives contents their serials and exact bytes. */
  draft(contents: readonly (CertificateContent & Partial<Pick<CertificateIntent, 'tokenKey'>>)[], issuer: Issuer): CertificateIntent[] {
    return contents.map((content) => {
      const serial = newSerial();
      return {
        serial,
        profile: content.profile,
        holder: content.holder,
        tokenKey: content.tokenKey,
        publicKeyDigest: publicKeyDigest(content.publicKey),
        notBefore: content.notBefore,
        notAfter: content.notAfter,
        tbs: tbsOf(content, serial, issuer),
      };
    });
  }

  /** Stores intents with one journal entry each; `before` writes what must stand in the same transaction (a new CA's row). */
  async commitIntents(
    caId: string,
    intents: readonly CertificateIntent[],
    before: (tx: EntityManager, entryId: string) => Promise<void> = async () => undefined,
  ): Promise<string[]> {
    return this.dataSource.transaction(async (tx) => {
      const entryIds = await this.journal.recordMany(
        tx,
        intents.map((intent) => ({
          kind: 'pki.issueIntent',
          subject: `${caId}/${intent.serial}`,
          data: { profile: intent.profile, holder: `${intent.holder.kind}:${intent.holder.id}`, tbs: digest(intent.tbs) },
        })),
      );
      await before(tx, entryIds[0] as string);
      await this.certificates.insertIntents(tx, caId, intents, this.clock.now(), entryIds);
      return entryIds;
    });
  }

  /**
   * Before a CA is certified: its intent must be in an anchored checkpoint. Throws JOURNAL_STALE; the intent stays, counts as issued,
   * and is settled at the next start.
   */
  async anchored(entryIds: readonly string[]): Promise<void> {
    for (const entryId of entryIds) await this.journal.anchored(this.dataSource.manager, entryId);
  }

  /**
   * Has the token sign the bytes of stored intents, one signature each, and stores the outcomes. Where another call was
   * faster, its certificate is returned: a serial never has two.
   */
  async sign(issuer: SigningKey, intents: readonly Pick<CertificateIntent, 'serial' | 'tbs'>[]): Promise<IssuedCertificate[]> {
    const signatures = await this.hsm.sign(
      issuer.device,
      intents.map((intent) => ({ keyId: issuer.keyId, purpose: 'tbsCertificate' as const, bytes: intent.tbs })),
    );
    const signed = intents.map((intent, i) => ({
      serial: intent.serial,
      certificate: encodeSigned(intent.tbs, issuer.algorithm, signatures[i] as Uint8Array),
    }));
    return this.commitOutcomes(issuer.caId, signed);
  }

  /** Start-up: signs the same bytes again for every intent of this CA that has no outcome. */
  async settle(issuer: SigningKey): Promise<number> {
    const open = await this.certificates.listOpen(issuer.caId);
    for (let i = 0; i < open.length; i += ISSUE_BATCH) await this.sign(issuer, open.slice(i, i + ISSUE_BATCH));
    return open.length;
  }

  private async commitOutcomes(caId: string, signed: readonly IssuedCertificate[]): Promise<IssuedCertificate[]> {
    const stored = await this.dataSource.transaction(async (tx) => {
      const open = await this.certificates.lockOpen(tx, caId, signed.map((each) => each.serial));
      const mine = signed.filter((each) => open.has(each.serial));
      const entryIds = await this.journal.recordMany(
        tx,
        mine.map((each) => ({ kind: 'pki.issue', subject: `${caId}/${each.serial}`, data: { certificate: digest(each.certificate) } })),
      );
      await this.certificates.storeOutcomes(tx, caId, mine.map((each, i) => ({ ...each, entryId: entryIds[i] as string })));
      return open;
    });
    const late = signed.filter((each) => !stored.has(each.serial)).map((each) => each.serial);
    if (late.length === 0) return [...signed];
    const others = new Map((await this.certificates.findMany(caId, late)).map((record) => [record.serial, record.certificate]));
    return signed.map((each) => {
      if (stored.has(each.serial)) return each;
      const certificate = others.get(each.serial);
      if (certificate === undefined) throw new AppError('CERTIFICATE_UNKNOWN', { caId, serial: each.serial });
      return { serial: each.serial, certificate };
    });
  }
}

/** 16 random bytes; the top bits are 01, so that it is positive, never zero and always 16 octets long (RFC 5280 4.1.2.2). */
export function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] as number) & 0x3f) | 0x40;
  return toHex(bytes);
}

export function publicKeyDigest(spki: Uint8Array): Uint8Array {
  return createHash('sha256').update(spki).digest();
}

export function digest(bytes: Uint8Array): string {
  return toHex(createHash('sha256').update(bytes).digest());
}
