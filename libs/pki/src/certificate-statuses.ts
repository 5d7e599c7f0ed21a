import { Injectable } from '@nestjs/common';
import { AuthorityRepository } from './authority.repository.js';
import { CertificateRepository, type TokenCertificateRecord } from './certificate.repository.js';
import type { CertificationAuthority } from './domain/authority.js';
import type { Revocation } from './domain/revocation.js';
import { StatusRepository } from './status.repository.js';

export type CertificateStatus = { readonly kind: 'unknown' } | { readonly kind: 'issued'; readonly revocation: Revocation | undefined };

const RESPONDER_PROFILE = 'ocsp-responder';

/** The status questions of a responder, a few indexed look-ups each. */
@Injectable()
export class CertificateStatuses {
  constructor(
    private readonly authorities: AuthorityRepository,
    private readonly certificates: CertificateRepository,
    private readonly statuses: StatusRepository,
  ) {}

  listAuthorities(): Promise<CertificationAuthority[]> {
    return this.authorities.list();
  }

  /** In the order asked. A serial that stands in an intent counts as issued, also before the token has signed it. */
  async find(caId: string, serials: readonly string[]): Promise<CertificateStatus[]> {
    const known = new Set((await this.certificates.findMany(caId, serials)).map((record) => record.serial));
    const revocations = await this.statuses.findRevocations(caId, serials);
    return serials.map((serial) => (known.has(serial) ? { kind: 'issued', revocation: revocations.get(serial) } : { kind: 'unknown' }));
  }

  /** The delegated responder of a CA whose certificate is valid at `at`; undefined when there is none. */
  responder(caId: string, at: Date): Promise<TokenCertificateRecord | undefined> {
    return this.certificates.findTokenCertificate({ issuerCaId: caId, profile: RESPONDER_PROFILE }, at);
  }
}
