import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Hsm } from '#libs/hsm';
import { Journal } from '#libs/journal';
import { Clock } from '#libs/platform';
import { AppError } from '#libs/platform/domain';
import { AuthorityRepository } from './authority.repository.js';
import { CertificateRepository } from './certificate.repository.js';
import { encodeSigned } from './domain/certificate.js';
import { encodeTbsCrl } from './domain/crl.js';
import type { RevocationReason } from './domain/revocation.js';
import { digest } from './issuance.service.js';
import { type IssuedCrl, StatusRepository } from './status.repository.js';

export interface RevocationRequest {
  /** caId of the CA that issued the certificate. */
  readonly issuer: string;
  readonly serial: string;
  readonly reason: RevocationReason;
  readonly effectiveAt: Date;
  readonly invalidityAt?: Date | undefined;
}

@Injectable()
export class Revocations {
  constructor(
    private readonly dataSource: DataSource,
    private readonly authorities: AuthorityRepository,
    private readonly certificates: CertificateRepository,
    private readonly statuses: StatusRepository,
    private readonly journal: Journal,
    private readonly hsm: Hsm,
    private readonly clock: Clock,
  ) {}

  /**
   * Adds the one status row that a certificate can get; times are cut to whole seconds, as CRLs carry them.
   * Throws CERTIFICATE_UNKNOWN, CERTIFICATE_REVOKED_ALREADY, REVOCATION_INVALID.
   */
  async revoke(request: RevocationRequest): Promise<void> {
    const { issuer, serial, reason } = request;
    const effectiveAt = wholeSecond(request.effectiveAt);
    const invalidityAt = request.invalidityAt === undefined ? undefined : wholeSecond(request.invalidityAt);
    const [certificate] = await this.certificates.findMany(issuer, [serial]);
    if (certificate === undefined) throw new AppError('CERTIFICATE_UNKNOWN', { caId: issuer, serial });
    if (!(effectiveAt >= certificate.notBefore)) throw new AppError('REVOCATION_INVALID', { reason: 'effectiveAt < notBefore' });
    if (invalidityAt !== undefined && !(invalidityAt <= effectiveAt)) throw new AppError('REVOCATION_INVALID', { reason: 'invalidityAt > effectiveAt' });
    try {
      await this.dataSource.transaction(async (tx) => {
        const times = { effectiveAt: effectiveAt.toISOString(), invalidityAt: invalidityAt?.toISOString() ?? null };
        const entryId = await this.journal.record(tx, { kind: 'pki.revoke', subject: `${issuer}/${serial}`, data: { reason, ...times } });
        await this.statuses.insertRevocation(tx, issuer, { serial, reason, effectiveAt, invalidityAt }, this.clock.now(), entryId);
      });
    } catch (error) {
      if ((error as { code?: string }).code === '23505') throw new AppError('CERTIFICATE_REVOKED_ALREADY', { serial }, { cause: error });
      throw error;
    }
  }

  /**
   * Issues the next complete CRL of a CA: everything that is revoked at `thisUpdate`. Returns it in DER.
   * Throws CA_UNKNOWN, CRL_TIMES_INVALID, HSM_*.
   */
  async issueCrl(caId: string, times: { thisUpdate: Date; nextUpdate: Date }): Promise<Uint8Array> {
    const ca = await this.authorities.get(caId);
    const thisUpdate = wholeSecond(times.thisUpdate);
    const nextUpdate = wholeSecond(times.nextUpdate);
    if (!(thisUpdate < nextUpdate)) throw new AppError('CRL_TIMES_INVALID', { reason: 'thisUpdate >= nextUpdate' });
    if (!(thisUpdate >= ca.notBefore && thisUpdate <= ca.notAfter)) throw new AppError('CRL_TIMES_INVALID', { reason: `outside ${caId}` });
    const intent = await this.dataSource.transaction(async (tx) => {
      const number = await this.statuses.nextCrlNumber(tx, caId);
      const entries = await this.statuses.listRevocations(tx, caId, thisUpdate);
      const tbs = encodeTbsCrl({
        issuer: ca.subject,
        issuerPublicKey: ca.publicKey,
        issuerAlgorithm: ca.algorithm,
        number,
        thisUpdate,
        nextUpdate,
        entries,
      });
      const entryId = await this.journal.record(tx, {
        kind: 'pki.crlIntent',
        subject: `${caId}/crl/${number}`,
        data: { entries: entries.length, tbs: digest(tbs) },
      });
      const crl = { caId, number, thisUpdate, nextUpdate, tbs };
      await this.statuses.insertCrlIntent(tx, crl, this.clock.now(), entryId);
      return crl;
    });
    return this.signCrl(intent);
  }

  /** The newest CRL of a CA, or the one of this number; undefined when there is none yet. */
  async findCrl(caId: string, number?: bigint): Promise<IssuedCrl | undefined> {
    return this.statuses.findCrl(caId, number);
  }

  /** Start-up: signs the same bytes again for lists without an outcome. */
  async settle(): Promise<number> {
    const open = await this.statuses.listOpenCrls();
    for (const crl of open) await this.signCrl(crl);
    return open.length;
  }

  private async signCrl(intent: Omit<IssuedCrl, 'crl'>): Promise<Uint8Array> {
    const { caId, number, tbs } = intent;
    const ca = await this.authorities.get(caId);
    const [signature] = await this.hsm.sign(ca.device, [{ keyId: ca.keyId, purpose: 'tbsCrl', bytes: tbs }]);
    const crl = encodeSigned(tbs, ca.algorithm, signature as Uint8Array);
    await this.dataSource.transaction(async (tx) => {
      if (!(await this.statuses.lockOpenCrl(tx, caId, number))) return;
      const entryId = await this.journal.record(tx, { kind: 'pki.crl', subject: `${caId}/crl/${number}`, data: { crl: digest(crl) } });
      await this.statuses.storeCrl(tx, caId, number, crl, entryId);
    });
    return (await this.statuses.findCrl(caId, number))?.crl ?? crl;
  }
}

/** CRLs and certificates carry whole seconds. */
export function wholeSecond(at: Date): Date {
  return new Date(Math.floor(at.getTime() / 1_000) * 1_000);
}
