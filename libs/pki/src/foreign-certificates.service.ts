import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Journal } from '#libs/journal';
import { Clock } from '#libs/platform';
import { AppError, canonicalJson, equalBytes, isAppError } from '#libs/platform/domain';
import { CertificateRepository } from './certificate.repository.js';
import { nameHash, type ParsedCertificate, readCertificate } from './domain/certificate.js';
import { type ParsedCrl, readCrl } from './domain/crl.js';
import { readPublicKey, verifySignature } from './domain/key-algorithm.js';
import { type ForeignCertificate, type ForeignCrl, ForeignRepository } from './foreign.repository.js';
import { digest } from './issuance.service.js';

/** Certificates of CAs that are not ours, for judging what their holders signed. All DER. */
export interface ForeignImport {
  readonly certificates: readonly Uint8Array[];
  readonly caCertificates: readonly Uint8Array[];
  /** Without a list of its CA, a certificate has no status information. */
  readonly crls?: readonly { readonly der: Uint8Array; readonly receivedAt: Date }[] | undefined;
  /** Whether the CA certificates are trust anchors. */
  readonly trusted: boolean;
}

@Injectable()
export class ForeignCertificates {
  constructor(
    private readonly dataSource: DataSource,
    private readonly repository: ForeignRepository,
    private readonly certificates: CertificateRepository,
    private readonly journal: Journal,
    private readonly clock: Clock,
  ) {}

  /**
   * Enters all or nothing; what is held already, byte for byte, is passed over. Returns how much was new.
   * Throws CERTIFICATE_MALFORMED, CERTIFICATE_CONFLICT, FOREIGN_CRL_REFUSED with the place in the list.
   */
  async import(material: ForeignImport): Promise<{ certificates: number; crls: number }> {
    const certificates = [
      ...material.caCertificates.map((der, index) => foreignCertificate(der, index, 'ca', material.trusted)),
      ...material.certificates.map((der, index) => foreignCertificate(der, index, 'endEntity', false)),
    ];
    const held = await this.repository.listCertificates();
    await this.refuseConflicts(certificates, held);
    const authorities = [...held, ...certificates].filter((each) => each.role === 'ca').map((each) => readCertificate(each.certificate));
    const crls = (material.crls ?? []).map(({ der, receivedAt }, index) => foreignCrl(der, receivedAt, index, authorities));
    return this.dataSource.transaction(async (tx) => {
      const entryId = await this.journal.record(tx, {
        kind: 'pki.importForeign',
        subject: 'pki/foreign',
        data: {
          trusted: material.trusted,
          certificates: certificates.length,
          crls: crls.map((crl) => crl.digest),
          digest: digest(canonicalJson(certificates.map((each) => digest(each.certificate)))),
        },
      });
      return {
        certificates: await this.repository.insertCertificates(tx, certificates, this.clock.now(), entryId),
        crls: await this.repository.insertCrls(tx, crls, entryId),
      };
    });
  }

  /** One issuer and serial name one certificate: of the foreign ones, and of ours. */
  private async refuseConflicts(list: readonly ForeignCertificate[], held: readonly ForeignCertificate[]): Promise<void> {
    const key = (each: ForeignCertificate): string => `${each.issuerDigest}/${each.serial}`;
    const [own] = await this.certificates.findOwnAmong(list);
    if (own !== undefined) throw new AppError('CERTIFICATE_CONFLICT', { serial: own });
    const known = new Map(held.map((each) => [key(each), each.certificate]));
    for (const each of list) {
      const other = known.get(key(each));
      if (other !== undefined && !equalBytes(other, each.certificate)) throw new AppError('CERTIFICATE_CONFLICT', { serial: each.serial });
      known.set(key(each), each.certificate);
    }
  }
}

function foreignCertificate(der: Uint8Array, index: number, role: ForeignCertificate['role'], trusted: boolean): ForeignCertificate {
  let parsed: ParsedCertificate;
  try {
    parsed = readCertificate(der);
  } catch (error) {
    if (!isAppError(error)) throw error;
    throw new AppError('CERTIFICATE_MALFORMED', { index, reason: `DER ${String(error.details['offset'])}` }, { cause: error });
  }
  if (role === 'ca' && !(parsed.isCa && parsed.mayCertify)) throw new AppError('CERTIFICATE_MALFORMED', { index, reason: 'basicConstraints, keyUsage: no CA' });
  return { issuerDigest: nameHash(parsed.issuer), serial: parsed.serial, role, trusted, certificate: der };
}

function foreignCrl(der: Uint8Array, receivedAt: Date, index: number, authorities: readonly ParsedCertificate[]): ForeignCrl {
  let parsed: ParsedCrl;
  try {
    parsed = readCrl(der);
  } catch (error) {
    if (!isAppError(error)) throw error;
    throw new AppError('FOREIGN_CRL_REFUSED', { index, reason: `DER ${String(error.details['offset'])}` }, { cause: error });
  }
  const signer = authorities.find((authority) => {
    const publicKey = equalBytes(authority.subject, parsed.issuer) ? readPublicKey(authority.publicKey) : undefined;
    return publicKey !== undefined && verifySignature(publicKey, parsed.signatureOid, parsed.tbs, parsed.signature);
  });
  if (signer === undefined) throw new AppError('FOREIGN_CRL_REFUSED', { index, reason: 'signature' });
  return { digest: digest(der), issuerKeyDigest: digest(signer.publicKey), crl: der, thisUpdate: parsed.thisUpdate, receivedAt };
}
