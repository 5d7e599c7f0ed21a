import { type DynamicModule, Module } from '@nestjs/common';
import { JournalModule } from '#libs/journal';
import { KeysModule } from '#libs/keys';
import { OrganisationsModule } from '#libs/organisations';
import { AuthorityRepository } from './authority.repository.js';
import { CertificateHistory } from './certificate-history.js';
import { CertificateProfiles } from './certificate-profiles.js';
import { CertificateRepository } from './certificate.repository.js';
import { CertificateStatuses } from './certificate-statuses.js';
import { Enrolment } from './enrolment.service.js';
import { ForeignCertificates } from './foreign-certificates.service.js';
import { ForeignRepository } from './foreign.repository.js';
import { Issuance } from './issuance.service.js';
import { Pki } from './pki.service.js';
import { Revocations } from './revocations.service.js';
import { StatusRepository } from './status.repository.js';

/** The reading side alone: for processes that judge signatures and issue nothing. Needs no HSM. */
@Module({
  providers: [AuthorityRepository, CertificateRepository, StatusRepository, ForeignRepository, CertificateHistory, CertificateStatuses],
  exports: [AuthorityRepository, CertificateRepository, StatusRepository, ForeignRepository, CertificateHistory, CertificateStatuses],
})
export class CertificateHistoryModule {}

@Module({})
export class PkiModule {
  /** `profilesDir`: the folder of certificate profiles (certs/profiles). */
  static forRoot(options: { readonly profilesDir: string }): DynamicModule {
    return {
      module: PkiModule,
      imports: [JournalModule, KeysModule, OrganisationsModule, CertificateHistoryModule],
      providers: [
        { provide: CertificateProfiles, useFactory: () => CertificateProfiles.load(options.profilesDir) },
        Issuance,
        Enrolment,
        Revocations,
        ForeignCertificates,
        Pki,
      ],
      exports: [Pki, CertificateProfiles, CertificateHistoryModule],
    };
  }
}
