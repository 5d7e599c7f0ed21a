import { type DynamicModule, Module, type Provider, type Type } from '@nestjs/common';
import { JournalModule } from '#libs/journal';
import { type AccessConfig, AccessTerms } from './access-terms.js';
import { Approvals } from './approvals/approvals.service.js';
import { ApprovalsRepository } from './approvals/approvals.repository.js';
import { type ApprovalsConfig, ApprovalsTerms } from './approvals/approval-terms.js';
import { Approvers } from './approvals/approvers.js';
import { PolicyChanges } from './approvals/policy-changes.service.js';
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

/** For an app in which approvals are gathered. */
export interface ApprovalsOptions {
  readonly terms: ApprovalsConfig;
  /** Binds the port `ApprovalPolicy`. */
  readonly policy: Provider;
}

/** Ports that the app binds. */
export interface AccessBindings {
  readonly certificateStatus: CertificateStatusBinding;
  readonly approvals?: ApprovalsOptions;
}

/** Who may act, and how that comes about. Imported once by an app. */
@Module({})
export class AccessModule {
  static forRoot(config: AccessConfig, { certificateStatus, approvals }: AccessBindings): DynamicModule {
    const gathering = approvals === undefined ? [] : [Approvals, PolicyChanges];
    const shown = [Initialisation, Operators, Changes, Departures, Origins, Refusals, Sessions, SignIn, Enrolments, ...gathering];
    return {
      module: AccessModule,
      imports: [JournalModule, ...certificateStatus.imports],
      providers: [
        { provide: AccessTerms, useFactory: () => new AccessTerms(config) },
        { provide: CertificateStatus, useClass: certificateStatus.useClass },
        PersonRecords,
        FirstPolicies,
        SignInRepository,
        ...(approvals === undefined ? [] : approvalProviders(approvals)),
        ...shown,
      ],
      exports: shown,
    };
  }
}

function approvalProviders({ terms, policy }: ApprovalsOptions): Provider[] {
  return [policy, { provide: ApprovalsTerms, useFactory: () => new ApprovalsTerms(terms) }, ApprovalsRepository, Approvers];
}
