import { Injectable } from '@nestjs/common';
import { CertificateStatus, type ClientCertificateStatus } from '#libs/access';
import { CertificateStatuses, distrustedFrom, nameHash, type ParsedCertificate, readCertificate, readPublicKey, verifySignature } from '#libs/pki';

/** The room of certificates answers for client certificates: issued by an authority of this scheme, in its time, not revoked. */
@Injectable()
export class PkiCertificateStatus extends CertificateStatus {
  constructor(private readonly statuses: CertificateStatuses) {
    super();
  }

  override async statusOf(certificate: Uint8Array, at: Date): Promise<ClientCertificateStatus> {
    const parsed = readCertificate(certificate);
    const issuer = (await this.statuses.listAuthorities()).find((ca) => ca.certificate !== undefined && issuedBy(readCertificate(ca.certificate), parsed));
    if (issuer === undefined) return 'unknown';
    const [status] = await this.statuses.find(issuer.caId, [parsed.serial]);
    if (status?.kind !== 'issued') return 'unknown';
    if (status.revocation !== undefined && distrustedFrom(status.revocation) <= at) return 'revoked';
    return at >= parsed.notBefore && at <= parsed.notAfter ? 'good' : 'expired';
  }
}

/** By name and by signature: two authorities of one name are told apart by their keys. */
function issuedBy(issuer: ParsedCertificate, certificate: ParsedCertificate): boolean {
  const key = nameHash(issuer.subject) === nameHash(certificate.issuer) ? readPublicKey(issuer.publicKey) : undefined;
  return key !== undefined && verifySignature(key, certificate.signatureOid, certificate.tbs, certificate.signature);
}
