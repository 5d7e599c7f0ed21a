import { Injectable } from '@nestjs/common';
import { Clock } from '#libs/platform';
import { AuthorityRepository } from './authority.repository.js';
import { CertificateRepository, type TokenCertificateRecord } from './certificate.repository.js';
import { type CaCertificate, TrustGraph } from './domain/chain.js';
import { nameHash, type ParsedCertificate, readCertificate } from './domain/certificate.js';
import { type CertificateView, certificateView, statusFromCrls, type StatusView } from './domain/certificate-view.js';
import { readCrl } from './domain/crl.js';
import { distrustedFrom } from './domain/revocation.js';
import { ForeignRepository } from './foreign.repository.js';
import { digest } from './issuance.service.js';
import { StatusRepository } from './status.repository.js';

/** A token key with the certificate that speaks for it: what a signer of reports or OCSP answers needs. */
export interface TokenCertificate extends TokenCertificateRecord {
  /** Issuer first, root last. */
  readonly chain: readonly Uint8Array[];
}

/** The reading side, for judges of signatures: every certificate that is known, with its chain checked and its status. */
@Injectable()
export class CertificateHistory {
  constructor(
    private readonly authorities: AuthorityRepository,
    private readonly certificates: CertificateRepository,
    private readonly statuses: StatusRepository,
    private readonly foreign: ForeignRepository,
    private readonly clock: Clock,
  ) {}

  /** Everything at once: end-entity certificates, ours and foreign ones. A few thousand a second and core. */
  async load(): Promise<CertificateView[]> {
    const ownStatus = await this.ownStatus();
    const authorities = await this.authorities.list();
    const nameOf = new Map(authorities.map((ca) => [ca.caId, nameHash(ca.subject)]));
    const foreign = await this.foreign.listCertificates();
    const graph = new TrustGraph([
      ...authorities.flatMap((ca): CaCertificate[] =>
        ca.certificate === undefined
          ? []
          : [
              {
                certificate: readCertificate(ca.certificate),
                trusted: ca.issuerCaId === ca.caId,
                distrustedFrom: ownStatus(ca.issuerCaId, ca.serial).revokedAt,
              },
            ],
      ),
      ...foreign
        .filter((each) => each.role === 'ca')
        .map((each) => ({ certificate: readCertificate(each.certificate), trusted: each.trusted, distrustedFrom: undefined })),
    ]);

    const views: CertificateView[] = [];
    for (const record of await this.certificates.listIssued()) {
      if (record.certificate === undefined || record.holder.kind === 'ca') continue;
      const parsed = readCertificate(record.certificate);
      const status = ownStatus(record.issuerCaId, record.serial);
      views.push(certificateView(parsed, nameOf.get(record.issuerCaId) ?? nameHash(parsed.issuer), graph.check(parsed), status, record.holder));
    }
    const foreignStatus = await this.foreignStatus();
    for (const record of foreign.filter((each) => each.role === 'endEntity')) {
      const parsed = readCertificate(record.certificate);
      const finding = graph.check(parsed);
      views.push(certificateView(parsed, record.issuerDigest, finding, foreignStatus(finding.issuer, parsed), undefined));
    }
    return views;
  }

  /** The token key of this label with its certificate that is valid now, and the chain; undefined when there is none. */
  async forTokenKey(keyLabel: string): Promise<TokenCertificate | undefined> {
    const found = await this.certificates.findTokenCertificate({ keyLabel }, this.clock.now());
    return found === undefined ? undefined : { ...found, chain: await this.chainOf(found.issuerCaId) };
  }

  /** Certificates from this CA up to its root. */
  private async chainOf(caId: string): Promise<Uint8Array[]> {
    const byId = new Map((await this.authorities.list()).map((ca) => [ca.caId, ca]));
    const chain: Uint8Array[] = [];
    for (let ca = byId.get(caId); ca?.certificate !== undefined; ca = byId.get(ca.issuerCaId)) {
      chain.push(ca.certificate);
      if (ca.issuerCaId === ca.caId) break;
    }
    return chain;
  }

  /** We are the authority over our own certificates: their status is known until now, and as far as our last CRL reaches. */
  private async ownStatus(): Promise<(caId: string, serial: string) => StatusView> {
    const revocations = new Map((await this.statuses.listAll()).map((each) => [`${each.issuerCaId}/${each.serial}`, distrustedFrom(each)]));
    const nextUpdates = await this.statuses.latestNextUpdates();
    const now = this.clock.now();
    return (caId, serial) => {
      const next = nextUpdates.get(caId);
      return { revokedAt: revocations.get(`${caId}/${serial}`), knownUntil: next !== undefined && next > now ? next : now };
    };
  }

  /** Status of foreign certificates: from the lists of the CA that issued them, if there are any. */
  private async foreignStatus(): Promise<(issuer: ParsedCertificate | undefined, certificate: ParsedCertificate) => StatusView> {
    const lists = Map.groupBy((await this.foreign.listCrls()).reverse(), (each) => each.issuerKeyDigest);
    const byKey = new Map([...lists].map(([key, crls]) => [key, statusFromCrls(crls.map((each) => readCrl(each.crl)))]));
    return (issuer, certificate) => {
      const lookUp = issuer === undefined ? undefined : byKey.get(digest(issuer.publicKey));
      return lookUp === undefined ? { revokedAt: undefined, knownUntil: undefined } : lookUp(certificate);
    };
  }
}
