import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { JournalModule } from '#libs/journal';
import { type AccessConfig, AccessTerms } from './access-terms.js';
import { CertificateStatus } from './certificate-status.js';
import { Changes } from './changes.service.js';
import { Departures } from './departures.service.js';
import { FirstPolicies } from './first-policies.js';
import { Initialisation } from './initialisation.service.js';
import { Operators } from './operators.service.js';
import { PersonRecords } from './person-records.js';
import { Enrolments } from './sign-in/enrolments.service.js';
import { Origins } from './sign-in/origins.js';
import { Refusals } from './sign-in/refusals.service.js';
import { Sessions } from './sign-in/sessions.service.js';
import { SignInRepository } from './sign-in/sign-in.repository.js';
import { SignIn } from './sign-in/sign-in.service.js';

/** What answers for client certificates, and the modules it needs. */
export interface CertificateStatusBinding {
  readonly useClass: Type<CertificateStatus>;
  readonly imports: NonNullable<DynamicModule['imports']>;
}

/** Who may act, and how that comes about. Imported once by an app. */
@Module({})
export class AccessModule {
  static forRoot(config: AccessConfig, certificateStatus: CertificateStatusBinding): DynamicModule {
    return {
      module: AccessModule,
      imports: [JournalModule, ...certificateStatus.imports],
      providers: [
        { provide: AccessTerms, useFactory: () => new AccessTerms(config) },
        { provide: CertificateStatus, useClass: certificateStatus.useClass },
        PersonRecords,
        FirstPolicies,
        Initialisation,
        Operators,
        Changes,
        Departures,
        SignInRepository,
        Origins,
        Refusals,
        Sessions,
        SignIn,
        Enrolments,
      ],
      exports: [Initialisation, Operators, Changes, Departures, Origins, Refusals, Sessions, SignIn, Enrolments],
    };
  }
}
